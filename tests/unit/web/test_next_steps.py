"""What would hold a decision up is said gate by gate, in the role of whoever looks; the form decides the rest."""

from types import SimpleNamespace
from typing import Any

from cultureops.access import Identity, Role
from cultureops.batch.case import Plan
from cultureops.batch.events import Released
from cultureops.batch.state import State
from cultureops.errors import GateFailed
from cultureops.ledger.event import Actor
from cultureops.web.quality.next_steps import decisions

PROBLEMS = "batch B-1: G6: P0 was not sampled; take one; G13: the record was not reviewed"


async def test_each_gate_stands_on_a_line_of_its_own_and_the_form_decides_the_rest() -> None:
    asked: list[tuple[str, Actor]] = []

    async def rehearse(command: Any, actor: Actor) -> Plan:
        asked.append((type(command.details).__name__, actor))
        if type(command.details).__name__.startswith("Release"):
            raise GateFailed(PROBLEMS)
        return Plan(Released)

    context: Any = SimpleNamespace(rehearse=rehearse)
    batch: Any = SimpleNamespace(id="B-1", state=State.REVIEWED, version=7)
    person = Identity("qualified-1", "Qualified One", frozenset({Role.QUALIFIED_PERSON}), "password")
    found = await decisions(context, batch, person)
    steps = {one.step: one for one in (*found.onward, *found.grave)}
    assert steps["Release"].problems == ("G6: P0 was not sampled; take one", "G13: the record was not reviewed")
    assert steps["Release"].is_mine and not steps["Review"].is_mine and not steps["Review"].problems
    exceptional = steps["ReleaseExceptionally"]
    assert not exceptional.is_judged and exceptional.second_roles == ("QA",)
    assert {one.step for one in found.grave} == {"Reject", "Hold"} and steps["Reject"].is_grave
    assert ("Release", Actor("qualified-1", "QP")) in asked
    assert ("Review", Actor("somebody-else", "RV")) in asked, (
        "a step of others is judged for somebody with no hand in it"
    )
    assert "InvestigateDeviation" not in steps, "deviations have pages of their own"
