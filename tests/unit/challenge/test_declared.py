"""A rule that was misread from the site file does not pass for what the site file says."""

from typing import Any

import pytest
from tests.unit.challenge.made import rule

from cultureops.alarms.rule import Kind, Level
from cultureops.challenge.declared import differences

ROW: dict[str, Any] = {
    "class": "incubator",
    "channel": "temperature",
    "kind": "high",
    "limit": 38,
    "deadband": 0.2,
    "on_delay_s": 600,
    "priority": "high",
    "gmp_critical": True,
}
OTHERS: list[dict[str, Any]] = [
    ROW | {"kind": "low", "limit": 36.0},
    ROW | {"channel": "co2"},
    ROW | {"level": "warning", "limit": 37.5},
    {"class": "incubator", "kind": "communication"},
    {"chamber": "incubator_9", "channel": "temperature", "kind": "high", "limit": 39.0},
    ROW | {"class": "cryostore"},
]
CLASS_OF = {"incubator_1": "incubator"}


def test_a_rule_as_the_file_says_differs_in_nothing() -> None:
    assert differences(rule(), [*OTHERS, ROW], CLASS_OF) == ()
    warning = rule(level=Level.WARNING, limit=37.5)
    assert differences(warning, [*OTHERS, ROW], CLASS_OF) == ()
    assert differences(rule(Kind.COMMUNICATION, channel=None), [*OTHERS, ROW], CLASS_OF) == ()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"on_delay_s": 900.0}, "says on_delay_s = 600, the rule has 900"),
        ({"limit": 38.5}, "says limit = 38, the rule has 38.5"),
        ({"gmp_critical": False}, "says gmp_critical = True, the rule has False"),
    ],
)
def test_a_rule_that_was_misread_is_told(changes: dict[str, Any], said: str) -> None:
    assert said in differences(rule(**changes), [*OTHERS, ROW], CLASS_OF)[0]


def test_a_rule_without_a_row_is_told() -> None:
    assert differences(rule(), OTHERS, CLASS_OF) == ("0 rows of the site file speak of it, not one",)
