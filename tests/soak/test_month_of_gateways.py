"""Three gateways and a hub as programs, for a month of lab time in which all is cut and killed: what must hold."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.month.house import Lived, live
from tests.month.plan import DEVICES, GATEWAYS, Kind, Plan, Span, drawn
from tests.month.verdict import judge

from cultureops.clock import HOUR_MS

DAYS, SEED = 30.0, 11

pytestmark = [pytest.mark.soak, pytest.mark.timeout(3500)]


async def test_a_month_of_partitions_and_kills_leaves_every_invariant(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    plan = drawn(SEED, DAYS)
    lived = await live(tmp_path, plan, SEED)
    found = await judge(tmp_path, plan, lived)
    record_property("days", DAYS)
    record_property("befell", dict(Counter(span.kind.value for span in plan.spans)))
    for name in ("steps", "kills", "orders", "exchanges", "failed_exchanges"):
        record_property(name, getattr(lived, name))
    for name, count in found.items():
        record_property(name, count)
    await _the_judge_has_eyes(tmp_path, plan, lived)


async def _the_judge_has_eyes(folder: Path, plan: Plan, lived: Lived) -> None:
    """What is not so is told: a condition that nobody announced, a reading and an event that nobody kept."""
    first, last = max(lived.up[GATEWAYS[0]], key=lambda stretch: stretch[1] - stretch[0])
    device = DEVICES[GATEWAYS[0]][0]
    quiet = Span(device, Kind.LOW, first, min(last, first + 2 * HOUR_MS))
    with pytest.raises(AssertionError, match="I4"):
        await judge(folder, replace(plan, spans=(quiet,)), lived)
    lived.kept[f"{device}/co2"][first] = 9.9
    with pytest.raises(AssertionError, match=r"I1: .* lost readings"):
        await judge(folder, plan, lived)
    with (folder / GATEWAYS[0] / "acknowledged.jsonl").open("a") as said:
        said.write('[1, "00"]\n')
    with pytest.raises(AssertionError, match="I1: room_1 lost an event"):
        await judge(folder, plan, lived)
