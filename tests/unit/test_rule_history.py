"""Which alarm rules a lab watched by, over the site files that were in force at its starts."""

from pathlib import Path

from cultureops.alarms.rule import RulesInForce
from cultureops.clock import HOUR_MS, SeededEntropy, SteppedClock, parse_iso
from cultureops.config import parse
from cultureops.lab import Lab
from cultureops.ledger import SqlLedger
from cultureops.ledger.event import Actor, NewEvent, Source
from cultureops.ledger.generation import program_started
from cultureops.rule_history import RuleHistory
from cultureops.site import site_from

START = parse_iso("2026-01-05T08:00:00Z")
SITE = """
[site]
name = "Test lab"
[[chamber]]
id = "incubator_1"
class = "incubator"
[[device]]
id = "incubator_1"
chamber = "incubator_1"
driver = "modbus"
link = "modbus+tcp://127.0.0.1:1"
options = {{ profile = "cultureops_virtual_incubator" }}
[[alarm]]
chamber = "incubator_1"
channel = "co2"
kind = "low"
limit = {limit}
priority = "high"
consequence = "The medium turns alkaline."
response = "Check the gas."
"""
CHAMBER_GONE = '[[alarm]]\nchamber = "nowhere"\nchannel = "co2"\nkind = "low"\nlimit = 1\n'


async def test_limits_hold_from_the_start_after_their_text_came_into_force(tmp_path: Path) -> None:
    file = tmp_path / "site.toml"
    channels, present = Lab.plan(site_from(parse(SITE.format(limit="4.5"), str(file)), file))
    clock = SteppedClock(START)
    ledger = SqlLedger.open(tmp_path / "ledger.sqlite", clock, SeededEntropy(1))

    async def in_force(*said: str) -> list[tuple[int | None, list[float | None] | None]]:
        """Record texts and, for an empty one, a start; return since when which limits held."""
        for text in said:
            clock.advance(HOUR_MS)
            data = {"text": text, "commitment": "0" * 64}
            event = NewEvent("site_adopted", data, Actor("cultureops", "system"), Source.SYSTEM)
            await ledger.append("site" if text else "node", [event if text else program_started("Test lab")], None)
        found: tuple[RulesInForce, ...] = await RuleHistory(ledger, channels, present).of()
        return [
            (None if one.since is None else (one.since - START) // HOUR_MS,
             None if one.rules is None else [rule.limit for rule in one.rules])
            for one in found
        ]  # fmt: skip

    try:
        assert await in_force() == [(None, [4.5])], "a lab without a history"
        assert await in_force(SITE.format(limit="4.0"), "") == [(None, [4.5])]
        changed = await in_force(SITE.format(limit="4.5"))
        assert changed == [(None, [4.5])], "approved is not yet in force"
        assert await in_force("", "") == [(None, [4.0]), (4, [4.5])]
        assert await in_force(CHAMBER_GONE, "", SITE.format(limit="4.5"), "") == [
            (None, [4.0]), (4, [4.5]), (7, None), (9, [4.5]),
        ]  # fmt: skip
    finally:
        await ledger.close()
