"""What people do in a normal month, and what is planted: a schedule by chamber, from one seed.

All times are seconds since the start, which is a Monday at midnight.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from tests.alarm_life.kind import KINDS, DeviationKind, Fault
from tests.alarm_life.site import Place

__all__ = ["Action", "Deviation", "Outage", "Plan", "Service", "plan_for"]

MINUTE_S: Final = 60.0
HOUR_S: Final = 3600.0
DAY_S: Final = 86_400.0
LEAST_DOOR_S: Final = 30.0
MOST_DOOR_S: Final = 240.0
FORGOTTEN_S: Final = 150.0
OPENINGS_A_DAY: Final = {"incubator": (10.0, 3.0), "cryostore": (4.0, 1.0), "refrigerator": (12.0, 3.0)}
"""On a working day, on a day of the weekend; a freezer is opened less often."""
LABELLING_S: Final = 4 * HOUR_S
DECONTAMINATION_S: Final = 9 * HOUR_S
SERVICE_S: Final = 16 * HOUR_S
QUIET_S: Final = 5 * HOUR_S
"""What is left between a deviation's end and whatever is planned or planted next in the chamber."""


@dataclass(frozen=True, order=True)
class Action:
    """Somebody or something does this to a chamber's physics."""

    at_s: float
    verb: str
    argument: float


@dataclass(frozen=True)
class Service:
    """A named person takes the chamber's alarms out of service, all of them or those of one kind and channel."""

    chamber: str
    start_s: float
    end_s: float
    rules: str
    reason: str


@dataclass(frozen=True)
class Outage:
    """A device that does not answer."""

    device: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Deviation:
    """One planted deviation; ``fault`` is what its instrument does meanwhile, if that is what it is."""

    kind: DeviationKind
    chamber: str
    start_s: float
    end_s: float
    fault: Fault | None = None

    @property
    def over_s(self) -> float:
        """When its alarms have to be gone."""
        return self.end_s + self.kind.recovery_s


@dataclass
class Plan:
    """A month of all chambers."""

    actions: dict[str, list[Action]]
    services: list[Service] = field(default_factory=list)
    outages: list[Outage] = field(default_factory=list)
    deviations: list[Deviation] = field(default_factory=list)
    doors: int = 0


def plan_for(places: Sequence[Place], days: int, counts: dict[str, int], seed: int) -> Plan:
    """Return the month: ``counts`` deviations by the name of their kind, every one apart from the others."""
    dice = random.Random(seed)
    plan = Plan({place.id: [] for place in places})
    busy: dict[str, list[tuple[float, float]]] = {place.id: [] for place in places}
    for number, place in enumerate(places):
        if place.class_ == "incubator":
            _plan_incubator(plan, place, number, days, busy[place.id], dice)
    for kind in sorted((KINDS[name] for name in counts), key=lambda kind: -kind.duration_s - kind.recovery_s):
        for _ in range(counts[kind.name]):
            _plant(plan, kind, places, days, busy, dice)
    for place in places:
        _open_doors(plan, place, days, dice)
        _dip_at_plug(plan, place, days, dice)
    for day in range(5, days, 11):  # a dip of the whole house
        _dip(plan, places, (day + dice.random()) * DAY_S, dice)
    for actions in plan.actions.values():
        actions.sort()
    plan.deviations.sort(key=lambda deviation: deviation.start_s)
    return plan


