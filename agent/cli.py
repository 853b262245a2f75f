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
from pathlib import Path
from typing import Any

from agent import __version__, verbs_of_incidents
from agent.places import places
from agent.terminal import FINE, NO, USAGE, complain, order, say, show


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

    pause = verbs.add_parser("pause", help="go on watching, but take no step for a while")
    pause.add_argument("--for", dest="lasts", default="2h", metavar="T", help="default: 2h")
    pause.add_argument("--reason", default="", metavar="R", help="for whoever wonders")

    verbs.add_parser("resume", help="end a pause; also where no step was left, start anew")

    incidents = verbs.add_parser("incidents", help="what happened, was tried, and came of it")
    which = incidents.add_subparsers(dest="which", required=True, metavar="list | show | bundle")
    listing = which.add_parser("list", help="the latest of each NIC, a line each")
    listing.add_argument("--json", action="store_true", help="for programs")
    show = which.add_parser("show", help="one of them, whole")
    show.add_argument("id", metavar="ID", help="as in list")
    show.add_argument("--json", action="store_true", help="for programs")

    bundle = which.add_parser("bundle", help="one file with all that is known of it")
    bundle.add_argument("id", metavar="ID", help="as in list")
    bundle.add_argument("--output", type=Path, metavar="FILE", help="default: nodemend-ID.tar.gz")

    report = verbs.add_parser("report", help="of each NIC: cable, adapter, switch or driver?")
    report.add_argument("--since", default="30d", metavar="T", help="default: 30d")
    formats = report.add_mutually_exclusive_group()
    formats.add_argument("--format", choices=("text", "markdown"), default="text")
    formats.add_argument("--json", action="store_true", help="for programs")

    doctor = verbs.add_parser("doctor", help="without a daemon: what is exposed and missing here")
    doctor.add_argument("--config", type=Path, metavar="F", help="default: see run")
    doctor.add_argument("--json", action="store_true", help="for programs")

    _add_cni(verbs)

    gpu = verbs.add_parser("gpu", help="who holds how much of the GPU's memory, and held at most")
    gpu.add_argument("--by", choices=("pod", "process"), default="pod", help="default: pod")
    forms = ("table", "markdown", "json")
    gpu.add_argument("--format", choices=forms, default="table", help="default: table")
    of_gpu = gpu.add_subparsers(dest="order", metavar="release | resume")
    release = of_gpu.add_parser("release", help="let go of the driver, e.g. for its upgrade")
    release.add_argument("--for", dest="lasts", default="30m", metavar="T", help="default: 30m")
    of_gpu.add_parser("resume", help="take it up again before that time is over")

    verbs.add_parser("undo", help="take back a step that was cut off (ExecStopPost= of the unit)")

    replay = verbs.add_parser("replay", help="recorded facts through today's decisions")
    replay.add_argument(
        "file", type=Path, metavar="FILE", help="a recording, an incident's, or a bundle"
    )
    replay.add_argument("--config", type=Path, metavar="F", help="decide by this policy instead")
    return parser


def _add_cni(verbs: Any) -> None:
    cni = verbs.add_parser("cni", help="what exposes the CNI to networkd and kin, and its cure")
    which = cni.add_subparsers(dest="which", required=True, metavar="audit | apply")
    audit = which.add_parser("audit", help="what would be lost, which setting does it, the cure")
    audit.add_argument("--json", action="store_true", help="for programs")
    apply = which.add_parser("apply", help="write the files that keep networkd and kin from it")
    apply.add_argument("--dry-run", action="store_true", help="only show what would change")
    either = apply.add_mutually_exclusive_group()
    either.add_argument("--remove", action="store_true", help="take back what apply wrote")
    either.add_argument(
        "--retire", action="store_true", help="set .network files aside that only guard CNI links"
    )
    apply.add_argument(
        "--restart-networkd", action="store_true", help="then restart it, and make it whole"
    )


def _run(options: argparse.Namespace) -> int:
    from agent.daemon import Daemon
    from agent.lock import AlreadyRunning
    from agent.serving import Origin
    from agent.yaml_reader import ConfigError

    try:
        daemon = Daemon(Origin(options.config, observe=options.observe), places(), __version__)
    except ConfigError as error:
        return complain(str(error), USAGE)
    except AlreadyRunning as error:
        return complain(f"another nodemend is running: {error}", NO)
    except OSError as error:
        return complain(f"cannot start: {error}", NO)
    config = daemon.serving.config
    host = f"[{config.listen.host}]" if ":" in config.listen.host else config.listen.host
    url = f"{daemon.serving.scheme}://{host}:{config.listen.port}/"
    say(f"nodemend {__version__}, mode {config.policy.mode}, config {config.path or 'none'}")
    say(f"serving {url} and {url}metrics; see also: {_this_program()} status")
    return FINE if daemon.run() else NO


