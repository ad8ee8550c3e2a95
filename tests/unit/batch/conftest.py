"""A batch at work: the whole process by Tavakol-Afshari 2021 as data, played over a real ledger."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from tests.signing import signatures_for

from cultureops.access import Signature
from cultureops.batch import commands as do
from cultureops.batch.batch import Batch, stream_of
from cultureops.batch.evolve import fold
from cultureops.batch.facts import EquipmentFact, Facts, LotFact, OpenAlarm, TelemetryGap
from cultureops.batch.field import Details
from cultureops.batch.handler import execute
from cultureops.batch.recipe import Recipe, find_recipe, load_recipe
from cultureops.batch.rules import RULES
from cultureops.clock import DAY_MS, HOUR_MS, MINUTE_MS, Instant, SeededEntropy, SteppedClock, parse_iso
from cultureops.ledger import Actor, SqlLedger

BATCH_ID = "B-2026-001"
TOKEN = "COI-7F3K2"
START = parse_iso("2026-01-05T08:00:00Z")
OP, WITNESS = Actor("operator-1", "OP"), Actor("operator-2", "OP")
COUNTER, LAB = Actor("counter_1", "DEV"), Actor("qc-1", "QC")
RV, QP, QA = Actor("reviewer-1", "RV"), Actor("qp-1", "QP"), Actor("qa-1", "QA")
ST, CL, CL2 = Actor("logistics-1", "ST"), Actor("clinic-1", "CL"), Actor("clinic-2", "CL")
SEEDED = 4000 * 175
HARVESTED = round(1.215e6 * 50)


@dataclass(frozen=True)
class Step:
    """One command of the process: who asks, with whom, and how long after the step before."""

    details: Details
    actor: Actor = OP
    witness: Actor | None = None
    after_ms: int = 10 * MINUTE_MS
    reason: str = ""


def count(name: str, density: float = 1.2, viability: float = 96.4) -> do.Count:
    return do.Count(
        sample_id=f"{BATCH_ID}.{name}",
        device="counter_1",
        counted_at_local="2026-01-05T09:00:00",
        viability_pct=viability,
        viable_density_1e6_per_ml=density,
        source_file=f"{name}.csv",
        source_sha256="ab" * 32,
    )


def seed(**changes: Any) -> do.Seed:
    fields: dict[str, Any] = {
        "vessels": f"{BATCH_ID}-P0",
        "vessel_type": "T175",
        "n_vessels": 12,
        "area_cm2": 175.0,
        "cells_total": 36_000_000,
        "discarded_cells": 4_000_000,
        "medium_lot": "MED-1",
        "chamber": "incubator_1",
    }
    return do.Seed(**fields | changes)


def detach(passage: int) -> dict[str, Any]:
    return {
        "vessels": f"{BATCH_ID}-P{passage}",
        "enzyme": "trypsin-EDTA",
        "enzyme_pct": 0.125,
        "exposure_min": 4.0,
        "suspension_ml": 50.0 if passage < 2 else 150.0,
    }


def passage(following: int, **changes: Any) -> do.Passage:
    fields = detach(following - 1) | {
        "new_vessels": f"{BATCH_ID}-P{following}",
        "vessel_type": "T175",
        "n_vessels": 12 if following == 1 else 36,
        "area_cm2": 175.0,
        "medium_lot": "MED-1",
        "chamber": f"incubator_{following + 1}",
        "cells_seeded": SEEDED * (12 if following == 1 else 36),
        "discarded_cells": HARVESTED - SEEDED * (12 if following == 1 else 36),
    }
    return do.Passage(**fields | changes)


def medium(present: int, *, first: bool = False) -> do.ChangeMedium:
    return do.ChangeMedium(
        vessels=f"{BATCH_ID}-P{present}", volume_ml=300.0, medium_lot="MED-1", removed_nonadherent=first
    )


def look(present: int, pct: Any) -> do.ObserveConfluence:
    return do.ObserveConfluence(vessels=f"{BATCH_ID}-P{present}", confluence_pct=pct, method="visual", n_fields=3)


def sample(test: str, present: int) -> do.SampleQc:
    return do.SampleQc.model_validate(
        {"sample_id": f"{BATCH_ID}.P{present}-{test}", "test": test, "method": "house", "stage": "passage"}
    )


def result(name: str, *, final: bool = True, outcome: str = "negative", **more: Any) -> do.RecordQcResult:
    fields = {"sample_id": f"{BATCH_ID}.{name}", "outcome": outcome, "final": final, "lab": "house"}
    return do.RecordQcResult.model_validate(fields | more)


PANEL = {"CD73": 98.5, "CD90": 99.0, "CD34": 0.4, "CD45": 0.6}
SCANS = (TOKEN, TOKEN)


def receive(**changes: Any) -> do.ReceiveMarrow:
    fields: dict[str, Any] = {
        "marrow_ml": 12.4,
        "collected_at": START - HOUR_MS,
        "anticoagulant": "heparin",
        "receipt_temperature_c": 20.0,
        "donor_markers": "negative",
        "scans": SCANS,
    }
    return do.ReceiveMarrow(**fields | changes)


def formulate(**changes: Any) -> do.Formulate:
    fields: dict[str, Any] = {
        "weight_kg": 70.0,
        "weighed_at": START + 20 * DAY_MS,
        "doses": (
            do.Dose(route="IT", viable_cells=70_000_000, volume_ml=2.0, container="IT-1"),
            do.Dose(route="IV", viable_cells=70_000_000, volume_ml=55.0, container="IV-1"),
        ),
        "retained_cells": 40_000_000,
        "stored_in": "fridge_1",
    }
    return do.Formulate(**fields | changes)


def administer(route: str, at: Instant, **changes: Any) -> do.Administer:
    fields: dict[str, Any] = {
        "route": route,
        "container": f"{route}-1",
        "started_at": at,
        "ended_at": at + (2 * MINUTE_MS if route == "IT" else round(27.5 * MINUTE_MS)),
        "volume_ml": 2.0 if route == "IT" else 55.0,
        "rate_ml_per_h": None if route == "IT" else 120.0,
        "level": "L3-L4" if route == "IT" else None,
        "scans": SCANS,
    }
    return do.Administer(**fields | changes)


def ending_at(details: Details, now: Instant) -> Details:
    """Let a step that lasts end now, where the process gives its times from 0 on."""
    if isinstance(details, do.Administer | do.Thaw) and details.started_at == 0:
        return details.model_copy(update={"started_at": now - details.ended_at, "ended_at": now})
    if isinstance(details, do.AuthoriseThaw) and details.scheduled_for < now:
        return details.model_copy(update={"scheduled_for": now + details.scheduled_for})
    return details


def _passage_steps(present: int) -> list[tuple[str, Step]]:
    """Days of one passage: samples, medium twice a week, growth to 80 %, counts."""
    tests = ("endotoxin", "mycoplasma", "sterility")
    steps = [(f"sample {test}", Step(sample(test, present))) for test in tests]
    if present == 0:
        steps.append(("first medium", Step(medium(0, first=True), after_ms=2 * DAY_MS)))
    steps += [
        ("look", Step(look(present, 35.0), after_ms=3 * DAY_MS)),
        ("medium", Step(medium(present))),
        ("look again", Step(look(present, 82.5), after_ms=4 * DAY_MS)),
        ("read endotoxin", Step(result(f"P{present}-endotoxin"), LAB)),
        ("read mycoplasma", Step(result(f"P{present}-mycoplasma"), LAB)),
        ("read sterility", Step(result(f"P{present}-sterility", final=False), LAB)),
    ]
    steps += [(f"count {n}", Step(count(f"P{present}-harvest-{n}", 1.2 + n / 100), COUNTER)) for n in (1, 2)]
    return [(f"P{present} {name}", step) for name, step in steps]


def process() -> dict[str, Step]:
    """The whole process by name, in order; a test may stop anywhere and change any step."""
    steps: list[tuple[str, Step]] = [
        ("create", Step(do.CreateBatch(patient_token=TOKEN, recipe="tavakol_afshari_2021"), after_ms=0)),
        ("consent", Step(do.RecordConsent(form="consent v3", eligible=True))),
        ("receive", Step(receive(), witness=WITNESS)),
        (
            "isolate",
            Step(do.Isolate(method="Ficoll", reagent_lots=("F-1",), mnc_count=40_000_000, viability_pct=97.0)),
        ),
        ("seed", Step(seed())),
    ]
    for present in range(3):
        steps += _passage_steps(present)
        following = Step(passage(present + 1)) if present < 2 else Step(do.Harvest(**detach(2)))
        steps.append((f"passage {present + 1}" if present < 2 else "harvest", following))
    steps += _product_steps()
    return dict(steps)


def _product_steps() -> list[tuple[str, Step]]:
    def product_sample(name: str, test: str, route: str | None = None) -> Step:
        fields = {"sample_id": f"{BATCH_ID}.{name}", "test": test, "method": "house", "stage": "product"}
        return Step(do.SampleQc.model_validate(fields | {"route": route}))

    return [
        (
            "resuspend",
            Step(do.Resuspend(diluent="saline", diluent_lot="S-1", volume_ml=5.3, viable_density_1e6_per_ml=34.5)),
        ),
        ("count product 1", Step(count("product-1", 34.1, 96.1), COUNTER)),
        ("count product 2", Step(count("product-2", 34.9, 96.7), COUNTER)),
        ("formulate", Step(formulate(), witness=WITNESS)),
        ("sample IT", product_sample("endotoxin-IT", "endotoxin", "IT")),
        ("sample IV", product_sample("endotoxin-IV", "endotoxin", "IV")),
        ("sample identity", product_sample("identity", "identity")),
        ("read IT", Step(result("endotoxin-IT", outcome="measured", value_eu_per_ml=0.05), LAB)),
        ("read IV", Step(result("endotoxin-IV", outcome="measured", value_eu_per_ml=0.05), LAB)),
        ("read identity", Step(result("identity", outcome="measured", panel=PANEL), LAB)),
        ("review", Step(do.Review(audit_trail_read=True), RV)),
        ("release", Step(do.Release(), QP)),
        ("ship", Step(do.Ship(shipper="S4", logger="L17", temperature_c=4.5, scans=SCANS), ST)),
        (
            "arrive",
            Step(
                do.ReceiveAtSite(temperature_min_c=3.0, temperature_max_c=6.5, out_of_range_min=0.0, scans=SCANS),
                CL,
                after_ms=2 * HOUR_MS,
            ),
        ),
        ("give IT", Step(administer("IT", 0), CL, CL2)),
        ("give IV", Step(administer("IV", 0), CL, CL2, after_ms=40 * MINUTE_MS)),
        ("late P0", Step(result("P0-sterility"), LAB, after_ms=14 * DAY_MS)),
        ("late P1", Step(result("P1-sterility"), LAB)),
        ("late P2", Step(result("P2-sterility"), LAB)),
        ("close", Step(do.Close(), QA)),
    ]


EQUIPMENT = {
    name: EquipmentFact(True, START + 900 * DAY_MS)
    for name in (
        *("incubator_1", "incubator_2", "incubator_3", "counter_1", "fridge_1"),
        *("cryostore_1", "cryostore_2", "bath_1", "centrifuge_1"),
    )
}
LOTS = {name: LotFact("released", START + 900 * DAY_MS) for name in ("MED-1", "F-1", "S-1", "CRYO-1", "FE-1", "PLL-1")}


_PLAYED: dict[str, tuple[Instant, bytes]] = {}
"""By the name of the step that comes next: when it was, and the ledger's file."""


