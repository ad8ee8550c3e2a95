"""What the ledger says of alarms over time: each activation with what became of it, how long alarms stood, and who
suppressed what. A fold over events, pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from cultureops.alarms.alarm import What
from cultureops.alarms.events import RecordedEvent
from cultureops.alarms.rule import Priority
from cultureops.alarms.state import ANNOUNCED, State
from cultureops.clock import Instant, parse_iso
from cultureops.errors import ConfigError, StorageError

__all__ = ["AlarmHistory", "Annunciation", "Span", "alarm_history"]

_WHATS: Final = {f"alarm_{what}": what for what in What}
_STATES: Final = {state.value: state for state in State}
_PRIORITIES: Final = {priority.value: priority for priority in Priority}
_BY_PERSON: Final = frozenset({State.SHELVED, State.OUT_OF_SERVICE})


@dataclass(frozen=True, slots=True)
class Annunciation:
    """One time an alarm was announced anew; times are ms UTC, None where it has not happened.

    ``since`` is when its condition began, before the delay; None where it came out of a suppression, whose length is no
    delay. ``returned_at`` is when the condition was gone, ``acknowledged_at`` the first acknowledgement since,
    ``acted_at`` the first act of a person on it of any kind.
    """

    rule_id: str
    at: Instant
    priority: Priority
    since: Instant | None
    respond_within_s: float | None
    returned_at: Instant | None = None
    acknowledged_at: Instant | None = None
    acted_at: Instant | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """A rule's time without a break in some kind of state [ms UTC]; ``until`` None: it lasts."""

    rule_id: str
    since: Instant
    until: Instant | None


@dataclass(frozen=True, slots=True)
class AlarmHistory:
    """What happened up to some time: activations and re-alarms by time, spans as they began.

    ``standing`` are the times in which alarms were announced, ``suppressed`` those in which a person had shelved them
    or taken them out of service, renewals included; ``unauthorised`` says which rule was suppressed when without a
    person or a reason on record. ``unacknowledged`` are the rules that waited for somebody at the end.
    """

    activations: tuple[Annunciation, ...]
    realarms: tuple[Instant, ...]
    standing: tuple[Span, ...]
    suppressed: tuple[Span, ...]
    unauthorised: tuple[tuple[str, Instant], ...]
    unacknowledged: tuple[str, ...]


@dataclass(slots=True)
class _Track:
    """One rule on its way through the events; lists name activations by their place."""

    state: State = State.NORMAL
    active: list[int] = field(default_factory=list)
    unacknowledged: list[int] = field(default_factory=list)
    unacted: list[int] = field(default_factory=list)
    stands_since: Instant | None = None
    suppressed_since: Instant | None = None


def alarm_history(events: Iterable[RecordedEvent], end: Instant) -> AlarmHistory:
    """Fold alarm events, in ledger order, into what happened before ``end`` [ms UTC].

    Events of other types, and keys it does not know, are passed over. Raises StorageError for an alarm event that lacks
    what it must hold: rule_id, at, from_state, to_state; for a raised one priority too.
    """
    tracks: dict[str, _Track] = {}
    fold = _Fold()
    for event in events:
        what = _WHATS.get(event.type)
        if what is None or (at := _instant(event, "at")) >= end:
            continue
        rule_id = event.data.get("rule_id")
        if not isinstance(rule_id, str) or not rule_id:
            raise StorageError(f"{event.type}: rule_id should be a text, is {rule_id!r}; run `cultureops verify`")
        track = tracks.get(rule_id)
        if track is None:
            track = tracks[rule_id] = _Track()
        fold.take(track, what, rule_id, at, event)
    return fold.history(tracks)


