"""A batch without a ledger file, and both processes played on it once: tests begin at any step of them at no cost."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import pytest
from tests.signing import signatures_for
from tests.unit.batch import karussis
from tests.unit.batch.conftest import BATCH_ID, EQUIPMENT, LOTS, QA, START, Step, ending_at, process

from cultureops.batch import commands as do
from cultureops.batch.batch import Batch, stream_of
from cultureops.batch.decide import decide
from cultureops.batch.evolve import evolve
from cultureops.batch.facts import EquipmentFact, Facts, LotFact
from cultureops.batch.recipe import Recipe, load_recipe
from cultureops.clock import SeededEntropy
from cultureops.errors import GateFailed, TransitionRefused
from cultureops.ledger import NewEvent
from cultureops.ledger.event import Event, decode, draft, seal
from cultureops.ledger.store import Ledger

RECIPE = load_recipe("tavakol_afshari_2021")
FROZEN = load_recipe("karussis_2010")


@dataclass
class Bench:
    """A batch as the fold of events that go through their canonical bytes; tests change facts and steps at will."""

    now: int = START
    batch: Batch | None = None
    events: tuple[Event, ...] = ()
    recipe: Recipe = RECIPE
    steps: dict[str, Step] = field(default_factory=process)
    equipment: Mapping[str, EquipmentFact] = field(default_factory=lambda: EQUIPMENT)
    lots: Mapping[str, LotFact] = field(default_factory=lambda: LOTS)

    @property
    def known(self) -> Batch:
        """The batch, which is there."""
        assert self.batch is not None
        return self.batch

    def ask(self, step: Step | str, occurred_at: int | None = None) -> Batch:
        """Carry out one step after its time; a refusal is raised and changes nothing but the time."""
        step = self.steps[step] if isinstance(step, str) else step
        self.now += step.after_ms
        command = do.Command(BATCH_ID, ending_at(step.details, self.now), occurred_at, step.reason)
        facts = Facts(self.now, step.actor, self.recipe, step.witness, equipment=self.equipment, lots=self.lots,
                      signatures=signatures_for(self.batch, command, step.actor, step.witness, self.now))  # fmt: skip
        decided = decide(self.batch, command, facts)
        self._check_free(decided)
        for new in decided:
            self.record(new)
        return self.known

    def _check_free(self, decided: Iterable[NewEvent]) -> None:
        """Refuse a name that is held, as the ledger does."""
        held: set[str] = set()
        for event in (*self.events, *decided):
            held.difference_update(event.releases)
            if taken := held.intersection(event.claims):
                raise TransitionRefused(f"batch {BATCH_ID}: {min(taken)} is taken; choose another one")
            held.update(event.claims)

    def record(self, new: NewEvent) -> None:
        """Append an event as the ledger would."""
        version = len(self.events) + 1
        fields = draft(new, stream_of(BATCH_ID), SeededEntropy(version).event_id(self.now), self.now, "test")
        canonical = seal(fields, stream_of(BATCH_ID), version, version, b"\0" * 32)
        event = decode(canonical, hashlib.sha256(canonical).digest())
        self.events = (*self.events, event)
        self.batch = evolve(self.batch, event)

    def change(self, name: str, **changes: Any) -> None:
        """Change how a step is carried out."""
        self.steps[name] = replace(self.steps[name], **changes)

    def alter(self, name: str, **fields: Any) -> None:
        """Change some fields of a step's details."""
        self.change(name, details=self.steps[name].details.model_copy(update=fields))

    def play(self, begin: str, until: str = "end", *, skip: tuple[str, ...] = ()) -> Batch:
        """Carry out the process from ``begin`` up to, not including, ``until``; skipped steps still take their time."""
        names = list(self.steps)
        for name in names[names.index(begin) : len(names) if until == "end" else names.index(until)]:
            if name in skip:
                self.now += self.steps[name].after_ms
            else:
                self.ask(name)
        return self.known


def course(kind: str) -> tuple[Recipe, dict[str, Step]]:
    """Return recipe and steps of a process: ``fresh``, ``frozen`` or ``labelled``."""
    if kind == "fresh":
        return RECIPE, process()
    return FROZEN, karussis.process(label_arm=kind == "labelled")


def before(step: str, kind: str = "fresh") -> Bench:
    """Return a batch to which the named step would happen next (``end``: nothing is left); its own to change."""
    now, batch, events = _played(kind)[step]
    recipe, steps = course(kind)
    return Bench(now, batch, events, recipe, dict(steps))


@cache
def _played(kind: str) -> dict[str, tuple[int, Batch | None, tuple[Event, ...]]]:
    recipe, steps = course(kind)
    bench, seen = Bench(recipe=recipe, steps=steps), {}
    for name in steps:
        seen[name] = (bench.now, bench.batch, bench.events)
        bench.ask(name)
    return seen | {"end": (bench.now, bench.batch, bench.events)}


def held(bench: Bench, gates: str, step: Step | str, said: str) -> None:
    """Expect a step to be held up by exactly the named gates, in one line, and nothing else to change."""
    present = bench.batch
    with pytest.raises(GateFailed, match=said) as failed:
        bench.ask(step)
    text = str(failed.value)
    assert re.findall(r"\bG[0-9]{1,2}(?=: )", text) == gates.split(), text
    assert BATCH_ID in text and "\n" not in text
    assert bench.batch is present


def dispose(bench: Bench) -> None:
    """Let quality assurance investigate and close what is open."""
    for deviation in bench.known.open_deviations:
        found = {"deviation_id": deviation.id, "root_cause": "donor", "impact": "as the physician's letter has it"}
        bench.ask(Step(do.InvestigateDeviation(**found), QA))
        bench.ask(Step(do.CloseDeviation(deviation_id=deviation.id, conclusion="accepted for this patient"), QA))


async def transplant(ledger: Ledger, bench: Bench, batch_id: str) -> None:
    """Put a bench's events into a ledger as those of another batch, in one append."""
    events = [
        NewEvent(e.type, json.loads(json.dumps(dict(e.data)).replace(BATCH_ID, batch_id)), e.actor, e.source,
                 e.occurred_at, e.reason,
                 claims=tuple(
                     name.replace(BATCH_ID, batch_id).replace("signature:", f"signature:{batch_id}-")
                     for name in e.claims
                 ),
                 releases=tuple(name.replace(BATCH_ID, batch_id) for name in e.releases))
        for e in bench.events
    ]  # fmt: skip
    await ledger.append(stream_of(batch_id), events, 0)
