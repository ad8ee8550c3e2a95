"""The shell around decisions: recorded refusals, races, counters' results."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest
from tests.unit.batch.conftest import BATCH_ID, OP, Lab, Step, look

from cultureops.batch import commands as do
from cultureops.batch.batch import stream_of
from cultureops.batch.handler import execute
from cultureops.batch.recipe import find_recipe
from cultureops.batch.state import State
from cultureops.conduct import REFUSALS
from cultureops.errors import BatchError, ConcurrencyError, ConfigError, TransitionRefused
from cultureops.ledger import Actor, NewEvent, Source
from cultureops.ledger.store import Group


async def test_a_refusal_is_recorded_and_raised(lab: Lab) -> None:
    await lab.play("isolate")
    with pytest.raises(TransitionRefused) as refused:
        await lab.do("release")
    last = lab.ledger.read(stream_of(BATCH_ID))[-1]
    assert (last.type, last.actor.id, last.source) == ("command_refused", "qp-1", Source.HUMAN)
    assert last.data["command"] == "Release" and last.data["error"] == "TransitionRefused"
    assert last.data["message"] == str(refused.value)
    assert lab.batch().state is State.RECEIVED


async def test_a_batch_that_does_not_exist(lab: Lab) -> None:
    with pytest.raises(TransitionRefused, match="there is no such batch"):
        await lab.do("seed")
    assert lab.ledger.streams() == (REFUSALS,)


async def test_an_unknown_recipe(lab: Lab) -> None:
    with pytest.raises(ConfigError, match="no recipe is named 'homebrew'"):
        await lab.do(Step(do.CreateBatch(patient_token="COI-7F3K2", recipe="homebrew")))
    assert lab.ledger.streams() == ()


class Racing:
    """A ledger in which somebody else appends just before our append, a number of times."""

    def __init__(self, lab: Lab, times: int) -> None:
        self._ledger = lab.ledger
        self._times = times

    def __getattr__(self, name: str) -> object:
        return getattr(self._ledger, name)

    async def append_many(self, groups: Sequence[Group]) -> object:
        if self._times:
            self._times -= 1
            rival = NewEvent("noted", {"text": "me first"}, Actor("rival", "OP"), Source.HUMAN)
            await self._ledger.append(groups[-1][0], [rival], None)
        return await self._ledger.append_many(groups)


async def test_a_lost_race_is_decided_anew_once(lab: Lab) -> None:
    await lab.play("P0 look")
    command = do.Command(BATCH_ID, look(0, 40.0))
    batch = await execute(Racing(lab, 1), find_recipe, command, lab.facts())  # type: ignore[arg-type]
    assert [event.type for event in batch.history[-2:]] == ["noted", "confluence_observed"]
    with pytest.raises(ConcurrencyError):
        await execute(Racing(lab, 2), find_recipe, do.Command(BATCH_ID, look(0, 41.0)), lab.facts())  # type: ignore[arg-type]
    assert lab.batch().confluences[-1].pct == 40.0


async def test_of_many_at_once_each_is_recorded_or_refused(lab: Lab) -> None:
    await lab.play("seed")
    seed = lab.steps["seed"].details
    done = await asyncio.gather(
        *(execute(lab.ledger, find_recipe, do.Command(BATCH_ID, seed), lab.facts()) for _ in range(8)),
        return_exceptions=True,
    )
    assert sum(not isinstance(outcome, BaseException) for outcome in done) == 1
    assert all(isinstance(outcome, BatchError) for outcome in done if isinstance(outcome, BaseException))
    assert [event.type for event in lab.batch().history].count("seeded") == 1


async def test_the_pinned_recipe_is_what_counts(lab: Lab) -> None:
    await lab.play("P0 look")
    other = replace(lab.recipe, name="other", sha256="0" * 64)
    batch = await execute(
        lab.ledger, find_recipe, do.Command(BATCH_ID, look(0, 30.0)), replace(lab.facts(OP), recipe=other)
    )
    assert batch.recipe.sha256 == lab.recipe.sha256


async def test_a_vanished_recipe_stops_everything_with_a_clear_word(lab: Lab) -> None:
    await lab.play("P0 look")

    def lookup(name: str, sha256: str | None) -> object:
        return find_recipe(name, "f" * 64)

    with pytest.raises(ConfigError, match="install the version the batch started with"):
        await execute(lab.ledger, lookup, do.Command(BATCH_ID, look(0, 30.0)), lab.facts())  # type: ignore[arg-type]


async def test_a_review_never_covers_what_came_in_between(lab: Lab) -> None:
    await lab.play("review")
    step = lab.steps["review"]
    command = do.Command(BATCH_ID, step.details)
    facts = lab.facts(step.actor, signed=command)
    with pytest.raises(TransitionRefused, match="has changed while Review was being signed; read it again"):
        await execute(Racing(lab, 1), find_recipe, command, facts)  # type: ignore[arg-type]
    assert lab.batch().reviewed_version is None and lab.batch().history[-1].type == "command_refused"
    stale = do.Review(audit_trail_read=True, version=lab.batch().changed_version - 1)
    with pytest.raises(TransitionRefused, match="the record has changed since version"):
        await lab.do(Step(stale, step.actor))
