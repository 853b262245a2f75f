"""What an entry of the catalog holds."""

from __future__ import annotations

from dataclasses import dataclass

ERROR, WARNING, NOTICE, INFO = 3, 4, 5, 6  # syslog(3)


@dataclass(frozen=True)
class Event:
    """One kind of event. `line` is filled from the verdict's fields; `@FIELD@` by journalctl."""

    name: str
    message_id: str
    priority: int
    line: str
    subject: str
    cause: str
    done: str
    to_do: str
