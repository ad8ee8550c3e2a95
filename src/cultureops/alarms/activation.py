"""Which conditions alarms have seen, and from when to when: a fold over alarm events, found by chamber and time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from cultureops.alarms.alarm import AlarmView, Transition
from cultureops.alarms.ended import Ended
from cultureops.alarms.events import ALARM_EVENT_TYPES, AlarmEvent, RecordedEvent, alarm_stream
from cultureops.alarms.rule import AlarmClass, BatchRef, ChamberId, Rule
from cultureops.alarms.state import SUPPRESSED, State
from cultureops.clock import Instant, iso, parse_iso
from cultureops.errors import ConfigError, StorageError
from cultureops.ledger.event import Event, JsonValue

__all__ = ["REVISED", "Activation", "Activations", "exposure_id", "follow", "revised"]

REVISED: Final = "alarm_exposure_revised"
_ALWAYS: Final = 1 << 62


def exposure_id(rule_id: str, raised_at: Instant) -> str:
    """Return how records and reviews name one activation of an alarm."""
    return f"{rule_id}@{iso(raised_at)}"


@dataclass(frozen=True, slots=True)
class Activation:
    """One stretch in which an alarm's condition was there, announced or not; times are ms UTC.

    ``since`` is when the condition began, before the on-delay; ``raised_at`` when its delay was over, which names it.
    It goes on when the alarm is acknowledged, tells again, is shelved or released, and ends with the condition.
    ``last_at`` is the last event of it. ``suppressed`` is the suppression that hides it now, empty when none does.
    """

    rule_id: str
    chamber: str
    channel: str | None
    reference: str | None
    kind: str
    limit: float | None
    unit: str
    priority: str
    level: str
    alarm_class: str
    gmp_critical: bool
    raised_at: Instant
    since: Instant
    last_at: Instant
    ended_at: Instant | None = None
    suppressed: str = ""
    text: str = ""
    batch: str | None = None

    @property
    def id(self) -> str:
        """How batches and reviews name it."""
        return exposure_id(self.rule_id, self.raised_at)

    @property
    def endangers_batches(self) -> bool:
        """Whether it speaks of what the batches in its chamber live through, and not of one batch or the program."""
        return (
            self.batch is None
            and bool(self.chamber)
            and self.alarm_class in (AlarmClass.ENVIRONMENT, AlarmClass.INSTRUMENT)
        )

    @property
    def is_by_design(self) -> bool:
        """Whether a declared state such as an open door explains it."""
        return self.suppressed == State.SUPPRESSED_BY_DESIGN

    def until(self, now: Instant) -> Instant:
        """Return when it ended, or the present while it lasts; never before it was last heard of."""
        return max(now, self.last_at) if self.ended_at is None else self.ended_at

    @classmethod
    def of(cls, alarm: Transition | AlarmView, now: Instant) -> Activation:
        """Return what an alarm tells by itself, without its history."""
        ended_at = None if alarm.is_active else now
        if isinstance(alarm, AlarmView):
            ended_at = None if alarm.is_active else alarm.returned_at if alarm.returned_at is not None else now
        raised_at = max(alarm.raised_at, alarm.since)
        return _described(_from_rule(alarm.rule), raised_at, min(alarm.since, raised_at), now, ended_at)


def follow(latest: Activation | None, transition: Transition) -> Activation | None:
    """Return a rule's latest activation after a transition: begun, gone on, ended or untouched; None without any."""
    state = transition.to_state
    return _follow(latest, _from_rule(transition.rule), _Moment(
        transition.at, transition.since, transition.raised_at, transition.is_active,
        state.value if state in SUPPRESSED else "", transition.cause,
    ))  # fmt: skip


def revised(
    activation: Activation,
    added: Sequence[Mapping[str, JsonValue]],
    removed: Sequence[BatchRef],
    at: Instant,
    cause: Event,
) -> AlarmEvent:
    """Write that an activation reached other batches than its events say, as ``(stream, type, data)``.

    ``added`` are batches with their figures, ``removed`` those it did not reach after all; ``cause`` is the event that
    told where they stood, ``at`` the time of this revision [ms UTC].
    """
    ended_at = activation.ended_at
    names = [f"+{row['batch_id']}" for row in added] + [f"-{name}" for name in removed]
    data: dict[str, JsonValue] = {
        "rule_id": activation.rule_id,
        "chamber": activation.chamber,
        "exposure_id": activation.id,
        "gmp_critical": activation.gmp_critical,
        "since": iso(activation.since),
        "raised_at": iso(activation.raised_at),
        "ended_at": None if ended_at is None else iso(ended_at),
        "at": iso(at),
        "added": list(added),
        "removed": list(removed),
        "caused_by": {
            "stream": cause.stream, "position": cause.position, "event_id": cause.event_id, "type": cause.type,
        },
        "text": f"{activation.chamber}: {activation.rule_id} of {iso(activation.raised_at)} now has {', '.join(names)}",
    }  # fmt: skip
    return alarm_stream(activation.rule_id), REVISED, data


