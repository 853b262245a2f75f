"""Checks: the state and the recording have a place to be written to."""

from __future__ import annotations

import os
from pathlib import Path

from agent.audit.answer import Answer, no, unknown, yes
from agent.audit.check import Check
from agent.doctor.findings import Findings
from agent.doctor.machine import Machine

STATE_FREE_BYTES_MIN = 32 * 1024 * 1024  # recordings of incidents are 16 MiB at most
RUNTIME_FREE_BYTES_MIN = 8 * 1024 * 1024  # the recording is 4 MiB at most
FREE_INODES_MIN = 64  # the recording has as many files at most
_MEBIBYTE = 1024 * 1024


def _state(findings: Findings) -> Answer:
    machine = findings.machine
    return _room(machine, machine.places.state, STATE_FREE_BYTES_MIN)


def _runtime(findings: Findings) -> Answer:
    machine = findings.machine
    return _room(machine, machine.places.runtime, RUNTIME_FREE_BYTES_MIN)


def _room(machine: Machine, directory: Path, free_bytes_min: int) -> Answer:
    """The directory, or the nearest above it that exists: the service makes the rest. OSError."""
    place = next(p for p in (directory, *directory.parents) if p.is_dir())
    shown = machine.shown(directory)
    filesystem = os.statvfs(place)
    if filesystem.f_flag & os.ST_RDONLY:
        return no(
            f"{shown} is on a file system that is read-only",
            f"`findmnt -T {machine.shown(place)}` says which, `dmesg` why; "
            "nothing is done to a NIC without a durable record",
        )
    free_bytes = filesystem.f_bavail * filesystem.f_frsize
    if free_bytes < free_bytes_min:
        return no(
            f"{shown} has {free_bytes // _MEBIBYTE} MiB left, at least "
            f"{free_bytes_min // _MEBIBYTE} are wanted",
            f"`df -h {machine.shown(place)}`, then make room",
        )
    # Some file systems (btrfs) count no inodes at all.
    if filesystem.f_files and filesystem.f_favail < FREE_INODES_MIN:
        return no(
            f"{shown} has {filesystem.f_favail} inodes left, at least {FREE_INODES_MIN} are wanted",
            f"`df -i {machine.shown(place)}`, then remove files",
        )
    if not os.access(place, os.W_OK):
        if not machine.is_root:
            return unknown(f"{shown} is not this user's to write to", "sudo nodemend doctor")
        return no(
            f"{shown} cannot be written to",
            f"`ls -ld {machine.shown(place)}` and `lsattr -d {machine.shown(place)}`",
        )
    return yes(f"{shown} has {free_bytes // _MEBIBYTE} MiB left")


STORAGE_CHECKS: tuple[Check[Findings], ...] = (
    Check(
        "state_directory",
        f"the state directory can be written to, with {STATE_FREE_BYTES_MIN // _MEBIBYTE} MiB "
        f"and {FREE_INODES_MIN} inodes left",
        "counts are lost over a restart, and nothing is done without a durable record",
        _state,
    ),
    Check(
        "runtime_directory",
        f"the runtime directory can be written to, with {RUNTIME_FREE_BYTES_MIN // _MEBIBYTE} MiB "
        f"and {FREE_INODES_MIN} inodes left",
        "the recording and the control socket are there",
        _runtime,
    ),
)
