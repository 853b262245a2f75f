"""A source of events that has gone deaf is found out by the listing, and only then."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.decide import deafness
from agent.model.facts import LinkGone, LinkSeen, LinksListed, SourceGap, TimeReached
from agent.model.identity import Link
from agent.model.outputs import ReopenLinkEvents, Wake
from tests.builders import LINK, Node, flapped, lost, watching

ANOTHER = replace(LINK, ifindex=9, device="eno1")


def list_anew(node: Node, *links: Link) -> bool:
    """Whether what the periodic listing shows is suspicious."""
    node.take(TimeReached(node.at(), "listing"))
    node.list_links(*links)
    topics = [output.topic for output in node.outputs if isinstance(output, Wake)]
    return deafness.TOPIC in topics


def conclude(node: Node) -> list[str]:
    for _ in range(deafness.DEAF_SECONDS):
        node.at()
    node.take(TimeReached(node.at(), deafness.TOPIC))
    return [question.reason for question in node.asked() if isinstance(question, ReopenLinkEvents)]


@pytest.mark.parametrize(
    "links",
    [
        pytest.param([flapped(LINK)], id="it flapped"),
        pytest.param([lost(LINK)], id="it lost its carrier"),
        pytest.param([replace(LINK, admin_up=True, device="renamed0")], id="it was renamed"),
        pytest.param([LINK, ANOTHER], id="another link came"),
        pytest.param([], id="it went"),
    ],
)
def test_what_no_event_told_is_suspicious_and_after_a_while_certain(links: list[Link]) -> None:
    node = watching()
    assert list_anew(node, *links)

    (reason,) = conclude(node)
    assert "no event told of" in reason
    assert [] == conclude(node), "asked once"


def test_an_event_that_comes_after_all_clears_it() -> None:
    node = watching()
    assert list_anew(node, flapped(LINK))
    node.take(LinkSeen(node.at(), flapped(LINK)))

    assert [] == conclude(node)


def test_it_is_not_concluded_too_soon() -> None:
    node = watching()
    assert list_anew(node, flapped(LINK))
    node.take(TimeReached(node.at(), deafness.TOPIC))

    assert [] == node.asked()


def test_a_listing_like_the_events_is_fine() -> None:
    node = watching()
    node.take(LinkSeen(node.at(), flapped(LINK)))

    assert not list_anew(node, flapped(LINK))


def test_after_a_gap_a_listing_may_know_better() -> None:
    node = watching()
    node.take(SourceGap(node.at(), "rtnetlink", "ENOBUFS"))
    node.list_links(flapped(LINK))

    assert not any(isinstance(o, Wake) and o.topic == deafness.TOPIC for o in node.outputs)
    assert list_anew(node, flapped(LINK, 2)), "but only the one that makes up for it"


def test_a_link_that_is_set_down_changes_without_an_event() -> None:
    down = replace(LINK, admin_up=False, carrier=False)
    node = watching(down)

    assert not list_anew(node, replace(down, carrier_down_count=1))


def test_news_that_came_while_the_listing_was_made_are_no_contradiction() -> None:
    node = watching()
    node.take(TimeReached(node.at(), "listing"))
    node.take(LinkSeen(node.at(), flapped(LINK)))
    node.take(LinkSeen(node.at(), ANOTHER))
    node.take(LinkGone(node.at(), ANOTHER.ifindex, ANOTHER.device))
    node.take(LinksListed(node.at(), node.state.listing_asked, (LINK, ANOTHER)))

    assert not any(isinstance(o, Wake) and o.topic == deafness.TOPIC for o in node.outputs)
