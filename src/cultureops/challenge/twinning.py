"""Which simulators stand in for a site's devices, found by starting them: what can't be set or shown is found here."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cultureops.acquisition import DeviceRow
from cultureops.challenge.twin import Twin, twin_of
from cultureops.demo.fleet import Fleet, FleetFailed, start_fleet
from cultureops.demo.lab import LAB_DAY_ONE
from cultureops.device.channel import ChannelId
from cultureops.errors import ConfigError

__all__ = ["Twins", "device_of", "running_twins"]

FLEET_FILE: Final = "simulators.json"
_MOST_STARTS: Final = 3


def device_of(channel: ChannelId) -> str:
    """Return the device that a channel belongs to."""
    return channel.partition("/")[0]


@dataclass(frozen=True, slots=True)
class Twins:
    """Running simulators; ``unforced`` and ``untwinned`` say of channels and devices what none can show, and why."""

    fleet: Fleet
    twins: Mapping[str, Twin]
    unforced: Mapping[ChannelId, str]
    untwinned: Mapping[str, str]


@asynccontextmanager
async def running_twins(
    devices: Sequence[DeviceRow], watched: Sequence[ChannelId], folder: Path, seed: int
) -> AsyncIterator[Twins]:
    """Start a simulator for each device: one that can be set as the site says, and shows what is watched if any does.

    They end with the block. Raises ConfigError where no device has one.
    """
    rows = {row.id: row for row in devices}
    found = {row.id: twin_of(row) for row in devices}
    twins = {device: twin for device, twin in found.items() if isinstance(twin, Twin)}
    untwinned = {device: reason for device, reason in found.items() if isinstance(reason, str)}
    for _ in range(_MOST_STARTS):
        if not twins:
            raise ConfigError("no device of this site has a simulator; there is nothing to challenge")
        async with AsyncExitStack() as stack:
            try:
                fleet = await stack.enter_async_context(_started(twins.values(), folder, seed))
            except FleetFailed:
                for device in await _unable(twins, folder, seed):
                    twin = twins.pop(device)
                    if (by_map := _map_of(rows[device], twin)) is not None:
                        twins[device] = by_map
                    else:
                        untwinned[device] = f"its simulator {twin.kind} can't be set as the site says"
                continue
            unforced = await _unforced(fleet, [channel for channel in watched if device_of(channel) in twins])
            wanting = dict.fromkeys(map(device_of, unforced))
            better = {one: by_map for one in wanting if (by_map := _map_of(rows[one], twins[one])) is not None}
            if not better:
                yield Twins(fleet, twins, unforced, untwinned)
                return
            twins |= better
    raise FleetFailed("the simulators could not be started; their reason stands above")


def _map_of(row: DeviceRow, instead_of: Twin) -> Twin | None:
    """Return the simulator of a device's register map, where that is another one."""
    by_map = twin_of(row, by_map=True)
    return by_map if isinstance(by_map, Twin) and by_map.kind != instead_of.kind else None


async def _unable(twins: Mapping[str, Twin], folder: Path, seed: int) -> tuple[str, ...]:
    """Return the devices whose simulators don't start by themselves either."""
    unable: list[str] = []
    for device, twin in twins.items():
        try:
            async with _started([twin], folder, seed):
                pass
        except FleetFailed:
            unable.append(device)
    return tuple(unable)


def _started(twins: Iterable[Twin], folder: Path, seed: int) -> AbstractAsyncContextManager[Fleet]:
    return start_fleet(folder / FLEET_FILE, seed, LAB_DAY_ONE, [twin.entry for twin in twins])


async def _unforced(fleet: Fleet, channels: Sequence[ChannelId]) -> dict[ChannelId, str]:
    """Return those channels that can't be forced, with the reason."""
    found: dict[ChannelId, str] = {}
    for channel in channels:
        device, _, name = channel.partition("/")
        try:
            await fleet.plant(device, "force", channel=name, value=0.0)
        except FleetFailed as error:
            found[channel] = f"its simulator can't be made to show it: {error}"
    for device in dict.fromkeys(map(device_of, channels)):
        await fleet.clear(device)
    return found
