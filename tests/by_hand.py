"""A batch by hand, through pages only: who does what, in the order of the process.

The functions are the steps of Tavakol-Afshari et al. 2021, one each, and read as the process does. Everything typed is
read off a page: the bench for what one sees, the batch's page for what is on record.
"""

import re
from typing import Any, Final
from urllib.parse import quote

from playwright.async_api import expect
from tests.person import Person, as_typed, figure

__all__ = [
    "CO2_RULE",
    "acknowledge",
    "close",
    "count",
    "deliver",
    "detach",
    "dispose_of_deviations",
    "enter_results",
    "feed",
    "grow",
    "harvest",
    "isolate",
    "look",
    "make_product",
    "open_batch",
    "passage_on",
    "receive_marrow",
    "release",
    "review",
    "sample",
    "sample_passage",
    "seed",
]

FLASKS: Final = (12, 6, 36, 48)
ML_PER_FLASK, SUSPENSION_ML_PER_FLASK = 25, 5
CELLS_PER_FLASK_P0 = 3_000_000
RESEED_PER_CM2, AREA_CM2 = 4_000, 175
CONFLUENT_PCT = 80.0
MEDIUM, TRYPSIN, FICOLL, SALINE = "MEDIUM-2026-01", "TRYPSIN-2026-01", "FICOLL-2025-11", "SALINE-2026-02"
INCUBATORS = ("incubator_1", "incubator_2", "incubator_4", "incubator_3")
METHODS = {"endotoxin": "LAL", "mycoplasma": "RT-PCR", "sterility": "culture, 14 d", "identity": "flow cytometry"}
CO2_RULE = "incubator_1/co2/low"
_ANSWERS = """rows => rows.map(row => ({
    sample_id: row.dataset.sample,
    final: row.querySelector("[data-final]").dataset.final,
    ...Object.fromEntries([...row.querySelectorAll("[data-field]")].map(one => [one.dataset.field, one.textContent])),
}))"""
"""What stands in the table of results, by the names of the fields it goes into."""


async def open_batch(operator: Person, batch: str, token: str) -> None:
    """The clinic has announced a patient: open a batch, and record the consent."""
    await operator.see("/batches/new")
    await operator.fill("patient_token", token)
    await operator.fill("batch_id", batch)
    await operator.send(operator.page.locator("#new button.main"))
    await operator.do(batch, "RecordConsent", form="consent form v3", eligible=True)


async def receive_marrow(operator: Person, batch: str, witness: str) -> None:
    """T 2.3: the courier's box, with two independent scans and a second person."""
    box = await operator.by_hand("open_box")
    await operator.do(
        batch,
        "ReceiveMarrow",
        witness,
        marrow_ml=figure(box["Marrow"]),
        collected_at=as_typed(box["Collected at"]),
        anticoagulant=box["Anticoagulant"],
        receipt_temperature_c=figure(box["Temperature in the box"]),
        donor_markers=box["Donor's markers"],
    )


async def isolate(operator: Person, batch: str) -> int:
    """T 2.4: density gradient; returns the mononuclear cells."""
    won = await operator.by_hand("spin")
    cells = int(figure(won["Mononuclear cells"]))
    await operator.do(batch, "Isolate", reagent_lots=FICOLL, mnc_count=cells, viability_pct=figure(won["Viability"]))
    return cells


async def seed(operator: Person, batch: str, cells: int) -> None:
    """T 2.4: the primary culture, 3e6 mononuclear cells in each flask."""
    seeded = FLASKS[0] * CELLS_PER_FLASK_P0
    await operator.do(
        batch,
        "Seed",
        vessels=f"{batch}-P0",
        vessel_type="T175 flask",
        n_vessels=FLASKS[0],
        area_cm2=AREA_CM2,
        medium_lot=MEDIUM,
        chamber=INCUBATORS[0],
        cells_total=seeded,
        discarded_cells=cells - seeded,
    )


