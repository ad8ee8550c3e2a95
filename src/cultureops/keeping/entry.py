"""What every command on records shares: who enters what, when it happened, and the ledger it goes into."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table as Grid

from cultureops.access import Role
from cultureops.access.desk import AccessDesk
from cultureops.clock import Clock, Instant, SystemClock, iso, parse_iso
from cultureops.conduct import Command, subject_of
from cultureops.errors import BatchError, ConfigError
from cultureops.field import Details, printable
from cultureops.keeping.proof import Secret, desk_of, nobody_yet
from cultureops.ledger.event import Actor, Event, JsonValue
from cultureops.ledger.store import Ledger
from cultureops.pack.ledger import PackLedger, is_pack
from cultureops.recording import existing_ledger_in, has_ledger, open_ledger_beside

__all__ = [
    "Entry",
    "as_of",
    "entering",
    "history",
    "instant",
    "ledger_of",
    "print_grid",
    "print_json",
    "stream_named",
    "when",
]


@asynccontextmanager
async def ledger_of(data_dir: Path, clock: Clock, *, is_new_allowed: bool = False) -> AsyncIterator[Ledger]:
    """Open the ledger of a data folder, beside a running lab or without one; raises ConfigError where there is none."""
    if is_pack(data_dir):
        yield await asyncio.to_thread(PackLedger.open, data_dir)
        return
    if not is_new_allowed:
        existing_ledger_in(data_dir)  # who only asks must not leave an empty one behind
    async with open_ledger_beside(data_dir, clock) as ledger:
        yield ledger


@asynccontextmanager
async def entering(data_dir: Path, clock: Clock) -> AsyncIterator[tuple[Ledger, AccessDesk]]:
    """Open the ledger of a data folder and its access desk, to enter something; raises AccessError without accounts."""
    if await asyncio.to_thread(_is_new, data_dir):
        raise nobody_yet(data_dir)
    async with ledger_of(data_dir, clock) as ledger:
        yield ledger, await desk_of(data_dir, ledger, clock)


def _is_new(data_dir: Path) -> bool:
    return data_dir.is_dir() and not has_ledger(data_dir)


def stream_named(prefix: str, subject_id: str) -> str:
    """Return the stream of what a person names; raises ConfigError for what can't be an id."""
    try:
        return subject_of(prefix, subject_id)
    except BatchError as error:
        raise ConfigError(str(error)) from None


@dataclass(frozen=True, slots=True)
class Entry:
    """What a person enters: who in which role, why, when it happened [ISO 8601], and the proof."""

    actor: str
    role: str
    reason: str = ""
    at: str | None = None
    password_file: Path | None = None

    @property
    def secret(self) -> Secret:
        """Where the proof comes from that it is this person."""
        return Secret(self.password_file)

    def command(self, prefix: str, subject_id: str, details: Callable[[], Details]) -> Command:
        """Build the command; raises ConfigError for what can't be an id, a field or a time."""
        stream_named(prefix, subject_id)
        at = None if self.at is None else instant(self.at, "--at")
        try:
            return Command(subject_id, details(), at, self.reason)
        except BatchError as error:
            raise ConfigError(str(error)) from None

    def person(self) -> Actor:
        """Return who enters it; raises ConfigError for a role that no person has."""
        roles = [role.value for role in Role if role is not Role.DEVICE]
        if self.role not in roles:
            raise ConfigError(f"--role: expected one of {', '.join(roles)}, not {self.role[:40]!r}")
        if not self.actor.strip() or not self.actor.isprintable() or len(self.actor) > 200:
            raise ConfigError(f"--actor: {self.actor[:40]!r} is no account name; use 1 to 200 printable characters")
        return Actor(self.actor, self.role)


def instant(text: str, option: str) -> Instant:
    """Read an option's time [ms UTC]; raises ConfigError that names the option."""
    try:
        return parse_iso(text)
    except ConfigError as error:
        raise ConfigError(f"{option}: {error}") from None


def as_of(text: str | None) -> Instant:
    """Return the instant that ``--at`` asks about [ms UTC], which is now where it is not given."""
    return SystemClock().now() if text is None else instant(text, "--at")


def history(events: Iterable[Event]) -> list[dict[str, JsonValue]]:
    """Return a stream's events as JSON values, in the order in which they were recorded."""
    return [
        {
            "event_id": event.event_id,
            "type": event.type,
            "occurred_at": iso(event.occurred_at),
            "recorded_at": iso(event.recorded_at),
            "actor": event.actor.id,
            "role": event.actor.role,
            "reason": event.reason,
            "data": dict(event.data),
        }
        for event in events
    ]


def when(at: Instant | None) -> str | None:
    """Write an instant as ISO 8601, None as None."""
    return None if at is None else iso(at)


def print_json(value: Mapping[str, Any] | Sequence[Any]) -> None:
    """Print JSON on standard output."""
    print(json.dumps(value, ensure_ascii=False, indent=1))


def print_grid(headings: Sequence[str], rows: Sequence[Sequence[str]], empty: str) -> None:
    """Print rows under headings, or the line that says that there is none; control characters are escaped."""
    if not rows:
        print(empty)
        return
    grid = Grid(*headings, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        grid.add_row(*(printable(cell, "\n") for cell in row))
    width = None if sys.stdout.isatty() else 200
    Console(width=width, markup=False, highlight=False, emoji=False).print(grid)
