"""Which program wrote a ledger, and whether this one is new enough to read all of it.

Each start of a lab is an event, so that the record itself says which program to install. Versions follow Semantic
Versioning: a new event type, or a new form of one, makes at least a new minor version.
"""

from __future__ import annotations

import platform
import re
import sqlite3
from typing import Final

from sqlalchemy import Connection, text

import cultureops
from cultureops.errors import Unreadable
from cultureops.ledger.event import Actor, Event, NewEvent, Source, decode
from cultureops.ledger.upcast import is_newer

__all__ = ["STARTED", "STREAM", "Generation", "generation_of", "program_started", "program_versions"]

STREAM: Final = "node"
STARTED: Final = "program_started"
_OF_STREAM: Final = text("SELECT canonical, hash FROM events WHERE stream = :stream ORDER BY version")
_VERSION: Final = re.compile(r"(\d+)\.(\d+)")


def program_versions() -> dict[str, str]:
    """Return the versions of this program and of what it stands on."""
    return {
        "program": cultureops.__version__,
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "platform": platform.platform(),
    }


def program_started(site: str = "") -> NewEvent:
    """The fact that this program begins to run a lab."""
    return NewEvent(STARTED, program_versions() | {"site": site}, Actor("cultureops", "system"), Source.SYSTEM)


class Generation:
    """Refuses what a newer program than this one (``own``) has written; told of every start of a lab."""

    def __init__(self, own: str = cultureops.__version__) -> None:
        self._own = own
        self.written_by = ""
        """The version of the newest program that ran a lab; empty where none has said so."""

    def take(self, event: Event) -> None:
        """Take an event of the stream ``node``; raises Unreadable when a newer program ran a lab."""
        said = str(event.data.get("program", "")) if event.type == STARTED else ""
        if _release(said) > _release(self.written_by):
            self.written_by = said
        if _release(said) > _release(self._own):
            raise self._too_old(event, f"cultureops {said} ran a lab on it")

    def check(self, event: Event) -> None:
        """Raise Unreadable for an event in a form that this program does not know."""
        if is_newer(event.type, event.schema_version):
            raise self._too_old(event, f"{event.type!r} is in version {event.schema_version}")

    def _too_old(self, event: Event, why: str) -> Unreadable:
        is_known = _release(self.written_by) > _release(self._own)
        wanted = (
            f"cultureops {self.written_by} or newer" if is_known else "the cultureops that wrote it, or a newer one"
        )
        return Unreadable(
            f"position {event.position}, stream {event.stream!r}: {why}; this is cultureops {self._own}, which would "
            f"misread the record: nothing was changed, install {wanted} and start again"
        )


def generation_of(connection: Connection, name: str) -> Generation:
    """Read from a ledger which programs ran labs on it; raises Unreadable when one was newer than this one."""
    found = Generation()
    for canonical, chain_hash in connection.execute(_OF_STREAM, {"stream": STREAM}).all():
        event = decode(canonical, chain_hash)
        try:
            found.check(event)
            found.take(event)
        except Unreadable as error:
            raise Unreadable(f"{name}: {error}") from None
    return found


def _release(version: str) -> tuple[int, int]:
    """Return major and minor number; what is no version counts as the oldest."""
    found = _VERSION.match(version)
    return (0, 0) if found is None else (int(found[1]), int(found[2]))
