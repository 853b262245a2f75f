"""The configuration: YAML to frozen dataclasses, or errors that name file, line and key.

Every key is optional. An unknown key, a wrong type or a wrong unit is an error: a monitor
that quietly ignores a typo is worse than none. The schema is the table at the end.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from agent.model.policy import (
    AFTERCARE_MAX,
    FAULT_KINDS,
    FLAPS_MAX,
    REPEATS_MAX,
    REPLICAS_MAX,
    STEP_NAMES,
    STEPS_MAX,
    TOP_PROCESSES_MAX,
    BudgetPolicy,
    CniGuardPolicy,
    FlappingPolicy,
    GpuPolicy,
    NicMatch,
    Policy,
    ProbePolicy,
    RemediationPolicy,
    RepeatsPolicy,
)
from agent.yaml_reader import ConfigError, Parser, Reader, Wrong, kind_of, list_of, nested, scalar
from agent.yaml_values import (
    absolute_path,
    choice,
    duration,
    lowered,
    pattern,
    size,
    whole_number,
)

DEFAULT_PATH = Path("/etc/nodemend/config.yaml")
FILE_BYTES_MAX = 256 * 1024
_ITEMS_MAX = 64
_PORT_MAX = 65535
_IPV6 = 6
_MEGABIT = 1_000_000
_DURATIONS = ("interval", "timeout", "within", "down_grace", "settle", "rest")
_IN_NANOSECONDS = {name: f"{name}_ns" for name in _DURATIONS}


@dataclass(frozen=True)
class Listen:
    """Where HTTP is served."""

    host: str = "0.0.0.0"  # noqa: S104  a node agent is scraped from outside; it has no path that writes
    port: int = 19100


@dataclass(frozen=True)
class Config:
    """A whole, valid configuration."""

    path: str | None = None  # None: no file, all defaults
    web_config_file: str | None = None
    listen: Listen = field(default_factory=Listen)
    policy: Policy = field(default_factory=Policy)


def load(path: Path) -> Config:
    """Read and check a file; ConfigError if anything at all is wrong with it."""
    try:
        with path.open("rb") as file:
            raw = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise ConfigError([f"{path}: {error.strerror}"]) from error
    if len(raw) > FILE_BYTES_MAX:
        raise ConfigError([f"{path}: larger than {FILE_BYTES_MAX} bytes: not a configuration"])
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigError([f"{path}:{line}: not UTF-8 text (byte {error.start})"]) from error
    return parse(text, str(path))


def load_default(path: Path = DEFAULT_PATH) -> Config:
    """The configuration of this machine; all defaults where it has none."""
    try:
        path.stat()
    except FileNotFoundError:
        return Config()
    except OSError as error:
        raise ConfigError([f"{path}: {error.strerror}"]) from error
    return load(path)


def parse(text: str, source: str) -> Config:
    """Check a text; `source` names it in the errors."""
    reader = Reader(source)
    root = reader.compose(text)
    if root is None:
        return Config(path=source)
    values = reader.section(root, "", _ROOT)
    if reader.problems:
        raise ConfigError(reader.problems)
    mode, gpu = values.get("mode", "observe"), _gpu(values.get("gpu", {}))
    cni_guard = _cni_guard(values.get("cni_guard", {}))
    policy = Policy(mode=mode, **values.get("usb_nic", {}), gpu=gpu, cni_guard=cni_guard)
    listen = values.get("listen", Listen())
    return Config(source, values.get("web_config_file"), listen, policy)


def _listen(_reader: Reader, node: yaml.Node, _key: str) -> Listen:
    wanted = "ADDRESS:PORT, e.g. 0.0.0.0:19100 or [::1]:19100"
    value = scalar(node, wanted)
    address, colon, port = value.rpartition(":")
    if not colon or not re.fullmatch(r"[0-9]{1,5}", port) or not 1 <= int(port) <= _PORT_MAX:
        raise Wrong(f"expected {wanted}, with a port from 1 to {_PORT_MAX}, found {value!r}")
    bracketed = address.startswith("[") and address.endswith("]")
    try:
        parsed = ipaddress.ip_address(address[1:-1] if bracketed else address)
    except ValueError:
        raise Wrong(f"expected {wanted}; {address!r} is not an IP address") from None
    if bracketed != (parsed.version == _IPV6):
        raise Wrong(f"expected {wanted}; an IPv6 address stands in brackets")
    return Listen(str(parsed), int(port))


def _items(schema: Mapping[str, Parser]) -> Parser:
    def parse_items(reader: Reader, node: yaml.Node, key: str) -> tuple[NicMatch, ...]:
        if not isinstance(node, yaml.SequenceNode):
            raise Wrong(f"expected a list of items like {{driver: r8152}}, found {kind_of(node)}")
        if len(node.value) > _ITEMS_MAX:
            raise Wrong(f"at most {_ITEMS_MAX} items, found {len(node.value)}")
        items = []
        names: set[str] = set()
        for index, item in enumerate(node.value):
            place = f"{key}[{index}]"
            problems_before = len(reader.problems)
            values = reader.section(item, place, schema)
            if len(reader.problems) > problems_before:
                continue
            if not values.keys() - {"name"}:
                reader.complain(item, place, "fits every NIC: give a condition, e.g. driver")
            if values.get("name") in names:
                reader.complain(item, f"{place}.name", f"{values['name']!r} is given twice")
            names.add(values.get("name", ""))
            items.append(NicMatch(**values))
        return tuple(items)

    return parse_items


def _usb_nic(reader: Reader, node: yaml.Node, key: str) -> dict[str, Any]:
    """The section's values by the names that Policy has for them."""
    values = reader.section(node, key, _USB_NIC)
    if "expect_speed" in values:
        values["expect_speed_bits"] = values.pop("expect_speed") * _MEGABIT
    probe, flapping = values.get("probe", {}), values.get("flapping", {})
    values["probe"] = ProbePolicy(**{_IN_NANOSECONDS.get(k, k): v for k, v in probe.items()})
    values["flapping"] = FlappingPolicy(
        **{_IN_NANOSECONDS.get(k, k): v for k, v in flapping.items()}
    )
    values["remediation"] = _remediation(values.get("remediation", {}))
    if values["probe"].timeout_ns > values["probe"].interval_ns:
        reader.complain(node, f"{key}.probe.timeout", "longer than the interval")
    return values


