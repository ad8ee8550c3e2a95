"""A batch by hand, through pages only: who does what, in the order of the process.

``Lab`` is a demo that runs as a process of its own and in which nobody works; ``Person`` is somebody with a browser of
their own; the functions below are the steps of Tavakol-Afshari et al. 2021, one each, and read as the process does.
Everything typed is read off a page: the bench for what one sees, the batch's page for what is on record.
"""

import asyncio
import re
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from playwright.async_api import Browser, Page, expect

__all__ = ["Lab", "Person", "lab_by_hand"]

READY_WITHIN_S = 60.0
PATIENCE_MS = 20_000
PASSING_MS = 60_000
"""How long some lab time may take to pass on a busy machine."""
MOST_TABS = 60
TABLET = {"width": 820, "height": 1180}
PATIENT_SCANS = '[name="scan_token"], [name^="scans."]'
FLASKS: Final = (12, 6, 36, 48)
ML_PER_FLASK, SUSPENSION_ML_PER_FLASK = 25, 5
CELLS_PER_FLASK_P0 = 3_000_000
RESEED_PER_CM2, AREA_CM2 = 4_000, 175
CONFLUENT_PCT = 80.0
MEDIUM, TRYPSIN, FICOLL, SALINE = "MEDIUM-2026-01", "TRYPSIN-2026-01", "FICOLL-2025-11", "SALINE-2026-02"
INCUBATORS = ("incubator_1", "incubator_2", "incubator_4", "incubator_3")
METHODS = {"endotoxin": "LAL", "mycoplasma": "RT-PCR", "sterility": "culture, 14 d", "identity": "flow cytometry"}
_ANSWERED = """() => location.search.includes("done=")
    || document.querySelector("[name=confirmed]:not(:checked), main .stop, main .changed:not([hidden])")
    || document.querySelector("#sending:not([hidden])")"""
"""The step is on record, or something stands in its way."""
_ANSWERS = """rows => rows.map(row => ({
    sample_id: row.dataset.sample,
    final: row.querySelector("[data-final]").dataset.final,
    ...Object.fromEntries([...row.querySelectorAll("[data-field]")].map(one => [one.dataset.field, one.textContent])),
}))"""
"""What stands in the table of results, by the names of the fields it goes into."""
CO2_RULE = "incubator_1/co2/low"


@dataclass
class Lab:
    """A demo by hand: where its pages are, what everybody logs in with, where its data lie."""

    url: str
    passphrase: str
    folder: Path
    browser: Browser

    async def person(self, username: str, *, by_keyboard: bool = False, **context: Any) -> "Person":
        """Return somebody who has logged in, in a browser of their own."""
        opened = await self.browser.new_context(**{"viewport": TABLET, **context})
        opened.set_default_timeout(PATIENCE_MS)
        person = Person(username, await opened.new_page(), self)
        person.page.on("pageerror", lambda error: person.wrong.append(str(error)))
        await (person.log_in_by_keyboard() if by_keyboard else person.log_in())
        return person


