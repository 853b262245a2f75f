"""The status page: what stands first, what is for whom, and that nothing from outside is markup."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from agent.model.snapshot import Snapshot, Source
from agent.model.state import Bystander, State
from agent.report.page import LINKS_MAX, NICS_MAX, page
from agent.report.verdict import verdict
from tests.builders import LINK, watching
from tests.simulation.network import UPLINK, Network
from tests.unit.report.snapshots import POLICY, a_busy_snapshot

HOSTILE = "<script>alert('x')</script>&\"<img src=x onerror=y>"
VOID = {"meta", "br", "hr", "img", "link"}


class Balanced(HTMLParser):
    """Knows every element of the page, and complains of one that is not closed."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[str] = []
        self._open: list[str] = []

    def handle_starttag(self, tag: str, _attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert tag == self._open.pop()

    def close(self) -> None:
        super().close()
        assert [] == self._open


def elements(html: str) -> set[str]:
    parser = Balanced()
    parser.feed(html)
    parser.close()
    return set(parser.elements)


def text_of(html: str) -> str:
    return re.sub(r"<style>.*?</style>|<[^>]+>", " ", html, flags=re.DOTALL)


def empty(state: State) -> Snapshot:
    return replace(a_busy_snapshot(), state=state, sources={"rtnetlink": Source("ok", "")})


def test_what_is_needed_first_stands_first() -> None:
    html = page(a_busy_snapshot(), details=True)
    text = text_of(html)

    order = [
        "uplink is DOWN, pci-0000:03:00.0 is DEGRADED, the CNI lacks 1 of its entries, "
        "GPU Tesla T4 is LOST. "
        "nodemend itself is impaired: store.",
        "it is set up and has no carrier",
        "Next: Check the cable",
        "the link runs at 1000 Mb/s",
        "GPU Tesla T4: ok",
        "ml/trainer-0 (train) holds 9,000 MiB",
        "No space left on device",
        "eno1 (igc)",
        "no USB in /sys",
    ]
    places = [text.index(words.replace("'", "&#x27;")) for words in order]
    assert sorted(places) == places


def test_it_is_whole_and_runs_nothing() -> None:
    found = elements(page(a_busy_snapshot(), details=True))

    assert not {"script", "img", "iframe", "link", "object", "form"} & found


@pytest.mark.parametrize(
    "secret",
    ["6c:1f:f7", "192.168.77", "0bda", "enx", "/etc/nodemend/", "igc", "eno1", "state.json"],
)
def test_from_elsewhere_no_details(secret: str) -> None:
    assert secret in page(a_busy_snapshot(), details=True)
    short = page(a_busy_snapshot(), details=False)
    assert secret not in short
    assert "uplink is DOWN" in text_of(short)
    elements(short)


def test_words_from_outside_are_no_markup() -> None:
    snapshot = a_busy_snapshot()
    nics = {
        connector: replace(
            nic,
            nic=HOSTILE,
            adapter=replace(nic.adapter, driver=HOSTILE),
            link=replace(nic.link, device=HOSTILE, mac=HOSTILE) if nic.link else None,
        )
        for connector, nic in snapshot.state.nics.items()
    }
    state = replace(
        snapshot.state,
        nics=nics,
        blind_spots=(HOSTILE,),
        observe_because={"x": HOSTILE},
        config_problems={"config": (HOSTILE,)},
    )
    sources = {"rtnetlink": Source("failed", HOSTILE)}
    hostile = replace(snapshot, state=state, config_path=HOSTILE, sources=sources)
    for details in (True, False):
        html = page(hostile, details=details)
        assert "<script" not in html
        assert "<img" not in html
        elements(html)


def test_it_is_bounded() -> None:
    snapshot = a_busy_snapshot()
    nic = next(iter(snapshot.state.nics.values()))
    nics = {str(n): replace(nic, nic=f"nic{n}") for n in range(500)}
    links = {
        n: Bystander(LINK, replace(LINK, device=f"link{n}"), 1, identified=True)
        for n in range(2000)
    }
    html = page(
        replace(snapshot, state=replace(snapshot.state, nics=nics, bystanders=links)), details=True
    )

    assert f"and {500 - NICS_MAX} more NICs" in html
    assert f"and {2000 - LINKS_MAX} more" in html
    assert len(html) < 100_000


def test_before_the_first_look_nothing_is_claimed() -> None:
    assert verdict(empty(State())).startswith("Looking:")
    assert "Looking:" in page(empty(State()), details=True)


def test_a_node_without_nics_is_not_well_but_unjudged() -> None:
    found = verdict(empty(State(watch_told=True)))

    assert found.startswith("Nothing is judged here")


def test_all_is_well_only_where_every_source_works() -> None:
    node = watching(policy=POLICY)
    well = empty(node.state)
    assert "All is well: uplink." == verdict(well)
    failing = replace(well, sources={"kernel_log": Source("failed", "it ended")})
    assert "No NIC is known to be ill" in verdict(failing)
    assert "kernel_log" in verdict(failing)


def test_what_the_cni_lacks_for_good_is_said_first() -> None:
    network = Network()
    network.begin()
    network.set_link(UPLINK, up=False)
    network.wait(30)
    node = watching(policy=POLICY)
    lacking = empty(replace(node.state, cni=network.state.cni))

    assert "the CNI lacks 1 of its entries." == verdict(lacking)
