"""The unit as it is shipped: start, reload, stop, kill, a frozen loop, a crash loop, an upgrade."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from agent.codec import to_json
from agent.model.actions import SetUsbPower
from agent.model.state import StepInProgress
from agent.store import FORMAT
from tests.e2e.service import Daemon
from tests.e2e.test_flap import sample, wait_for
from tests.lab.machine import VirtualMachine
from tests.lab.node import Looks, Node

NICS = "usb_nic:\n  match: [{driver: r8152, name: uplink}]\n"
CONFIG = "/etc/nodemend/config.yaml"
STATE = "/var/lib/nodemend/state.json"
LOADED = 'nodemend_config_last_reload_successful{file="config"}'
OBSERVES, REMEDIATES = 'nodemend_mode{mode="observe"}', 'nodemend_mode{mode="remediate"}'


@pytest.fixture
def service(machine: VirtualMachine) -> Iterator[Daemon]:
    """The product alone: what its unit does needs no fresh adapter."""
    daemon = Daemon(machine, NICS)
    wait_for(machine, LOADED, 1)
    wait_for(machine, 'nodemend_monitor_up{monitor="nic"}', 1)
    yield daemon
    daemon.stop()


def show(machine: Node, *properties: str) -> dict[str, str]:
    lines = machine.run(f"systemctl show -p {','.join(properties)} nodemend").stdout.splitlines()
    return dict(line.split("=", 1) for line in lines)


def wait_until_told(daemon: Daemon, event: str, count: int = 1, seconds: float = 60) -> Any:
    looks = Looks(seconds)
    while len(found := daemon.events(event)) < count:
        if not looks.rest():
            pytest.fail(f"no {event}: {[entry['MESSAGE'] for entry in daemon.events()]}")
    return found[-1]


def test_it_is_ready_when_it_watches_and_says_what_in_words(service: Daemon) -> None:
    shown = show(service.node, "ActiveState", "StatusText", "NRestarts", "Result")

    assert ("active", "0", "success") == (
        shown["ActiveState"],
        shown["NRestarts"],
        shown["Result"],
    )
    assert shown["StatusText"].startswith("observe: "), shown
    assert "uplink" in shown["StatusText"]


def test_its_exposure_is_three_at_most(service: Daemon) -> None:
    said = service.node.run("systemd-analyze security --no-pager --threshold=30 nodemend")

    assert "Overall exposure level for nodemend.service" in said.stdout


def test_a_good_configuration_is_taken_and_the_counts_go_on(
    machine: VirtualMachine, service: Daemon
) -> None:
    machine.write(CONFIG, NICS.replace("uplink", "renamed"))
    machine.run("systemctl reload nodemend")

    wait_for(machine, 'nodemend_nic_present{nic="renamed"}', 1)
    told = wait_until_told(service, "config_reloaded")
    assert f"{CONFIG} is in force now: mode observe, watched:" in told["MESSAGE"]
    assert "renamed (" in told["MESSAGE"]
    assert "active" == show(machine, "ActiveState")["ActiveState"]
    assert "nodemend has a new configuration" in explained(service)


def test_a_bad_configuration_is_refused_loudly_and_the_old_one_stays(
    machine: VirtualMachine, service: Daemon
) -> None:
    machine.write(CONFIG, NICS + "  expect_sped: 2500\n")
    machine.run("systemctl reload nodemend")

    wait_for(machine, LOADED, 0)
    told = wait_until_told(service, "config_refused")
    assert f"{CONFIG}:3: usb_nic.expect_sped: unknown key; did you mean" in told["MESSAGE"]
    assert "3" == told["PRIORITY"]
    text = wait_for(machine, 'nodemend_nic_present{nic="uplink"}', 1)
    assert 1 == sample(text, 'nodemend_monitor_up{monitor="nic"}')
    shown = show(machine, "ActiveState", "StatusText")
    assert "active" == shown["ActiveState"]
    assert "the configuration on disk is wrong" in shown["StatusText"]
    assert "expect_sped" in machine.run("nodemend status").stdout
    assert "nodemend refused a new configuration" in explained(service)

    machine.write(CONFIG, NICS)
    machine.run("systemctl reload nodemend")
    wait_for(machine, LOADED, 1)


@pytest.mark.full
def test_another_address_is_taken_and_one_that_is_taken_is_refused(
    machine: VirtualMachine, service: Daemon
) -> None:
    machine.run("systemd-run --unit taken python3 -m http.server 18080 --bind 127.0.0.1")
    machine.wait_until("ss -lnt | grep -q 127.0.0.1:18080")
    try:
        machine.write(CONFIG, NICS + 'listen: "127.0.0.1:18080"\n')
        machine.run("systemctl reload nodemend")
        wait_for(machine, LOADED, 0)
    finally:
        machine.run("systemctl stop taken")
    told = wait_until_told(service, "config_refused")
    assert "cannot listen on 127.0.0.1:18080: Address already in use" in told["MESSAGE"]

    machine.write(CONFIG, NICS + 'listen: "0.0.0.0:19191"\n')
    machine.run("systemctl reload nodemend")
    fetch = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:19191/healthz').status)"
    assert "200" in machine.wait_until(f'python3 -c "{fetch}"')
    assert "19100" not in machine.run("ss -lnt").stdout


KEEPS_ITS_CONNECTION = """
import http.client, os, sys, time
client = http.client.HTTPConnection("127.0.0.1", 19100)
client.request("GET", "/metrics")
client.getresponse().read()

