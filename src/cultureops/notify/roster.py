"""Who is on call, who is off duty and who is muted at an instant. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from cultureops.alarms.rule import Priority
from cultureops.clock import HOUR_MS, MINUTE_MS, Instant
from cultureops.notify.schedule import Mute, Stretch, WeekHours, any_holds

__all__ = ["EVERYBODY", "ON_CALL", "Duty", "OnCall", "Person", "Roster"]

ON_CALL = "on_call"
EVERYBODY = "everybody"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who is told: an account, the names of its routes by preference, and when it is not to be told.

    ``mute`` silences alarms of its priorities, never a GMP-critical one and never a high one for all of a level;
    ``off_duty`` silences all.
    """

    id: str
    routes: tuple[str, ...]
    mute: tuple[Mute, ...] = ()
    off_duty: tuple[Stretch, ...] = ()


@dataclass(frozen=True, slots=True)
class Duty:
    """When a person is on call: the same hours every week, and single shifts."""

    person: str
    weekly: tuple[WeekHours, ...] = ()
    shifts: tuple[Stretch, ...] = ()


@dataclass(frozen=True, slots=True)
class OnCall:
    """Whom the roster names; ``is_gap`` when it names nobody and all of its people stand in."""

    people: tuple[str, ...]
    is_gap: bool = False


class Roster:
    """People and duties of a site, by its wall clock."""

    def __init__(self, people: Sequence[Person], duties: Sequence[Duty], zone: ZoneInfo) -> None:
        self.people = {person.id: person for person in people}
        self._duties = tuple(duties)
        self._zone = zone
        self._asked_at: Instant | None = None
        self._answers: dict[tuple[str, ...], OnCall] = {}

    def on_call(self, at: Instant) -> OnCall:
        """Return who is on call at an instant [ms UTC], in the order of the site file.

        A shift takes the place of the weekly hours while it lasts. Where nobody is left, because the roster has a hole
        or those it names are off duty, everybody on the roster is on call who is not off duty; where that is nobody,
        everybody is whom the site knows.
        """
        on_shift = [duty.person for duty in self._duties if any(shift.holds(at) for shift in duty.shifts)]
        weekly = [duty.person for duty in self._duties if any_holds(duty.weekly, at, self._zone)]
        if named := self._on_duty(on_shift or weekly, at):
            return OnCall(named)
        stand_in = self._on_duty([duty.person for duty in self._duties], at) or self._on_duty(list(self.people), at)
        return OnCall(stand_in or tuple(self.people), is_gap=True)

    def next_gap(self, now: Instant, hours: int = 7 * 24) -> Instant | None:
        """Return the first quarter of an hour from ``now`` on in which nobody is on call, None where there is none."""
        if not self._duties:
            return None
        quarters = range(now, now + hours * HOUR_MS, 15 * MINUTE_MS)
        return next((at for at in quarters if self.on_call(at).is_gap), None)

    def is_muted(self, person: str, at: Instant, priority: Priority, *, gmp_critical: bool) -> bool:
        """Whether a person's schedule keeps such an alarm from being told to it at an instant."""
        return not gmp_critical and any(
            priority in mute.priorities and mute.hours.holds(at, self._zone) for mute in self.people[person].mute
        )

    def heeded(
        self, people: Sequence[str], at: Instant, priority: Priority, *, gmp_critical: bool
    ) -> tuple[tuple[str, ...], bool]:
        """Return those of the people who may be told of such an alarm at an instant, and whether that overrides mutes.

        A high alarm that all of them mute is told to all of them.
        """
        found = tuple(person for person in people if not self.is_muted(person, at, priority, gmp_critical=gmp_critical))
        is_overridden = not found and bool(people) and priority is Priority.HIGH
        return (tuple(people) if is_overridden else found), is_overridden

    def next_muted(self, levels: Sequence[tuple[str, ...]], now: Instant, hours: int = 7 * 24) -> Instant | None:
        """Return the first quarter of an hour from ``now`` on in which all of a level mute high alarms.

        ``levels`` are whom each level names; None where that never is.
        """
        muting = {one.id for one in self.people.values() if any(Priority.HIGH in mute.priorities for mute in one.mute)}
        if not muting:
            return None
        quarters = range(now, now + hours * HOUR_MS, 15 * MINUTE_MS)
        return next((at for at in quarters if any(self._all_mute(who, at, muting) for who in levels)), None)

    def _all_mute(self, who: Sequence[str], at: Instant, muting: set[str]) -> bool:
        people = self._resolve(who, at).people
        return muting.issuperset(people) and self.heeded(people, at, Priority.HIGH, gmp_critical=False)[1]

    def resolve(self, who: tuple[str, ...], at: Instant) -> OnCall:
        """Return the people behind names, ``on_call`` and ``everybody``, each once, without those off duty.

        Where that leaves nobody, whoever is on call stands in, or everybody.
        """
        if at != self._asked_at:  # thousands of alarms ask the same at one instant
            self._asked_at = at
            self._answers.clear()
        answer = self._answers.get(who)
        if answer is None:
            answer = self._answers[who] = self._resolve(who, at)
        return answer

    def _resolve(self, who: Sequence[str], at: Instant) -> OnCall:
        found: dict[str, None] = {}
        is_gap = False
        for name in who:
            if name == ON_CALL:
                on_call = self.on_call(at)
                is_gap = is_gap or on_call.is_gap
                found |= dict.fromkeys(on_call.people)
            else:
                found |= dict.fromkeys(self._on_duty(list(self.people) if name == EVERYBODY else [name], at))
        return OnCall(tuple(found), is_gap) if found else OnCall(self.on_call(at).people, is_gap=True)

    def _on_duty(self, people: Sequence[str], at: Instant) -> tuple[str, ...]:
        return tuple(dict.fromkeys(person for person in people if not self._is_off_duty(person, at)))

    def _is_off_duty(self, person: str, at: Instant) -> bool:
        return any(stretch.holds(at) for stretch in self.people[person].off_duty)
