"""A lab of many: as many chambers and batches as a large site has, quick to build because one batch is lived and told
again under other names.
"""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
from fastapi import FastAPI
from tests.signing import signatures_for
from tests.stock import put_on_shelf
from tests.web.people import POLICY, Browser, copy_people

from cultureops.app import web_context
from cultureops.batch import commands as do
from cultureops.batch.commands import Command
from cultureops.batch.field import Details
from cultureops.clock import HOUR_MS, MINUTE_MS, SECOND_MS, Clock, SeededEntropy, SteppedClock, parse_iso
from cultureops.device.reading import Quality, Reading, Reason
from cultureops.lab import Lab, open_lab
from cultureops.ledger.event import Actor, NewEvent, Source
from cultureops.ledger.store import SqlLedger
from cultureops.recording import LEDGER_FILE
from cultureops.site import read_site
from cultureops.web.server import create_app

__all__ = ["CHANNELS", "Hall", "fill_with_batches", "open_hall", "site_of"]

START = parse_iso("2026-01-05T08:00:00Z")
ROOT = Path(__file__).parents[2]
PROFILE = ROOT / "drivers/cultureops_drivers/modbus/profiles/cultureops_virtual_incubator.toml"
CHANNELS = ("temperature", "co2", "humidity", "o2", "door")
OPERATOR, SECOND, QA = Actor("operator-1", "OP"), Actor("operator-2", "OP"), Actor("quality-1", "QA")
TOKEN = "COI-7F3K2"
STAGES = (1, 2, 3, 4, 5, 6, 7)
"""How many events of the story the batches have got to, in turns: from opened to grown for days."""

DEVICE = """
[[chamber]]
id = "i{n}"
class = "incubator"
title = "Incubator {n}"
calibrated_until = "2030-12-31T00:00:00Z"
[[device]]
id = "i{n}"
chamber = "i{n}"
driver = "modbus"
link = "modbus+tcp://{address}"
period_s = 1
simulated = true
options = {{ profile = "{profile}" }}
"""
ALARM = """
[[alarm]]
class = "incubator"
channel = "temperature"
kind = "low"
limit = 36.0
priority = "high"
gmp_critical = true
consequence = "The cells grow cold."
response = "Look at the incubator."
"""


def site_of(folder: Path, addresses: Sequence[str], port: int = 0) -> Path:
    """Write the site file: an incubator of five channels at each address, read each second."""
    head, *points = PROFILE.read_text().split("[[point]]")
    kept = [point for point in points if any(f'name = "{name}"' in point for name in CHANNELS)]
    (folder / "incubator.toml").write_text("[[point]]".join([head, *kept]))
    parts = [f'[site]\nname = "Large lab"\ntime_zone = "Europe/Berlin"\n[web]\nport = {port}\n', ALARM]
    parts += [
        DEVICE.format(n=number, address=address, profile=folder / "incubator.toml")
        for number, address in enumerate(addresses, 1)
    ]
    (folder / "site.toml").write_text("".join(parts))
    return folder / "site.toml"


async def fill_with_batches(folder: Path, clock: SteppedClock, batches: int, chambers: int) -> None:
    """Record open batches, each as far as its turn has it, in the chambers in turns, and a tenth more that are over."""
    site = folder / "story.toml"
    site.write_text('[site]\nname = "Story"\n' + "".join(_chamber(number) for number in range(1, chambers + 1)))
    async with open_lab(replace(read_site(site), access=POLICY), folder, clock, SeededEntropy(1)) as lab:
        await put_on_shelf(lab.ledger, clock.now(), "L1", "M1")
        for details, witness in _story(clock):
            clock.advance(MINUTE_MS)
            command = Command("B-1", details)
            signed = signatures_for(lab.batches.get("B-1"), command, OPERATOR, witness, clock.now())
            await lab.execute(command, OPERATOR, witness, signed)
    site.unlink()
    await _tell_again(folder, clock, batches, chambers)


def _chamber(number: int) -> str:
    return f'[[chamber]]\nid = "i{number}"\nclass = "incubator"\ncalibrated_until = "2030-12-31T00:00:00Z"\n'


