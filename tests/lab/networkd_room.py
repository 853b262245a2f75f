"""The real systemd-networkd of a release in namespaces of its own: it is restarted in a second.

In a container it takes another path than on a host, and deletes nothing: without a writable /sys it
believes that there is no udev. Here there is one, by the look of it, which has seen every link.
"""

from __future__ import annotations

import contextlib
import shlex
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from agent.audit.kernel import IP
from tests.lab import images
from tests.lab.images import LabError
from tests.lab.node import Node
from tests.lab.process import running

SETTLED_SECONDS_MAX = 30.0
_ENVIRONMENT = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# On a file system in memory over the release's own, which stays as it is.
_SET_UP = """
set -e
mount -t tmpfs tmpfs "$2" && mkdir "$2/upper" "$2/work" "$2/root"
mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" "$2/root"
cd "$2/root"
mount -t proc proc proc && mount -t sysfs sysfs sys && mount --rbind /dev dev
mount -t tmpfs tmpfs run && mount -t tmpfs tmpfs tmp
mkdir -p run/dbus run/udev/data run/systemd/network run/systemd/netif/links \
    run/systemd/netif/leases run/systemd/netif/lldp
touch run/udev/control
chroot . sh -c 'chown -R systemd-network: /run/systemd/netif; dbus-uuidgen --ensure=/etc/machine-id;
    rm -f /etc/systemd/network/*; ip link set lo up; dbus-daemon --system --fork'
exec chroot . sh -c 'cd /; while :; do sleep 1000 & wait; done'
"""
_MARK = 'for link in /sys/class/net/*; do echo I:1 > "/run/udev/data/n$(cat $link/ifindex)"; done'
_START = "setsid /lib/systemd/systemd-networkd > /run/networkd.log 2>&1 < /dev/null &"
# As systemd restarts it (RestartKillSignal= of its unit): it keeps what it has, for the next one.
_STOP = (
    "pkill -USR2 -x systemd-network; "
    "while pgrep -x systemd-network > /dev/null; do sleep 0.02; done"
)
DESCRIBE = (
    "busctl --auto-start=no --json=short call org.freedesktop.network1 "
    "/org/freedesktop/network1 org.freedesktop.network1.Manager Describe"
)


class Room(Node):
    """Entered through its process 1."""

    def __init__(self, name: str, unshare: int) -> None:
        self.name = name
        self._unshare = unshare

    @property
    def init(self) -> int:
        children = Path(f"/proc/{self._unshare}/task/{self._unshare}/children")
        try:
            return int(children.read_text().split()[0])
        except (OSError, IndexError) as error:
            raise LabError(f"{self.name}: unshare has no child") from error

    @property
    def root(self) -> Path:
        """Its files, as this machine sees them."""
        return Path(f"/proc/{self.init}/root")

    def shell(self, command: str) -> list[str]:
        inside = ["nsenter", "-t", str(self.init), "-m", "-n", "-p", "-r", "-w", "env", "-i"]
        return [*inside, _ENVIRONMENT, "sh", "-c", command]

    def start(self) -> None:
        """Start networkd, and wait until it is through with all of its links."""
        self.run(f"{_MARK}; {_START}")
        self.wait_until_settled()

    def restart(self) -> None:
        """As `systemctl restart` does."""
        self.run(_STOP)
        self.start()

    def stop(self) -> None:
        self.run(_STOP, check=False)

    def wait_until_settled(self) -> None:
        """Until no link is on its way to be configured, which takes two looks to believe."""
        deadline, calm = time.monotonic() + SETTLED_SECONDS_MAX, 0
        while calm < 2:
            done = self.run("networkctl --no-legend --no-pager list", check=False)
            words = [line.split() for line in done.stdout.splitlines()]
            busy = [w for w in words if w[-1] in ("pending", "initialized", "configuring")]
            calm = calm + 1 if words and not busy else 0
            if time.monotonic() > deadline:
                log = self.run("cat /run/networkd.log").stdout
                raise LabError(f"{self.name}: {done.stdout}{done.stderr}\n{log}")
            time.sleep(0.1)

    def describe(self) -> str:
        """What networkd answers over D-Bus."""
        return self.run(DESCRIBE).stdout

    def listed(self, arguments: tuple[str, ...]) -> str:
        """What `ip` prints there."""
        return self.run(shlex.join([*IP, *arguments])).stdout


@contextlib.contextmanager
def opened(release: str) -> Iterator[Room]:
    """A fresh one; what is done in it is forgotten with it."""
    with tempfile.TemporaryDirectory(prefix="nodemend-room-") as directory:
        mount = Path(directory) / "mount"
        mount.mkdir()
        words = [
            *("unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"),
            *("--propagation=private", "sh", "-c", _SET_UP, "room"),
            *(str(images.product_root(release)), str(mount)),
        ]
        log = Path(directory) / "log"
        with running(words, log) as process:
            room = Room(f"room-{release}", process.pid)
            deadline = time.monotonic() + SETTLED_SECONDS_MAX
            while not _is_ready(room):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise LabError(f"{room.name}: {log.read_text()}")
                time.sleep(0.05)
            yield room


def _is_ready(room: Room) -> bool:
    try:
        return not room.run("test -S /run/dbus/system_bus_socket", check=False).returncode
    except LabError:
        return False
