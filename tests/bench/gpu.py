"""GPU memory of 200 processes: a sample, memory and a scrape, beside nvitop-exporter.

Both ask the same library, the NVML double, once a second, and both tell of every process. What the
double does not export nvitop asks for in vain, where a driver would answer it.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from tests import nvml_double
from tests.bench import scrape
from tests.bench.node import CONFIG, BenchNode, send
from tests.bench.process import usage
from tests.bench.table import Row
from tests.lab import images

HOLDERS, HELD_MIB = 200, 50
_RIVAL, _RIVAL_PORT, _RIVAL_SITE = "nvitop", 5050, "/opt/nvitop"
_SCRIPT, _LIBRARIES = "/run/nvml-script", "/usr/local/nvidia/lib64"
_DROP_IN = f"[Service]\nEnvironment=NVML_DOUBLE={_SCRIPT}\n"
_HOLD = f"for _ in $(seq {HOLDERS}); do sleep infinity & done; wait"
_WORKER = "pgrep -f agent.observe.gpu_worke[r]"  # and not the shell that asks
_WHAT = f"{HOLDERS} processes on a GPU"


def measure(node: BenchNode, options: argparse.Namespace) -> list[Row]:
    """What the GPU adds to the daemon, and the sampler's process, against the exporter whole."""
    pid = node.pid("nodemend")
    without = _cpu_ms_a_second(node, [pid], options.seconds)
    _play_a_gpu(node)
    _start_the_rival(node)
    pid, rival = node.pid("nodemend"), node.pid(_RIVAL)
    worker = int(node.container.wait_until(_WORKER))
    with_gpu, of_worker, of_rival = _cpu_ms_a_second(node, [pid, worker, rival], options.seconds)
    memory = [usage(node, each).pss_kib / 1024 for each in (pid, worker, rival)]
    ours = scrape.cost(node, "nodemend", 19100, options.scrapes)
    theirs = scrape.cost(node, _RIVAL, _RIVAL_PORT, options.scrapes)
    added = with_gpu - without[0]
    return [
        Row(
            f"{_WHAT}: CPU a sample",
            f"{of_worker + added:.1f} ms ({of_worker:.1f} ms in the sampler)",
            f"{of_rival:.1f} ms",
        ),
        Row(
            f"{_WHAT}: PSS",
            f"{memory[0] + memory[1]:.1f} MiB ({memory[1]:.1f} MiB of it the sampler)",
            f"{memory[2]:.1f} MiB",
        ),
        *(Row(f"{_WHAT}: scrape, {what}", ours[what], theirs[what]) for what in ours),
    ]


def _cpu_ms_a_second(node: BenchNode, pids: list[int], seconds: float) -> list[float]:
    before = [usage(node, pid).cpu_seconds for pid in pids]
    began = time.monotonic()
    time.sleep(seconds)  # doing nothing but sampling is what is measured
    after = [usage(node, pid).cpu_seconds for pid in pids]
    lasted = time.monotonic() - began
    return [1e3 * (late - early) / lasted for early, late in zip(before, after)]


def _play_a_gpu(node: BenchNode) -> None:
    container = node.container
    container.run(f"systemd-run -q --unit holders sh -c '{_HOLD}'")
    container.wait_until(f"test $(pgrep -cx sleep) = {HOLDERS}")
    pids = container.run("pgrep -x sleep").stdout.split()
    processes = [f"process 0 C {pid} {HELD_MIB}" for pid in pids]
    container.write(_SCRIPT, "\n".join(nvml_double.t4(HOLDERS * HELD_MIB, processes)) + "\n")
    with tempfile.TemporaryDirectory() as directory:
        library = nvml_double.build(Path(directory)) / nvml_double.LIBRARY
        container.run(f"mkdir -p {_LIBRARIES}")
        container.put(library, f"{_LIBRARIES}/{nvml_double.LIBRARY}")
    container.write("/run/systemd/system/nodemend.service.d/gpu.conf", _DROP_IN)
    container.write("/etc/nodemend/config.yaml", f"{CONFIG}gpu: {{top_processes: {HOLDERS}}}\n")
    container.run("systemctl daemon-reload && systemctl restart nodemend")
    container.wait_until(f"nodemend gpu --by process | grep -c sleep | grep -qx {HOLDERS}")


def _start_the_rival(node: BenchNode) -> None:
    lock = images.CHECKOUT / "requirements/bench.txt"

    def fetch(directory: Path) -> None:
        images.pip("install", "bookworm", lock, "--target", directory)

    site = images.layer("nvitop", lock.read_text(), fetch)
    tar = ["tar", "-C", str(site), "-c", "."]
    send(node.container, tar, f"mkdir {_RIVAL_SITE} && tar -x -C {_RIVAL_SITE}")
    environment = {
        "PYTHONPATH": _RIVAL_SITE,
        "LD_LIBRARY_PATH": _LIBRARIES,
        "NVML_DOUBLE": _SCRIPT,
    }
    given = " ".join(f"--setenv={name}={value}" for name, value in environment.items())
    asked = f"--bind-address 127.0.0.1 --port {_RIVAL_PORT} --interval 1"
    node.container.run(
        f"systemd-run -q --unit {_RIVAL} {given} /usr/bin/python3 -m nvitop_exporter {asked}"
    )
    scraped = (
        "import urllib.request as r; "
        f"t = r.urlopen('http://127.0.0.1:{_RIVAL_PORT}/metrics').read().decode(); "
        f"exit(t.count('process_info_info{{') != {HOLDERS})"
    )
    node.container.wait_until(f'python3 -c "{scraped}"')