class Activations:
    """Every activation of the ledger; fed with its events in order.

    ``place_of`` names the wider place that a chamber belongs to, such as its gateway: what happens to that reaches
    whoever stands in the chamber.
    """

    def __init__(self, place_of: Mapping[ChamberId, ChamberId] | None = None) -> None:
        self._place_of = place_of or {}
        self._latest: dict[str, Activation] = {}
        self._by_id: dict[str, Activation] = {}
        self._ended: dict[str, Ended[Activation]] = {}
        self._open: dict[str, dict[str, Activation]] = {}

    def apply(self, event: RecordedEvent) -> Activation | None:
        """Take one more event and return the activation that it begins or ends; other events return None.

        Raises StorageError for an alarm's event that lacks what it must hold.
        """
        data = event.data
        try:
            if event.type == REVISED:
                self._revise(str(data["rule_id"]), str(data["exposure_id"]), parse_iso(str(data["at"])))
            if event.type not in ALARM_EVENT_TYPES:
                return None
            before = self._latest.get(str(data["rule_id"]))
            after = _follow(before, _from_data(data), _moment(data))
        except (KeyError, ConfigError) as error:
            raise StorageError(f"{event.type} {data.get('rule_id')!r}: {error}") from None
        if after is None or after is before:
            return None
        self._keep(after)
        return after if before is None or before.ended_at != after.ended_at else None

    def _keep(self, one: Activation) -> None:
        self._latest[one.rule_id] = self._by_id[one.id] = one
        open_here = self._open.setdefault(one.chamber, {})
        if one.ended_at is None:
            open_here[one.rule_id] = one
        else:
            open_here.pop(one.rule_id, None)
            self._ended.setdefault(one.chamber, Ended()).add(one)

    def _revise(self, rule_id: str, activation_id: str, at: Instant) -> None:
        """Note that a lasting condition was still there when a batch was found to share it."""
        known = self._latest.get(rule_id)
        if known is not None and known.id == activation_id and known.ended_at is None:
            self._keep(replace(known, last_at=max(known.last_at, at)))

    def get(self, activation_id: str) -> Activation | None:
        """Return an activation by its id."""
        return self._by_id.get(activation_id)

    def latest(self, rule_id: str) -> Activation | None:
        """Return a rule's last activation, ended or not."""
        return self._latest.get(rule_id)

    def end_unwatched(self, rule_ids: frozenset[str]) -> None:
        """End, where they were last heard of, the activations of rules that nobody watches any more."""
        for one in [one for open_here in self._open.values() for one in open_here.values()]:
            if one.rule_id not in rule_ids:
                self._keep(replace(one, ended_at=one.last_at))

    def overlapping(self, chamber: str, start: Instant, end: Instant | None) -> tuple[Activation, ...]:
        """Return what reaches whoever stood in a chamber from ``start`` until just before ``end`` (None: still there).

        A stay of no length meets nothing.
        """
        last = _ALWAYS if end is None else end
        if last <= start:
            return ()
        found: list[Activation] = []
        for place in filter(None, (chamber, self._place_of.get(chamber))):
            found += [one for one in self._open.get(place, {}).values() if one.since < last]
            if (past := self._ended.get(place)) is not None:
                found += past.overlapping(start, last)
        return tuple(sorted((one for one in found if one.endangers_batches), key=lambda one: (one.since, one.id)))


@dataclass(frozen=True, slots=True)
class _Moment:
    at: Instant
    since: Instant
    raised_at: Instant
    is_active: bool
    suppressed: str
    text: str


def _follow(latest: Activation | None, described: Mapping[str, Any], moment: _Moment) -> Activation | None:
    is_open = latest is not None and latest.ended_at is None
    if not is_open:
        if not moment.is_active:
            return latest
        # A condition that came while it was suppressed was never raised: it is named by when its delay was over.
        raised_at = moment.at if moment.suppressed else moment.raised_at
        since = min(moment.since, raised_at)
        begun = _described(described, raised_at, since, moment.at, None)
        return replace(begun, suppressed=moment.suppressed, text=moment.text)
    assert latest is not None
    if not moment.is_active:
        return replace(latest, last_at=moment.at, ended_at=max(moment.at, latest.since))
    return replace(latest, last_at=moment.at, suppressed=moment.suppressed)


def _described(
    described: Mapping[str, Any], raised_at: Instant, since: Instant, at: Instant, ended_at: Instant | None
) -> Activation:
    return Activation(**described, raised_at=raised_at, since=since, last_at=at, ended_at=ended_at)


def _from_rule(rule: Rule) -> dict[str, Any]:
    return {
        "rule_id": rule.id, "chamber": rule.chamber, "channel": rule.channel, "reference": rule.reference,
        "kind": rule.kind.value, "limit": rule.limit, "unit": rule.unit, "priority": rule.priority.value,
        "level": rule.level.value, "alarm_class": rule.alarm_class.value, "gmp_critical": rule.gmp_critical,
        "batch": rule.batch,
    }  # fmt: skip


def _from_data(data: Mapping[str, Any]) -> dict[str, Any]:
    """Read what an event says of its rule; events of former versions say less."""
    kept = ("rule_id", "chamber", "channel", "kind", "limit", "unit", "priority", "gmp_critical")
    later = {"batch": None, "reference": None, "level": "alarm", "alarm_class": AlarmClass.ENVIRONMENT.value}
    return {name: data[name] for name in kept} | {name: data.get(name) or other for name, other in later.items()}


def _moment(data: Mapping[str, Any]) -> _Moment:
    state = str(data["to_state"])
    is_active = data.get("is_active")
    if is_active is None:  # events of former versions leave it to the state
        is_active = state in (State.UNACK, State.ACK)
    return _Moment(
        at=parse_iso(str(data["at"])),
        since=parse_iso(str(data["since"])),
        raised_at=parse_iso(str(data["raised_at"])),
        is_active=bool(is_active),
        suppressed=state if state in SUPPRESSED else "",
        text=str(data.get("cause") or ""),
    )