def _copied(path: Path) -> bytes:
    """Return the contents of a ledger in use, as one file without a log."""
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(":memory:")) as copy:
        source.backup(copy)
        return copy.serialize()


@dataclass
class Lab:
    """A ledger with a batch in it, and the lab's facts, which tests change at will."""

    ledger: SqlLedger
    clock: SteppedClock
    recipe: Recipe
    steps: dict[str, Step] = field(default_factory=process)
    open_alarms: tuple[OpenAlarm, ...] = ()
    gaps: tuple[TelemetryGap, ...] = ()
    equipment: Mapping[str, EquipmentFact] = field(default_factory=lambda: dict(EQUIPMENT))
    lots: Mapping[str, LotFact] = field(default_factory=lambda: dict(LOTS))
    file: Path | None = None
    """Where the ledger is, for those who begin with a copy of it; None plays each step."""

    def facts(self, actor: Actor = OP, witness: Actor | None = None, signed: do.Command | None = None) -> Facts:
        """Return the facts of now; a command that must be ``signed`` is, by those who act."""
        return Facts(
            now=self.clock.now(),
            actor=actor,
            recipe=self.recipe,
            witness=witness,
            open_alarms=self.open_alarms,
            telemetry_gaps=self.gaps,
            equipment=self.equipment,
            lots=self.lots,
            signatures=() if signed is None else self.signatures(signed, actor, witness),
        )

    def signatures(self, command: do.Command, actor: Actor, witness: Actor | None) -> tuple[Signature, ...]:
        rule = RULES.get(type(command.details))
        if rule is None or rule.signed is None:
            return ()
        batch = fold(self.ledger.read(stream_of(command.batch_id)))
        return signatures_for(batch, command, actor, witness, self.clock.now())

    async def do(self, step: Step | str) -> Batch:
        """Carry out one step, after its time."""
        if isinstance(step, str):
            step = self.steps[step]
        self.clock.advance(step.after_ms)
        details = ending_at(step.details, self.clock.now())
        command = do.Command(BATCH_ID, details, reason=step.reason)
        return await execute(self.ledger, find_recipe, command, self.facts(step.actor, step.witness, command))

    async def play(self, until: str, *, skip: tuple[str, ...] = ()) -> Batch | None:
        """Carry out the process up to, not including, the named step; skipped steps still take their time.

        What is as every test has it is played once: the others go on with a copy of its ledger.
        """
        file = self.file
        if skip or file is None or not self._is_fresh(until):
            return await self._play(until, skip)
        if until not in _PLAYED:
            await self._play(until, ())
            _PLAYED[until] = self.clock.now(), _copied(file)
            return self.batch()
        now, contents = _PLAYED[until]
        await self.ledger.close()
        file.write_bytes(contents)
        self.clock.advance(now - self.clock.now())
        self.ledger = SqlLedger.open(file, self.clock, SeededEntropy(8))
        return self.batch()

    def _is_fresh(self, until: str) -> bool:
        """Whether nothing has happened yet, and nothing up to a step is other than the process has it."""
        names = list(self.steps)
        before = names[: names.index(until)] if until in names else names
        known = process()
        return (
            until != "create"
            and self.ledger.head().position == 0
            and self.clock.now() == START
            and names == list(known)
            and all(self.steps[name] == known[name] for name in before)
            and (self.open_alarms, self.gaps, self.equipment, self.lots) == ((), (), EQUIPMENT, LOTS)
        )

    async def _play(self, until: str, skip: tuple[str, ...]) -> Batch | None:
        batch: Batch | None = None
        for name, step in self.steps.items():
            if name == until:
                break
            if name in skip:
                self.clock.advance(step.after_ms)
                continue
            batch = await self.do(step)
        else:
            assert until == "end", f"no step is named {until!r}"
        return batch

    def change(self, name: str, **changes: Any) -> None:
        """Change how a step is carried out."""
        self.steps[name] = replace(self.steps[name], **changes)

    def batch(self) -> Batch:
        batch = fold(self.ledger.read(stream_of(BATCH_ID)))
        assert batch is not None
        return batch


@pytest.fixture
def recipe() -> Recipe:
    return load_recipe("tavakol_afshari_2021")


@pytest.fixture
async def lab(tmp_path: Path, recipe: Recipe) -> AsyncIterator[Lab]:
    clock = SteppedClock(START)
    ledger = SqlLedger.open(tmp_path / "ledger.sqlite", clock, SeededEntropy(7))
    opened = Lab(ledger, clock, recipe, file=tmp_path / "ledger.sqlite")
    yield opened
    await opened.ledger.close()
