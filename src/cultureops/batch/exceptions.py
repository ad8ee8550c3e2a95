"""Review by exception: of everything on record about a batch, only what a person must judge. Pure.

What is not listed is as the recipe has it; nothing is left out for being small, only what a review has read already is
marked so (draft EU GMP Annex 11, 12.6 and 12.8).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from cultureops.batch.batch import Batch
from cultureops.batch.checklist import Check, checklist
from cultureops.batch.commands import AuthoriseThaw
from cultureops.batch.events import read_event
from cultureops.batch.facts import Facts, TelemetryGap
from cultureops.batch.narrative import tell
from cultureops.batch.parts import Deviation
from cultureops.batch.rules import RULES
from cultureops.batch.signed import RELEASES, Validity, signatures_of
from cultureops.batch.signed_steps import wants_signature
from cultureops.batch.state import State
from cultureops.clock import DAY_MS, MINUTE_MS, Instant, parse_iso
from cultureops.conduct import is_late
from cultureops.errors import BatchError, ConfigError
from cultureops.ledger.event import Event, Source

__all__ = ["Kind", "Matter", "Nearness", "exceptions"]


class Kind(StrEnum):
    """What sort of exception it is."""

    GATE = "gate not open"
    DEVIATION = "deviation"
    ALARM = "alarm not assessed"
    GAP = "gap in the data"
    SIGNATURE = "signature"
    CORRECTION = "correction"
    LATE_ENTRY = "late entry"
    WARNING = "warning"
    MANUAL = "entered by hand"
    COUNT = "count held or rejected"
    OUT_OF_SPECIFICATION = "out of specification"
    REPEAT = "repeated test"
    REFUSAL = "refused command"
    CALIBRATION = "calibration near its end"
    LOT = "lot near its expiry"
    CLOCK = "clock not synchronised"
    SIMULATED = "simulated source"
    UNREADABLE = "event that can't be read"


@dataclass(frozen=True, slots=True)
class Matter:
    """One thing to judge: what, when [ms UTC], by whom, and what disposes of it.

    ``event_id`` and ``position`` point to the event that says so, empty and None where none does. ``is_read`` says that
    a review since then has covered it.
    """

    kind: Kind
    severity: str
    what: str
    at: Instant | None
    who: str
    disposal: str
    event_id: str = ""
    position: int | None = None
    is_read: bool = False


@dataclass(frozen=True, slots=True)
class Nearness:
    """How near to its end a calibration or a lot is worth a look [d]; ours, until a site has its own."""

    calibration_d: float = 30.0
    lot_d: float = 7.0


DEFAULT: Final = Nearness()
_BEFORE_DECISION: Final = frozenset({State.FORMULATED, State.REVIEWED})
_OF_THE_REVIEW: Final = frozenset({"G13", "G14"})
_SEVERITIES: Final = ("critical", "major", "minor")
_BY_HAND: Final = "the reviewer compares it with the raw data"
_READ: Final = "the reviewer reads it"


def exceptions(
    batch: Batch, facts: Facts, simulated: Collection[str] = (), nearness: Nearness = DEFAULT
) -> tuple[Matter, ...]:
    """Return what must be judged, the gravest first, then by time; ``simulated`` are the devices that are."""
    found = [
        *_gates(batch, facts),
        *_deviations(batch),
        *_alarms_and_gaps(batch, facts),
        *_signatures(batch),
        *_simulated(batch, simulated),
        *(matter for event in batch.history for matter in _in_event(batch, event, nearness)),
    ]
    return tuple(sorted(found, key=lambda one: (one.is_read, _SEVERITIES.index(one.severity), one.at or 0)))


def _gates(batch: Batch, facts: Facts) -> Iterator[Matter]:
    asked = RULES[AuthoriseThaw].gates if batch.state is State.CRYO else ()
    if batch.state in _BEFORE_DECISION:
        asked = tuple(
            check.gate for check in checklist(batch, facts) if batch.reviewers or check.gate not in _OF_THE_REVIEW
        )
    for check in checklist(batch, facts):
        if check.is_not_met and check.gate in asked:
            yield Matter(
                Kind.GATE, "critical", _shut(check), facts.now, "", "what it names is mended, or the batch is rejected"
            )


def _shut(check: Check) -> str:
    return f"{check.gate}: {check.problem}"


def _deviations(batch: Batch) -> Iterator[Matter]:
    opened = {str(e.data.get("deviation_id")): e for e in batch.history if e.type == "deviation_opened"}
    for deviation in batch.deviations:
        if deviation.closed_at is not None and deviation.severity != "critical":
            continue
        kind = Kind.OUT_OF_SPECIFICATION if deviation.kind == "oos" else Kind.DEVIATION
        event = opened.get(deviation.id)
        yield _matter(
            batch, event, kind, deviation.severity, _told(deviation), deviation.opened_at, _disposal(deviation)
        )


def _told(deviation: Deviation) -> str:
    return f"{deviation.id}, {'open' if deviation.closed_at is None else 'closed'}: {deviation.description}"


def _disposal(deviation: Deviation) -> str:
    if deviation.closed_at is not None:
        return "the reviewer agrees with its conclusion"
    done = "" if deviation.investigated_at is None else " (it is investigated)"
    return f"quality assurance investigates and closes it{done}"


def _alarms_and_gaps(batch: Batch, facts: Facts) -> Iterator[Matter]:
    told = {str(e.data.get("exposure_id")): e for e in reversed(batch.history) if e.type == "alarm_exposed"}
    disposal = "the review says what it meant for the cells"
    for one in batch.exposures:
        if one.wants_assessment and one.id not in batch.assessed:
            what = f"{one.rule_id} in {one.chamber}: {one.text}"
            yield _matter(batch, told.get(one.id), Kind.ALARM, "major", what, one.raised_at, disposal)
    yield from _gaps(batch, facts, disposal)


def _gaps(batch: Batch, facts: Facts, disposal: str) -> Iterator[Matter]:
    """Yield one matter for each channel with gaps that nobody has assessed, however many it had."""
    longest_ms = facts.recipe.culture.max_gap.value * MINUTE_MS
    found: dict[str, list[TelemetryGap]] = {}
    for gap in facts.telemetry_gaps:
        if gap.end - gap.start > longest_ms and gap.id not in batch.assessed:
            found.setdefault(gap.channel, []).append(gap)
    for channel, gaps in found.items():
        longest = max(gaps, key=lambda gap: gap.end - gap.start)
        count = "" if len(gaps) == 1 else f"{len(gaps)} gaps, the longest: "
        what = f"{channel}: {count}no value for {(longest.end - longest.start) / MINUTE_MS:.0f} min ({longest.reason})"
        yield Matter(Kind.GAP, "major", what, gaps[0].start, gaps[0].chamber, disposal)


def _signatures(batch: Batch) -> Iterator[Matter]:
    by_id = {event.event_id: event for event in batch.history}
    signed = set()
    for one in signatures_of(batch):
        signed.add(one.event_id)
        if one.validity is not Validity.VALID:
            name = "nobody" if one.signature is None else one.signature.printed_name
            event, what = by_id[one.event_id], f"{one.step.replace('_', ' ')} by {name}: {one.text}"
            yield _matter(batch, event, Kind.SIGNATURE, "critical", what, event.occurred_at, "it is signed anew")
    for event in batch.history:
        if event.event_id not in signed and wants_signature(event):
            what = f"{event.type.replace('_', ' ')} carries no signature"
            yield _matter(
                batch, event, Kind.SIGNATURE, "critical", what, event.occurred_at, "it is decided anew and signed"
            )


def _simulated(batch: Batch, simulated: Collection[str]) -> Iterator[Matter]:
    counted = [event for event in batch.history if event.type == "counted" and event.data.get("device") in simulated]
    for device in dict.fromkeys(str(event.data["device"]) for event in counted):
        of_it = [event for event in counted if event.data["device"] == device]
        what = f"{device} is simulated: {len(of_it)} counts are of no cells"
        yield _matter(batch, of_it[-1], Kind.SIMULATED, "critical", what, of_it[0].occurred_at, "never release it")


def _in_event(batch: Batch, event: Event, nearness: Nearness) -> Iterator[Matter]:
    """Yield what one event says that a person must judge."""

    def matter(kind: Kind, severity: str, what: str, disposal: str = _READ) -> Matter:
        return _matter(batch, event, kind, severity, what, event.occurred_at, disposal)

    try:
        words = tell(read_event(event.type, event.data))
    except (BatchError, TypeError, ValueError, KeyError):
        yield matter(
            Kind.UNREADABLE, "critical", f"{event.type} can't be read by this program", "a newer cultureops reads it"
        )
        return
    data: Mapping[str, Any] = event.data
    if event.type == "corrected":
        yield matter(
            Kind.CORRECTION, "major", f"{words} ({event.reason})", "the reviewer agrees with old, new and reason"
        )
    if is_late(event):
        minutes = (event.recorded_at - event.occurred_at) / MINUTE_MS
        yield matter(Kind.LATE_ENTRY, "minor", f"entered {minutes:.0f} min later: {words} ({event.reason})")
    for warning in data.get("warnings", ()):
        yield matter(Kind.WARNING, "major", f"{warning} ({words})", "the reviewer agrees, or opens a deviation")
    if event.type == "command_refused":
        yield matter(Kind.REFUSAL, "minor", words)
    if event.type in ("count_held", "result_file_rejected"):
        yield matter(Kind.COUNT, "minor", words, "somebody counts again, or accepts it with a witness")
    if event.type == "count_accepted" or (event.type == "counted" and event.source is Source.HUMAN):
        yield matter(Kind.MANUAL, "minor", words, _BY_HAND)
    if event.type == "qc_sampled" and data.get("repeats"):
        yield matter(
            Kind.REPEAT, "major", f"{words}, repeats {data['repeats']}", "its out-of-specification record explains it"
        )
    if event.type == "qc_resulted" and data.get("outcome") == "positive":
        yield matter(Kind.OUT_OF_SPECIFICATION, "critical", words, "its out-of-specification record disposes of it")
    if (quality := event.clock_quality) is not None and quality.value == "unsynced":
        yield matter(Kind.CLOCK, "minor", f"the time of this is of a clock that nothing steers: {words}")
    yield from _near_ends(event, nearness, matter)


_LOOKS_BACK: Final = RELEASES | {"thaw_authorised", "shipped", "administered"}


def _near_ends(event: Event, nearness: Nearness, matter: Any) -> Iterator[Matter]:
    """Yield what was in its limits at use, and not for long any more; a release uses nothing, it looks back."""
    if event.type in _LOOKS_BACK:
        return
    for check in event.data.get("checks", ()):  # type: ignore[union-attr]
        assert isinstance(check, Mapping), "a check is an object"
        used = check.get("used")
        for name, fact in used.items() if isinstance(used, Mapping) else ():
            if not isinstance(fact, Mapping):
                continue
            for key, days, kind, what in (
                ("calibrated_until", nearness.calibration_d, Kind.CALIBRATION, f"the calibration of {name} ended"),
                ("expires_at", nearness.lot_d, Kind.LOT, f"lot {name} expired"),
            ):
                left_d = _days_until(fact.get(key), event.occurred_at)
                if left_d is not None and left_d <= days and _is_of(kind, str(check.get("gate"))):
                    yield matter(
                        kind, "minor", f"{what} {left_d:.1f} d after its use in {event.type.replace('_', ' ')}"
                    )


def _is_of(kind: Kind, gate: str) -> bool:
    """Whether a gate judged what the step itself used."""
    return gate == ("G3" if kind is Kind.CALIBRATION else "G4")


def _days_until(text: object, at: Instant) -> float | None:
    try:
        return (parse_iso(text) - at) / DAY_MS if isinstance(text, str) else None
    except ConfigError:
        return None


def _matter(
    batch: Batch, event: Event | None, kind: Kind, severity: str, what: str, at: Instant, disposal: str
) -> Matter:
    if event is None:
        return Matter(kind, severity, what, at, "", disposal)
    reviewed = batch.reviewed_version or 0
    is_standing = kind in (Kind.DEVIATION, Kind.ALARM, Kind.SIGNATURE, Kind.SIMULATED) or event.version > reviewed
    return Matter(
        kind, severity, what, at, f"{event.actor.id} ({event.actor.role})", disposal, event.event_id, event.position,
        is_read=not is_standing,
    )  # fmt: skip