async def look(operator: Person, batch: str, passage: int) -> float:
    """Judge confluence by eye in three fields; what is not grown yet need not be entered each day."""
    seen = await operator.by_hand("look")
    confluence_pct = figure(seen["Confluence"])
    if confluence_pct >= CONFLUENT_PCT:
        await operator.do(
            batch,
            "ObserveConfluence",
            scan=f"{batch}-P{passage}.1",
            vessels=f"{batch}-P{passage}",
            confluence_pct=confluence_pct,
            method="visual",
            n_fields=3,
        )
    return confluence_pct


async def feed(operator: Person, batch: str, passage: int, is_first: bool) -> None:
    """T 2.4: change the medium; the first change takes the non-adherent cells away."""
    await operator.do(
        batch,
        "ChangeMedium",
        scan=f"{batch}-P{passage}.1",
        vessels=f"{batch}-P{passage}",
        volume_ml=ML_PER_FLASK * FLASKS[passage],
        medium_lot=MEDIUM,
        removed_nonadherent=is_first,
    )


async def grow(operator: Person, control: Person, batch: str, passage: int, first_look: int = 5) -> None:
    """Feed twice a week and look each morning until the cells are ready; results are entered as they come.

    Before the morning of ``first_look`` nobody looks: they can't be ready.
    """
    for day in range(1, 21):
        await operator.wait("next morning")
        if await operator.page.locator("tr[data-sample]").count():
            await enter_results(control)
        if day >= first_look and await look(operator, batch, passage) >= CONFLUENT_PCT:
            return
        if day % 3 == 1 and (passage == 0 or day > 1):
            await feed(operator, batch, passage, is_first=passage == 0 and day == 1)
    raise AssertionError(f"P{passage} of {batch} is not grown in three weeks")


async def sample(person: Person, batch: str, test: str, stage: str, name: str, route: str = "") -> None:
    """Draw a sample for a test."""
    drawn = {"sample_id": f"{batch}.{name}", "test": test, "method": METHODS[test], "stage": stage}
    await person.do(batch, "SampleQc", **drawn, **({"route": route} if route else {}))


async def sample_passage(operator: Person, batch: str, passage: int) -> None:
    """T 2.4 and 3.1: the tests of every passage."""
    for test in ("endotoxin", "mycoplasma", "sterility"):
        await sample(operator, batch, test, "passage", f"P{passage}-{test}")


async def enter_results(control: Person) -> int:
    """Enter what the laboratory has found by now; returns how many results there were."""
    await control.see("/bench")
    answers: list[dict[str, str]] = await control.page.locator("tr[data-sample]").evaluate_all(_ANSWERS)
    for answer in answers:
        batch = answer["sample_id"].partition(".")[0]
        panel = {name.removeprefix("panel."): share for name, share in answer.items() if name.startswith("panel.")}
        fields: dict[str, Any] = {name: text for name, text in answer.items() if not name.startswith("panel.")}
        fields |= {"final": answer["final"] == "true", "lab": "house laboratory"}
        await control.see(f"/batches/{quote(batch)}/do/RecordQcResult")
        await control.page.wait_for_load_state()
        for name, value in fields.items():
            await control.fill(name, value)
        for marker, share in panel.items():
            await control.page.locator(f'[data-field="panel.{marker}"] input:not([type="hidden"])').fill(share)
        await control.record()
        assert "done=" in control.page.url, f"{answer['sample_id']}: {await control.said()}"
    return len(answers)


async def detach(operator: Person, batch: str, passage: int) -> tuple[int, int]:
    """Detach the cells and count two replicates; returns the suspension [mL] and the viable cells in it."""
    volume_ml = SUSPENSION_ML_PER_FLASK * FLASKS[passage]
    await operator.by_hand("detach", volume_ml=str(volume_ml))
    density = await count(operator, batch, f"P{passage}-harvest")
    return volume_ml, round(density * 1e6 * volume_ml)


