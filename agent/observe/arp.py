"""Whether somebody answers ARP on a link: a packet socket bound to it, and no route in between.

ARP (RFC 826) is the one question that everything with an IPv4 address on the link must answer
to be of any use on it. It takes CAP_NET_RAW, no RTNL, and nothing of the driver but to send.
"""

from __future__ import annotations

import select
import socket
import struct
import time

LATE_PACKETS_MAX = 64  # in a storm of other people's ARP there is always one more

_ETH_P_ARP, _ETH_P_IP = 0x0806, 0x0800
_ARPHRD_ETHER = 1
_REQUEST, _REPLY = 1, 2
_BROADCAST = b"\xff" * 6
_HEADER = struct.Struct("!HHBBH")
_PACKET = struct.Struct("!HHBBH6s4s6s4s")
_DISCARD_PORT = 9
_LINK_ADDRESS_BYTES, _ADDRESS_BYTES = 6, 4


def answers(device: str, target: str, timeout_seconds: float) -> bool:
    """Whether `target` (IPv4) answers on `device` in time. OSError where it cannot be asked."""
    protocol = socket.htons(_ETH_P_ARP)
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK, protocol) as arp:
        arp.bind((device, _ETH_P_ARP))
        link_address = arp.getsockname()[4]
        if len(link_address) != _LINK_ADDRESS_BYTES:
            raise OSError(f"{device} has no Ethernet address")
        request = _request(link_address, _source(device, target), target)
        arp.sendto(request, (device, _ETH_P_ARP, 0, 0, _BROADCAST))
        return _answered(arp, target, time.monotonic() + timeout_seconds)


def is_reply_of(packet: bytes, target: str) -> bool:
    """Whether an ARP packet says where `target` is; anything else, broken ones too, does not."""
    if len(packet) < _PACKET.size:
        return False
    *kind, _, sender, _, _ = _PACKET.unpack_from(packet)
    expected = [_ARPHRD_ETHER, _ETH_P_IP, _LINK_ADDRESS_BYTES, _ADDRESS_BYTES, _REPLY]
    return kind == expected and sender == socket.inet_aton(target)


def _answered(arp: socket.socket, target: str, deadline: float) -> bool:
    """Looks on after the deadline: on a starved machine the answer may lie there."""
    late = 0
    while late < LATE_PACKETS_MAX:
        left_seconds = deadline - time.monotonic()
        ready, _, _ = select.select([arp], [], [], max(0.0, left_seconds))
        if not ready:
            return False
        late += left_seconds <= 0
        packet, sender = arp.recvfrom(_PACKET.size)
        if sender[2] != socket.PACKET_OUTGOING and is_reply_of(packet, target):
            return True
    return False


def _request(link_address: bytes, source: str, target: str) -> bytes:
    header = _HEADER.pack(_ARPHRD_ETHER, _ETH_P_IP, len(link_address), _ADDRESS_BYTES, _REQUEST)
    sender = link_address + socket.inet_aton(source)
    return header + sender + b"\0" * 6 + socket.inet_aton(target)


def _source(device: str, target: str) -> str:
    """The address that the kernel would use: connect() of a datagram socket sends nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagram:
        datagram.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode() + b"\0")
        datagram.connect((target, _DISCARD_PORT))
        return str(datagram.getsockname()[0])
