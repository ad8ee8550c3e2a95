"""Calibrations that end, as alarms: days left of each piece of equipment on record, as readings for the engine.

Equipment without a calibration on record has no reading: gate G3 refuses every step with it, so there is nothing that
could run out, and no number of days would be true.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from cultureops.alarms.rule import AlarmClass, Kind, Level, Priority, Rule
from cultureops.clock import DAY_MS, MINUTE_MS, Instant
from cultureops.config import Table
from cultureops.device.channel import ChannelId, channel_id
from cultureops.device.reading import Quality, Reading, Reason
from cultureops.equipment.events import PREFIX
from cultureops.equipment.register import EquipmentRegister
from cultureops.equipment.state import EquipmentState, Service

__all__ = ["CalibrationLimits", "CalibrationStep", "CalibrationWatch", "calibration_limits_from"]

EVERY_MS: Final = MINUTE_MS
_QUANTITY: Final = "calibration_left"
_WEEK_S: Final = 7 * 86_400.0
_DAY_S: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class CalibrationLimits:
    """How long before its end [d] a calibration is warned of: a proposal (DEF), which a site may change."""

    warning_d: float = 30.0


def calibration_limits_from(table: Table | None) -> CalibrationLimits:
    """Read the site file's ``[calibration_alarms]``, or take the default; raises ConfigError with file and line."""
    known = CalibrationLimits()
    if table is None:
        return known
    limits = CalibrationLimits(table.number("warning_d", known.warning_d, minimum=1, maximum=366))
    table.done()
    return limits


@dataclass(frozen=True, slots=True)
class CalibrationStep:
    """What the engine is to be told at one instant: new rules, then readings.

    ``retired`` are the rules of equipment that was retired: an alarm of theirs that still stands is out of service.
    """

    rules: tuple[Rule, ...] = ()
    readings: tuple[Reading, ...] = ()
    retired: tuple[str, ...] = ()


class CalibrationWatch:
    """Follows the calibrations of all equipment; ``places`` gives the chamber that a device looks into.

    A calibration that has ended is an alarm of that chamber, or of the equipment that is a chamber itself.
    """

    def __init__(
        self, register: EquipmentRegister, places: Mapping[str, str | None], limits: CalibrationLimits
    ) -> None:
        self._register, self._places, self._limits = register, places, limits
        self._rules: dict[str, tuple[Rule, ...]] = {}
        self._retired: set[str] = set()
        self._next_at: Instant | None = None

    def step(self, now: Instant) -> CalibrationStep:
        """Return what is to be told at ``now`` [ms UTC]: once a minute, and nothing in between."""
        if self._next_at is not None and self._next_at - EVERY_MS <= now < self._next_at:
            return CalibrationStep()
        self._next_at = now + EVERY_MS
        rules: list[Rule] = []
        readings: list[Reading] = []
        retired: list[str] = []
        for name in self._register.ids():
            state = self._register.fact(name, now)
            if state is None:
                continue
            if state.service is Service.RETIRED:
                retired += self._retire(name)
            elif state.calibrated_until is not None:
                rules += self._rules_for(state)
                left_d = (state.calibrated_until - now) / DAY_MS
                readings.append(Reading(_channel(name), left_d, Quality.GOOD, Reason.NONE, now, now))
        return CalibrationStep(tuple(rules), tuple(readings), tuple(retired))

    def _retire(self, name: str) -> list[str]:
        if name in self._retired or name not in self._rules:
            return []
        self._retired.add(name)
        return [rule.id for rule in self._rules[name]]

    def _rules_for(self, state: EquipmentState) -> tuple[Rule, ...]:
        """Return the rules that the engine does not have yet."""
        if state.id in self._rules:
            return ()
        chamber = self._places.get(state.id) or state.id
        self._rules[state.id] = rules = (
            _rule(
                state,
                "",  # nothing is wrong yet with what stands in there
                self._limits.warning_d,
                Level.WARNING,
                Priority.LOW,
                _WEEK_S,
                cause=f"The calibration of {state.title} ends within {self._limits.warning_d:g} days.",
                consequence="When it has ended, no step may use it (gate G3).",
            ),
            _rule(
                state,
                chamber,
                0.0,
                Level.ALARM,
                Priority.MEDIUM,
                _DAY_S,
                cause=f"The calibration of {state.title} has ended.",
                consequence="Its values are uncertain, and no step may use it (gate G3).",
            ),
        )
        return rules


def _rule(
    state: EquipmentState,
    chamber: str,
    limit: float,
    level: Level,
    priority: Priority,
    respond_within_s: float,
    *,
    cause: str,
    consequence: str,
) -> Rule:
    return Rule(
        id=f"{state.id}/{_QUANTITY}/{Kind.LOW}" + ("/warning" if level is Level.WARNING else ""),
        chamber=chamber,
        channel=_channel(state.id),
        device=state.id,
        kind=Kind.LOW,
        limit=limit,
        unit="d",
        deadband=0.0,
        on_delay_s=0.0,
        off_delay_s=0.0,
        misses=0,
        priority=priority,
        gmp_critical=False,
        consequence=consequence,
        response="Have it calibrated and put the certificate on record (cultureops equipment calibrate), or use another"
        " one and take it out of service.",
        level=level,
        alarm_class=AlarmClass.INSTRUMENT,
        cause=cause,
        respond_within_s=respond_within_s,
    )


def _channel(equipment_id: str) -> ChannelId:
    """Name the days left; no channel of the device's own, for a reading of those says that the device answers."""
    return channel_id(f"{PREFIX}{equipment_id}", _QUANTITY)