class Person:
    """Somebody in front of the pages."""

    def __init__(self, username: str, page: Page, lab: Lab) -> None:
        self.username, self.page, self.lab = username, page, lab
        self.wrong: list[str] = []

    async def log_in(self) -> None:
        """Come in by name and passphrase."""
        await self.see("/log-in")
        await self.page.fill('input[name="username"]', self.username)
        await self.page.fill('input[name="password"]', self.lab.passphrase)
        await self.page.click("form.fields button.main")
        await self.page.locator(".who-am-i").first.wait_for(state="attached")

    async def log_in_by_keyboard(self) -> None:
        """Come in without a pointer: the page opens in the field for the name."""
        await self.see("/log-in")
        await self.page.keyboard.type(self.username)
        await self.tab_to('input[name="password"]')
        await self.page.keyboard.type(self.lab.passphrase)
        await self.page.keyboard.press("Enter")
        await self.page.locator(".who-am-i").first.wait_for(state="attached")

    async def see(self, path: str) -> None:
        """Open a page."""
        answer = await self.page.goto(self.lab.url + path, wait_until="domcontentloaded")
        assert answer is not None and answer.status < 500, f"{path}: {answer and answer.status}"

    async def send(self, button: Any) -> None:
        """Press a button that leads to the next page."""
        async with self.page.expect_navigation(wait_until="domcontentloaded"):
            await button.click()

    async def said(self) -> str:
        """Return what the page says that it wants to be heard."""
        heard = self.page.locator('[role="alert"]:visible, [role="status"]:visible, .problem:visible')
        return " | ".join(text.strip() for text in await heard.all_inner_texts() if text.strip())

    async def fill(self, name: str, value: Any) -> None:
        """Fill one field, of whatever kind it is."""
        found = self.page.locator(f'[name="{name}"]:not([type="hidden"])').first
        kind = await found.evaluate("field => field.type")
        if kind == "checkbox":
            await found.set_checked(bool(value))
        elif kind == "select-one":
            await found.select_option(str(value))
        else:
            await found.fill(str(value))

    async def submit(self, batch: str, step: str, fields: Mapping[str, Any], witness: str = "", scan: str = "") -> None:
        """Fill in the form of a step and send it; a question is answered once, with yes."""
        await self.see(f"/batches/{quote(batch)}/do/{step}")
        await self.page.locator("#step[data-ready]").wait_for()
        await self._hold(scan or batch)
        for name, value in fields.items():
            await self.fill(name, value)
        await self.record(witness)
        if await self.page.locator('input[name="confirmed"]').count():
            await self.page.locator('input[name="confirmed"]').check()
            await self.record(witness)

    async def do(self, batch: str, step: str, witness: str = "", scan: str = "", **fields: Any) -> None:
        """Do a step, which is recorded; a field ``doses_0_route`` is ``doses.0.route`` on the form."""
        named = {re.sub(r"_(\d+)_", r".\1.", name): value for name, value in fields.items()}
        await self.submit(batch, step, named, witness, scan)
        assert "done=" in self.page.url, f"{step} was not recorded: {await self.said()}"

    async def _hold(self, container: str) -> None:
        """Fill in the container in one's hand and the patient's label, where they are asked for."""
        if not await self.page.locator("#identify").count():
            return
        token = await self.token()
        await self.page.fill('[name="scan_container"]', container)
        for field in await self.page.locator(PATIENT_SCANS).all():
            await field.fill(token)

    async def scan(self, *codes: str) -> None:
        """Scan into whatever has the focus, as a scanner does: typed text that ends in Enter."""
        await self.page.locator("#step[data-ready]").wait_for()
        for code in codes:
            await self.page.keyboard.type(code)
            await self.page.keyboard.press("Enter")

    async def scan_wrongly(self, batch: str, step: str, token: str) -> str:
        """Scan the right container and another patient's label before a step; returns what the page says."""
        await self.see(f"/batches/{quote(batch)}/do/{step}")
        await self.scan(batch, token)
        stop = self.page.locator("#identify", has_text="STOP")
        await stop.wait_for()
        return await stop.inner_text()

    async def tab_to(self, selector: str) -> None:
        """Go on to an element by the keyboard alone."""
        for _ in range(MOST_TABS):
            if await self.page.evaluate("selector => document.activeElement.matches(selector)", selector):
                return
            await self.page.keyboard.press("Tab")
        raise AssertionError(f"{selector} can't be reached by keyboard on {self.page.url}")

    async def token(self) -> str:
        """Return what the patient's label reads, as the bench shows it."""
        if not getattr(self, "_token", ""):
            answer = await self.page.context.request.get(f"{self.lab.url}/bench")
            found = re.search(r'The label reads <b class="token">([^<]+)<', await answer.text())
            assert found is not None
            self._token = found[1]
        return self._token

    async def record(self, witness: str = "") -> None:
        """Press the button of a step, and wait until it is recorded, or until the page says what is in the way."""
        if witness:
            await self.page.fill('[name="witness"]', witness)
            await self.page.fill('[name="witness_password"]', self.lab.passphrase)
        await self.page.click('button.main[name="act"][value="record"]')
        await self.page.wait_for_function(_ANSWERED)
        await self.page.wait_for_load_state("domcontentloaded")

    async def sign(self, batch: str, step: str, query: str = "", **fields: Any) -> None:
        """Fill in a decision, see exactly what is signed, and sign it."""
        await self.see(f"/batches/{quote(batch)}/sign/{step}{query}")
        for name, value in fields.items():
            await self.fill(name, value)
        for impact in await self.page.locator('[name$=".impact"]').all():
            await impact.fill("short; growth and viability stayed as expected")
        await self.send(self.page.locator("form.fields button.main"))
        password = self.page.locator('input[name="password"]')
        assert await password.count(), f"{step} was not shown: {await self.said()}"
        await password.fill(self.lab.passphrase)
        await self.send(self.page.locator("form.fields button.main"))
        assert f"/sign/{step}" not in self.page.url, f"{step} was not signed: {await self.said()}"

    async def by_hand(self, act: str, **fields: str) -> dict[str, str]:
        """Do something on the bench; returns what one sees of the batch then."""
        if not self.page.url.endswith("/bench"):
            await self.see("/bench")
        form = self.page.locator(f'form.act:has(input[name="act"][value="{act}"])')
        if "until" in fields:
            form = form.filter(has=self.page.locator(f'[name="until"][value="{fields.pop("until")}"]'))
        for name, value in fields.items():
            field = form.locator(f'[name="{name}"]')
            await (field.select_option(value) if name == "chamber" else field.fill(value))
        await self.send(form.locator("button"))
        return await self.seen()

    async def wait(self, until: str) -> str:
        """Let lab time pass; returns the time that it is then."""
        await self.by_hand("wait", until=until)
        return await self.now()

    async def now(self) -> str:
        """Return lab time as pages write it."""
        return await self.page.locator("#bench-now").inner_text()

    async def seen(self) -> dict[str, str]:
        """Return what lies on the bench for the batch, once lab time stands still."""
        await self.page.locator("#bench-now").wait_for(timeout=PASSING_MS)
        rows = self.page.locator(".stand .facts > div")
        texts = await rows.evaluate_all("rows => rows.map(row => [...row.children].map(cell => cell.textContent))")
        return {name: value for name, value in texts}

    async def counts(self, batch: str, stage: str) -> list[float]:
        """Read the viable densities of a stage off the batch's page [10^6/mL]."""
        await self.see(f"/batches/{quote(batch)}")
        rows = self.page.locator("tr", has_text=f"{batch}.{stage}-")
        densities = rows.locator('[data-label="Viable density"]')
        return [figure(text) for text in await densities.all_inner_texts()]