def _plan_incubator(
    plan: Plan, place: Place, number: int, days: int, busy: list[tuple[float, float]], dice: random.Random
) -> None:
    actions = plan.actions[place.id]
    for week in range(days // 7):
        start = (7 * week + number % 7) * DAY_S + 17 * HOUR_S
        _decontaminate(plan, place, start, actions)
        busy.append((start - HOUR_S, start + SERVICE_S + HOUR_S))
        if number % 2 == week % 2:
            start = (7 * week + (number + 2) % 5) * DAY_S + (9 + dice.random()) * HOUR_S
            _label(plan, place, start, actions)
            busy.append((start - HOUR_S, start + LABELLING_S + 3 * HOUR_S))
    if number % 2 and days > 10:
        first = (8 + dice.randrange(6)) * DAY_S + 10.5 * HOUR_S
        for at, setpoint in ((first, 6.0), (first + 3 * DAY_S, 5.0)):
            actions.append(Action(at, "co2_setpoint", setpoint))
            busy.append((at - HOUR_S, at + 2 * HOUR_S))


def _decontaminate(plan: Plan, place: Place, start: float, actions: list[Action]) -> None:
    """Empty, by a named person: heat overnight, cool with the door ajar for a moment, put back when it has settled."""
    plan.services.append(Service(place.id, start, start + SERVICE_S, "all", "weekly decontamination, chamber empty"))
    heated = start + 10 * MINUTE_S
    actions += [
        Action(heated, "heater_decontamination", 1.0), Action(heated, "co2_supply", 0.0),
        Action(heated + DECONTAMINATION_S, "heater_decontamination", 0.0),
        Action(heated + DECONTAMINATION_S, "co2_supply", 1.0),
    ]  # fmt: skip


def _label(plan: Plan, place: Place, start: float, actions: list[Action]) -> None:
    """37 to 30 degC for labelling and back: the absolute lower limits are out of service in a person's name."""
    plan.services.append(
        Service(place.id, start - 2 * MINUTE_S, start + LABELLING_S + HOUR_S, "cool", "labelling at 30 degC")
    )
    actions += [
        Action(start, "temperature_setpoint", 30.0), Action(start + LABELLING_S, "temperature_setpoint", 37.0),
    ]  # fmt: skip


def _plant(
    plan: Plan, kind: DeviationKind, places: Sequence[Place], days: int, busy: dict[str, list[tuple[float, float]]],
    dice: random.Random,
) -> None:  # fmt: skip
    fitting = [place for place in places if place.class_ in kind.classes and (place.sister or not kind.needs_sister)]
    earliest = min(kind.earliest_day, days - 2) * DAY_S
    for _ in range(10_000):
        place = dice.choice(fitting)
        start = dice.uniform(earliest + 2 * HOUR_S, days * DAY_S - kind.duration_s - kind.recovery_s - QUIET_S)
        hour = start % DAY_S / HOUR_S
        if kind.by_day and not (8 <= hour <= 16 and start // DAY_S % 7 < 5):
            continue
        window = start - 2 * HOUR_S, start + kind.duration_s + kind.recovery_s + QUIET_S
        if all(window[1] < first or last < window[0] for first, last in busy[place.id]):
            break
    else:
        raise ValueError(f"no room is left for another {kind.name}")
    busy[place.id].append(window)
    end = start + kind.duration_s
    plan.actions[place.id] += [Action(at, verb, argument) for at, verb, argument in kind.acts(place, start, end, dice)]
    plan.deviations.append(Deviation(kind, place.id, start, end, kind.fault_of(place, dice)))


def _open_doors(plan: Plan, place: Place, days: int, dice: random.Random) -> None:
    working, weekend = OPENINGS_A_DAY.get(place.class_, (4.0, 1.0))
    verb = "lid" if place.class_ == "cryostore" else "door"
    actions = plan.actions[place.id]
    away = [(s.start_s, s.end_s) for s in plan.services if s.chamber == place.id and s.rules == "all"]

    def is_away(at: float) -> bool:
        return any(first <= at <= last for first, last in away)

    for day in range(days):
        rate = (working if day % 7 < 5 else weekend) / 10.0
        at = day * DAY_S + 8 * HOUR_S + dice.expovariate(rate) * HOUR_S
        while at < day * DAY_S + 18 * HOUR_S:
            open_s = _open_s(dice)
            actions.append(Action(at, verb, open_s))
            plan.doors += 1
            if place.class_ == "incubator":
                actions.append(Action(at + open_s, "load", dice.uniform(0.0, 0.3)))
            if dice.random() < 0.15:  # something was forgotten
                at += open_s + dice.uniform(20.0, 120.0)
                continue
            at += open_s + dice.expovariate(rate) * HOUR_S
        if place.class_ == "cryostore" and day % 7 == 4:  # topped up for the weekend, with a look inside
            at = day * DAY_S + dice.uniform(15.0, 17.0) * HOUR_S
            actions += [Action(at, "fill", 1.0), Action(at + 120.0, "lid", dice.uniform(30.0, 120.0))]
    actions[:] = [action for action in actions if action.verb not in ("door", "load") or not is_away(action.at_s)]


def _open_s(dice: random.Random) -> float:
    if dice.random() < 0.02:
        return FORGOTTEN_S
    return min(MOST_DOOR_S, LEAST_DOOR_S + dice.lognormvariate(3.3, 0.8))


def _dip_at_plug(plan: Plan, place: Place, days: int, dice: random.Random) -> None:
    for _ in range(round(days / 14 + dice.random())):
        _dip(plan, [place], dice.uniform(0.1, days - 0.1) * DAY_S, dice)


def _dip(plan: Plan, places: Sequence[Place], at: float, dice: random.Random) -> None:
    lasts = dice.uniform(1.0, 80.0)
    for place in places:
        plan.actions[place.id] += [Action(at, "power", 0.0), Action(at + lasts, "power", 1.0)]
        for device in {signal.device for signal in place.signals}:
            plan.outages.append(Outage(device, at, at + lasts + dice.uniform(10.0, 25.0)))  # it starts anew
