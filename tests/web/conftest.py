"""A lab on real files whose readings the test gives, and its pages on a real port."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest
from tests.signing import approve_recipe, signatures_for
from tests.stock import put_on_shelf
from tests.web.people import POLICY, Browser, copy_people, people_in

from cultureops.app import web_context
from cultureops.batch import commands as do
from cultureops.batch.commands import Command
from cultureops.batch.field import Details
from cultureops.batch.recipe import find_recipe
from cultureops.clock import DAY_MS, HOUR_MS, MINUTE_MS, SeededEntropy, SteppedClock, parse_iso
from cultureops.device.reading import Quality, Reading, Reason
from cultureops.lab import Lab, open_lab
from cultureops.ledger.event import Actor
from cultureops.nodes import Across
from cultureops.site import read_site
from cultureops.web.server import create_app, serve

START = parse_iso("2026-01-05T08:00:00Z")
SITE = """
[site]
name = "Test lab"
time_zone = "Europe/Berlin"
[[chamber]]
id = "incubator_1"
class = "incubator"
calibrated_until = "2026-12-31T00:00:00Z"
[[chamber]]
id = "incubator_2"
class = "incubator"
calibrated_until = "2026-12-31T00:00:00Z"
[[device]]
id = "incubator_1"
chamber = "incubator_1"
driver = "modbus"
link = "modbus+tcp://127.0.0.1:1"
simulated = true
options = { profile = "cultureops_virtual_incubator" }
[[device]]
id = "heracell_1"
chamber = "incubator_1"
driver = "thermo_heracell"
link = "serial:///dev/nobody"
[[alarm]]
chamber = "incubator_1"
channel = "co2"
device = "incubator_1"
kind = "low"
limit = 4.0
priority = "high"
gmp_critical = true
consequence = "The medium turns alkaline."
response = "Check the gas."
"""


OPERATOR = Actor("operator-1", "OP")


@dataclass
class Served:
    """A lab and where its pages are."""

    lab: Lab
    clock: SteppedClock
    url: str

    async def read(self, name: str, value: float | None, reason: Reason = Reason.TIMEOUT) -> None:
        """Let a minute pass and one channel be read."""
        at = self.clock.advance(MINUTE_MS)
        channel = name if "/" in name else f"incubator_1/{name}"
        if value is None:
            reading = Reading(channel, None, Quality.BAD, reason, at, at)
        else:
            reading = Reading(channel, value, Quality.GOOD, Reason.NONE, at, at)
        await self.lab.recorder.accept([reading])
        await self.lab.settle()

    async def do(self, details: Details, witness: Actor | None = None, actor: Actor = OPERATOR) -> None:
        """Carry out a step of batch B-1, signed where it must be."""
        self.clock.advance(MINUTE_MS)
        command = Command("B-1", details)
        if isinstance(details, do.CreateBatch):
            await approve_recipe(self.lab.ledger, find_recipe(details.recipe), self.clock.now())
        signed = signatures_for(self.lab.batches.get("B-1"), command, actor, witness, self.clock.now())
        await self.lab.execute(command, actor, witness, signed)


@pytest.fixture(scope="session")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder in which everybody has an account; to be copied."""
    folder = tmp_path_factory.mktemp("people")
    asyncio.run(people_in(folder, SteppedClock(START)))
    return folder


@pytest.fixture
async def served(tmp_path: Path, people: Path) -> AsyncIterator[Served]:
    """A lab with people and one batch in culture for a day, on a free port."""
    async with serving(SITE, tmp_path, people) as opened:
        await start_batch(opened)
        yield opened


@asynccontextmanager
async def serving(site_text: str, folder: Path, people: Path, across: Across | None = None) -> AsyncIterator[Served]:
    """Open a lab with people as a site file has it, on a free port."""
    (folder / "site.toml").write_text(site_text)
    copy_people(people, folder)
    clock = SteppedClock(START)
    listening: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    site = replace(read_site(folder / "site.toml"), access=POLICY)
    async with open_lab(site, folder, clock, SeededEntropy(1)) as lab:
        app = create_app(web_context(lab, None, across=across))
        serving = asyncio.create_task(serve(app, "127.0.0.1", 0, listening.set_result))
        try:
            yield Served(lab, clock, (await listening).rstrip("/"))
        finally:
            serving.cancel()
            with pytest.raises(asyncio.CancelledError):
                async with asyncio.timeout(5):
                    await serving


@pytest.fixture
async def stranger(served: Served) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody who asks the lab over its port and is not signed in."""
    async with httpx.AsyncClient(base_url=served.url, timeout=10) as opened:
        yield opened


@pytest.fixture
async def client(served: Served) -> AsyncIterator[Browser]:
    """operator-1, signed in over the lab's port."""
    async with Browser(base_url=served.url, timeout=10) as opened:
        await opened.log_in("operator-1")
        yield opened


async def start_batch(served: Served) -> None:
    """Seed a batch, let a day of readings pass and look at it."""
    await seed_batch(served)
    for hour in range(24):
        await served.read("temperature", 37.0 + hour % 3 / 100)
        await served.read("co2", 5.0)
        served.clock.advance(HOUR_MS)
    look = do.ObserveConfluence(vessels="B-1-P0", confluence_pct=12.0, method="visual", n_fields=3)
    await served.do(look)
    assert served.clock.now() > START + DAY_MS


async def seed_batch(served: Served) -> None:
    """Open batch B-1 and bring it into culture."""
    token = "COI-7F3K2"
    await put_on_shelf(served.lab.ledger, served.clock.now(), "L1", "M1")
    await served.do(do.CreateBatch(patient_token=token, recipe="tavakol_afshari_2021"))
    await served.do(do.RecordConsent(form="form", eligible=True))
    await served.do(
        do.ReceiveMarrow(
            marrow_ml=12.0,
            collected_at=served.clock.now() - HOUR_MS,
            anticoagulant="heparin",
            receipt_temperature_c=20.0,
            donor_markers="negative",
            scans=(token, token),
        ),
        Actor("operator-2", "OP"),
    )
    await served.do(do.Isolate(method="Ficoll", reagent_lots=("L1",), mnc_count=40_000_000, viability_pct=97.0))
    await served.do(
        do.Seed(
            vessels="B-1-P0",
            vessel_type="T175",
            n_vessels=12,
            area_cm2=175.0,
            medium_lot="M1",
            chamber="incubator_1",
            cells_total=36_000_000,
            discarded_cells=4_000_000,
        )
    )