def _story(clock: SteppedClock) -> list[tuple[Details, Actor | None]]:
    marrow = do.ReceiveMarrow(
        marrow_ml=12.0,
        collected_at=clock.now() - HOUR_MS,
        anticoagulant="heparin",
        receipt_temperature_c=20.0,
        donor_markers="negative",
        scans=(TOKEN, TOKEN),
    )
    seed = do.Seed(
        vessels="B-1-P0",
        vessel_type="T175",
        n_vessels=12,
        area_cm2=175.0,
        medium_lot="M1",
        chamber="i1",
        cells_total=36_000_000,
        discarded_cells=4_000_000,
    )
    look = do.ObserveConfluence(vessels="B-1-P0", confluence_pct=41.0, method="visual", n_fields=3)
    return [
        (do.CreateBatch(patient_token=TOKEN, recipe="tavakol_afshari_2021"), None),
        (do.RecordConsent(form="form", eligible=True), None),
        (marrow, SECOND),
        (do.Isolate(method="Ficoll", reagent_lots=("L1",), mnc_count=40_000_000, viability_pct=97.0), None),
        (seed, None),
        (look, None),
        (look.model_copy(update={"confluence_pct": 83.0}), None),
    ]


async def _tell_again(folder: Path, clock: Clock, batches: int, chambers: int) -> None:
    ledger = SqlLedger.open(folder / LEDGER_FILE, clock, SeededEntropy(2))
    try:
        story = list(ledger.read("batch:B-1"))
        groups = []
        for number in range(2, batches + batches // 10 + 1):
            told: list[NewEvent] = []
            for event in story[: STAGES[number % len(STAGES)]]:
                text = json.dumps(event.data).replace("B-1-", f"B-{number}-").replace(TOKEN, f"COI-{number:05}")
                text = text.replace('"i1"', f'"i{(number - 1) % chambers + 1}"')
                told.append(NewEvent(event.type, json.loads(text), event.actor, event.source, event.occurred_at))
            if number > batches:
                told.append(NewEvent("closed", {}, QA, Source.HUMAN, clock.now()))
            groups.append((f"batch:B-{number}", told, 0))
        await ledger.append_many(groups)
    finally:
        await ledger.close()


@dataclass
class Hall:
    """A large lab whose readings the test gives, and its pages without a port."""

    lab: Lab
    clock: SteppedClock
    app: FastAPI

    @property
    def transport(self) -> httpx.ASGITransport:
        """The way to the pages without a port."""
        return httpx.ASGITransport(self.app)

    async def read(self, value: float = 37.0, seconds: int = 1, **others: float | None) -> None:
        """Let seconds pass in each of which every channel is read; ``others`` are values by chamber."""
        for _ in range(seconds):
            at = self.clock.advance(SECOND_MS)
            readings = []
            for name, row in self.lab.channels.items():
                shown = others.get(row.device, 0.0 if row.channel.name == "door" else value)
                readings.append(
                    Reading(name, None, Quality.BAD, Reason.TIMEOUT, at, at)
                    if shown is None
                    else Reading(name, shown, Quality.GOOD, Reason.NONE, at, at)
                )
            await self.lab.recorder.accept(readings)
        await self.lab.settle()

    async def of(self, username: str) -> Browser:
        """Return the browser of somebody who has logged in."""
        browser = Browser(transport=self.transport, base_url="http://127.0.0.1")
        answer = await browser.log_in(username)
        assert answer.status_code == 303, answer.text
        return browser


@asynccontextmanager
async def open_hall(people: Path, folder: Path, batches: int = 200, chambers: int = 100) -> AsyncIterator[Hall]:
    """Open a large lab in a copy of the people's data folder."""
    copy_people(people, folder)
    clock = SteppedClock(START)
    await fill_with_batches(folder, clock, batches, chambers)
    site = replace(
        read_site(site_of(folder, [f"127.0.0.1:{number}" for number in range(1, chambers + 1)])), access=POLICY
    )
    async with open_lab(site, folder, clock, SeededEntropy(3)) as lab:
        yield Hall(lab, clock, create_app(web_context(lab, None)))
