"""Checks: the configuration, and the one for TLS and users that it may name."""

from __future__ import annotations

from pathlib import Path

from agent import web_config
from agent.audit.answer import Answer, no, unknown, yes
from agent.audit.check import Check
from agent.config import Config
from agent.doctor.findings import Findings
from agent.yaml_reader import ConfigError


def _valid(findings: Findings) -> Answer:
    config = findings.config
    if isinstance(config, ConfigError):
        return _wrong(config)
    if config.path is None:
        return yes("none, so all defaults: mode observe")
    return yes(f"{findings.machine.shown(Path(config.path))} is valid, mode {config.policy.mode}")


def _web(findings: Findings) -> Answer:
    config = findings.config
    if not isinstance(config, Config):
        return unknown("the configuration that may name it is not valid")
    if config.web_config_file is None:
        return yes("web_config_file is not set: /metrics is served without TLS and users")
    try:
        web_config.load(Path(config.web_config_file))
    except ConfigError as error:
        return _wrong(error)
    return yes(f"{config.web_config_file} is valid")


def _wrong(error: ConfigError) -> Answer:
    if isinstance(error.__cause__, PermissionError) or "Permission denied" in str(error):
        return unknown(str(error), "sudo nodemend doctor")
    return no(
        f"the daemon does not start on it:\n{error}",
        "correct it; `nodemend check-config FILE` says whether it is right",
    )


CONFIGURATION_CHECKS: tuple[Check[Findings], ...] = (
    Check(
        "configuration",
        "there is no configuration, or it is valid",
        "the daemon does not start on a wrong one",
        _valid,
    ),
    Check(
        "web_config",
        "`web_config_file` is not set, or names a valid file",
        "the same",
        _web,
    ),
)