async def count(operator: Person, batch: str, stage: str) -> float:
    """Put two replicates on the counter; returns their mean, as it reached the record [10^6/mL]."""
    for replicate in (1, 2):
        await operator.by_hand("count", sample_id=f"{batch}.{stage}-{replicate}")
    counted = await operator.counts(batch, stage)
    assert len(counted) == 2, f"{stage}: {counted}"
    return sum(counted) / len(counted)


def detachment(batch: str, passage: int, volume_ml: int) -> dict[str, Any]:
    """What is said of every detachment."""
    return {
        "scan": f"{batch}-P{passage}.1",
        "vessels": f"{batch}-P{passage}",
        "enzyme": "trypsin-EDTA",
        "enzyme_pct": 0.125,
        "exposure_min": 4,
        "suspension_ml": volume_ml,
        "enzyme_lot": TRYPSIN,
    }


async def passage_on(operator: Person, batch: str, passage: int, volume_ml: int, cells: int) -> None:
    """Seed what was detached into new flasks; what does not fit is stated as discarded."""
    per_flask = RESEED_PER_CM2 * AREA_CM2
    flasks = min(FLASKS[passage + 1], int(cells * 0.95 / per_flask))
    await operator.do(
        batch,
        "Passage",
        **detachment(batch, passage, volume_ml),
        new_vessels=f"{batch}-P{passage + 1}",
        vessel_type="T175 flask",
        n_vessels=flasks,
        area_cm2=AREA_CM2,
        medium_lot=MEDIUM,
        chamber=INCUBATORS[passage + 1],
        cells_seeded=flasks * per_flask,
        discarded_cells=cells - flasks * per_flask,
    )


async def harvest(operator: Person, batch: str, passage: int, volume_ml: int) -> None:
    """T 3.1: the cells of the second or third passage are the product's."""
    await operator.do(batch, "Harvest", **detachment(batch, passage, volume_ml))


async def make_product(operator: Person, batch: str, cells: int, witness: str) -> None:
    """T 2.5: 1e6 cells per kg by each route, intrathecal in 2 mL and intravenous in 55 mL of saline."""
    weight_kg = figure((await operator.by_hand("wait", until="30 min"))["Body weight"])
    weighed_at = (await operator.seen())["Weighed at"]
    dose = int(weight_kg * 1e6)
    density = round(dose / 2.0 / 1e6, 2)
    volume_ml = round(cells * 0.97 / 1e6 / density, 2)
    await operator.do(
        batch,
        "Resuspend",
        diluent="0.9 % saline",
        diluent_lot=SALINE,
        volume_ml=volume_ml,
        viable_density_1e6_per_ml=density,
    )
    await count(operator, batch, "product")
    await operator.do(
        batch,
        "Formulate",
        witness,
        weight_kg=weight_kg,
        weighed_at=as_typed(weighed_at),
        doses_0_route="IT",
        doses_0_viable_cells=dose,
        doses_0_volume_ml=2,
        doses_0_container=f"{batch}.IT",
        doses_1_route="IV",
        doses_1_viable_cells=dose,
        doses_1_volume_ml=55,
        doses_1_container=f"{batch}.IV",
        retained_cells=round(density * volume_ml * 1e6) - 2 * dose,
        stored_in="cold_room_1",
    )
    for test, name, route in (("endotoxin", "endotoxin-IT", "IT"), ("endotoxin", "endotoxin-IV", "IV")):
        await sample(operator, batch, test, "product", name, route)
    await sample(operator, batch, "identity", "product", "identity")


async def acknowledge(person: Person, rule: str, reason: str) -> None:
    """Acknowledge an alarm on the page of alarms."""
    await person.see("/alarms")
    alarm = person.page.locator(f'.alarm[data-rule="{rule}"]')
    await alarm.locator('form.ack input[name="reason"]').fill(reason)
    await person.send(alarm.locator("form.ack button").last)
    await expect(person.page.locator(f'.alarm[data-rule="{rule}"]')).to_contain_text(
        f"Acknowledged by {person.username}"
    )


