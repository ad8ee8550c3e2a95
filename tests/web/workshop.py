"""A lab with chambers, instruments whose readings the test gives, and a hand that fills in forms without scripts."""

import html
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
from tests.signing import approve_recipe
from tests.stock import put_on_shelf
from tests.web.house import House
from tests.web.people import POLICY, Browser, copy_people

from cultureops.app import web_context
from cultureops.batch.recipe import find_recipe
from cultureops.clock import MINUTE_MS, SeededEntropy, SteppedClock, parse_iso
from cultureops.device.reading import Quality, Reading, Reason
from cultureops.lab import open_lab
from cultureops.site import read_site
from cultureops.web.server import create_app

__all__ = ["TOKEN", "Hand", "Workshop", "open_workshop"]

START = parse_iso("2026-01-05T08:00:00Z")
TOKEN = "COI-7F3K2"
_CLASSES = {
    "incubator_1": "incubator", "incubator_2": "incubator", "fridge_1": "refrigerator", "bath_1": "bath",
    "centrifuge_1": "centrifuge", "cryostore_1": "cryostore", "counter_1": "balance",
}  # fmt: skip
SITE = '[site]\nname = "Workshop"\ntime_zone = "Europe/Berlin"\n' + "".join(
    f'[[chamber]]\nid = "{name}"\nclass = "{kind}"\ncalibrated_until = "2030-12-31T00:00:00Z"\n'
    for name, kind in _CLASSES.items()
)
TANK = """
[[device]]
id = "tank"
chamber = "cryostore_1"
driver = "mve_tec3000"
link = "serial:///dev/nobody"
simulated = true
"""


@dataclass
class Workshop(House):
    """A house with chambers and an instrument."""

    async def read(self, channel: str, value: float) -> Reading:
        """Let a channel be read now."""
        now = self.clock.now()
        reading = Reading(channel, value, Quality.GOOD, Reason.NONE, now, now)
        await self.lab.recorder.accept([reading])
        return reading


@asynccontextmanager
async def open_workshop(people: Path, folder: Path) -> AsyncIterator[Workshop]:
    """Open it without any batch in a copy of the people's data folder, with lots on the shelf."""
    copy_people(people, folder)
    (folder / "site.toml").write_text(SITE + TANK)
    clock = SteppedClock(START)
    site = replace(read_site(folder / "site.toml"), access=POLICY)
    async with open_lab(site, folder, clock, SeededEntropy(1)) as lab:
        await put_on_shelf(lab.ledger, clock.now(), "L1", "M1")
        for recipe in ("tavakol_afshari_2021", "karussis_2010"):
            await approve_recipe(lab.ledger, find_recipe(recipe), clock.now())
        yield Workshop(lab, clock, create_app(web_context(lab, None)))


@dataclass
class Hand:
    """Somebody at a tablet without scripts, who fills in what a form asks for."""

    browser: Browser
    clock: SteppedClock
    batch_id: str = "B-1"

    async def open(self, step: str, query: str = "") -> dict[str, str]:
        """Open the form of a step and return what it holds at first."""
        page = await self.browser.look(f"/batches/{self.batch_id}/do/{step}{query}")
        assert page.status_code == 200, page.text
        return filled_in(page.text)

    async def send(self, step: str, fields: dict[str, str]) -> httpx.Response:
        """Send a filled form as it is."""
        return await self.browser.post(f"/batches/{self.batch_id}/do/{step}", data={"act": "record", **fields})

    async def do(self, step: str, scan: str = "", query: str = "", **fields: str) -> httpx.Response:
        """Do a step a minute later: with what the form holds, what was scanned and what is typed."""
        self.clock.advance(MINUTE_MS)
        held = await self.open(step, query)
        scans = {name: TOKEN for name in held if name in ("scan_token", "scans.0", "scans.1")}
        if "scan_container" in held:
            scans["scan_container"] = scan or self.batch_id
        return await self.send(step, held | scans | {name.replace("__", "."): text for name, text in fields.items()})


def filled_in(page: str) -> dict[str, str]:
    """Return what the form of a step would send as it stands: the values of its fields."""
    form = page[page.index('<form id="step"') :]
    found: dict[str, str] = {}
    for tag in re.findall(r"<input\b[^>]*>", form):
        at = dict(re.findall(r'(\w+)="([^"]*)"', tag))
        if "name" in at and (at.get("type") not in ("checkbox", "radio") or " checked" in tag):
            found[at["name"]] = html.unescape(at.get("value", ""))
    for name, text in re.findall(r'<textarea[^>]* name="([^"]*)"[^>]*>([^<]*)</textarea>', form):
        found[name] = html.unescape(text)
    for name, options in re.findall(r'<select[^>]* name="([^"]*)"[^>]*>(.*?)</select>', form, re.S):
        chosen = re.search(r'<option value="([^"]*)" selected', options)
        found[name] = html.unescape(chosen[1]) if chosen else ""
    return {name: text for name, text in found.items() if not name.startswith(("work.", "csrf"))}
