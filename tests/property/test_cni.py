"""Random lives of a CNI's network: what the owner removed never comes back, whatever the order."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from agent.codec import from_json, to_json
from agent.model.cni import LINK_KINDS, CniRuntime, Entry
from agent.model.policy import Mode
from agent.model.state import State
from tests.simulation.network import (
    BASELINE,
    CILIUM_HOST,
    LOCAL,
    POD,
    TO_OTHER_NODE,
    UPLINK,
    UPLINKS_OWN,
    Network,
)

AGENT, NETWORKD, SHELL, GONE = 101, 202, 303, 404
ENTRIES = st.sampled_from(BASELINE)
GUARDED = [entry for entry in BASELINE if entry is not UPLINKS_OWN]


class Lives(RuleBasedStateMachine):
    """The kernel, an owner, networkd, somebody with a shell; time, lost events, reloads."""

    def __init__(self) -> None:
        super().__init__()
        self.network = Network()
        self.unwanted: set[str] = set()  # the owner's last word on it was to remove it

    @initialize()
    def begin(self) -> None:
        self.network.begin()

    @rule(entry=st.sampled_from([e for e in BASELINE if e is not LOCAL]), is_heard=st.booleans())
    def owner_removes(self, entry: Entry, is_heard: bool) -> None:
        if self.network.has(entry):
            self.unwanted.add(entry.payload)
        self.network.remove(AGENT, entry)
        if not is_heard:
            self.network.lose_events()

    @rule(entry=ENTRIES)
    def owner_adds(self, entry: Entry) -> None:
        if entry.ifindex in (0, *self.network.links):
            self.unwanted.discard(entry.payload)
            self.network.add(AGENT, entry)

    @rule(entry=ENTRIES, port=st.sampled_from([NETWORKD, SHELL, GONE]))
    def somebody_removes(self, entry: Entry, port: int) -> None:
        self.network.remove(port, entry)

    @rule(entries=st.lists(ENTRIES, max_size=8))
    def networkd_restarts(self, entries: list[Entry]) -> None:
        self.network.remove(NETWORKD, *entries)
        self.unwanted.discard(UPLINKS_OWN.payload)
        self.network.add(NETWORKD, UPLINKS_OWN)

    @rule(up=st.booleans())
    def uplink_flaps(self, up: bool) -> None:
        self.network.set_link(UPLINK, up=up)

    @precondition(lambda self: POD in self.network.links)
    @rule()
    def pod_ends(self) -> None:
        self.network.remove_link(POD)

    @rule(active=st.booleans(), seconds=st.sampled_from([0, 5, 3600]))
    def k3s_changes(self, active: bool, seconds: int) -> None:
        self.network.runtime = CniRuntime(active, {"cilium-agent": seconds})

    @rule(mode=st.sampled_from(["observe", "remediate"]))
    def reload(self, mode: Mode) -> None:
        self.network.policy = replace(self.network.policy, mode=mode)

    @rule(answers=st.booleans())
    def readers_hang(self, answers: bool) -> None:
        self.network.answers = answers

    @rule(seconds=st.sampled_from([0.1, 0.9, 1.1, 6, 61]))
    def time_passes(self, seconds: float) -> None:
        self.network.wait(seconds)

    @invariant()
    def what_the_owner_removed_stays_removed(self) -> None:
        assert not self.unwanted & self.network.entries.keys()

    @invariant()
    def a_state_survives_its_recording(self) -> None:
        assert self.network.state == from_json(to_json(self.network.state), State)

    @invariant()
    def it_is_bounded(self) -> None:
        guard = self.network.state.cni
        assert len(guard.standing) <= len(BASELINE) + len(LINK_KINDS) * len(guard.links)
        assert not guard.in_flight.keys() & guard.losses.keys() or guard.attempts

    def teardown(self) -> None:
        """Left alone with a settled owner, all that a known interferer takes comes back."""
        network = self.network
        if not network.state.version:
            return
        network.answers, network.policy = True, replace(network.policy, mode="remediate")
        network.runtime = CniRuntime(is_active=True, owner_seconds={"cilium-agent": 3600})
        network.set_link(UPLINK, up=True)
        wanted = [e for e in GUARDED if e.ifindex in (0, UPLINK, CILIUM_HOST)]
        network.add(AGENT, UPLINKS_OWN, *wanted)
        network.wait(700)
        network.remove(NETWORKD, *wanted)
        network.wait(700)
        assert all(map(network.has, wanted))


Lives.TestCase.settings = settings(max_examples=60, stateful_step_count=30)
TestLives = Lives.TestCase


def test_the_machine_can_fail() -> None:
    """A guard that restores what the owner removed would be found out."""
    lives = Lives()
    lives.begin()
    lives.owner_removes(TO_OTHER_NODE, is_heard=True)
    lives.network.wait(1)
    lives.network.add(505, TO_OTHER_NODE)
    try:
        lives.what_the_owner_removed_stays_removed()
    except AssertionError:
        return
    raise AssertionError("it was not found out")
