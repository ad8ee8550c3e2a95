"""What people read names chamber, channel, value, limit, unit, duration and batches, in one line."""

from dataclasses import replace

import pytest

from cultureops.alarms import Kind, Priority, Rule, describe
from cultureops.alarms.text import amount, duration, lost
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
