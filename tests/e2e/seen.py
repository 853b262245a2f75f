"""What was seen of the repairs, and the page that it stands on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.e2e.breakages import BREAKAGES
from tests.lab import images

PAGE = images.CHECKOUT / "docs/remediation-seen.md"
_HEAD = """\
# What brought the link back, and how long it took

Written by `make lab-full`: the kernel's own r8152 on an emulated RTL8156B, in virtual machines of
Debian ({releases}), in mode `remediate`, with nobody at hand. The machines are emulated in software
and ten times slower than the real ones; what waits (for a gateway that stays silent, for a step
that shows no effect, for a plug that is off) takes as long as on any other.

Seconds since the fault, by journald's clock: until the first step is begun, and until the link is
verified to be back; without a step, until the NIC is told to be healthy. A number for each release.

| fault | steps taken | first step after | back after | rightly not |
|---|---|---|---|---|
"""


@dataclass(frozen=True)
class Seen:
    """One story as it went on one release."""

    steps: tuple[str, ...]
    first_step_seconds: float | None
    back_seconds: float


def as_markdown(seen: Mapping[tuple[str, str], Seen]) -> str | None:
    """The page, of what was seen by story and release; None unless every story was seen on each."""
    releases = tuple(images.RELEASES)
    wanted = {(b.what, release) for b in BREAKAGES for release in releases}
    if wanted != seen.keys():
        return None
    lines = []
    for breakage in BREAKAGES:
        stories = [seen[breakage.what, release] for release in releases]
        steps = " or ".join(dict.fromkeys(_steps(story) for story in stories))
        first = _seconds([story.first_step_seconds for story in stories])
        back = _seconds([story.back_seconds for story in stories])
        lines.append(f"| {breakage.what} | {steps} | {first} | {back} | {breakage.spared} |\n")
    return _HEAD.format(releases=", ".join(releases)) + "".join(lines)


def _steps(story: Seen) -> str:
    return ", ".join(f"`{step}`" for step in story.steps) or "none"


def _seconds(values: Sequence[float | None]) -> str:
    return ", ".join("-" if value is None else f"{value:.1f} s" for value in values)
