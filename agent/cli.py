"""The command line. Exit 0 fine, 1 a check says no, 2 bad usage or bad configuration.

Each verb imports what it needs: `status` answers in a moment even where a daemon's libraries
take seconds to load.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from agent import __version__
from agent.places import places

FINE, NO, USAGE = 0, 1, 2


def main(arguments: list[str] | None = None) -> int:
    """Run one verb and return the exit status."""
    options = _parser().parse_args(arguments)
    try:
        return _VERBS[options.verb](options)
    except BrokenPipeError:
        # `nodemend status | head`: nobody reads on; keep Python from complaining at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return NO


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="nodemend",
        description="Keeps a k3s node's own plumbing in order. It observes unless told otherwise.",
    )
    parser.add_argument("--version", action="version", version=f"nodemend {__version__}")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")

    run = verbs.add_parser("run", help="the daemon, in the foreground")
    run.add_argument("--config", type=Path, metavar="F", help="default: /etc/nodemend/config.yaml")
    run.add_argument("--observe", action="store_true", help="change nothing, whatever F says")

    check = verbs.add_parser("check-config", help="say what is wrong with a configuration file")
    check.add_argument("file", type=Path, metavar="F")

    status = verbs.add_parser("status", help="what the running daemon sees and does now")
    status.add_argument("--json", action="store_true", help="for programs")

    forget = verbs.add_parser("forget", help="stop watching for a NIC that is gone for good")
    forget.add_argument("nic", metavar="NIC", help="its name, as in status")

    replay = verbs.add_parser("replay", help="recorded facts through today's decisions")
    replay.add_argument("file", type=Path, metavar="FILE", help="a segment of a recording")
    replay.add_argument("--config", type=Path, metavar="F", help="decide by this policy instead")
    return parser


def _run(options: argparse.Namespace) -> int:
    from agent.config import load, load_default
    from agent.yaml_reader import ConfigError

    try:
        config = load(options.config) if options.config else load_default()
    except ConfigError as error:
        return _complain(str(error), USAGE)
    if options.observe:
        config = replace(config, policy=replace(config.policy, mode="observe"))

    from agent.daemon import Daemon
    from agent.lock import AlreadyRunning

    listen = config.listen
    try:
        daemon = Daemon(config, places(), __version__)
    except AlreadyRunning as error:
        return _complain(f"another nodemend is running: {error}", NO)
    except OSError as error:
        return _complain(f"cannot start: {error}", NO)
    host = f"[{listen.host}]" if ":" in listen.host else listen.host
    _say(f"nodemend {__version__}, mode {config.policy.mode}, config {config.path or 'none'}")
    _say(f"serving http://{host}:{listen.port}/metrics; see also: {_this_program()} status")
    daemon.run()
    return FINE


def _check_config(options: argparse.Namespace) -> int:
    from agent.config import load
    from agent.yaml_reader import ConfigError

    try:
        config = load(options.file)
    except ConfigError as error:
        return _complain(str(error), USAGE)
    _print(f"{options.file}: valid, mode {config.policy.mode}")
    return FINE


def _status(options: argparse.Namespace) -> int:
    from agent.report import control, status

    try:
        found = control.ask(places().control_socket, "status")["status"]
    except (control.NoDaemon, control.Refused) as error:
        return _complain(str(error), NO)
    _print(json.dumps(found, indent=1) if options.json else status.as_text(found).rstrip())
    return FINE


def _forget(options: argparse.Namespace) -> int:
    from agent.report import control

    try:
        control.ask(places().control_socket, "forget", nic=options.nic)
    except (control.NoDaemon, control.Refused) as error:
        return _complain(str(error), NO)
    _print(f"{options.nic} is forgotten, with its counts")
    return FINE


def _replay(options: argparse.Namespace) -> int:
    from agent.config import load
    from agent.replay import RecordingError, replay
    from agent.yaml_reader import ConfigError

    try:
        policy = load(options.config).policy if options.config else None
        result = replay(options.file, policy)
    except (ConfigError, RecordingError) as error:
        return _complain(str(error), USAGE)
    for difference in result.differences:
        _print(f"{options.file}:{difference.line}: {difference.fact}")
        _print(f"  recorded: {difference.recorded}")
        _print(f"  replayed: {difference.replayed}")
    cut_off = "; the last line is cut off" if result.cut_off else ""
    _print(
        f"{result.facts} facts recorded by {result.recorded_by}, "
        f"{len(result.differences)} with other outputs{cut_off}"
    )
    return NO if result.differences else FINE


def _this_program() -> str:
    """What to type for another verb: the command, or from a checkout its interpreter."""
    from_checkout = Path(sys.argv[0]).name == "__main__.py"
    return f"{sys.executable} -m agent" if from_checkout else "nodemend"


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")


def _complain(text: str, status: int) -> int:
    for line in text.splitlines():
        sys.stderr.write(f"nodemend: {line}\n")
    return status


_VERBS: Mapping[str, Callable[[argparse.Namespace], int]] = {
    "run": _run,
    "check-config": _check_config,
    "status": _status,
    "forget": _forget,
    "replay": _replay,
}
