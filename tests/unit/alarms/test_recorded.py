"""What an alarm's events say of its rule: as it was, and the worst where nobody knows."""

from dataclasses import replace

import pytest
from tests.unit.alarms.test_events import RULE, co2, recorded

from cultureops.alarms import Engine, Priority, replay
from cultureops.alarms.recorded import UNKNOWN_RULE, RecordedRule, recorded_rule
from cultureops.ledger.event import JsonValue

WHOLE: dict[str, JsonValue] = {
    "channel": "batch:B-1/late_wash", "limit": 15.0, "unit": "min", "priority": "low", "gmp_critical": False,
    "respond_within_s": 60.0,
}  # fmt: skip


def test_every_event_tells_what_the_rule_was() -> None:
    rule = replace(RULE, priority=Priority.MEDIUM, gmp_critical=False, respond_within_s=77.0)
    past = co2(Engine([rule]), (0, 3.0), (2, 3.0))
    (stored,) = replay(recorded(change) for change in past)
    assert stored.rule == RecordedRule("incubator_1/co2", 4.0, "%", Priority.MEDIUM, False, 77.0)


@pytest.mark.parametrize("wrong", [None, [], {}, "", True, float("nan"), -1.0, "urgent"])
@pytest.mark.parametrize("name", list(WHOLE))
def test_what_cannot_be_read_is_taken_for_the_worst_and_stops_nothing(name: str, wrong: JsonValue) -> None:
    assert recorded_rule(WHOLE) == RecordedRule("batch:B-1/late_wash", 15.0, "min", Priority.LOW, False, 60.0)
    found = recorded_rule(WHOLE | {name: wrong})
    if (name, wrong) in (("limit", -1.0), ("channel", "urgent"), ("unit", "urgent")):
        return  # that can be read
    assert found == replace(recorded_rule(WHOLE), **{name: getattr(UNKNOWN_RULE, name)})
    assert recorded_rule({}) == UNKNOWN_RULE and UNKNOWN_RULE.gmp_critical and UNKNOWN_RULE.priority is Priority.HIGH
