"""Users and passwords: right, wrong, busy; and what each of them costs."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator

import bcrypt
import pytest

from agent.report.passwords import WAITING_MAX, Passwords, Verdict

SECRET = "correct horse"


def basic(user: str, password: str) -> bytes:
    return b"Basic " + base64.b64encode(f"{user}:{password}".encode())


@pytest.fixture
def passwords() -> Iterator[Passwords]:
    hashed = bcrypt.hashpw(SECRET.encode(), bcrypt.gensalt(4)).decode()
    found = Passwords({"alice": hashed, "olaf": hashed.replace("$2b$", "$2y$")})
    yield found
    assert found._worker.close(20), "what is still queued must not reach the next test"


def ask(passwords: Passwords, header: bytes | None) -> Verdict:
    answers: list[Verdict] = []
    answered = threading.Event()

    def hear(verdict: Verdict) -> None:
        answers.append(verdict)
        answered.set()

    passwords.check(header, hear)
    assert answered.wait(20)
    return answers[0]


@pytest.mark.parametrize(
    ("header", "verdict"),
    [
        (basic("alice", SECRET), "right"),
        (basic("olaf", SECRET), "right"),
        (basic("alice", SECRET).replace(b"Basic", b"bAsIc"), "right"),
        (basic("alice", "wrong"), "wrong"),
        (basic("bob", SECRET), "wrong"),
        (basic("", SECRET), "wrong"),
        (basic("alice", ""), "wrong"),
        (basic("alice", "x" * 73), "wrong"),
        (basic("alice", SECRET + "\0"), "wrong"),
        (None, "wrong"),
        (b"", "wrong"),
        (b"Bearer x", "wrong"),
        (b"Basic", "wrong"),
        (b"Basic !!!!", "wrong"),
        (b"Basic " + base64.b64encode(b"no colon"), "wrong"),
        (b"Basic " + base64.b64encode(b"\xff:x"), "wrong"),
    ],
)
def test_a_verdict(passwords: Passwords, header: bytes | None, verdict: Verdict) -> None:
    assert verdict == ask(passwords, header)
    assert verdict == ask(passwords, header), "and again"


def test_the_price_is_paid_once(passwords: Passwords, monkeypatch: pytest.MonkeyPatch) -> None:
    paid = 0
    check = bcrypt.checkpw

    def counted(password: bytes, hashed: bytes) -> bool:
        nonlocal paid
        paid += 1
        return check(password, hashed)

    monkeypatch.setattr(bcrypt, "checkpw", counted)
    for _ in range(3):
        ask(passwords, basic("alice", SECRET))
        ask(passwords, basic("alice", "wrong"))
        ask(passwords, basic("nobody", "wrong"))

    assert 3 == paid, "a user who does not exist costs as much as one who does"


def test_a_flood_of_wrong_ones_keeps_nobody_out_who_is_known(
    passwords: Passwords, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "right" == ask(passwords, basic("alice", SECRET))
    going, may_end = threading.Event(), threading.Event()

    def slow(_password: bytes, _hashed: bytes) -> bool:
        going.set()
        assert may_end.wait(20)
        return False

    monkeypatch.setattr(bcrypt, "checkpw", slow)
    answers: list[Verdict] = []
    passwords.check(basic("alice", "first"), answers.append)
    assert going.wait(20)
    for number in range(WAITING_MAX + 5):
        passwords.check(basic("alice", f"wrong {number}"), answers.append)

    assert ["busy"] * 5 == answers
    assert "right" == ask(passwords, basic("alice", SECRET))
    may_end.set()
