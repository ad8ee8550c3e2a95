"""The timeline of a batch: filtered by kind, each entry with its signatures and whether it can be corrected."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from cultureops.batch.batch import Batch
from cultureops.batch.signed import Standing
from cultureops.batch.steps.record import CORRECTABLE
from cultureops.batch.views import TimelineRow
from cultureops.clock import Instant

__all__ = ["KINDS", "MOST_ENTRIES", "Entry", "Filter", "entries", "filters", "shown"]

LATE_MS: Final = 300_000
"""From how long after it happened an entry says when it was entered; the record's own limit for late entries."""
MOST_ENTRIES: Final = 1_000
_RESULTS: Final = frozenset(
    {"confluence_observed", "counted", "count_held", "count_accepted", "result_file_rejected", "qc_sampled"}
    | {"qc_resulted", "storage_checked", "adverse_event_recorded"}
)
_ALARMS: Final = frozenset({"alarm_exposed", "lot_stopped"})
_QUALITY: Final = frozenset(
    {"deviation_opened", "deviation_extended", "deviation_investigated", "action_planned", "effectiveness_checked"}
    | {"deviation_closed", "held", "resumed", "recalled", "rejected"}
)
_OTHER: Final = frozenset({"corrected", "command_refused", "noted"})


@dataclass(frozen=True, slots=True)
class Entry:
    """One event: ``signatures`` are those in it as they stand today, ``is_late`` says that it was entered afterwards.

    ``is_correctable`` says that some field of it may be corrected, while the batch may be.
    """

    row: TimelineRow
    signatures: tuple[Standing, ...]
    is_late: bool
    is_correctable: bool


KINDS: Final[Mapping[str, tuple[str, Callable[[Entry], bool]]]] = {
    "steps": ("Steps", lambda entry: entry.row.kind not in _RESULTS | _ALARMS | _QUALITY | _OTHER),
    "results": ("Looks, counts, results", lambda entry: entry.row.kind in _RESULTS),
    "alarms": ("Alarms", lambda entry: entry.row.kind in _ALARMS),
    "signatures": ("Signed", lambda entry: bool(entry.signatures)),
    "quality": ("Deviations and holds", lambda entry: entry.row.kind in _QUALITY),
    "corrections": (
        "Corrections and late entries",
        lambda entry: entry.row.kind == "corrected" or bool(entry.row.correction) or entry.is_late,
    ),
    "refusals": ("Refused", lambda entry: entry.row.kind == "command_refused"),
    "notes": ("Notes", lambda entry: entry.row.kind == "noted"),
}
"""What can be asked for: a name in the address, its title, and which entries it holds; an entry may be of several."""


@dataclass(frozen=True, slots=True)
class Filter:
    """One kind to choose: how many entries it holds, and whether it is chosen."""

    name: str
    title: str
    count: int
    is_chosen: bool


def entries(batch: Batch, rows: Sequence[TimelineRow], standings: Iterable[Standing]) -> tuple[Entry, ...]:
    """Return every event of a batch, the newest first: its ``rows`` with the signatures among them."""
    signed: dict[int, list[Standing]] = {}
    for standing in standings:
        signed.setdefault(standing.position, []).append(standing)
    is_open = batch.ended_at is None
    return tuple(
        Entry(
            row,
            tuple(signed.get(row.position, ())),
            _is_late(row.at, row.recorded_at),
            is_open and bool(CORRECTABLE.get(row.kind)),
        )
        for row in reversed(rows)
    )


def _is_late(at: Instant, recorded_at: Instant) -> bool:
    return recorded_at - at > LATE_MS


def filters(found: Collection[Entry], chosen: Collection[str]) -> tuple[Filter, ...]:
    """Return the kinds that a batch has entries of, in their order."""
    counted = ((name, title, sum(map(holds, found))) for name, (title, holds) in KINDS.items())
    return tuple(Filter(name, title, count, name in chosen) for name, title, count in counted if count)


def shown(found: Collection[Entry], chosen: Collection[str]) -> tuple[Entry, ...]:
    """Return the entries of the chosen kinds, all where none is chosen."""
    wanted = [KINDS[name][1] for name in chosen if name in KINDS]
    return tuple(entry for entry in found if not wanted or any(holds(entry) for holds in wanted))
