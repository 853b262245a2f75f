"""What journald and the terminal get of a verdict."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from agent.model.identity import Stamp
from agent.model.verdicts import CarrierLost
from agent.report.catalog import EVENTS
from agent.report.journal import Journal, open_journal

VERDICT = CarrierLost("uplink", "enx1", 1, 4, carrier=False)


def test_a_verdict_with_its_fields() -> None:
    sent: list[tuple[str, dict[str, Any]]] = []
    journal = Journal(lambda text, **fields: sent.append((text, fields)), None)
    journal.tell(Stamp(1, 5_000_000), VERDICT)

    assert journal.close(10)
    ((text, fields),) = sent
    assert "enx1 on uplink lost its carrier 1 time(s), 4 in all" == text
    expected = {
        "MESSAGE_ID": EVENTS[CarrierLost].message_id,
        "PRIORITY": "4",
        "SYSLOG_IDENTIFIER": "nodemend",
        "NODEMEND_EVENT": "carrier_lost",
        "NODEMEND_NIC": "uplink",
        "NODEMEND_DEVICE": "enx1",
        "NODEMEND_CARRIER_LOSSES_TOTAL": "4",
        "NODEMEND_OBSERVED_USEC": "5000",
    }
    assert expected == {key: fields[key] for key in expected}


def test_the_terminal_gets_the_line() -> None:
    terminal = io.StringIO()
    journal = Journal(None, terminal)
    journal.tell(Stamp(1, 2), VERDICT)

    assert journal.close(10)
    assert "enx1 on uplink lost its carrier 1 time(s), 4 in all\n" == terminal.getvalue()


def test_a_journal_that_fails_says_so(tmp_path: Path) -> None:
    failures: list[Exception] = [OSError("journald is away")]

    def send(_text: str, **_fields: str) -> None:
        if failures:
            raise failures.pop()

    journal = Journal(send, None, tmp_path)
    journal.tell(Stamp(1, 2), VERDICT)
    assert journal.close(10)
    assert "OSError: journald is away" == journal.failure


def test_a_journald_that_went_without_a_word_is_a_failure(tmp_path: Path) -> None:
    journald = tmp_path / "socket"
    journald.touch()
    journal = Journal(lambda _text, **_fields: None, None, journald)
    assert journal.failure is None

    journald.unlink()
    assert f"{journald} is gone" in str(journal.failure)
    journald.touch()
    assert journal.failure is None
    assert journal.close(10)


def test_without_python3_systemd_the_reason_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr("agent.report.journal.importlib.import_module", missing)
    journal, missing_words = open_journal()

    assert journal.close(10)
    assert "apt-get install python3-systemd" in missing_words[0]
