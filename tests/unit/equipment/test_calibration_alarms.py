"""Days left of each calibration, through the engine: a month ahead, at the end, after a new certificate, retired."""

from pathlib import Path

import pytest
from tests.unit.equipment.test_register import DECLARED, START, Kept

from cultureops.alarms.engine import Engine
from cultureops.alarms.rule import Kind, Priority, Rule
from cultureops.clock import DAY_MS, MINUTE_MS, Instant
from cultureops.config import parse
from cultureops.device.reading import Quality, Reading, Reason
from cultureops.equipment import Declared, EquipmentRegister
from cultureops.equipment.calibration_alarms import CalibrationLimits, CalibrationWatch, calibration_limits_from
from cultureops.equipment.events import Calibrated, Retired
from cultureops.errors import ConfigError

LIMITS = CalibrationLimits()
WARNING, ALARM = "incubator_1/calibration_left/low/warning", "incubator_1/calibration_left/low"


class Watched:
    """An engine that is told once a minute, or whenever a test says."""

    def __init__(self, register: EquipmentRegister) -> None:
        self.watch = CalibrationWatch(register, {"probe_1": "incubator_1"}, LIMITS)
        self.engine = Engine(())

    def active(self, at: Instant) -> set[str]:
        step = self.watch.step(at)
        self.engine.add(step.rules)
        self.engine.evaluate(step.readings)
        return {view.rule.id for view in self.engine.active() if view.is_active}


def register(until: Instant | None) -> EquipmentRegister:
    return EquipmentRegister(chambers=[Declared("incubator_1", "incubator", "Incubator 1", True, until)])


def test_a_month_ahead_and_at_the_end() -> None:
    watched = Watched(register(START + 100 * DAY_MS))
    assert watched.active(START) == set()
    assert watched.active(START + 70 * DAY_MS - 1) == set()
    assert watched.active(START + 70 * DAY_MS + MINUTE_MS) == {WARNING}
    assert watched.active(START + 100 * DAY_MS - MINUTE_MS) == {WARNING}
    assert watched.active(START + 100 * DAY_MS) == {WARNING, ALARM}, "the very instant at which gate G3 closes"


async def test_a_new_certificate_ends_it(tmp_path: Path) -> None:
    kept = Kept(tmp_path, DECLARED)
    watched = Watched(kept.register)
    assert watched.active(START + 11 * DAY_MS) == {WARNING, ALARM}
    await kept.on_day(12, Calibrated(certificate="C-1", calibrated_at=START, due=START + 400 * DAY_MS))
    assert watched.active(START + 12 * DAY_MS) == set()
    assert {view.rule.id for view in watched.engine.active()} == {WARNING, ALARM}, "still to be acknowledged"
    await kept.ledger.close()


async def test_what_is_retired_is_calibrated_no_more(tmp_path: Path) -> None:
    kept = Kept(tmp_path, DECLARED)
    watched = Watched(kept.register)
    watched.active(START + 11 * DAY_MS)
    await kept.on_day(12, Retired())
    step = watched.watch.step(START + 12 * DAY_MS)
    assert step.readings == () and set(step.retired) == {WARNING, ALARM}
    assert watched.watch.step(START + 13 * DAY_MS).retired == (), "once"
    await kept.ledger.close()


def test_without_a_calibration_on_record_there_is_no_number() -> None:
    step = CalibrationWatch(register(None), {}, LIMITS).step(START)
    assert step.rules == () and step.readings == (), "gate G3 refuses every step with it"


def test_once_a_minute_and_after_a_clock_that_was_set_back() -> None:
    watch = CalibrationWatch(register(START + DAY_MS), {}, LIMITS)
    told = [len(watch.step(START + second * 1000).readings) for second in range(121)]
    assert sum(told) == 3
    assert len(watch.step(START - DAY_MS).readings) == 1


def test_the_rules_say_whom_they_concern() -> None:
    devices = [Declared("probe_1", "device", "probe_1", True, START), Declared("counter_1", "device", "c", True, START)]
    rules = {rule.id: rule for rule in CalibrationWatch(
        EquipmentRegister(devices=devices), {"probe_1": "incubator_1"}, LIMITS
    ).step(START).rules}  # fmt: skip
    assert rules["probe_1/calibration_left/low"].chamber == "incubator_1"
    assert rules["counter_1/calibration_left/low"].chamber == "counter_1"
    assert rules["probe_1/calibration_left/low/warning"].chamber == "", "no batch lives through what is only to come"
    for rule in rules.values():
        assert rule.cause and rule.consequence and rule.response and not rule.gmp_critical


def test_days_left_do_not_count_as_an_answer_of_the_device() -> None:
    link = Rule(
        "incubator_1/communication", "incubator_1", None, "incubator_1", Kind.COMMUNICATION, None, "1", 0, 0, 0, 3,
        Priority.HIGH, True, "c", "r",
    )  # fmt: skip
    engine, watch = Engine([link]), CalibrationWatch(register(START + 100 * DAY_MS), {}, LIMITS)
    for poll in range(3):
        now = START + poll * MINUTE_MS
        engine.evaluate([Reading("incubator_1/co2", None, Quality.BAD, Reason.TIMEOUT, now, now)])
        step = watch.step(now)
        engine.add(step.rules)
        assert step.readings
        engine.evaluate(step.readings)
    assert [view.rule.id for view in engine.active()] == [link.id]


def test_the_site_file_may_ask_for_more_time() -> None:
    assert calibration_limits_from(None) == LIMITS
    table = parse("[calibration_alarms]\nwarning_d = 60", "site.toml").table("calibration_alarms")
    assert calibration_limits_from(table).warning_d == 60
    for text in ("warning_d = 0", "warning = 3"):
        with pytest.raises(ConfigError, match=r"site\.toml:2"):
            calibration_limits_from(parse(f"[calibration_alarms]\n{text}", "site.toml").table("calibration_alarms"))
