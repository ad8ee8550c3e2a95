"""Asking devices once, as a poll would, and saying what came of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

from cultureops.acquisition import DeviceRow, open_device
from cultureops.clock import Clock
from cultureops.device.channel import channel_id
from cultureops.device.driver import Driver, Identity, Link, ResultSource
from cultureops.device.reading import Quality, Reading, Reason, Sample, judge
from cultureops.device.transport.deadline import Deadline
from cultureops.errors import DriverError

__all__ = ["DeviceReport", "check_devices", "read_device"]


@dataclass(frozen=True, slots=True)
class DeviceReport:
    """What one device said; ``error`` is empty when it answered, ``took_ms`` is the real time of one read.

    An instrument that hands over results has no identity and no readings here: nothing is taken from it.
    """

    device: str
    driver: str
    link: str
    identity: Identity | None = None
    readings: tuple[Reading, ...] = ()
    took_ms: float = 0.0
    error: str = ""

    @property
    def is_well(self) -> bool:
        """Whether it answered and every channel has a value."""
        return not self.error and all(reading.quality is not Quality.BAD for reading in self.readings)


async def check_devices(rows: Sequence[DeviceRow], clock: Clock) -> tuple[DeviceReport, ...]:
    """Connect to each device, ask who it is and read it once: all lines at once, one device of a line after the other.

    Raises ConfigError for what is wrong with the site file; what goes wrong with a device stands in its report.
    """
    links: dict[str, Link] = {}
    drivers = [(row, open_device(row, links)) for row in rows]
    lines: dict[str, list[tuple[DeviceRow, Driver | ResultSource]]] = {}
    for row, driver in drivers:
        lines.setdefault(row.link, []).append((row, driver))
    checks = (_check_line(line, links[uri], clock) for uri, line in lines.items())
    reports = [report for line in await asyncio.gather(*checks) for report in line]
    order = {row.id: number for number, row in enumerate(rows)}
    return tuple(sorted(reports, key=lambda report: order[report.device]))


async def _check_line(
    line: Sequence[tuple[DeviceRow, Driver | ResultSource]], link: Link, clock: Clock
) -> list[DeviceReport]:
    reports = []
    for row, driver in line:
        if isinstance(link, Deadline):
            link.deadline_s = row.deadline_s
        reports.append(await _check(row, driver, clock))
    return reports


async def _check(row: DeviceRow, driver: Driver | ResultSource, clock: Clock) -> DeviceReport:
    if isinstance(driver, ResultSource):
        return DeviceReport(row.id, row.driver, row.link)
    try:
        return await read_device(row, driver, clock)
    except (DriverError, OSError) as error:
        return DeviceReport(row.id, row.driver, row.link, error=str(error))
    finally:
        await driver.disconnect()


async def read_device(row: DeviceRow, driver: Driver, clock: Clock) -> DeviceReport:
    """Connect, identify and read once, and leave it connected; raises what the driver raises."""
    await driver.connect()
    identity = await driver.identify()
    began, asked_at = time.perf_counter(), clock.now()
    samples = {sample.name: sample for sample in await driver.read()}
    took_ms = 1000 * (time.perf_counter() - began)
    readings = tuple(
        judge(
            channel_id(row.id, channel.name),
            channel,
            samples.get(channel.name) or Sample(channel.name, None, Reason.NOT_DELIVERED),
            asked_at,
            clock.now(),
        )
        for channel in driver.channels
    )
    return DeviceReport(row.id, row.driver, row.link, identity, readings, took_ms)
