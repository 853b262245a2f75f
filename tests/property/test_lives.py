"""Whole lives of a node, simulated: whatever goes wrong, and whenever, the rules hold.

Each life comes from its number alone, so that a failure comes back. More of them:
NODEMEND_LIVES=5000 make test ARGS="-k test_lives".
"""

from __future__ import annotations

import os

import pytest

from tests.simulation.life import ERAS, live

LIVES = int(os.environ.get("NODEMEND_LIVES", "100"))

# Lives that once broke a rule, by era and number, and how.
REGRESSIONS: dict[tuple[int, int], str] = {
    (1, 154): "a link whose setting up failed stayed down",
    (1, 166): "and where the repair was over before it could be tried again",
    (1, 357): "a reset counted its own loss, and was verified before the kernel told of it",
    (1, 378): "a link was not set up since the mode had changed meanwhile",
    (1, 857): "a step that was overdue left the plug off",
    (1, 1193): "a reload sent two NICs up the ladder at once",
    (1, 2039): "another adapter came while its plug was off, and nobody knew of that any more",
    (1, 9956): "and a second step began beside the one that was under way",
    (1, 6600): "a line in the log spoke for ever, where no gateway could say otherwise",
    (1, 6846): "a step that was being asked about did not mind a reload's smaller budget",
    (2, 4824): "what somebody set down while the daemon was away was set up after its start",
    (2, 6695): "a speed that was not told once spoke for ever, where no gateway is known",
    (3, 3249): "what the world refused, since it had moved meanwhile, was reckoned as a step",
    (1, 7027): "a machine that stood still: a step was given up while it was carried out",
}


@pytest.mark.parametrize(("era", "seed"), [*((ERAS, seed) for seed in range(LIVES)), *REGRESSIONS])
def test_life(era: int, seed: int) -> None:
    live(seed, era)
