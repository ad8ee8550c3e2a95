"""A hub and its gateways as labs on one stepped clock, joined by the calls that the wire makes, without the wire."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

from cultureops.clock import MINUTE_MS, SeededEntropy, SteppedClock
from cultureops.device.reading import Quality, Reading, Reason
from cultureops.lab import Lab, open_lab
from cultureops.ledger.event import Event
from cultureops.site import Site, read_site
from cultureops.sync import GatewayRow, GatewaysSettings, HubSettings

HUB = """
[site]
name = "hub"
[[chamber]]
id = "incubator_9"
class = "incubator"
calibrated_until = "2026-12-31T00:00:00Z"
[[device]]
id = "incubator_9"
chamber = "incubator_9"
driver = "modbus"
link = "modbus+tcp://127.0.0.1:9"
options = { profile = "cultureops_virtual_incubator" }
"""
ROOM = """
[site]
name = "{room}"
[[chamber]]
id = "{chamber}"
class = "incubator"
calibrated_until = "2026-12-31T00:00:00Z"
[[device]]
id = "{chamber}"
chamber = "{chamber}"
driver = "modbus"
link = "modbus+tcp://127.0.0.1:1"
options = {{ profile = "cultureops_virtual_incubator" }}
"""
CO2_LOW = """
[[alarm]]
chamber = "{chamber}"
channel = "co2"
kind = "low"
limit = 4.0
on_delay_s = 600
off_delay_s = 60
priority = "high"
gmp_critical = {critical}
consequence = "The medium turns alkaline."
response = "Check the gas."
"""
ROOMS = {"room_1": "incubator_1", "room_2": "incubator_2"}
LOW = "incubator_1/co2/low"
NOWHERE = Path("none.pem")


def room_site(folder: Path, room: str, rules: str | None = None) -> Site:
    """Write and read the site file of a gateway."""
    chamber, file = ROOMS[room], folder / f"{room}.toml"
    alarms = CO2_LOW.format(chamber=chamber, critical="true") if rules is None else rules
    file.write_text(ROOM.format(room=room, chamber=chamber) + alarms)
    hub = HubSettings(room, "127.0.0.1", 1, NOWHERE, NOWHERE, NOWHERE)
    return replace(read_site(file), hub=hub)


def hub_site(folder: Path, rooms: Sequence[Site], more: str = "") -> Site:
    """Write and read the site file of their hub."""
    file = folder / "hub.toml"
    file.write_text(HUB + more)
    rows = tuple(GatewayRow(site.name, site.file or NOWHERE, NOWHERE, "", 0) for site in rooms)
    gateways = GatewaysSettings("127.0.0.1", 1, NOWHERE, NOWHERE, rows)
    return replace(read_site(file), gateways=gateways, gateway_sites={site.name: site for site in rooms})


class Room:
    """A gateway's lab, and what of it the hub has."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.name = lab.site.name
        self.unsent: list[Reading] = []
        self.is_cut_off = False
        self.sends_readings = True

    async def breathe(self, clock: SteppedClock, co2: float, minutes: int, hub: Lab | None = None) -> None:
        """Let the chamber show a value, once a minute; the hub hears of each minute unless the room is cut off."""
        for _ in range(minutes):
            now = clock.advance(MINUTE_MS)
            reading = Reading(f"{ROOMS[self.name]}/co2", co2, Quality.GOOD, Reason.NONE, now, now)
            await self.lab.recorder.accept([reading])
            self.unsent.append(reading)
            self.lab.tick(now)
            await self.lab.settle()
            if hub is not None:
                hub.tick(now)
                await meet(self, hub)

    async def hand_up(self, hub: Lab, most: int | None = None) -> None:
        """Let the hub have readings and log."""
        if self.sends_readings and self.unsent:
            await hub.store.append(self.unsent)
            self.unsent = []
        await hub.across.take(self.name, log_of(self.lab, hub.across.taken(self.name))[:most])

    async def take_down(self, hub: Lab) -> None:
        """Take what the hub has for it."""
        assert self.lab.outpost is not None
        self.lab.outpost.on_standing(hub.across.standing(self.name))
        await self.lab.outpost.on_orders(hub.across.orders(self.name))
        await self.lab.settle()


def log_of(lab: Lab, after: int = 0) -> list[Event]:
    """Return the events of a lab's log behind a position."""
    return list(lab.ledger.read_all(after_position=after))


async def meet(room: Room, hub: Lab) -> None:
    """Let gateway and hub exchange what they have, unless they can't."""
    if not room.is_cut_off:
        await room.hand_up(hub)
        await hub.settle()
        await room.take_down(hub)
        await room.hand_up(hub)
    await hub.settle()


@asynccontextmanager
async def open_room(folder: Path, site: Site, clock: SteppedClock, seed: int = 7) -> AsyncIterator[Room]:
    """Open a gateway's lab on its data folder."""
    data = folder / f"data_{site.name}"
    data.mkdir(exist_ok=True)
    async with open_lab(site, data, clock, SeededEntropy(seed)) as lab:
        yield Room(lab)


@asynccontextmanager
async def open_house(
    folder: Path, clock: SteppedClock, names: Sequence[str] = ("room_1",), rules: str | None = None
) -> AsyncIterator[tuple[Lab, tuple[Room, ...]]]:
    """Open a hub and its gateways."""
    sites = [room_site(folder, name, rules) for name in names]
    async with AsyncExitStack() as house:
        rooms = [await house.enter_async_context(open_room(folder, site, clock)) for site in sites]
        hub = await house.enter_async_context(open_hub_lab(folder, hub_site(folder, sites), clock))
        yield hub, tuple(rooms)


@asynccontextmanager
async def open_hub_lab(folder: Path, site: Site, clock: SteppedClock, seed: int = 1) -> AsyncIterator[Lab]:
    """Open a hub's lab on its data folder."""
    data = folder / "data_hub"
    data.mkdir(exist_ok=True)
    async with open_lab(site, data, clock, SeededEntropy(seed)) as lab:
        yield lab


def sha256_of(site: Site) -> str:
    """Return the SHA-256 of a site file [hex]."""
    assert site.file is not None
    return hashlib.sha256(site.file.read_bytes()).hexdigest()
