"""The status page: what `nodemend status` says, for a browser. Plain HTML, no script."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Any

from agent.model.snapshot import Snapshot
from agent.report import cni_status, gpu_status, status
from agent.report.verdict import verdict
from agent.report.when import clock_time

NICS_MAX, GPUS_MAX, LINKS_MAX = 32, 16, 64
REFRESH_SECONDS = 10

_STYLE = """
:root{color-scheme:light dark;--line:#8886;--bad:#b3261e;--warn:#9a5b00;--good:#1b6e3c}
@media(prefers-color-scheme:dark){:root{--bad:#ff8a80;--warn:#ffc46b;--good:#7ddb9c}}
*{box-sizing:border-box}
body{font:16px/1.5 system-ui,sans-serif;margin:0 auto;max-width:56rem;padding:1rem}
h1{font-size:1rem;font-weight:600;margin:0;opacity:.75}
.verdict{font-size:1.6rem;line-height:1.25;font-weight:650;margin:.25rem 0 1.5rem}
section{border:1px solid var(--line);border-radius:.5rem;padding:.75rem 1rem;margin:0 0 1rem}
h2{font-size:1.15rem;margin:0 0 .25rem;overflow-wrap:anywhere}
.state{text-transform:uppercase;letter-spacing:.03em}
.gone,.down,.wedged,.failed{color:var(--bad)}.disabled,.flapping,.degraded{color:var(--warn)}
.healthy,.ok{color:var(--good)}
p{margin:.35rem 0}ul{margin:.35rem 0;padding-left:1.2rem}li,td,dd{overflow-wrap:anywhere}
.next{border-left:.25rem solid var(--warn);padding-left:.6rem}
table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;padding:.2rem
.6rem .2rem 0;border-top:1px solid var(--line)}tr:first-child>*{border-top:0}th{font-weight:600;
width:11rem}.quiet{opacity:.75;font-size:.9rem}code{font-size:.95em}
@media(max-width:30rem){.verdict{font-size:1.3rem}th{width:6.5rem}}
@media print{section{break-inside:avoid}}
"""


def page(snapshot: Snapshot, *, details: bool) -> str:
    """The whole page; without `details` no address, no connector, no word of the kernel."""
    found = status.as_object(snapshot)
    sections = _full(found) if details else _short(found)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f'<meta http-equiv="refresh" content="{REFRESH_SECONDS}">'
        f"<title>{escape(verdict(snapshot))}</title><style>{_STYLE}</style></head><body><main>"
        f"<h1>nodemend {escape(snapshot.version)}, mode {escape(snapshot.mode)}</h1>"
        f'<p class="verdict">{escape(verdict(snapshot))}</p>{"".join(sections)}'
        '<p class="quiet"><a href="/metrics">/metrics</a> for Prometheus, '
        '<a href="/healthz">/healthz</a> of the daemon itself</p></main></body></html>\n'
    )


def _short(found: dict[str, Any]) -> Iterable[str]:
    for nic in found["nics"][:NICS_MAX]:
        yield f"<section>{_heading(nic)}</section>"
    yield (
        '<p class="quiet">More on the node itself: <code>nodemend status</code>. Details are shown '
        "here to who asks from the node, or once <code>web_config_file</code> says who may "
        "ask.</p>"
    )


def _full(found: dict[str, Any]) -> Iterable[str]:
    yield from (_notice(words) for words in found["notices"])
    nics, links = found["nics"], found["other_links"]
    yield from (_nic(nic) for nic in nics[:NICS_MAX])
    if len(nics) > NICS_MAX:
        yield f"<p>and {len(nics) - NICS_MAX} more NICs</p>"
    yield from _cni(found["cni"])
    yield from _gpus(found["gpu"])
    sources = found["sources"].items()
    failing = [(n, s) for n, s in sources if s["condition"] == "failed"]
    other = [(n, s) for n, s in sources if s["condition"] != "failed"]
    rows = [(name, _condition(source)) for name, source in (*failing, *other)]
    yield f"<section><h2>Sources</h2>{_table(rows)}</section>"
    rest: list[tuple[str, str]] = []
    if links:
        more = f" and {len(links) - LINKS_MAX} more" if len(links) > LINKS_MAX else ""
        shown = ", ".join(status.other_in_words(link) for link in links[:LINKS_MAX])
        rest.append(("Other links, left alone", escape(shown + more)))
    rest += [("May not see or do", escape(spot)) for spot in found["blind_spots"]]
    rest.append(("Configuration", escape(found["config"] or "none (all defaults)")))
    rest.append(("Up for", escape(status.duration(found["uptime_seconds"]))))
    yield f"<section><h2>This daemon</h2>{_table(rest)}</section>"


def _notice(words: str) -> str:
    return f'<section><p class="failed">{escape(words)}</p></section>'


def _nic(nic: dict[str, Any]) -> str:
    parts = [_heading(nic)]
    if nic["evidence"]:
        parts.append(
            f"<ul>{''.join(f'<li>{escape(words)}</li>' for words in nic['evidence'])}</ul>"
        )
    if nic["next_step"]:
        parts.append(f'<p class="next">Next: {escape(nic["next_step"])}</p>')
    rows = [(what, escape(words)) for what, words in status.rows_of(nic)]
    return f"<section>{''.join(parts)}{_table(rows)}</section>"


def _cni(found: dict[str, Any]) -> Iterable[str]:
    if cni_status.is_shown(found):
        mark = "degraded" if found["missing"] else "healthy"
        table = _table((what, escape(words)) for what, words in cni_status.rows_of(found))
        heading = f'<span class="{mark}">{escape(cni_status.heading(found))}</span>'
        yield f"<section><h2>{heading}</h2>{table}</section>"


def _gpus(found: dict[str, Any]) -> Iterable[str]:
    for gpu in found["gpus"][:GPUS_MAX]:
        mark = "degraded" if gpu["is_low"] else "healthy"
        rows = gpu_status.rows_of(gpu, found["headroom_needed_bytes"])
        table = _table((what, escape(words)) for what, words in rows)
        heading = f'<span class="{mark}">{escape(gpu_status.heading(gpu))}</span>'
        yield f"<section><h2>{heading}</h2>{table}</section>"
    for lost in found["lost"][:GPUS_MAX]:
        yield _notice(gpu_status.lost_in_words(lost))


def _heading(nic: dict[str, Any]) -> str:
    state = nic["health"] or "not judged"
    since = nic["health_since_timestamp_seconds"]
    when = f' <span class="quiet">since {escape(clock_time(since))}</span>' if since else ""
    mark = escape(nic["health"] or "")
    return f'<h2>{escape(nic["nic"])}: <span class="state {mark}">{escape(state)}</span>{when}</h2>'


def _condition(source: dict[str, Any]) -> str:
    words = source["condition"].replace("_", " ")
    mark = source["condition"] if source["condition"] in ("ok", "failed") else "quiet"
    detail = f": {escape(source['detail'])}" if source["detail"] else ""
    return f'<span class="{mark}">{escape(words)}</span>{detail}'


def _table(rows: Iterable[tuple[str, str]]) -> str:
    """Values are HTML already; headings are not."""
    cells = (f'<tr><th scope="row">{escape(name)}</th><td>{html}</td></tr>' for name, html in rows)
    return f"<table>{''.join(cells)}</table>"
