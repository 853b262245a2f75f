"""The product as a service of a node."""

from __future__ import annotations

from tests.lab.node import Node


class Daemon:
    """Started afresh: its configuration, its state and its part of the journal are its own."""

    def __init__(self, node: Node, config: str, prepare: str = "true") -> None:
        """`prepare`: a shell command that may put something into the state directory."""
        self.node = node
        node.run("systemctl stop nodemend; systemctl reset-failed nodemend || true")
        node.run("rm -rf /var/lib/nodemend/* /run/nodemend; mkdir -p /var/lib/nodemend")
        node.run(prepare)
        node.write("/etc/nodemend/config.yaml", config)
        self.since = node.run("date +%s.%N").stdout.strip()
        node.run("systemctl start nodemend")

    def stop(self) -> None:
        self.node.run("systemctl stop nodemend")

    def events(self, name: str | None = None) -> list[dict[str, str]]:
        """The product's journal entries since its start, oldest first."""
        entries = self.node.journal(f"-t nodemend --since=@{self.since}")
        return [
            entry
            for entry in entries
            if "NODEMEND_EVENT" in entry and name in (None, entry["NODEMEND_EVENT"])
        ]
