"""The whole process by Karussis 2010 as data: frozen, thawed, washed twice, two thirds intrathecal."""

from __future__ import annotations

from typing import Any

from tests.unit.batch.conftest import (
    BATCH_ID,
    CL,
    CL2,
    COUNTER,
    LAB,
    QA,
    QP,
    RV,
    SCANS,
    ST,
    START,
    TOKEN,
    WITNESS,
    Step,
    administer,
    count,
    detach,
    look,
    medium,
    passage,
    receive,
    result,
    sample,
    seed,
)

from cultureops.batch import commands as do
from cultureops.clock import DAY_MS, HOUR_MS, MINUTE_MS
from cultureops.ledger import Actor

HARVESTED = round(1.215e6 * 150)
PER_VIAL = 10_000_000
N_VIALS = 15
REVIEWER = Actor("reviewer-2", "RV")
PANEL = dict.fromkeys(("CD29", "CD73", "CD90", "CD105", "CD166"), 98.6) | dict.fromkeys(("CD34", "CD45", "CD14"), 0.6)


def place(position: str, store: str = "cryostore_1") -> do.Place:
    return do.Place(store=store, rack="R1", box="B1", position=position)


def vials(n: int = N_VIALS, batch_id: str = BATCH_ID) -> tuple[do.Vial, ...]:
    return tuple(do.Vial(vial=f"{batch_id}.V{i:02}", place=place(f"A{i}")) for i in range(1, n + 1))


def freeze(**changes: Any) -> do.Freeze:
    fields: dict[str, Any] = {
        "vials": vials(),
        "cells_per_vial": PER_VIAL,
        "volume_ml_per_vial": 1.1,
        "cryo_medium": "DMEM, FBS, 10 % DMSO",
        "cryo_medium_lot": "CRYO-1",
        "dmso_pct": 10.0,
        "rate_profile": "slow-1",
        "cooling_c_per_min": -1.0,
        "store_temperature_c": -180.0,
        "discarded_cells": HARVESTED - N_VIALS * PER_VIAL,
    }
    return do.Freeze(**fields | changes)


def authorise(n: int = 8, **changes: Any) -> do.AuthoriseThaw:
    fields: dict[str, Any] = {"vials": tuple(vial.vial for vial in vials()[:n]), "scheduled_for": 2 * DAY_MS}
    return do.AuthoriseThaw(**fields | changes)


def transfer_in(**changes: Any) -> do.TransferIn:
    fields: dict[str, Any] = {
        "logger": "LOGGER-9",
        "temperature_min_c": -79.1,
        "temperature_max_c": -75.2,
        "out_of_range_min": 0.0,
        "trace_sha256": "cd" * 32,
        "scans": SCANS,
    }
    return do.TransferIn(**fields | changes)


def thaw(**changes: Any) -> do.Thaw:
    fields: dict[str, Any] = {
        "bath": "bath_1",
        "bath_temperature_c": 37.1,
        "started_at": 0,
        "ended_at": 3 * MINUTE_MS,
        "volume_ml": 8.8,
    }
    return do.Thaw(**fields | changes)


def wash(index: int, **changes: Any) -> do.Wash:
    fields: dict[str, Any] = {
        "index": index,
        "vol_before_ml": 8.8 if index == 1 else 1.0,
        "vol_added_ml": 40.0,
        "vol_left_ml": 1.0,
        "relative_centrifugal_force_g": 300.0,
        "spin_min": 5.0,
        "diluent": "normal saline",
        "diluent_lot": "S-1",
        "centrifuge": "centrifuge_1",
    }
    return do.Wash(**fields | changes)


def resuspend(**changes: Any) -> do.Resuspend:
    fields: dict[str, Any] = {
        "diluent": "normal saline",
        "diluent_lot": "S-1",
        "volume_ml": 6.0,
        "viable_density_1e6_per_ml": 12.0,
    }
    return do.Resuspend(**fields | changes)


def formulate(**changes: Any) -> do.Formulate:
    fields: dict[str, Any] = {
        "weight_kg": 70.0,
        "weighed_at": START + 45 * DAY_MS,
        "doses": (
            do.Dose(route="IT", viable_cells=46_000_000, volume_ml=2.0, container=f"{BATCH_ID}.IT"),
            do.Dose(route="IV", viable_cells=23_000_000, volume_ml=2.0, container=f"{BATCH_ID}.IV"),
        ),
        "retained_cells": 3_000_000,
        "stored_in": "fridge_1",
    }
    return do.Formulate(**fields | changes)


def start_labelling(**changes: Any) -> do.StartLabelling:
    fields: dict[str, Any] = {
        "agent_lots": ("FE-1", "PLL-1"),
        "iron_ug_per_ml": 25.0,
        "transfection_agent_ug_per_ml": 0.75,
        "chamber": "incubator_1",
        "suspension_ml": 30.0,
    }
    return do.StartLabelling(**fields | changes)


def _sampled(name: str, test: str, route: str | None = None, stage: str = "product") -> do.SampleQc:
    fields = {"sample_id": f"{BATCH_ID}.{name}", "test": test, "method": "house", "stage": stage}
    return do.SampleQc.model_validate(fields | {"route": route})


