"""The record of a flood: critical alarms first, each alarm's own story in its order, nothing lost."""

from dataclasses import replace
from pathlib import Path

from tests.unit.alarms.test_events import RULE, T0

from cultureops.alarms import Act, Engine, Transition
from cultureops.alarms.journal import AlarmJournal, Told
from cultureops.clock import SeededEntropy, SteppedClock
from cultureops.device.reading import Quality, Reading, Reason
from cultureops.ledger.store import SqlLedger


async def test_critical_alarms_are_recorded_first_and_none_is_lost(tmp_path: Path) -> None:
    rules = [
        replace(
            RULE, id=f"d_{n}/co2/low", device=f"d_{n}", channel=f"d_{n}/co2", on_delay_s=0, gmp_critical=n % 20 == 0
        )
        for n in range(400)
    ]
    engine = Engine(rules)
    found = list(engine.evaluate([Reading(f"d_{n}/co2", 3.0, Quality.GOOD, Reason.NONE, T0, T0) for n in range(400)]))
    found += [engine.acknowledge(rule.id, T0 + 1, Act("op-1", "seen")) for rule in rules[:100]]

    async def tell(transitions: list[Transition]) -> list[Told]:
        return [Told()] * len(transitions)

    ledger = SqlLedger.open(tmp_path / "ledger.sqlite", SteppedClock(T0), SeededEntropy(1))
    try:
        journal = AlarmJournal(ledger, tell)  # type: ignore[arg-type]
        journal.note(found)
        assert journal.waiting == 500
        await journal.drain()
        events = list(ledger.read_all())
    finally:
        await ledger.close()
    assert len(events) == 500 and journal.waiting == 0
    of_people = [rule.id for rule in rules[:100]]
    assert {event.data["rule_id"] for event in events[:200]} == set(of_people), "what people did waits for nothing"
    is_critical = [event.data["gmp_critical"] for event in events[200:]]
    assert is_critical == sorted(is_critical, reverse=True) and sum(is_critical) == 15
    for rule in rules[:100]:
        own = [event.type for event in events if event.data["rule_id"] == rule.id]
        assert own == ["alarm_raised", "alarm_acknowledged"]
