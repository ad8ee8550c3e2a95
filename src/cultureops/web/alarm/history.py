"""What alarms have done, as pages list it: chosen by a form, read from the ledger by position, however long it is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final
from zoneinfo import ZoneInfo

from cultureops.alarms.events import ALARM_EVENT_TYPES, alarm_stream
from cultureops.alarms.rule import Kind, Priority
from cultureops.audit.walking import walk
from cultureops.clock import Instant, iso
from cultureops.errors import ConfigError
from cultureops.ledger.event import Event
from cultureops.ledger.ledger import Ledger
from cultureops.ledger.search import Search
from cultureops.web.form.local_time import as_typed, instant_of

__all__ = ["WHATS", "AlarmChoice", "HistoryPage", "HistoryRow", "alarm_history"]

_STREAMS: Final = "alarm:"
_REVISED: Final = "alarm_exposure_revised"
WHATS: Final[Mapping[str, str]] = {
    name.removeprefix("alarm_"): name.removeprefix("alarm_").replace("_", " ")
    for name in (*ALARM_EVENT_TYPES, _REVISED)
}
"""What can have happened to an alarm, by its name in forms, in words."""
LONGEST: Final = 200
MOST_LOOKED_AT: Final = 50_000


@dataclass(frozen=True, slots=True)
class AlarmChoice:
    """Which of it somebody wants to see; what is empty chooses all.

    ``kind`` is the rule's condition, ``what`` one of WHATS; ``since`` (included) and ``until`` (not included) are times
    of recording [ms UTC].
    """

    rule: str = ""
    chamber: str = ""
    priority: str = ""
    kind: str = ""
    what: str = ""
    batch: str = ""
    since: Instant | None = None
    until: Instant | None = None

    @classmethod
    def of(cls, asked: Mapping[str, str], zone: ZoneInfo) -> AlarmChoice:
        """Read a form; times are the site's. Raises ConfigError that names the field for what can't be chosen."""
        texts = {name: asked.get(name, "").strip() for name in ("rule", "chamber", "priority", "kind", "what", "batch")}
        for name, text in texts.items():
            if len(text) > LONGEST or not text.isprintable():
                raise ConfigError(f"{name}: expected at most {LONGEST} printable characters")
        for name, allowed in (("priority", tuple(Priority)), ("kind", tuple(Kind)), ("what", tuple(WHATS))):
            if texts[name] and texts[name] not in allowed:
                raise ConfigError(f"{name}: expected one of {', '.join(allowed)}, not {texts[name][:40]!r}")
        since = instant_of(asked.get("since", ""), zone, "from")
        until = instant_of(asked.get("until", ""), zone, "before")
        if since is not None and until is not None and until <= since:
            raise ConfigError("before: expected a time after the start; swap the two")
        return cls(**texts, since=since, until=until)

    def asked(self, zone: ZoneInfo) -> dict[str, str]:
        """Return what a form sends for it, without what is empty."""
        every = {name: getattr(self, name) for name in ("rule", "chamber", "priority", "kind", "what", "batch")}
        every |= {"since": as_typed(self.since, zone), "until": as_typed(self.until, zone)}
        return {name: text for name, text in every.items() if text}

    def matches(self, event: Event) -> bool:
        """Whether an event is among them."""
        data = event.data
        return (
            event.type.removeprefix("alarm_") in ((self.what,) if self.what else WHATS)
            and event.type.startswith("alarm_")
            and all(not getattr(self, name) or data.get(name) == getattr(self, name) for name in _EXACT)
            and (not self.batch or self.batch in _batches(data))
        )

    @property
    def search(self) -> Search:
        """What the store can look for by itself: no event that matches is without it."""
        needles = [f'"{name}":{_quoted(value)}' for name in _EXACT if (value := getattr(self, name))]
        needles += [f'"type":"alarm_{self.what}"'] if self.what else []
        needles += [_quoted(self.batch)] if self.batch else []
        return Search(
            streams=(alarm_stream(self.rule),) if self.rule else (),
            prefix=_STREAMS,
            needles=tuple(needle.encode() for needle in needles),
            since="" if self.since is None else iso(self.since),
            until="" if self.until is None else iso(self.until),
        )


_EXACT: Final = ("chamber", "priority", "kind")


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """One thing that happened to an alarm; ``who`` and ``reason`` are empty where no person did it."""

    position: int
    at: Instant
    what: str
    rule_id: str
    chamber: str
    priority: str
    text: str
    batches: tuple[str, ...]
    who: str
    role: str
    witness: str
    reason: str


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """Some rows, the newest first; ``cursor`` is the position to go on from, None where there is no more.

    ``is_cut``: the search ended before it had found as many rows as were asked for, for the ledger is long.
    """

    rows: tuple[HistoryRow, ...]
    cursor: int | None
    is_cut: bool = False


def alarm_history(ledger: Ledger, choice: AlarmChoice, size: int, cursor: int | None = None) -> HistoryPage:
    """Return up to ``size`` [from 1] rows from before ``cursor``, the newest first; blocks.

    No more than ``MOST_LOOKED_AT`` events are looked at, so that none of the pages of a long ledger takes long.
    """
    up_to = ledger.head().position
    start = up_to + 1 if cursor is None else min(cursor, up_to + 1)
    down_to = 0 if choice.rule else max(0, start - 1 - MOST_LOOKED_AT)
    events = walk(ledger, choice.search, choice.matches, up_to, start, size + 1, down_to=down_to)
    found = list(islice(events, size + 1))
    rows = tuple(_row(event) for event in found[:size])
    if len(found) > size:
        return HistoryPage(rows, rows[-1].position)
    return HistoryPage(rows, down_to + 1 if down_to else None, is_cut=down_to > 0)


def _row(event: Event) -> HistoryRow:
    data = event.data
    return HistoryRow(
        position=event.position,
        at=event.occurred_at,
        what=WHATS[event.type.removeprefix("alarm_")],
        rule_id=_text(data, "rule_id") or event.stream.removeprefix(_STREAMS),
        chamber=_text(data, "chamber"),
        priority=_text(data, "priority"),
        text=_text(data, "text"),
        batches=_batches(data),
        who=_text(data, "actor_id"),
        role=_text(data, "role"),
        witness=_text(data, "witness_id"),
        reason=_text(data, "reason"),
    )


def _batches(data: Mapping[str, Any]) -> tuple[str, ...]:
    found = data.get("batch_ids")
    return tuple(str(name) for name in found) if isinstance(found, list | tuple) else ()


def _text(data: Mapping[str, Any], name: str) -> str:
    found = data.get(name)
    return found if isinstance(found, str) else ""


def _quoted(text: str) -> str:
    """Write a text as it stands in an event's canonical bytes."""
    return json.dumps(text, ensure_ascii=False)
