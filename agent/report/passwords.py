"""Users and their passwords. bcrypt is slow on purpose, so its price is paid once and off the loop.

One thread works at unknown passwords, one after the other, behind a bounded queue: a flood of
wrong ones costs one core at most and slows nobody whose password is known.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Literal, TypeAlias

from agent.background import Background

KNOWN_MAX = 256  # right ones and wrong ones, each
WAITING_MAX = 16
PASSWORD_BYTES_MAX = 72  # bcrypt reads no further; what is longer is refused, not cut
Verdict: TypeAlias = Literal["right", "wrong", "busy"]


class Passwords:
    """Who may ask; asked from one thread, answers through a callback from another."""

    def __init__(self, users: Mapping[str, str]) -> None:
        """`users`: names and bcrypt hashes; at least one."""
        self._users = dict(users)
        # Who asks for a user that does not exist waits as long as for one that does.
        self._stand_in = next(iter(users.values()))
        self._secret = os.urandom(32)
        self._right: OrderedDict[bytes, None] = OrderedDict()
        self._wrong: OrderedDict[bytes, None] = OrderedDict()
        self._worker: Background[tuple[bytes, str, bytes, Callable[[Verdict], None]]]
        self._worker = Background("passwords", self._verify, WAITING_MAX)

    def check(self, header: bytes | None, answer: Callable[[Verdict], None]) -> None:
        """Judge an Authorization header; `answer` comes at once, or later from another thread."""
        found = _credentials(header)
        if found is None:
            answer("wrong")
            return
        name, password = found
        key = self._key(name, password)
        if key in self._right:
            answer("right")
        elif key in self._wrong or len(password) > PASSWORD_BYTES_MAX or b"\0" in password:
            answer("wrong")
        elif not self._worker.offer((key, name, password, answer)):
            answer("busy")

    def close(self) -> None:
        """Let the thread end; a password at hand is not waited for."""
        self._worker.close(0)

    def _key(self, name: str, password: bytes) -> bytes:
        """What is remembered: neither the password nor anything that it can be found out from."""
        keyed = hashlib.blake2b(key=self._secret)
        for part in (name.encode(), self._users.get(name, "").encode(), password):
            keyed.update(len(part).to_bytes(4, "big") + part)
        return keyed.digest()

    def _verify(self, item: tuple[bytes, str, bytes, Callable[[Verdict], None]]) -> None:
        import bcrypt  # noqa: PLC0415  a few MiB, for those who have users

        key, name, password, answer = item
        verdict: Verdict = "wrong"
        try:
            matches = bcrypt.checkpw(password, self._users.get(name, self._stand_in).encode())
            if matches and name in self._users:
                verdict = "right"
            known = self._right if verdict == "right" else self._wrong
            known[key] = None
            if len(known) > KNOWN_MAX:
                known.popitem(last=False)
        finally:
            answer(verdict)


def _credentials(header: bytes | None) -> tuple[str, bytes] | None:
    scheme, _, encoded = (header or b"").partition(b" ")
    if scheme.lower() != b"basic":
        return None
    try:
        name, colon, password = base64.b64decode(encoded.strip(), validate=True).partition(b":")
        return (name.decode(), password) if colon else None
    except (binascii.Error, UnicodeDecodeError):
        return None
