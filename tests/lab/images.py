"""Root file systems of Debian releases, built once, with the product installed as on a node.

    base    the release's packages, an ssh key, the lab's network        (a minute, once)
    deps    base and the product's locked requirements                   (seconds, per lock file)
    product deps and this checkout's wheel, unit, catalog ...            (seconds, per change)

Layers are directories in a cache, keyed by what they are made of. The product goes into the
deps layer in place: it replaces itself completely where it has changed.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

CHECKOUT = Path(__file__).resolve().parents[2]
ARTEFACTS = CHECKOUT / ".lab-artefacts"
LAB = Path(__file__).resolve().parent
# Debian's Python of each release, which the locked wheels have to fit.
RELEASES = {"bookworm": "3.11", "trixie": "3.13"}
PACKAGES = (
    "systemd",
    "systemd-sysv",
    "udev",
    "dbus",
    "linux-image-amd64",
    "python3",
    "python3-venv",
    "python3-systemd",
    "iproute2",
    "iputils-ping",
    "kmod",
    "ethtool",
    "usbutils",
    "openssh-server",
    "procps",
)
WHEEL_PLATFORMS = ("manylinux2014_x86_64", "manylinux_2_17_x86_64", "manylinux_2_28_x86_64")
INSTALLED = ("agent", "systemd", "pyproject.toml", "README.md", "LICENSE")
BUILD_SECONDS_MAX = 900
DISK_MEGABYTES = 3000

# The emulated machine's own link, for ssh; and the USB NIC, with the emulator's gateway behind it.
FILES = {
    "etc/systemd/network/10-lab.network": "[Match]\nDriver=virtio_net\n\n[Network]\nDHCP=yes\n",
    "etc/systemd/network/20-usb.network": (
        "[Match]\nDriver=r8152 cdc_ncm\n\n[Link]\nRequiredForOnline=no\n\n"
        "[Network]\nAddress=192.168.77.2/24\nGateway=192.168.77.1\nLinkLocalAddressing=no\n"
    ),
    # The emulator does not segment: without this, TCP through it would lose large frames.
    "etc/systemd/network/70-lab-usb.link": (
        "[Match]\nPath=*-usb-*\n\n[Link]\nNamePolicy=mac\n"
        "TCPSegmentationOffload=no\nTCP6SegmentationOffload=no\n"
    ),
    "etc/hostname": "node\n",
    "etc/hosts": "127.0.0.1 localhost node\n",
    "etc/systemd/journald.conf.d/lab.conf": "[Journal]\nStorage=persistent\nRateLimitBurst=0\n",
}


_Build: TypeAlias = Callable[[Path], None]


class LabError(Exception):
    """The lab itself failed, not what it tests."""


def cache() -> Path:
    """Where images are kept between runs; NODEMEND_LAB_CACHE moves it."""
    default = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "nodemend-lab"
    path = Path(os.environ.get("NODEMEND_LAB_CACHE") or default)
    path.mkdir(parents=True, exist_ok=True)
    return path


def command(*arguments: str | Path, timeout_seconds: float = BUILD_SECONDS_MAX) -> str:
    """Run a program of the host; LabError with its output where it fails."""
    words = [str(argument) for argument in arguments]
    done = subprocess.run(
        words,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=timeout_seconds,
        check=False,
    )
    if done.returncode:
        raise LabError(f"{' '.join(words)}: exit {done.returncode}\n{done.stdout[-4000:]}")
    return done.stdout


def pip(verb: str, release: str, lock: Path, *words: str | Path) -> None:
    """Fetch what is locked, as wheels for a release's Python, whatever this machine's is."""
    platforms = [f"--platform={platform}" for platform in WHEEL_PLATFORMS]
    command(
        *(sys.executable, "-m", "pip", verb, "--quiet", "--no-deps", "--require-hashes"),
        *("--only-binary=:all:", f"--python-version={RELEASES[release]}", *platforms),
        *("--requirement", lock, *words),
    )


def ssh_key() -> Path:
    """The private key that opens every node of this cache."""
    key = cache() / "id_ed25519"
    with _locked("key"):
        if not key.exists():
            command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f", key)
    return key


def product_root(release: str) -> Path:
    """A root file system with this checkout installed, as README.md says it is done."""
    root = _deps_root(release)
    with _locked(root.name):
        _install_product(root)
    return root


def disk(release: str, path: Path) -> tuple[Path, Path]:
    """The same as an ext4 image, for a virtual machine; returns its kernel and its initrd."""
    root = _deps_root(release)
    with _locked(root.name):
        _install_product(root)
        command("mke2fs", "-q", "-t", "ext4", "-d", root, path, f"{DISK_MEGABYTES}M")
    return (root / "vmlinuz").resolve(), (root / "initrd.img").resolve()


def _base_root(release: str) -> Path:
    key = ssh_key().with_suffix(".pub").read_text()
    recipe = repr((release, PACKAGES, sorted(FILES.items()), key))

    def build(root: Path) -> None:
        include = f"--include={','.join(PACKAGES)}"
        command("mmdebstrap", "--quiet", "--variant=minbase", include, release, root)
        for name, text in FILES.items():
            _write(root / name, text)
        _write(root / "root/.ssh/authorized_keys", key, mode=0o600)
        # Nothing may fill the disk or start at its own time while a test measures.
        _enable(root, "enable", "systemd-networkd.service", "ssh.service")
        _enable(root, "mask", "apt-daily.timer", "apt-daily-upgrade.timer", "e2scrub_all.timer")
        command("chroot", root, "passwd", "-q", "-d", "root")

    return layer(f"base-{release}", recipe, build)


def _deps_root(release: str) -> Path:
    base = _base_root(release)
    lock = CHECKOUT / "requirements/run.txt"

    def build(root: Path) -> None:
        root.rmdir()
        command("cp", "-a", "--reflink=auto", base, root)
        wheels = root / "tmp/wheels"
        pip("download", release, lock, "--dest", wheels)
        venv = "/opt/nodemend/current"
        command("chroot", root, "python3", "-m", "venv", "--system-site-packages", venv)
        names = [f"/tmp/wheels/{wheel.name}" for wheel in wheels.iterdir()]
        command(
            "chroot", root, f"{venv}/bin/pip", "install", "-q", "--no-index", "--no-deps", *names
        )
        shutil.rmtree(wheels)

    return layer(f"deps-{release}", f"{base.name} {lock.read_text()}", build)


def _install_product(root: Path) -> None:
    """Once for all that is run of it: replacing it would pull it from under a container."""
    stamp, installed = cache() / f"{root.name}.product", product_digest()
    if stamp.exists() and stamp.read_text() == installed:
        return
    stamp.unlink(missing_ok=True)
    _replace_product(root)
    stamp.write_text(installed)


def product_digest() -> str:
    """Of all that is installed of this checkout."""
    digest = hashlib.sha256()
    for place in (*(CHECKOUT / name for name in INSTALLED), LAB / "rtl8156", LAB / "__init__.py"):
        for path in sorted(place.rglob("*")) if place.is_dir() else (place,):
            if path.is_file() and path.suffix != ".pyc":
                digest.update(f"{path} {path.stat().st_mode}\n".encode() + path.read_bytes())
    return digest.hexdigest()


def _replace_product(root: Path) -> None:
    dist = root / "tmp/dist"
    shutil.rmtree(dist, ignore_errors=True)
    command(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", dist)
    (wheel,) = dist.glob("*.whl")
    pip = "/opt/nodemend/current/bin/pip"
    install = (pip, "install", "-q", "--no-index", "--no-deps", "--force-reinstall")
    command("chroot", root, *install, f"/tmp/dist/{wheel.name}")
    shutil.rmtree(dist)
    link = root / "usr/local/bin/nodemend"
    link.unlink(missing_ok=True)
    link.symlink_to("/opt/nodemend/current/bin/nodemend")
    for unit in ("nodemend.service", "nodemend-holders.service", "nodemend-holders.socket"):
        _copy(CHECKOUT / "systemd" / unit, root / "etc/systemd/system")
    _copy(CHECKOUT / "systemd/nodemend.catalog", root / "usr/lib/systemd/catalog")
    command("chroot", root, "journalctl", "--update-catalog")
    tmpfiles = (CHECKOUT / "systemd/nodemend.tmpfiles").read_text()
    _write(root / "usr/lib/tmpfiles.d/nodemend.conf", tmpfiles)
    _install_emulator(root)


def _install_emulator(root: Path) -> None:
    source, target = LAB / "rtl8156", root / "opt/lab/tests/lab/rtl8156"
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    _copy(LAB / "__init__.py", target.parent)
    _copy(source / "rtl8156.service", root / "etc/systemd/system")
    _copy(source / "nic", root / "usr/local/bin")
    (root / "usr/local/bin/nic").chmod(0o755)


def layer(name: str, recipe: str, build: _Build) -> Path:
    """A finished directory of the cache: whole or not there, built by one process at a time."""
    digest = hashlib.sha256(recipe.encode()).hexdigest()[:12]
    finished = cache() / f"{name}-{digest}"
    with _locked(finished.name):
        if finished.exists():
            return finished
        print(f"lab: building {finished.name}, once", flush=True)
        unfinished = cache() / f"{finished.name}.unfinished"
        if unfinished.exists():
            shutil.rmtree(unfinished)
        unfinished.mkdir()
        build(unfinished)
        unfinished.rename(finished)
    return finished


@contextlib.contextmanager
def _locked(name: str) -> Iterator[None]:
    with (cache() / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _enable(root: Path, verb: str, *units: str) -> None:
    command("systemctl", "--quiet", f"--root={root}", verb, *units)


def _copy(source: Path, directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, directory)


def _write(path: Path, text: str, mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
