"""A lab with people, one batch and no instruments, whose pages are asked without a port: quick to open."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
from fastapi import FastAPI
from tests.signing import approve_recipe
from tests.web.people import POLICY, Browser, copy_people

from cultureops.access.policy import Policy
from cultureops.app import web_context
from cultureops.batch import commands as do
from cultureops.batch.commands import Command
from cultureops.batch.recipe import find_recipe
from cultureops.clock import SeededEntropy, SteppedClock, parse_iso
from cultureops.lab import Lab, open_lab
from cultureops.ledger.event import Actor, Event
from cultureops.site import read_site
from cultureops.web.server import create_app

__all__ = ["House", "open_house"]

START = parse_iso("2026-01-05T08:00:00Z")
SITE = '[site]\nname = "Test lab"\ntime_zone = "Europe/Berlin"\n'
HERE = "127.0.0.1"


@dataclass
class House:
    """A lab, its pages, and browsers of whoever comes."""

    lab: Lab
    clock: SteppedClock
    app: FastAPI

    def browser(self, source: str = HERE) -> Browser:
        """Return a browser of a stranger, who asks from an address."""
        transport = httpx.ASGITransport(self.app, client=(source, 40_000))
        return Browser(transport=transport, base_url=f"http://{HERE}")

    async def of(self, username: str, source: str = HERE) -> Browser:
        """Return the browser of somebody who has logged in."""
        browser = self.browser(source)
        answer = await browser.log_in(username)
        assert answer.status_code == 303, answer.text
        return browser

    def events(self, stream: str) -> list[Event]:
        """Return what the ledger holds of a stream."""
        return list(self.lab.ledger.read(stream))


@asynccontextmanager
async def open_house(
    people: Path, folder: Path, policy: Policy = POLICY, *, has_batch: bool = True
) -> AsyncIterator[House]:
    """Open a house in a copy of the people's data folder."""
    copy_people(people, folder)
    (folder / "site.toml").write_text(SITE)
    clock = SteppedClock(START)
    async with open_lab(
        replace(read_site(folder / "site.toml"), access=policy), folder, clock, SeededEntropy(1)
    ) as lab:
        house = House(lab, clock, create_app(web_context(lab, None)))
        await approve_recipe(lab.ledger, find_recipe("tavakol_afshari_2021"), clock.now())
        if has_batch:
            made = do.CreateBatch(patient_token="COI-7F3K2", recipe="tavakol_afshari_2021")
            await lab.execute(Command("B-1", made), Actor("operator-1", "OP"))
        yield house
