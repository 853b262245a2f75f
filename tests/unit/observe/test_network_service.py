"""Who manages a link is what networkd's and NetworkManager's files in /run say."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.observe.network_service import managed_by

# As systemd 252 and NetworkManager 1.42 write them.
MATCHED = (
    "ADMIN_STATE=configured\nOPER_STATE=routable\nNETWORK_FILE=/etc/systemd/network/20.network\n"
)
FAILED = MATCHED.replace("configured", "failed")
UNMANAGED = "ADMIN_STATE=unmanaged\nOPER_STATE=routable\n"
MANAGED = "[device]\nmanaged=1\nconnection-uuid=0f3d\n"
FILES = {
    "networkd": "run/systemd/netif/links/3",
    "networkd runs": "run/systemd/netif/state",
    "NetworkManager": "run/NetworkManager/devices/3",
}


@pytest.mark.parametrize(
    ("files", "service"),
    [
        pytest.param({}, None, id="neither runs"),
        pytest.param({"networkd runs": "", "networkd": MATCHED}, "networkd", id="networkd"),
        pytest.param({"networkd": MATCHED}, None, id="networkd was stopped"),
        pytest.param({"networkd runs": "", "networkd": UNMANAGED}, None, id="unmanaged"),
        pytest.param({"NetworkManager": MANAGED}, "NetworkManager", id="NetworkManager"),
        pytest.param(
            {"NetworkManager": "[device]\nmanaged=0\n"}, None, id="unmanaged by NetworkManager"
        ),
        pytest.param(
            {"networkd runs": "", "networkd": UNMANAGED, "NetworkManager": MANAGED},
            "NetworkManager",
            id="both run, one manages it",
        ),
    ],
)
def test_who_manages_a_link(files: dict[str, str], service: str | None, tmp_path: Path) -> None:
    for name, text in files.items():
        path = tmp_path / FILES[name]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    assert service == managed_by(3, tmp_path).service
    assert managed_by(4, tmp_path).service is None


@pytest.mark.parametrize(
    ("files", "given_up"),
    [
        pytest.param({"networkd runs": "", "networkd": MATCHED}, False, id="configured"),
        pytest.param({"networkd runs": "", "networkd": FAILED}, True, id="failed"),
        pytest.param({"networkd": FAILED}, False, id="networkd was stopped"),
        pytest.param({}, False, id="no networkd"),
    ],
)
def test_whether_networkd_gave_up(files: dict[str, str], given_up: bool, tmp_path: Path) -> None:
    for name, text in files.items():
        path = tmp_path / FILES[name]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    assert given_up == managed_by(3, tmp_path).given_up


def test_a_file_that_cannot_be_read_says_nothing(tmp_path: Path) -> None:
    (tmp_path / FILES["NetworkManager"]).mkdir(parents=True)
    assert managed_by(3, tmp_path).service is None
