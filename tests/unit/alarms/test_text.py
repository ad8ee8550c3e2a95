"""What people read names chamber, channel, value, limit, unit, duration and batches, in one line."""

from dataclasses import replace

import pytest

from cultureops.alarms import Kind, Level, Priority, Rule, describe
from cultureops.alarms.text import amount, begun, duration, ended, lost
from cultureops.device.reading import Reason

RULE = Rule(
    id="incubator_1/co2/low",
    chamber="left",
    channel="incubator_1/co2",
    device="incubator_1",
    kind=Kind.LOW,
    limit=4.0,
    unit="%",
    deadband=0.2,
    on_delay_s=600,
    off_delay_s=120,
    misses=3,
    priority=Priority.HIGH,
    gmp_critical=True,
    consequence="The medium turns alkaline.",
    response="Change the cylinder.",
)


def test_a_limit_alarm_says_everything_in_one_line() -> None:
    assert describe(RULE, 3.123456, ("B-001", "B-002"), 630) == (
        "left: incubator_1/co2 3.12 % at or below the low limit 4 % for 10 min 30 s; batches inside: B-001, B-002"
    )


def test_without_a_batch_or_a_duration_it_says_so_or_nothing() -> None:
    assert describe(RULE, None, ()) == ("left: incubator_1/co2 no value at or below the low limit 4 %; no batch inside")


def test_a_high_alarm_in_degrees() -> None:
    hot = replace(RULE, kind=Kind.HIGH, channel="tank_1/temp_a", chamber="tank", limit=-140.0, unit="Cel")
    assert describe(hot, -139.5, ("B-001",)) == (
        "tank: tank_1/temp_a -139.5 °C at or above the high limit -140 °C; batch inside: B-001"
    )


def test_lost_communication_names_the_device() -> None:
    cut = replace(RULE, kind=Kind.COMMUNICATION, channel=None, limit=None, unit="")
    assert describe(cut, None, ("B-001",), 120) == (
        "left: no communication with incubator_1 for 2 min; batch inside: B-001"
    )


WARM = replace(
    RULE, channel="incubator_1/temperature", kind=Kind.HIGH, limit=1.0, unit="Cel", deadband=0.0, window_s=3600.0
)
TANK = replace(WARM, chamber="tank", channel="tank_1/level", device="tank_1", unit="%")
RULES = {
    "deviation": replace(WARM, kind=Kind.DEVIATION),
    "rate": replace(WARM, kind=Kind.RATE, limit=0.5),
    "stuck by its door": replace(WARM, kind=Kind.STUCK, limit=0.1, reference="incubator_1/door"),
    "stuck by its sister": replace(
        WARM, kind=Kind.STUCK, limit=0.1, reference="incubator_1/temperature_b", reference_limit=0.3
    ),
    "disagreement": replace(WARM, kind=Kind.DISAGREEMENT, reference="incubator_1/temperature_b"),
    "open": replace(WARM, kind=Kind.OPEN, channel="incubator_1/door", unit="1"),
    "days left": replace(TANK, kind=Kind.DAYS_LEFT, limit=3.0, unit="d"),
    "fill time": replace(TANK, kind=Kind.FILL_TIME, channel="tank_1/fill", limit=1.5, unit="1"),
    "no data": replace(WARM, kind=Kind.NO_DATA, limit=None, unit=""),
}


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("deviation", 1.4, "left: incubator_1/temperature 1.4 °C away from its setpoint (limit 1 °C) for 10 min"),
        ("rate", 0.7, "left: incubator_1/temperature changes by 0.7 °C/min (limit 0.5 °C/min) for 10 min"),
        (
            "stuck by its door",
            1.0,
            "left: incubator_1/temperature does not move although the door was opened: less than 0.1 °C in 1 h 10 min",
        ),
        (
            "stuck by its sister",
            1.0,
            "left: incubator_1/temperature does not move although incubator_1/temperature_b did: "
            "less than 0.1 °C in 1 h 10 min",
        ),
        (
            "disagreement",
            1.2,
            "left: incubator_1/temperature 1.2 °C away from incubator_1/temperature_b (limit 1 °C) for 10 min",
        ),
        ("open", 1.0, "left: incubator_1/door open for 10 min"),
        ("days left", 1.5, "tank: tank_1/level: nitrogen for 1.5 d (limit 3 d), seen for 10 min"),
        ("fill time", 2.1, "tank: tank_1/fill: filling takes 2.1 times as long as usual (limit 1.5 times) for 10 min"),
        ("no data", None, "left: incubator_1/temperature: no usable value for 10 min: no data"),
    ],
)
def test_every_kind_is_said_in_one_line(name: str, value: float | None, said: str) -> None:
    rule = RULES[name]
    assert describe(rule, value, (), 600) == f"{said}; no batch inside"
    assert begun(rule, value, 600) == said.partition(f"{rule.channel} ")[2] or said.endswith(
        f"{rule.channel}: {begun(rule, value, 600)}"
    )


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("deviation", 0.4, "0.4 °C away from its setpoint, below the limit 1 °C, for 2 min"),
        ("rate", 0.1, "changes by 0.1 °C/min, below the limit 0.5 °C/min, for 2 min"),
        ("stuck by its door", 0.0, "moves again"),
        ("disagreement", 0.4, "0.4 °C away from incubator_1/temperature_b, below the limit 1 °C, for 2 min"),
        ("open", 0.0, "closed for 2 min"),
        ("days left", 9.0, "nitrogen for 9 d, above the limit 3 d, for 2 min"),
        ("fill time", 0.0, "filling has ended"),
        ("fill time", 1.2, "filling takes 1.2 times as long as usual, below the limit 1.5 times, for 2 min"),
        ("no data", None, "usable values again for 2 min"),
    ],
)
def test_so_is_its_end(name: str, value: float | None, said: str) -> None:
    assert ended(RULES[name], value, 120) == said