class _Fold:
    """What has been found so far, of all rules."""

    def __init__(self) -> None:
        self.begun: list[tuple[str, Instant, Priority, Instant | None, float | None]] = []
        self.returned: dict[int, Instant] = {}
        self.acknowledged: dict[int, Instant] = {}
        self.acted: dict[int, Instant] = {}
        self.realarms: list[Instant] = []
        self.standing: list[Span] = []
        self.suppressed: list[Span] = []
        self.unauthorised: list[tuple[str, Instant]] = []

    def take(self, track: _Track, what: What, rule_id: str, at: Instant, event: RecordedEvent) -> None:
        """Take one event of a rule."""
        before, after = _state(event, "from_state"), _state(event, "to_state")
        person = _said(event, "actor_id")
        if person:
            _note(track.unacted, self.acted, at)
        if what is What.RAISED:
            self._raise(track, rule_id, at, before, event)
        elif what is What.REALARMED:
            self.realarms.append(at)
        elif what is What.SHELVED or what is What.TAKEN_OUT:
            track.unacknowledged.clear()  # nobody is called any more; whoever suppressed it has seen it
            if not person or not _said(event, "reason"):
                self.unauthorised.append((rule_id, at))
        elif person and (what is What.ACKNOWLEDGED or before is State.RTN_UNACK):
            _note(track.unacknowledged, self.acknowledged, at)
        if track.active and before.is_active and not after.is_active and not after.is_suppressed:
            _note(track.active, self.returned, at)
        self._span(track, rule_id, at, after)

    def _raise(self, track: _Track, rule_id: str, at: Instant, before: State, event: RecordedEvent) -> None:
        since = None if before.is_suppressed or "since" not in event.data else _instant(event, "since")
        place = len(self.begun)
        self.begun.append((rule_id, at, _priority(event), since, _seconds(event, "respond_within_s")))
        track.active = [place]
        track.unacted.append(place)
        track.unacknowledged.append(place)

    def _span(self, track: _Track, rule_id: str, at: Instant, after: State) -> None:
        """Open and close the rule's spans; a span goes on through states of its own kind."""
        track.state = after
        if after in ANNOUNCED:
            track.stands_since = at if track.stands_since is None else track.stands_since
        elif track.stands_since is not None:
            self.standing.append(Span(rule_id, track.stands_since, at))
            track.stands_since = None
        if after in _BY_PERSON:
            track.suppressed_since = at if track.suppressed_since is None else track.suppressed_since
        elif track.suppressed_since is not None:
            self.suppressed.append(Span(rule_id, track.suppressed_since, at))
            track.suppressed_since = None

    def history(self, tracks: dict[str, _Track]) -> AlarmHistory:
        """Close the books: what lasts has no end."""
        for rule_id, track in tracks.items():
            if track.stands_since is not None:
                self.standing.append(Span(rule_id, track.stands_since, None))
            if track.suppressed_since is not None:
                self.suppressed.append(Span(rule_id, track.suppressed_since, None))
        activations = (
            Annunciation(*begun, self.returned.get(place), self.acknowledged.get(place), self.acted.get(place))
            for place, begun in enumerate(self.begun)
        )
        return AlarmHistory(
            tuple(sorted(activations, key=lambda activation: activation.at)),
            tuple(sorted(self.realarms)),
            tuple(sorted(self.standing, key=lambda span: span.since)),
            tuple(sorted(self.suppressed, key=lambda span: span.since)),
            tuple(self.unauthorised),
            tuple(sorted(rule_id for rule_id, track in tracks.items() if track.state.wants_acknowledgement)),
        )


def _note(places: list[int], outcomes: dict[int, Instant], at: Instant) -> None:
    """Write down when it came to this with the activations at these places, and be done with them."""
    for place in places:
        outcomes[place] = at
    places.clear()


def _state(event: RecordedEvent, key: str) -> State:
    found = event.data.get(key)
    state = _STATES.get(found) if isinstance(found, str) else None
    if state is None:
        raise _bad(event, key, f"one of {', '.join(State)}")
    return state


def _priority(event: RecordedEvent) -> Priority:
    found = event.data.get("priority")
    priority = _PRIORITIES.get(found) if isinstance(found, str) else None
    if priority is None:
        raise _bad(event, "priority", f"one of {', '.join(Priority)}")
    return priority


def _instant(event: RecordedEvent, key: str) -> Instant:
    found = event.data.get(key)
    if not isinstance(found, str):
        raise _bad(event, key, "a time")
    try:
        return parse_iso(found)
    except ConfigError:
        raise _bad(event, key, "a time") from None


def _seconds(event: RecordedEvent, key: str) -> float | None:
    """Return a duration that is there and makes sense."""
    found = event.data.get(key)
    is_number = isinstance(found, int | float) and not isinstance(found, bool)
    return float(found) if is_number and found > 0 else None  # type: ignore[operator,arg-type]


def _said(event: RecordedEvent, key: str) -> bool:
    """Whether a text is there and not blank."""
    found = event.data.get(key)
    return isinstance(found, str) and bool(found.strip())


def _bad(event: RecordedEvent, key: str, expected: str) -> StorageError:
    where = f"{event.type} {str(event.data.get('rule_id'))[:80]!r}"
    return StorageError(f"{where}: {key} should be {expected}, is {event.data.get(key)!r}; run `cultureops verify`")