def _check_config(options: argparse.Namespace) -> int:
    from agent.serving import Origin
    from agent.yaml_reader import ConfigError

    try:
        config, _web = Origin(options.file, observe=False).read()
    except ConfigError as error:
        return complain(str(error), USAGE)
    show(f"{options.file}: valid, mode {config.policy.mode}")
    return FINE


def _status(options: argparse.Namespace) -> int:
    from agent.report import control, status

    try:
        found = control.ask(places().control_socket, "status")["status"]
    except (control.NoDaemon, control.Refused) as error:
        return complain(str(error), NO)
    show(json.dumps(found, indent=1) if options.json else status.as_text(found).rstrip())
    return FINE


def _forget(options: argparse.Namespace) -> int:
    return order(f"{options.nic} is forgotten, with its counts", "forget", nic=options.nic)


def _pause(options: argparse.Namespace) -> int:
    from agent.durations import nanoseconds
    from agent.model.policy import PAUSE_SECONDS_MAX

    seconds = (nanoseconds(options.lasts) or 0) // 10**9
    if not 0 < seconds <= PAUSE_SECONDS_MAX:
        days = PAUSE_SECONDS_MAX // 86400
        words = f"--for: expected a duration like 30m or 2h, at most {days} days"
        return complain(f"{words}, found {options.lasts!r}", USAGE)
    said = f"paused for {options.lasts}: it watches, and takes no step; `resume` ends that"
    return order(said, "pause", seconds=seconds, reason=options.reason)


def _resume(_options: argparse.Namespace) -> int:
    return order("steps may be taken again, where the mode is remediate", "resume")


def _doctor(options: argparse.Namespace) -> int:
    from agent import doctor

    report = doctor.examine(Path("/"), options.config)
    found = doctor.as_object(report)
    show(json.dumps(found, indent=1) if options.json else doctor.as_text(report).rstrip())
    return FINE if report.fine else NO


def _cni(options: argparse.Namespace) -> int:
    from agent.verbs_of_cni import cni

    return cni(options)


def _gpu(options: argparse.Namespace) -> int:
    from agent import gpu_glance
    from agent.report import control, gpu_table

    if options.order is not None:
        return _release_gpu(options)
    try:
        found, has_peaks = gpu_glance.ask_or_sample(places().control_socket)
    except control.Refused as error:
        return complain(str(error), NO)
    if options.format == "json":
        show(json.dumps(found, indent=1))
    else:
        is_markdown = options.format == "markdown"
        show(gpu_table.in_words(found, options.by, markdown=is_markdown, has_peaks=has_peaks))
    return FINE if found["gpus"] and not found["lost"] else NO


def _release_gpu(options: argparse.Namespace) -> int:
    from agent.durations import nanoseconds
    from agent.model.policy import RELEASE_SECONDS_MAX

    if options.order == "resume":
        return order("GPU memory is looked at again", "release_gpu", seconds=0)
    seconds = (nanoseconds(options.lasts) or 0) // 10**9
    if not 0 < seconds <= RELEASE_SECONDS_MAX:
        words = f"--for: expected a duration like 30m, at most {RELEASE_SECONDS_MAX // 3600} h"
        return complain(f"{words}, found {options.lasts!r}", USAGE)
    said = f"nothing of nodemend holds the GPU's driver for {options.lasts}; `gpu resume` ends that"
    return order(said, "release_gpu", seconds=seconds)


def _undo(_options: argparse.Namespace) -> int:
    from agent.undo import undo

    done, words = undo(places())
    if done:
        show(words)
        return FINE
    return complain(words, NO)


def _replay(options: argparse.Namespace) -> int:
    from agent.config import load
    from agent.replay import RecordingError, in_words, otherwise, replay
    from agent.yaml_reader import ConfigError

    try:
        policy = load(options.config).policy if options.config else None
        result = replay(options.file, policy)
    except (ConfigError, RecordingError) as error:
        return complain(str(error), USAGE)
    for line in in_words(result, options.file, options.config):
        show(line)
    differs = otherwise(result) if options.config else result.differences
    return NO if differs else FINE


def _this_program() -> str:
    """What to type for another verb: the command, or from a checkout its interpreter."""
    from_checkout = Path(sys.argv[0]).name == "__main__.py"
    return f"{sys.executable} -m agent" if from_checkout else "nodemend"


_VERBS: Mapping[str, Callable[[argparse.Namespace], int]] = {
    "run": _run,
    "check-config": _check_config,
    "status": _status,
    "forget": _forget,
    "incidents": verbs_of_incidents.incidents,
    "pause": _pause,
    "report": verbs_of_incidents.report,
    "resume": _resume,
    "doctor": _doctor,
    "cni": _cni,
    "gpu": _gpu,
    "undo": _undo,
    "replay": _replay,
}
