"""A hub and its gateways in one process, over real connections, at a time of their own."""

import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from tests.gateways import INCUBATOR, lay_out
from tests.ports import free_port
from tests.web.people import POLICY

from cultureops.clock import SeededEntropy, SteppedClock, parse_iso
from cultureops.device.reading import Quality, Reading, Reason
from cultureops.gateway import Gateway, open_gateway
from cultureops.hub import Hub, open_hub
from cultureops.site import read_site
from cultureops.site_approval import SiteWatch, adopt_site

__all__ = ["START", "Nodes", "co2", "open_nodes"]

START = parse_iso("2026-01-05T08:00:00Z")


def co2(device: str, value: float, at: int) -> Reading:
    """Return a reading of an incubator's CO2 [%]."""
    return Reading(f"{device}/co2", value, Quality.GOOD, Reason.NONE, at, at)


@dataclass
class Nodes:
    """A hub and its gateways by name."""

    hub: Hub
    gateways: dict[str, Gateway]
    clock: SteppedClock

    async def step(self, *readings: Reading, without: Sequence[str] = (), after_ms: int = 1000) -> None:
        """Let a gateway take the readings of its own devices, everybody settle, and what is to go up and down go."""
        now = self.clock.advance(after_ms)
        for gateway in self.gateways.values():
            own = [reading for reading in readings if reading.channel in gateway.lab.channels]
            await gateway.lab.recorder.accept(own)
            gateway.lab.tick(now)
            await gateway.lab.settle()
        for name, gateway in self.gateways.items():
            if name not in without:
                assert await gateway.forwarding.step(), gateway.hub().last_error
                self.hub.lab.tick(now)
        self.hub.lab.tick(now)
        await self.hub.lab.settle()
        await self.hub.settle()


@asynccontextmanager
async def open_nodes(
    folder: Path, names: Sequence[str] = ("room_1", "room_2"), *, is_controlled: bool = False
) -> AsyncIterator[Nodes]:
    """Open a hub with one gateway for each name, whose incubator is called after it; no device answers.

    ``is_controlled`` is whether the hub's site file is under change control.
    """
    clock = SteppedClock(START)
    site_file = folder / "site.toml"
    if not site_file.exists():
        rooms = {name: INCUBATOR.format(name=f"inc_{name}", port=1, period_s=1, on_delay_s=2) for name in names}
        lay_out(folder, free_port(), rooms)
        text = site_file.read_text()
        site_file.write_text(text.replace('name = "hub"', 'name = "Test hub"\ntime_zone = "Europe/Berlin"', 1))
    (folder / "data").mkdir(exist_ok=True)
    async with AsyncExitStack() as stack:
        site = replace(read_site(site_file), access=POLICY)
        watch = None
        if is_controlled:
            in_force = await adopt_site(folder / "data", site_file, clock)
            watch = SiteWatch(folder / "data", site_file, in_force)
        opening_hub = open_hub(site, folder / "data", clock, SeededEntropy(1), site_watch=watch)
        hub = await stack.enter_async_context(opening_hub)
        gateways = {}
        for number, name in enumerate(names, 2):
            there = folder / name
            (there / "data").mkdir(exist_ok=True)
            sha256 = hashlib.sha256((there / "site.toml").read_bytes()).hexdigest()
            opening = open_gateway(read_site(there / "site.toml"), there / "data", clock, SeededEntropy(number), sha256)
            gateways[name] = await stack.enter_async_context(opening)
        yield Nodes(hub, gateways, clock)