def _counts(stage: str, density: float) -> list[tuple[str, Step]]:
    return [
        (f"count {stage} {n}", Step(count(f"{stage}-{n}", density, 91.0 + n), COUNTER, after_ms=MINUTE_MS))
        for n in (1, 2)
    ]


def process(*, label_arm: bool = False) -> dict[str, Step]:
    """The whole process by name, in order; with ``label_arm`` the cells are labelled between two pairs of washes."""
    steps: list[tuple[str, Step]] = [
        ("create", Step(do.CreateBatch(patient_token=TOKEN, recipe="karussis_2010"), after_ms=0)),
        ("consent", Step(do.RecordConsent(form="consent v3", eligible=True, label_arm=label_arm))),
        ("receive", Step(receive(marrow_ml=205.0), witness=WITNESS)),
        (
            "isolate",
            Step(do.Isolate(method="direct plating", reagent_lots=("F-1",), mnc_count=40_000_000, viability_pct=97.0)),
        ),
        ("seed", Step(seed())),
    ]
    for present, days in ((0, (2, 12, 4)), (1, (0, 3, 7)), (2, (0, 4, 9))):
        if present == 0:
            steps.append(("P0 first medium", Step(medium(0, first=True), after_ms=days[0] * DAY_MS)))
        steps.append((f"P{present} look", Step(look(present, 40.0), after_ms=days[1] * DAY_MS)))
        steps.append((f"P{present} medium", Step(medium(present))))
        if present == 0:
            steps.append(("sample sterility", Step(sample("sterility", 0))))
        steps.append((f"P{present} look again", Step(look(present, 84.0), after_ms=days[2] * DAY_MS)))
        for n in (1, 2):
            steps.append((f"P{present} count {n}", Step(count(f"P{present}-harvest-{n}", 1.2 + n / 100), COUNTER)))
        if present < 2:
            steps.append((f"passage {present + 1}", Step(passage(present + 1))))
    steps += [
        ("sample mycoplasma", Step(_sampled("P2-mycoplasma", "mycoplasma", stage="passage"))),
        ("read mycoplasma", Step(result("P2-mycoplasma"), LAB)),
        ("read sterility", Step(result("P0-sterility"), LAB)),
        ("harvest", Step(do.Harvest(**detach(2)))),
        ("freeze", Step(freeze(), witness=WITNESS)),
        ("check storage", Step(do.CheckStorage(store="cryostore_1", temperature_c=-181.0, level_pct=80.0), ST)),
        ("authorise", Step(authorise(), QA, after_ms=6 * DAY_MS)),
        (
            "transfer out",
            Step(
                do.TransferOut(shipper="DRY-3", logger="LOGGER-9", probe_temperature_c=-78.0, scans=SCANS),
                ST,
                after_ms=DAY_MS,
            ),
        ),
        ("transfer in", Step(transfer_in(), ST, after_ms=5 * HOUR_MS)),
        ("thaw", Step(thaw(), witness=WITNESS)),
        ("wash 1", Step(wash(1))),
        ("wash 2", Step(wash(2))),
    ]
    if label_arm:
        steps += [
            ("label", Step(start_labelling(), witness=RV)),
            ("end label", Step(do.EndLabelling(suspension_ml=30.0), witness=RV, after_ms=26 * HOUR_MS)),
            ("wash 1 again", Step(wash(1, vol_before_ml=30.0))),
            ("wash 2 again", Step(wash(2))),
        ]
    steps += [
        *(
            (f"count washed {n}", Step(count(f"washed-{n}", 72.0, 91.0 + n), COUNTER, after_ms=MINUTE_MS))
            for n in (1, 2)
        ),
        ("resuspend", Step(resuspend())),
        *(
            (f"count product {n}", Step(count(f"product-{n}", 12.0, 90.0 + n), COUNTER, after_ms=MINUTE_MS))
            for n in (1, 2)
        ),
        ("formulate", Step(formulate(), witness=WITNESS)),
        ("sample IT", Step(_sampled("endotoxin-IT", "endotoxin", "IT"))),
        ("sample IV", Step(_sampled("endotoxin-IV", "endotoxin", "IV"))),
        ("sample identity", Step(_sampled("identity", "identity"))),
        ("read IT", Step(result("endotoxin-IT", outcome="measured", value_eu_per_ml=0.05), LAB)),
        ("read IV", Step(result("endotoxin-IV", outcome="measured", value_eu_per_ml=0.05), LAB)),
        ("read identity", Step(result("identity", outcome="measured", panel=PANEL), LAB)),
        ("review", Step(do.Review(audit_trail_read=True), RV if not label_arm else REVIEWER)),
        ("release", Step(do.Release(), QP)),
        ("ship", Step(do.Ship(shipper="S4", logger="L17", temperature_c=4.5, scans=SCANS), ST)),
        (
            "arrive",
            Step(do.ReceiveAtSite(temperature_min_c=3.0, temperature_max_c=6.5, out_of_range_min=0.0, scans=SCANS), CL),
        ),
        ("give IT", Step(administer("IT", 0, container=f"{BATCH_ID}.IT", level=None), CL, CL2)),
        (
            "give IV",
            Step(
                administer("IV", 0, container=f"{BATCH_ID}.IV", volume_ml=2.0, rate_ml_per_h=None, ended_at=MINUTE_MS),
                CL,
                CL2,
            ),
        ),
        ("close", Step(do.Close(), QA)),
    ]
    return dict(steps)