def _remediation(values: dict[str, Any]) -> RemediationPolicy:
    if "budget" in values:
        budget = {_IN_NANOSECONDS.get(k, k): v for k, v in values["budget"].items()}
        values["budget"] = BudgetPolicy(**budget)
    return RemediationPolicy(**{_IN_NANOSECONDS.get(k, k): v for k, v in values.items()})


def _gpu(values: dict[str, Any]) -> GpuPolicy:
    if "headroom" in values:
        values["headroom_bytes"] = values.pop("headroom")
    return GpuPolicy(**{_IN_NANOSECONDS.get(k, k): v for k, v in values.items()})


def _cni_guard(values: dict[str, Any]) -> CniGuardPolicy:
    if "repeats" in values:
        repeats = {_IN_NANOSECONDS.get(k, k): v for k, v in values["repeats"].items()}
        values["repeats"] = RepeatsPolicy(**repeats)
    return CniGuardPolicy(**{_IN_NANOSECONDS.get(k, k): v for k, v in values.items()})


def _probe_target(_reader: Reader, node: yaml.Node, _key: str) -> str:
    wanted = "gateway, or an IPv4 address in the NIC's own network"
    value = scalar(node, wanted)
    try:
        return value if value == "gateway" else str(ipaddress.IPv4Address(value))
    except ValueError:
        raise Wrong(f"expected {wanted}, found {value!r}") from None


# --- the schema ------------------------------------------------------------------------------

_CONDITIONS: dict[str, Parser] = {
    "driver": pattern(r"[A-Za-z0-9_-]{1,64}", "a kernel driver's name, e.g. r8152"),
    "mac": lowered(
        pattern(r"([0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}", "a MAC address like 6c:1f:f7:1b:e8:c8")
    ),
    "vendor_id": lowered(pattern(r"[0-9A-Fa-f]{4}", 'four hex digits as in lsusb, e.g. "0bda"')),
    "product_id": lowered(pattern(r"[0-9A-Fa-f]{4}", 'four hex digits as in lsusb, e.g. "8156"')),
    "connector": pattern(
        r"[A-Za-z0-9_.:-]{1,128}", "a connector as in status, e.g. pci-0000:00:14.0-usb-0:1"
    ),
}
_NAME: dict[str, Parser] = {
    "name": pattern(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}", "a name of letters, digits, . _ and -")
}
_USB_NIC: dict[str, Parser] = {
    "match": _items({**_CONDITIONS, **_NAME}),
    "ignore": _items(_CONDITIONS),
    "expect_speed": whole_number(10, 400_000, "Mb/s"),
    "probe": nested(
        {
            "target": _probe_target,
            "interval": duration("200ms", "1m"),
            "timeout": duration("50ms", "10s"),
        }
    ),
    "flapping": nested(
        {
            "count": whole_number(2, FLAPS_MAX, "flaps"),
            "within": duration("1s", "24h"),
        }
    ),
    "remediation": nested(
        {
            "act_on": list_of(choice(*FAULT_KINDS), len(FAULT_KINDS)),
            "steps": list_of(choice(*STEP_NAMES), len(STEP_NAMES)),
            "down_grace": duration("10s", "24h"),
            "budget": nested(
                {
                    "steps": whole_number(1, STEPS_MAX, "steps"),
                    "within": duration("1m", "24h"),
                }
            ),
            "settle": duration("10s", "1h"),
            "aftercare": list_of(
                pattern(r"[A-Za-z0-9:_.@-]{1,200}\.service", "a service like k3s-agent.service"),
                AFTERCARE_MAX,
            ),
        }
    ),
}
_GPU: dict[str, Parser] = {
    "interval": duration("200ms", "1m"),
    "top_processes": whole_number(0, TOP_PROCESSES_MAX, "processes"),
    "replicas": whole_number(1, REPLICAS_MAX, "replicas"),
    "headroom": size("0", "1Ti"),
}
_CNI_GUARD: dict[str, Parser] = {
    "interfaces": list_of(
        pattern(r"[A-Za-z0-9_.*?-]{1,15}", "a link's name, or a pattern like lxc*"), _ITEMS_MAX
    ),
    "repeats": nested(
        {
            "count": whole_number(1, REPEATS_MAX, "times"),
            "within": duration("1s", "24h"),
        }
    ),
    "rest": duration("1s", "24h"),
}
_ROOT: dict[str, Parser] = {
    "mode": choice("observe", "remediate"),
    "listen": _listen,
    "web_config_file": absolute_path,
    "usb_nic": _usb_nic,
    "cni_guard": nested(_CNI_GUARD),
    "gpu": nested(_GPU),
}
