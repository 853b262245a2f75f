"""Where state and runtime files live: systemd's word first, then root's or the user's own."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

NAME = "nodemend"
CONTROL_SOCKET = "control.sock"
RECORDING = "recording"
INCIDENTS = "incidents"


@dataclass(frozen=True)
class Places:
    """The two directories; the state one survives a reboot."""

    state: Path
    runtime: Path

    @property
    def control_socket(self) -> Path:
        """The socket that `nodemend status` talks to."""
        return self.runtime / CONTROL_SOCKET

    @property
    def recording(self) -> Path:
        """The directory of the recording's segments."""
        return self.runtime / RECORDING

    @property
    def incidents(self) -> Path:
        """The directory of the incidents' recordings."""
        return self.state / INCIDENTS


def places() -> Places:
    """systemd names them by environment (systemd.exec(5), RuntimeDirectory=)."""
    state, runtime = _defaults()
    return Places(
        state=Path(os.environ.get("STATE_DIRECTORY", state).partition(":")[0]),
        runtime=Path(os.environ.get("RUNTIME_DIRECTORY", runtime).partition(":")[0]),
    )


def _defaults() -> tuple[str, str]:
    if os.geteuid() == 0:
        return f"/var/lib/{NAME}", f"/run/{NAME}"
    home = Path.home()
    state = Path(os.environ.get("XDG_STATE_HOME") or home / ".local/state") / NAME
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    return str(state), str(Path(runtime) / NAME if runtime else state / "run")