@asynccontextmanager
async def lab_by_hand(browser: Browser, folder: Path, step_min: int = 30, seed: int = 7) -> AsyncIterator[Lab]:
    """Start a demo by hand as a newcomer does, and end it as one does, with Ctrl-C."""
    demo = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cultureops", "demo", "--by-hand", "--port", "0", "--step", str(step_min)),
        *("--seed", str(seed), "--data-dir", str(folder)),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    assert demo.stderr is not None
    try:
        async with asyncio.timeout(READY_WITHIN_S):
            said = ""
            while "logs in with: " not in said or "pages: " not in said:
                line = (await demo.stderr.readline()).decode()
                assert line, f"the demo ended: {said}"
                said += line
        url = re.search(r"pages: (\S+)/ ", said)
        passphrase = re.search(r"logs in with: (\S+)", said)
        assert url is not None and passphrase is not None
        draining = asyncio.create_task(demo.stderr.read())
        yield Lab(url[1], passphrase[1], folder, browser)
        demo.send_signal(signal.SIGINT)
        async with asyncio.timeout(READY_WITHIN_S):
            assert await demo.wait() == 0
            assert await draining == b"", "a demo says nothing more"
    finally:
        if demo.returncode is None:
            demo.kill()
            await demo.wait()


def figure(text: str) -> float:
    """Read the number a text begins with: ``41,200,000`` or ``97.1 %``."""
    return float(text.split()[0].replace(",", ""))


def as_typed(written: str) -> str:
    """Turn a time as pages write it into what a field for times takes."""
    return written.replace(" ", "T")


# The process, step by step.


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
        await quality.see(f"/batches/{quote(batch)}")
        if not await waits_for_results(quality, batch):
            break
    await quality.sign(batch, "Close")


async def waits_for_results(person: Person, batch: str) -> bool:
    """Whether any sample waits for its last reading, as the pages of due work say."""
    await person.see(f"/batches/{quote(batch)}/do")
    return "read sterility" in await person.page.content()


def later(written: str, minutes: int) -> str:
    """Return a time some minutes later, as a field for times takes it; within one day."""
    day, clock = written.split(" ")
    hour, minute = map(int, clock.split(":"))
    at = hour * 60 + minute + minutes
    return f"{day}T{at // 60:02d}:{at % 60:02d}"
