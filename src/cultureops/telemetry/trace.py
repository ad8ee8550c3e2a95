"""A logger's trace as late readings: all of it or nothing."""

from __future__ import annotations

import asyncio
import re
from typing import Final

from cultureops.clock import Instant
from cultureops.device.channel import ChannelId, channel_id
from cultureops.device.reading import Reading, judge
from cultureops.device.trace import Trace
from cultureops.errors import ConfigError
from cultureops.telemetry.store import ChannelInfo, TelemetryStore

__all__ = ["check_device_name", "import_trace", "trace_readings"]

READINGS_A_FRAME: Final = 2_000
_DEVICE: Final = re.compile(r"[a-z][a-z0-9_]{0,62}")


def trace_readings(trace: Trace, device: str, received_time: Instant) -> tuple[Reading, ...]:
    """Return a trace's readings by time and then channel, received now and dated as the logger did.

    Raises ConfigError for what is no device name.
    """
    check_device_name(device)
    rows = [(channel_id(device, channel.name), channel) for channel in trace.channels]
    return tuple(
        judge(name, channel, sample, row.source_time, received_time)
        for row in trace.rows
        for (name, channel), sample in zip(rows, row.samples, strict=True)
    )


def check_device_name(device: str) -> None:
    """Raise ConfigError for what is no device name."""
    if _DEVICE.fullmatch(device) is None:
        raise ConfigError(f"{device!r} is no device name; use small letters, digits and underscores")


async def import_trace(
    store: TelemetryStore, trace: Trace, device: str, readings: tuple[Reading, ...], *, simulated: bool = False
) -> None:
    """Append a trace's readings, durable when this returns.

    Raises ConfigError before anything is kept when a channel of the device is in another unit, is simulated and this is
    not or the other way round, or has other readings of this stretch already; StorageError when the store could not
    keep them all.
    """
    known, infos = store.channels(), dict[ChannelId, ChannelInfo]()
    for channel in trace.channels:
        name = channel_id(device, channel.name)
        _check_known(trace, name, ChannelInfo.of(channel, simulated=simulated), known.get(name))
        await _check_free(store, trace, name, [reading for reading in readings if reading.channel == name])
        infos[name] = ChannelInfo.of(channel, simulated=simulated)
    store.declare({name: info for name, info in infos.items() if name not in known})
    for start in range(0, len(readings), READINGS_A_FRAME):
        await store.append(readings[start : start + READINGS_A_FRAME])


def _check_known(trace: Trace, name: ChannelId, info: ChannelInfo, known: ChannelInfo | None) -> None:
    if known is not None and (known.unit, known.simulated) != (info.unit, info.simulated):
        raise ConfigError(
            f"{trace.source_file}: {name} is {_said(info)} here and was {_said(known)} before; nothing was imported, "
            "name the logger by a device of its own"
        )


def _said(info: ChannelInfo) -> str:
    return f"{'simulated' if info.simulated else 'real'} in {info.unit!r}"


async def _check_free(store: TelemetryStore, trace: Trace, name: ChannelId, readings: list[Reading]) -> None:
    """Refuse to lay readings over other ones; the same ones again are what an interrupted import left."""
    if name not in store.channels():
        return
    kept = await store.series(name, readings[0].source_time, readings[-1].source_time + 1)
    ours = {reading.source_time: reading.value for reading in readings}
    theirs = await asyncio.to_thread(kept.readings, name)
    if any(ours.get(reading.source_time, reading) != reading.value for reading in theirs):
        raise ConfigError(
            f"{trace.source_file}: {name} has other readings of this stretch already; nothing was imported, "
            "name the logger by a device of its own"
        )
