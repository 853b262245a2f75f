"""What several checks need, found out once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from agent.audit.audit import Audit, examine
from agent.config import DEFAULT_PATH, Config, load, load_default
from agent.doctor.look import Look, Unseen, look
from agent.doctor.machine import Machine
from agent.yaml_reader import ConfigError


@dataclass(frozen=True)
class Findings:
    """The machine, its configuration, and one look at its NICs and GPUs."""

    machine: Machine
    config: Config | ConfigError
    seen: Look | Unseen
    gpu: dict[str, Any] | None = None  # as `nodemend gpu --format json` has it
    audited: Audit | OSError = field(default_factory=OSError)

    @property
    def look(self) -> Look:
        """The look at the NICs. Unseen."""
        if isinstance(self.seen, Unseen):
            raise self.seen
        return self.seen

    @property
    def audit(self) -> Audit:
        """The audit of what exposes the CNI. OSError."""
        if isinstance(self.audited, OSError):
            raise self.audited
        return self.audited


def gather(machine: Machine) -> Findings:
    """Takes ten seconds for each at most, twenty for apt; where all is well two."""
    config = _config(machine)
    policy = Config().policy if isinstance(config, ConfigError) else config.policy
    gpu = machine.look_at_gpus() if machine.look_at_gpus is not None else None
    audited = _audit(machine)
    try:
        return Findings(machine, config, look(machine, policy), gpu, audited)
    except Unseen as unseen:
        return Findings(machine, config, unseen, gpu, audited)


def _audit(machine: Machine) -> Audit | OSError:
    try:
        return examine(machine, machine.ask_networkd, machine.list_one, machine.pending)
    except OSError as error:
        return error


def _config(machine: Machine) -> Config | ConfigError:
    try:
        if machine.config_path is not None:
            return load(machine.config_path)
        return load_default(machine.path(str(DEFAULT_PATH).lstrip("/")))
    except ConfigError as error:
        return error