async def dispose_of_deviations(quality: Person, batch: str) -> int:
    """Investigate and close every open deviation of a batch; returns how many there were."""
    await quality.see(f"/deviations?batch={quote(batch)}")
    names = set(re.findall(r"/deviations/[^\"?#]+", await quality.page.content()))
    for path in sorted(names):
        await dispose_of(quality, batch, path)
    return len(names)


async def dispose_of(quality: Person, batch: str, path: str) -> None:
    """Investigate one deviation, then close it."""
    name = path.rpartition("/")[2]
    query = f"?deviation_id={name}"
    cause = "the CO2 bottle was empty; changed the same day"
    impact = "growth and viability stayed as expected"
    await quality.sign(batch, "InvestigateDeviation", query, root_cause=cause, impact=impact)
    await quality.sign(batch, "CloseDeviation", query, conclusion="no impact on this batch")


async def review(reviewer: Person, batch: str) -> None:
    """Read the record and its audit trail, judge every alarm and gap, and sign."""
    await reviewer.see(f"/batches/{quote(batch)}/audit")
    await reviewer.sign(batch, "Review", audit_trail_read=True)


async def release(qualified: Person, batch: str) -> None:
    """Decide on the release."""
    await qualified.sign(batch, "Release")


async def deliver(storage: Person, clinic: Person, batch: str, witness: str) -> None:
    """T 2.4 and 2.5: transport at 2-8 °C, both doses in one session."""
    await storage.see("/")
    shown = storage.page.locator('[data-channel="comet_cold_1/temperature"] .value')
    await storage.do(
        batch, "Ship", shipper="SHIPPER-4", logger="logger_box_1", temperature_c=figure(await shown.first.inner_text())
    )
    for _ in range(3):
        await clinic.wait("30 min")
    way = await clinic.by_hand("read_logger")
    await clinic.do(
        batch,
        "ReceiveAtSite",
        temperature_min_c=figure(way["Lowest on the way"]),
        temperature_max_c=figure(way["Highest on the way"]),
        out_of_range_min=figure(way["Out of range"]),
        trace_sha256=way["SHA-256 of the trace"],
    )
    for route, volume_ml, more in (("IT", 2, {"level": "L3-L4"}), ("IV", 55, {"rate_ml_per_h": 120})):
        await clinic.see("/bench")
        began = await clinic.now()
        ended = await clinic.wait("30 min")
        await clinic.do(
            batch,
            "Administer",
            witness,
            scan=f"{batch}.{route}",
            route=route,
            container=f"{batch}.{route}",
            started_at=as_typed(began),
            ended_at=later(began, 2 if route == "IT" else 28) if ended else "",
            volume_ml=volume_ml,
            **more,
        )


async def close(quality: Person, control: Person, batch: str) -> None:
    """The record stays open until the last sterility culture has been read for the last time."""
    for _ in range(20):
        await quality.wait("next morning")
        await enter_results(control)
        if not await waits_for_results(quality, batch):
            break
    await quality.sign(batch, "Close")


async def waits_for_results(person: Person, batch: str) -> bool:
    """Whether any sample waits for its last reading, as the batch's page says of what is due."""
    await person.see(f"/batches/{quote(batch)}")
    return await person.page.get_by_text(re.compile("^read sterility", re.IGNORECASE)).count() > 0


def later(written: str, minutes: int) -> str:
    """Return a time some minutes later, as a field for times takes it; within one day."""
    day, clock = written.split(" ")
    hour, minute = map(int, clock.split(":"))
    at = hour * 60 + minute + minutes
    return f"{day}T{at // 60:02d}:{at % 60:02d}"
