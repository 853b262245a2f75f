"""The k3s server that this node belongs to, from the files that k3s itself reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.observe.k3s import server_address

ENVIRONMENT, CONFIG = "etc/systemd/system/k3s-agent.service.env", "etc/rancher/k3s/config.yaml"


def node(root: Path, **files: str) -> Path:
    for name, text in files.items():
        path = root / {"environment": ENVIRONMENT, "config": CONFIG, "hosts": "etc/hosts"}[name]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"environment": "K3S_TOKEN='t'\nK3S_URL='https://192.168.1.10:6443'\n"}, "192.168.1.10"),
        ({"environment": 'export K3S_URL="https://192.168.1.10:6443"\n'}, "192.168.1.10"),
        ({"config": "server: https://192.168.1.10:6443\ntoken: t\n"}, "192.168.1.10"),
        (
            {
                "config": "server: https://master1:6443\n",
                "hosts": "127.0.0.1 localhost\n192.168.1.10 master1.lan master1 # ours\n",
            },
            "192.168.1.10",
        ),
        ({"config": "server: https://master1.example.com:6443\n"}, None),
        ({"config": "server: https://[2001:db8::1]:6443\n"}, None),
        ({"config": "server: [https://192.168.1.10:6443]\n"}, None),
        ({"config": "server: https://[192.168:6443\n"}, None),
        ({"config": "cluster-init: true\n"}, None),
        ({"config": "{{{"}, None),
        ({"config": "- a list\n"}, None),
        ({}, None),
    ],
)
def test_the_server_is_who_the_configuration_says(
    tmp_path: Path, files: dict[str, str], expected: str | None
) -> None:
    assert expected == server_address(node(tmp_path, **files))