def test_the_end_of_a_limit_names_the_deadband_in_the_unit_that_is_judged() -> None:
    assert ended(RULE, 4.3, 120) == "4.3 % above the low limit 4 %, deadband 0.2 % for 2 min"
    rate = replace(RULES["rate"], deadband=0.1)
    assert ended(rate, 0.3, 120) == (
        "changes by 0.3 °C/min, below the limit 0.5 °C/min, deadband 0.1 °C/min, for 2 min"
    )


@pytest.mark.parametrize("level", [Level.WARNING, Level.CRITICAL])
def test_a_level_other_than_alarm_is_named(level: Level) -> None:
    assert f"3.12 % at or below the {level} low limit 4 % for 10 min" in describe(
        replace(RULE, level=level), 3.123456, (), 600
    )
    for rule in RULES.values():
        assert f"{level}" in describe(replace(rule, level=level), 1.0, (), 600)
        assert "warning" not in describe(rule, 1.0, (), 600)


@pytest.mark.parametrize("kind", list(Kind))
def test_no_kind_is_without_words_even_without_a_value(kind: Kind) -> None:
    rule = replace(RULE, kind=kind, reference="incubator_1/door")
    for said in (describe(rule, None, ()), begun(rule, None, 1), ended(rule, None, 1)):
        assert said
        assert "None" not in said
        assert "\n" not in said


@pytest.mark.parametrize(
    ("value", "unit", "said"),
    [
        (50_000, "[ppm]", "50000 ppm"),
        (-0.001, "Cel", "0 °C"),
        (1.0, "1", "1"),
        (36.949999, "Cel", "36.95 °C"),
    ],
)
def test_amounts_are_short_and_never_in_powers_of_ten(value: float, unit: str, said: str) -> None:
    assert amount(value, unit) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 s"),
        (59.4, "59 s"),
        (3600, "1 h"),
        (3_665, "1 h 1 min"),
        (90_061, "1 d 1 h"),
        (86_460, "1 d 1 min"),
        (172_800, "2 d"),
        (82_800, "23 h"),
    ],
)
def test_durations_have_two_units_at_most(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def test_missed_polls_are_counted_in_words() -> None:
    assert lost(1, Reason.TIMEOUT) == "1 poll missed in a row: no answer before the deadline"
