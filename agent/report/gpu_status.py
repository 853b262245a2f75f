"""GPU memory in a few lines, for `nodemend status` and the page: what there is, who has it."""

from __future__ import annotations

from typing import Any

from agent.report.gpu_table import holder_in_words, mebibytes, sentences

HOLDERS_MAX = 8  # the largest; `nodemend gpu` shows all


def heading(gpu: dict[str, Any]) -> str:
    return f"GPU {gpu['name']}: {'FULL' if gpu['is_low'] else 'ok'}"


def rows_of(gpu: dict[str, Any], needed_bytes: int) -> list[tuple[str, str]]:
    """What is known of a GPU, by what it is about."""
    holders = [holder for holder in gpu["holders"] if holder["processes"]]
    rows = [
        *(("Memory", words) for words in sentences(gpu, needed_bytes)),
        *(("Share", _share(holder)) for holder in holders[:HOLDERS_MAX]),
    ]
    if len(holders) > HOLDERS_MAX:
        rows.append(("Share", f"and {len(holders) - HOLDERS_MAX} more: `nodemend gpu`"))
    if gpu["unattributed_bytes"]:
        rows.append(("Rest", f"{mebibytes(gpu['unattributed_bytes'])} not attributed to a process"))
    return rows


def lines(found: dict[str, Any]) -> list[str]:
    """For the terminal; none where there is no GPU."""
    told: list[str] = []
    for gpu in found["gpus"]:
        told += ["", heading(gpu)]
        told += [f"  {words}" for _, words in rows_of(gpu, found["headroom_needed_bytes"])]
    for lost in found["lost"]:
        told += ["", lost_in_words(lost)]
    return told


def lost_in_words(lost: dict[str, Any]) -> str:
    return f"GPU {lost['name']} ({lost['gpu_uuid']}) is LOST: {lost['failure']}"


def _share(holder: dict[str, Any]) -> str:
    used = "N/A" if holder["used_bytes"] is None else mebibytes(holder["used_bytes"])
    container = f" ({holder['container']})" if holder["container"] else ""
    peak = f", peak {mebibytes(holder['peak_bytes'])}" if holder["peak_bytes"] else ""
    fair = holder["fair_shares"]
    shares = "" if fair is None else f", {fair:.1f} fair shares"
    return f"{holder_in_words(holder)}{container} holds {used}{peak}{shares}"
