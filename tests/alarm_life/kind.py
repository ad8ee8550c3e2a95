"""The kinds of true deviations: what goes wrong, from when on it endangers, and what counts as having caught it."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from tests.alarm_life.site import Place

__all__ = ["KINDS", "MONTH", "DeviationKind", "Fault"]

MINUTE_S: Final = 60.0
HOUR_S: Final = 3600.0
Act = tuple[float, str, float]
Danger = Callable[[tuple[float, ...]], bool]


@dataclass(frozen=True)
class Fault:
    """What an instrument does: ``stuck``, ``drift`` [per hour, up to most], ``cut``, ``sentinel`` or ``absent``."""

    what: str
    device: str
    channel: str = ""
    per_hour: float = 0.0
    most: float = 0.0


@dataclass(frozen=True)
class DeviationKind:
    """One kind.

    It endangers from the moment ``danger`` holds of the true values (None: from its start, or ``begins_s`` after),
    and an activation of one of ``answers``, given as (channel, kinds), within ``within_s`` of then has caught it; an
    earlier one too. ``recovery_s`` after its end its alarms have to be gone.
    """

    name: str
    classes: tuple[str, ...]
    duration_s: float
    within_s: float
    recovery_s: float
    answers: tuple[tuple[str, str], ...]
    acts: Callable[[Place, float, float, random.Random], Iterable[Act]] = lambda *_: ()
    danger: Danger | None = None
    begins_s: float = 0.0
    fault_of: Callable[[Place, random.Random], Fault | None] = lambda *_: None
    needs_sister: bool = False
    by_day: bool = False
    earliest_day: int = 0


def _between(*verbs: tuple[str, float, float]) -> Callable[[Place, float, float, random.Random], Iterable[Act]]:
    """Each verb with one argument at the start and another at the end."""

    def acts(_place: Place, start: float, end: float, _dice: random.Random) -> Iterable[Act]:
        return [act for verb, first, last in verbs for act in ((start, verb, first), (end, verb, last))]

    return acts


def _once(verb: str, seconds: float) -> Callable[[Place, float, float, random.Random], Iterable[Act]]:
    return lambda _place, start, _end, _dice: [(start, verb, seconds)]


def _leak(_place: Place, start: float, end: float, dice: random.Random) -> Iterable[Act]:
    return [(start, "leak", dice.uniform(2.0, 6.0)), (end, "leak", 0.0)]


def _no_supply(_place: Place, start: float, end: float, _dice: random.Random) -> Iterable[Act]:
    return [(start, "supply", 0.0), (start + 300.0, "fill", 1.0), (end, "supply", 1.0), (end, "fill", 1.0)]


def _sentinel_or_absent(place: Place, dice: random.Random) -> Fault:
    signal = dice.choice([signal for signal in place.signals if signal.channel.name in _WATCHED])
    return Fault(dice.choice(["sentinel", "absent"]), signal.device, signal.channel.name)


def _stuck(place: Place, _dice: random.Random) -> Fault:
    return Fault("stuck", place.device, place.signals[0].channel.name)


def _drift(place: Place, dice: random.Random) -> Fault:
    per_hour = dice.choice([-1.0, 1.0]) * dice.uniform(0.15, 0.4)
    return Fault("drift", place.sister or place.device, "temperature", per_hour, 1.8)


_WATCHED: Final = frozenset({"temperature", "co2", "temp_a", "temp_b", "level", "tc1"})
# on-delay of ten minutes within the half hour that a door explains at most, and three polls
_ALARM_S: Final = 33 * MINUTE_S
_T: Final = (("temperature", "high low deviation rate"),)
_CO2: Final = (("co2", "high low deviation rate"),)


def _off(quantity: int, low: float, high: float) -> Danger:
    return lambda truth: not low <= truth[quantity] <= high


_ALL: Final = (
    DeviationKind("heater failed", ("incubator",), 2 * HOUR_S, _ALARM_S, 2 * HOUR_S, _T,
                  _between(("heater_failed", 1, 0)), _off(0, 36.0, 99.0)),
    DeviationKind("heater weak", ("incubator",), 8 * HOUR_S, _ALARM_S, 2 * HOUR_S, _T,
                  _between(("heater_weak", 1, 0)), _off(0, 36.0, 99.0)),
    DeviationKind("heater runs away", ("incubator",), HOUR_S, _ALARM_S, 3 * HOUR_S, _T,
                  _between(("heater_runaway", 1, 0)), _off(0, 0.0, 38.0)),
    DeviationKind("CO2 supply empty", ("incubator",), 3 * HOUR_S, _ALARM_S, HOUR_S, _CO2,
                  _between(("co2_supply", 0, 1)), _off(1, 4.0, 99.0)),
    DeviationKind("CO2 valve stuck open", ("incubator",), HOUR_S, _ALARM_S, 4 * HOUR_S, _CO2,
                  _between(("co2_valve_stuck", 1, 0)), _off(1, 0.0, 6.0)),
    DeviationKind("door left open", ("incubator",), 20 * MINUTE_S, 6 * MINUTE_S, 2 * HOUR_S,
                  (("door", "open"),), _once("door", 20 * MINUTE_S), by_day=True),
    DeviationKind("T setpoint by mistake", ("incubator",), 2 * HOUR_S, _ALARM_S, 3 * HOUR_S, _T,
                  _between(("temperature_setpoint", 39.5, 37.0)), _off(0, 0.0, 38.0)),
    DeviationKind("CO2 setpoint by mistake", ("incubator",), 2 * HOUR_S, _ALARM_S, 4 * HOUR_S, _CO2,
                  _between(("co2_setpoint", 9.0, 5.0)), _off(1, 0.0, 7.5)),
    DeviationKind("water pan dry", ("incubator",), 6 * HOUR_S, 90 * MINUTE_S, 2 * HOUR_S,
                  (("humidity", "low deviation"),), _between(("pan_dry", 1, 0)), _off(2, 85.0, 100.0)),
    DeviationKind("sensor stuck", ("incubator",), 26 * HOUR_S, 24 * HOUR_S, 2 * HOUR_S,
                  (("temperature", "stuck"),), begins_s=HOUR_S, fault_of=_stuck, by_day=True),
    DeviationKind("sensor drifts", ("incubator",), 16 * HOUR_S, 10 * HOUR_S, HOUR_S,
                  (("temperature", "disagreement"),), fault_of=_drift, needs_sister=True),
    DeviationKind("LN2 leak", ("cryostore",), 12 * HOUR_S, 8 * HOUR_S, 24 * HOUR_S,
                  (("level", "days_left low rate"), ("fill", "fill_time")), _leak, earliest_day=1),
    DeviationKind("LN2 supply failed", ("cryostore",), 3 * HOUR_S, 35 * MINUTE_S, 2 * HOUR_S,
                  (("fill", "fill_time open"), ("level", "low days_left")), _no_supply, begins_s=300.0,
                  earliest_day=12),
    DeviationKind("lid left open", ("cryostore",), 40 * MINUTE_S, 6 * MINUTE_S, 5 * HOUR_S,
                  (("lid", "open"),), _once("lid", 40 * MINUTE_S), by_day=True),
    DeviationKind("compressor failed", ("refrigerator", "freezer"), 7 * HOUR_S, 45 * MINUTE_S, 4 * HOUR_S,
                  (("temperature", "high rate"), ("tc1", "high rate"), ("tc2", "high rate")),
                  _between(("compressor", 0, 1)), lambda truth: truth[0] > 8.0 or -70.0 < truth[0] < 0.0),
    DeviationKind("cable cut", ("incubator", "cryostore", "refrigerator", "freezer"), HOUR_S, 5 * MINUTE_S,
                  15 * MINUTE_S, (("", "communication no_data"), ("*", "no_data")),
                  fault_of=lambda place, _dice: Fault("cut", place.device)),
    DeviationKind("channel silent", ("incubator", "cryostore", "freezer"), 2 * HOUR_S, 15 * MINUTE_S,
                  15 * MINUTE_S, (("*", "no_data"),), fault_of=_sentinel_or_absent),
)  # fmt: skip

KINDS: Final = {kind.name: kind for kind in _ALL}
MONTH: Final = {
    "heater failed": 8, "heater weak": 7, "heater runs away": 6, "CO2 supply empty": 8, "CO2 valve stuck open": 6,
    "door left open": 8, "T setpoint by mistake": 5, "CO2 setpoint by mistake": 3, "water pan dry": 4,
    "sensor stuck": 7, "sensor drifts": 6, "LN2 leak": 5, "LN2 supply failed": 4, "lid left open": 6,
    "compressor failed": 4, "cable cut": 7, "channel silent": 6,
}  # fmt: skip
"""A hundred."""
