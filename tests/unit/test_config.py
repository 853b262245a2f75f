"""Configurations, whole and broken: each mistake is one line with file, line and key."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agent.cli import main
from agent.config import FILE_BYTES_MAX, Config, Listen, load, load_default, parse
from agent.model.policy import BudgetPolicy, GpuPolicy, NicMatch, Policy, RemediationPolicy
from agent.yaml_reader import ConfigError

WHOLE = """
mode: remediate
listen: "[::1]:9000"
usb_nic:
  match: [{driver: r8152, name: uplink}, {mac: "6C:1F:F7:1B:E8:C8"}]
  ignore:
    - {vendor_id: 0B1F, product_id: 03ee}
    - connector: pci-0000:00:14.0-usb-0:1
"""


def test_a_whole_configuration() -> None:
    expected = Config(
        path="f",
        listen=Listen("::1", 9000),
        policy=Policy(
            mode="remediate",
            match=(NicMatch(name="uplink", driver="r8152"), NicMatch(mac="6c:1f:f7:1b:e8:c8")),
            ignore=(
                NicMatch(vendor_id="0b1f", product_id="03ee"),
                NicMatch(connector="pci-0000:00:14.0-usb-0:1"),
            ),
        ),
    )

    assert expected == parse(WHOLE, "f")


@pytest.mark.parametrize("text", ["", "# nothing but a comment\n", "---\n", "usb_nic: {}\n"])
def test_every_key_is_optional(text: str) -> None:
    assert Config(path="f") == parse(text, "f")


def test_what_yaml_would_take_for_a_number_is_taken_as_written() -> None:
    text = "usb_nic: {match: [{vendor_id: 0012, product_id: 8156, mac: 11:22:33:44:55:10}]}"

    assert (NicMatch(vendor_id="0012", product_id="8156", mac="11:22:33:44:55:10"),) == parse(
        text, "f"
    ).policy.match


def test_how_gpu_memory_is_looked_at() -> None:
    text = "gpu: {interval: 5s, top_processes: 3, replicas: 4, headroom: 2Gi}\n"

    assert GpuPolicy(5 * 10**9, 3, 4, 2 * 2**30) == parse(text, "f").policy.gpu
    assert 0 == parse("gpu: {headroom: 0}\n", "f").policy.gpu.headroom_bytes
    assert GpuPolicy() == parse("gpu: {}\n", "f").policy.gpu


def test_what_is_repaired_by_what_and_how_much() -> None:
    text = (
        "usb_nic:\n  remediation:\n    act_on: [gone]\n    steps: [usb_reset, port_power]\n"
        "    down_grace: 10m\n    budget: {steps: 3, within: 2h}\n    settle: 90s\n"
        "    aftercare: [k3s-agent.service]\n"
    )

    assert parse(text, "f").policy.remediation == RemediationPolicy(
        act_on=("gone",),
        steps=("usb_reset", "port_power"),
        down_grace_ns=600 * 10**9,
        budget=BudgetPolicy(steps=3, within_ns=7200 * 10**9),
        settle_ns=90 * 10**9,
        aftercare=("k3s-agent.service",),
    )


BROKEN = {
    "a step that there is not": (
        "usb_nic:\n  remediation: {steps: [reboot]}\n",
        "c.yaml:2: usb_nic.remediation.steps: expected tune, link_bounce, restore_name, "
        "renew_addresses, usb_reset, driver_rebind, usb_config_cycle, usb_reauthorize or "
        "port_power, found 'reboot'",
    ),
    "more steps than are remembered": (
        "usb_nic:\n  remediation:\n    budget: {steps: 65}\n",
        "c.yaml:3: usb_nic.remediation.budget.steps: expected a whole number of steps from 1 to "
        "64, found '65'",
    ),
    "a misspelt key": ("mod: observe\n", "c.yaml:1: mod: unknown key; did you mean mode?"),
    "an unknown key": (
        "mode: observe\nwatchdog: 5s\n",
        "c.yaml:2: watchdog: unknown key; known here: mode, listen, web_config_file, usb_nic, "
        "cni_guard, gpu",
    ),
    "a key of another section": (
        "match: []\n",
        "c.yaml:1: match: unknown key; known here: mode, listen, web_config_file, usb_nic, "
        "cni_guard, gpu",
    ),
    "a nested unknown key": (
        "usb_nic:\n  mtach: []\n",
        "c.yaml:2: usb_nic.mtach: unknown key; did you mean match?",
    ),
    "a wrong mode": (
        "mode: repair\n",
        "c.yaml:1: mode: expected observe or remediate, found 'repair'",
    ),
    "a mode in capitals": (
        "mode: Observe\n",
        "c.yaml:1: mode: expected observe or remediate, found 'Observe'",
    ),
    "a boolean mode": (
        "mode: off\n",
        "c.yaml:1: mode: expected observe or remediate, found 'off'",
    ),
    "a mode without a value": (
        "mode:\n",
        "c.yaml:1: mode: expected observe or remediate, found nothing",
    ),
    "a list for a mode": (
        "mode: [observe]\n",
        "c.yaml:1: mode: expected observe or remediate, found a list",
    ),
    "a key given twice": ("mode: observe\nmode: remediate\n", "c.yaml:2: mode: given twice"),
    "a port alone": (
        "listen: 19100\n",
        "c.yaml:1: listen: expected ADDRESS:PORT, e.g. 0.0.0.0:19100 or [::1]:19100, "
        "with a port from 1 to 65535, found '19100'",
    ),
    "a port out of range": (
        "listen: 0.0.0.0:65536\n",
        "c.yaml:1: listen: expected ADDRESS:PORT, e.g. 0.0.0.0:19100 or [::1]:19100, "
        "with a port from 1 to 65535, found '0.0.0.0:65536'",
    ),
    "a name to listen on": (
        "listen: localhost:19100\n",
        "c.yaml:1: listen: expected ADDRESS:PORT, e.g. 0.0.0.0:19100 or [::1]:19100; "
        "'localhost' is not an IP address",
    ),
    "IPv6 without brackets": (
        'listen: "::1:19100"\n',
        "c.yaml:1: listen: expected ADDRESS:PORT, e.g. 0.0.0.0:19100 or [::1]:19100; "
        "an IPv6 address stands in brackets",
    ),
    "a URL to listen on": (
        "listen: http://0.0.0.0:19100\n",
        "c.yaml:1: listen: expected ADDRESS:PORT, e.g. 0.0.0.0:19100 or [::1]:19100; "
        "'http://0.0.0.0' is not an IP address",
    ),
    "a mapping where a list belongs": (
        "usb_nic:\n  match:\n    driver: r8152\n",
        "c.yaml:3: usb_nic.match: expected a list of items like {driver: r8152}, "
        "found keys and values",
    ),
    "a scalar where a section belongs": (
        "usb_nic: enx6c1ff71be8c8\n",
        "c.yaml:1: usb_nic: expected keys and values "
        "(match, ignore, expect_speed, probe, flapping, remediation), found 'enx6c1ff71be8c8'",
    ),
    "a section without content": (
        "usb_nic:\n",
        "c.yaml:1: usb_nic: expected keys and values "
        "(match, ignore, expect_speed, probe, flapping, remediation), found nothing",
    ),
    "a speed with a unit": (
        "usb_nic:\n  expect_speed: 2.5G\n",
        "c.yaml:2: usb_nic.expect_speed: expected a whole number of Mb/s from 10 to 400000, "
        "found '2.5G'",
    ),
    "a duration without unit": (
        "usb_nic:\n  probe:\n    interval: 2\n",
        "c.yaml:3: usb_nic.probe.interval: expected a duration like 500ms, 10s, 5m or 2h, "
        "from 200ms to 1m, found '2'",
    ),
    "a duration out of bounds": (
        "usb_nic:\n  flapping: {within: 2d}\n",
        "c.yaml:2: usb_nic.flapping.within: expected a duration like 500ms, 10s, 5m or 2h, "
        "from 1s to 24h, found '2d'",
    ),
    "a timeout beyond the interval": (
        "usb_nic:\n  probe: {interval: 1s, timeout: 3s}\n",
        "c.yaml:2: usb_nic.probe.timeout: longer than the interval",
    ),
    "a name to probe": (
        "usb_nic:\n  probe: {target: router.lan}\n",
        "c.yaml:2: usb_nic.probe.target: expected gateway, or an IPv4 address in the NIC's own "
        "network, found 'router.lan'",
    ),
    "more flaps than are remembered": (
        "usb_nic:\n  flapping: {count: 65}\n",
        "c.yaml:2: usb_nic.flapping.count: expected a whole number of flaps from 2 to 64, "
        "found '65'",
    ),
    "an item that is no mapping": (
        "usb_nic:\n  match:\n    - r8152\n",
        "c.yaml:3: usb_nic.match[0]: expected keys and values "
        "(driver, mac, vendor_id, product_id, connector, name), found 'r8152'",
    ),
    "an item without a condition": (
        "usb_nic:\n  match:\n    - {name: uplink}\n",
        "c.yaml:3: usb_nic.match[0]: fits every NIC: give a condition, e.g. driver",
    ),
    "an empty item": (
        "usb_nic:\n  ignore: [{}]\n",
        "c.yaml:2: usb_nic.ignore[0]: fits every NIC: give a condition, e.g. driver",
    ),
    "a name to ignore": (
        "usb_nic:\n  ignore:\n    - {driver: r8152, name: idrac}\n",
        "c.yaml:3: usb_nic.ignore[0].name: unknown key; "
        "known here: driver, mac, vendor_id, product_id, connector",
    ),
    "the same name twice": (
        "usb_nic:\n  match:\n    - {driver: a, name: up}\n    - {driver: b, name: up}\n",
        "c.yaml:4: usb_nic.match[1].name: 'up' is given twice",
    ),
    "a short MAC": (
        "usb_nic:\n  match:\n    - mac: 6c:1f:f7:1b:e8\n",
        "c.yaml:3: usb_nic.match[0].mac: expected a MAC address like 6c:1f:f7:1b:e8:c8, "
        "found '6c:1f:f7:1b:e8'",
    ),
    "a MAC with dashes": (
        "usb_nic:\n  match:\n    - mac: 6c-1f-f7-1b-e8-c8\n",
        "c.yaml:3: usb_nic.match[0].mac: expected a MAC address like 6c:1f:f7:1b:e8:c8, "
        "found '6c-1f-f7-1b-e8-c8'",
    ),
    "a vendor id with 0x": (
        "usb_nic:\n  match:\n    - vendor_id: 0x0bda\n",
        "c.yaml:3: usb_nic.match[0].vendor_id: expected four hex digits as in lsusb, "
        "e.g. \"0bda\", found '0x0bda'",
    ),
    "vendor and product in one": (
        "usb_nic:\n  ignore:\n    - vendor_id: 0bda:8156\n",
        "c.yaml:3: usb_nic.ignore[0].vendor_id: expected four hex digits as in lsusb, "
        "e.g. \"0bda\", found '0bda:8156'",
    ),
    "a path for a driver": (
        "usb_nic:\n  match:\n    - driver: /sys/bus/usb/drivers/r8152\n",
        "c.yaml:3: usb_nic.match[0].driver: expected a kernel driver's name, e.g. r8152, "
        "found '/sys/bus/usb/drivers/r8152'",
    ),
    "a name with a space": (
        "usb_nic:\n  match:\n    - {driver: r8152, name: my uplink}\n",
        "c.yaml:3: usb_nic.match[0].name: expected a name of letters, digits, . _ and -, "
        "found 'my uplink'",
    ),
    "a tab for indentation": (
        "usb_nic:\n\tmatch: []\n",
        "c.yaml:2: not YAML: while scanning for the next token "
        "found character '\\t' that cannot start any token",
    ),
    "an unclosed bracket": (
        "usb_nic:\n  match: [{driver: r8152}\n",
        "c.yaml:3: not YAML: while parsing a flow sequence "
        "expected ',' or ']', but got '<stream end>'",
    ),
    "two documents": (
        "mode: observe\n---\nmode: remediate\n",
        "c.yaml:2: not YAML: expected a single document in the stream but found another document",
    ),
    "an alias": (
        "usb_nic:\n  match: &nics [{driver: r8152}]\n  ignore: *nics\n",
        "c.yaml:3: aliases (*name) are not supported",
    ),
    "a size without a unit": (
        "gpu:\n  headroom: 512\n",
        "c.yaml:2: gpu.headroom: expected a size like 512Mi or 2Gi, from 0 to 1Ti, found '512'",
    ),
    "more replicas than there can be": (
        "gpu:\n  replicas: 0\n",
        "c.yaml:2: gpu.replicas: expected a whole number of replicas from 1 to 1024, found '0'",
    ),
    "a list for a file": (
        "- mode: observe\n",
        "c.yaml:1: expected keys and values (mode, listen, web_config_file, usb_nic, cni_guard, "
        "gpu), found a list",
    ),
    "a bottomless nesting": ("[" * 50, "c.yaml:1: nested too deeply"),
}


@pytest.mark.parametrize(("text", "message"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_configuration_is_one_clear_error(
    text: str,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("c.yaml").write_text(text)

    assert 2 == main(["check-config", "c.yaml"])

    printed = capsys.readouterr()
    assert "" == printed.out
    assert f"nodemend: {message}\n" == printed.err
    assert 2 == main(["run", "--config", "c.yaml"]), "the daemon refuses it just the same"


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        parse("mode: x\nlisten: y\nusb_nic: {match: [{mac: z}]}\n", "f")

    assert ["f:1: mode", "f:2: listen", "f:3: usb_nic.match[0].mac"] == [
        ": ".join(problem.split(": ")[:2]) for problem in caught.value.problems
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"mode: observe\nlisten: \xff\xfe\n", ":2: not UTF-8 text", id="latin1"),
        pytest.param(b"\x7fELF\x00\x00", ":1: not YAML", id="binary"),
        pytest.param(b"#" * (FILE_BYTES_MAX + 1), ": larger than", id="huge"),
    ],
)
def test_a_file_that_is_no_text(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_bytes(content)

    with pytest.raises(ConfigError) as caught:
        load(path)

    assert str(caught.value).startswith(f"{path}{message}")


def test_a_missing_file_and_a_directory(tmp_path: Path) -> None:
    for path, words in (
        (tmp_path / "none.yaml", "No such file or directory"),
        (tmp_path, "Is a directory"),
    ):
        with pytest.raises(ConfigError) as caught:
            load(path)

        assert f"{path}: {words}" == str(caught.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.touch(mode=0)

    with pytest.raises(ConfigError, match="Permission denied"):
        load(path)


def test_a_valid_file_is_said_to_be_valid(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(WHOLE)

    assert 0 == main(["check-config", str(path)])
    assert f"{path}: valid, mode remediate\n" == capsys.readouterr().out


def test_the_default_file_counts_where_there_is_one(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    assert Config() == load_default(path)

    path.write_text("mode: remediate\n")
    assert "remediate" == load_default(path).policy.mode

    with pytest.raises(ConfigError, match="Not a directory"):
        load_default(path / "config.yaml")
