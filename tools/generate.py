"""Writes the files that are made from tables: `make generated`. With --check it only compares."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from agent.doctor import doctor_page  # noqa: E402  the checkout's, wherever this is run from
from agent.observe import kernel_messages  # noqa: E402
from agent.report import catalog, metrics  # noqa: E402
from tests.unit.report.snapshots import a_busy_snapshot  # noqa: E402
from tools import cni_page, incidents_page, remediation_page  # noqa: E402

GENERATED: Mapping[str, Callable[[], str]] = {
    "systemd/nodemend.catalog": catalog.catalog_text,
    "docs/events.md": catalog.events_page,
    "docs/metrics.md": metrics.metrics_page,
    "docs/kernel-log.md": kernel_messages.page,
    "docs/doctor.md": doctor_page,
    "docs/remediation.md": remediation_page.page,
    "docs/incidents.md": incidents_page.page,
    "docs/cni-guard.md": cni_page.page,
    "tests/golden/metrics.prom": lambda: metrics.exposition(a_busy_snapshot()).decode(),
}


def stale(root: Path = ROOT) -> list[str]:
    """The files that are not what their tables make."""
    return [
        name
        for name, make in GENERATED.items()
        if not (root / name).exists() or (root / name).read_text(encoding="utf-8") != make()
    ]


def main(arguments: list[str]) -> int:
    """Write what is stale, or with --check only say so."""
    names = stale()
    for name in names:
        if "--check" in arguments:
            sys.stderr.write(f"{name} is stale: run `make generated`\n")
        else:
            (ROOT / name).write_text(GENERATED[name](), encoding="utf-8")
            sys.stdout.write(f"wrote {name}\n")
    return 1 if names and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