def cpu_seconds():
    fields = open(f"/proc/{sys.argv[1]}/stat").read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

before, began = cpu_seconds(), time.monotonic()
time.sleep(5)
print((cpu_seconds() - before) / (time.monotonic() - began))
"""


@pytest.mark.full
def test_a_connection_that_is_kept_does_not_keep_it_busy(
    machine: VirtualMachine, service: Daemon
) -> None:
    machine.write("/run/keeps.py", KEEPS_ITS_CONNECTION)
    pid = show(machine, "MainPID")["MainPID"]

    assert float(machine.run(f"python3 /run/keeps.py {pid}").stdout) < 0.5  # spinning takes all


def test_it_ends_at_once_and_in_order(machine: VirtualMachine, service: Daemon) -> None:
    began = float(machine.run("date +%s.%N && systemctl stop nodemend").stdout)
    ended = wait_until_told(service, "watch_ended")
    shown = show(machine, "Result", "ExecMainStatus", "ExecMainExitTimestamp")

    assert ("success", "0") == (shown["Result"], shown["ExecMainStatus"])
    assert int(ended["__REALTIME_TIMESTAMP"]) / 1e6 - began < 2
    exited = machine.run(f"date +%s -d '{shown['ExecMainExitTimestamp']}'").stdout
    assert int(exited) - began < 3
    assert "nodemend ended" in explained(service)
    assert "nothing to take back" not in explained(service), "and not after an orderly end"


def test_a_kill_is_followed_by_a_start_and_the_counts_go_on(
    machine: VirtualMachine, service: Daemon
) -> None:
    machine.wait_until(f"test -s {STATE}")
    machine.run("systemctl kill -s KILL nodemend")
    machine.wait_until("systemctl show -p NRestarts nodemend | grep -qx NRestarts=1")
    wait_for(machine, 'nodemend_nic_present{nic="uplink"}', 1)

    assert 2 == len(service.events("watch_began"))
    assert [] == service.events("state_set_aside")
    assert "nothing to take back" in explained(service), "ExecStopPost= looks after a kill"


def test_a_loop_that_is_frozen_is_killed_and_started_anew(
    machine: VirtualMachine, service: Daemon
) -> None:
    machine.run("systemctl kill -s STOP nodemend")
    machine.wait_until("journalctl -u nodemend --no-pager | grep -q 'Watchdog timeout'", 90)
    machine.wait_until("systemctl show -p NRestarts nodemend | grep -qx NRestarts=1", 120)

    wait_for(machine, 'nodemend_nic_present{nic="uplink"}', 1)


def test_a_crash_loop_ends_in_observing_only(machine: VirtualMachine) -> None:
    service = Daemon(machine, "mode: remediate\n" + NICS)
    try:
        for number in range(1, 4):
            wait_for(machine, REMEDIATES, 1)
            machine.wait_until(f"grep -q '\"ended\":false' {STATE}")
            # Of this start, and not of the one before: what was killed sooner is no start.
            starts = "[0-9]+" + ",[0-9]+" * (number - 2) if number > 1 else ""
            machine.wait_until(rf"grep -qE '\"unclean_starts_wall_ns\":\[{starts}\]' {STATE}")
            machine.run("systemctl kill -s KILL nodemend")
            restarted = f"systemctl show -p NRestarts nodemend | grep -qx NRestarts={number}"
            machine.wait_until(restarted)
        wait_for(machine, OBSERVES, 1)
        told = wait_until_told(service, "observe_forced")
        assert "3 starts without an orderly end within 10 minutes" in told["MESSAGE"]
        assert "nodemend observes only, whatever its configuration says" in explained(service)
        assert "without an orderly end" in machine.run("nodemend status").stdout

        machine.run("systemctl restart nodemend")
        wait_for(machine, REMEDIATES, 1)
    finally:
        service.stop()


def test_an_upgrade_in_place_keeps_what_was_counted(
    machine: VirtualMachine, service: Daemon
) -> None:
    """From what the first version wrote: another format, without the fields of this one."""
    machine.run("systemctl stop nodemend")
    stored = json.loads(machine.read(STATE))
    former = as_format_2(stored)
    (uplink,) = (n for n in former["durable"]["nics"].values() if n["nic"] == "uplink")
    uplink["flaps_total"] = 7
    machine.write(STATE, json.dumps(former))
    machine.run("systemctl start nodemend")

    wait_for(machine, 'nodemend_nic_flaps_total{nic="uplink"}', 7)
    assert [] == service.events("state_set_aside")
    machine.wait_until(f"grep -q '\"format\":{FORMAT}' {STATE}")


def as_format_2(stored: dict[str, Any]) -> dict[str, Any]:
    durable = stored["durable"]
    del durable["unclean_starts_wall_ns"], durable["ended"]
    return {**stored, "format": 2}


def test_a_step_that_was_cut_off_is_taken_back(machine: VirtualMachine, service: Daemon) -> None:
    """As a kill in the middle of it leaves it: on record, with its inverse, and half done."""
    nic = next(
        n
        for n in json.loads(machine.run("nodemend status --json").stdout)["nics"]
        if n["nic"] == "uplink"
    )
    usb = machine.run(
        f"dirname $(readlink -f /sys/class/net/{nic['device']}/device)"
    ).stdout.strip()
    device_number = int(machine.read(f"{usb}/devnum"))
    machine.run("systemctl stop nodemend")
    machine.run(f"echo on > {usb}/power/control")
    stored = json.loads(machine.read(STATE))
    record = next(n for n in stored["durable"]["nics"].values() if n["nic"] == "uplink")
    inverse = SetUsbPower(
        action_id="undo-tune-1",
        step="tune",
        nic="uplink",
        ifindex=nic["ifindex"],
        device=nic["device"],
        usb_path=usb.rpartition("/")[2],
        device_number=device_number,
        power_control="auto",
    )
    record["step"] = json.loads(to_json(StepInProgress("tune-1", "tune", "running", inverse)))
    machine.write(STATE, json.dumps(stored))

    said = machine.run(
        "systemd-run --pipe --wait -q -p StateDirectory=nodemend "
        "-p RuntimeDirectory=nodemend -p RuntimeDirectoryPreserve=yes "
        "nodemend undo"
    ).stdout
    assert "step tune of uplink: taken back" in said
    assert "auto" == machine.read(f"{usb}/power/control").strip()
    assert '"step":null' in machine.read(STATE).replace(" ", "")
    machine.run(f"echo on > {usb}/power/control")


def test_it_works_without_dbus(machine: VirtualMachine) -> None:
    machine.run("systemctl stop dbus.socket dbus.service")
    try:
        service = Daemon(machine, NICS)
        wait_for(machine, 'nodemend_nic_present{nic="uplink"}', 1)
        assert json.loads(machine.get("/healthz"))["healthy"]
        service.stop()
    finally:
        machine.run("systemctl start dbus.socket")


def test_the_doctor_finds_what_is_wrong_and_says_what_to_do(
    machine: VirtualMachine, service: Daemon
) -> None:
    unit = "/etc/systemd/system/usb-nic-monitor.service"
    machine.write(unit, "[Service]\nExecStart=/bin/sleep infinity\n")
    try:
        asked = machine.run("nodemend doctor", check=False)
        found = json.loads(machine.run("nodemend doctor --json", check=False).stdout)
    finally:
        machine.run(f"rm {unit}")
    outcomes = {check["check"]: check["outcome"] for check in found["checks"]}

    assert (1, "no") == (asked.returncode, outcomes["rival"])
    assert asked.stdout.index("usb-nic-monitor.service") < asked.stdout.index("FINE")
    sound = ("watched", "daemon", "catalog", "kernel_log", "journal_kept")
    assert dict.fromkeys(sound, "yes") == {name: outcomes[name] for name in sound}, found


def explained(daemon: Daemon) -> str:
    """The journal as a person reads it."""
    return daemon.node.run(f"journalctl --no-pager -x -u nodemend --since=@{daemon.since}").stdout
