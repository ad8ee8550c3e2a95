"""Builds buses from the site's devices and keeps them polled.

Stepped (demo, tests) someone calls ``poll_once(now)`` and ``collect()``; in a running lab ``run()`` is a thin loop per
line around the same calls. One bus never waits for another.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import structlog

from cultureops.acquisition.bus import Bus, first_due
from cultureops.acquisition.poller import LinkEvent, Poller
from cultureops.acquisition.site import DeviceRow
from cultureops.acquisition.source import Source
from cultureops.clock import Clock, Instant
from cultureops.device.channel import Channel, ChannelId
from cultureops.device.driver import Driver, Link, Result, ResultSource
from cultureops.device.reading import Reading
from cultureops.device.registry import create_driver, known_drivers
from cultureops.device.transport.open import open_link
from cultureops.errors import ConfigError
from cultureops.histogram import Histogram

__all__ = ["Acquisition", "MeasuredChannel", "Result", "open_device"]

log = structlog.get_logger(__name__)

RESTART_AFTER_MS: Final = 5_000
_ALONE: Final = ("folder:", "listen+", "dial+")
_SERIAL: Final = ("serial", "modbus+rtu", "modbus+ascii", "listen+serial")


@dataclass(frozen=True, slots=True)
class MeasuredChannel:
    """A channel with the device that delivers it and the chamber it looks into.

    ``origin`` is the gateway that the device is read by, None for one that is read here.
    """

    id: ChannelId
    device: str
    chamber: str | None
    channel: Channel
    simulated: bool
    period_ms: int
    origin: str | None = None


class Acquisition:
    """All lines of one site; ``is_out_of_calibration`` tells of a device whether its calibration was over at a time."""

    def __init__(
        self,
        devices: Sequence[DeviceRow],
        clock: Clock,
        on_link_event: Callable[[LinkEvent], None],
        is_out_of_calibration: Callable[[str, Instant], bool] = lambda _device, _at: False,
    ) -> None:
        self._clock = clock
        self._order = tuple(device.id for device in devices)
        self._sources: list[Source] = []
        self.pollers: dict[str, Poller] = {}
        lines: dict[str, list[Poller]] = {}
        links: dict[str, Link] = {}
        neighbours: dict[str, list[DeviceRow]] = {}
        ports: dict[str, DeviceRow] = {}
        for device in devices:
            _check_place(device, neighbours.setdefault(device.link, []))
            _check_port(device, ports)
            driver = open_device(device, links)
            if isinstance(driver, ResultSource):
                self._sources.append(Source(device.id, driver, device.period_ms, on_link_event))
            else:
                _check_names(device, driver)
                poller = Poller(
                    device.id,
                    driver,
                    clock,
                    device.period_ms,
                    on_link_event,
                    deadline_ms=round(device.deadline_s * 1000),
                    max_rates=device.max_rates,
                    is_out_of_calibration=partial(is_out_of_calibration, device.id),
                )
                self.pollers[device.id] = poller
                lines.setdefault(device.link, []).append(poller)
        self.lateness = Histogram()
        """How late devices are asked [s]."""
        self.buses = tuple(Bus(uri, pollers, links[uri], self.lateness) for uri, pollers in lines.items())
        self.channels = tuple(
            MeasuredChannel(identity, device.id, device.chamber, channel, device.simulated, device.period_ms)
            for device in devices
            if device.id in self.pollers
            for identity, channel in self.pollers[device.id].channels.items()
        )

    @property
    def hand_over(self) -> frozenset[str]:
        """The devices that hand over results by themselves and are not asked for values."""
        return frozenset(source.device for source in self._sources)

    async def poll_once(self, now: Instant) -> tuple[Reading, ...]:
        """Ask every device that is due, all lines at once, and return the readings in site-file order."""
        answers: dict[str, tuple[Reading, ...]] = {}
        for answer in await asyncio.gather(*(bus.poll_due(now) for bus in self.buses)):
            answers.update(answer)
        return tuple(reading for device in self._order for reading in answers.get(device, ()))

    async def collect(self, now: Instant) -> tuple[tuple[str, Result], ...]:
        """Return what the push instruments have handed over, with their device names, in site-file order."""
        found = [(source.device, await source.collect_due(now)) for source in self._sources]
        return tuple((device, result) for device, results in found for result in results)

    async def contents(self, device: str, result: Result) -> bytes | None:
        """Return the bytes that a push instrument read a result from; None where it can't give them again."""
        for source in self._sources:
            if source.device == device and (found := await source.contents(result)) is not None:
                return found
        return None

    def release(self, device: str, result: Result) -> None:
        """Tell a push instrument that a result of its is on record, so that it need not be handed over again."""
        for source in self._sources:
            if source.device == device:
                source.release(result)

    async def run(
        self,
        accept: Callable[[Sequence[Reading]], object],
        on_results: Callable[[Sequence[tuple[str, Result]]], object],
    ) -> None:
        """Poll until cancelled, each device at its place by rank; hand over readings and results as they come."""
        self._spread()
        try:
            async with asyncio.TaskGroup() as lines:
                for bus in self.buses:
                    lines.create_task(self._keep(bus.link_uri, partial(self._run_bus, bus, accept)))
                for source in self._sources:
                    lines.create_task(self._keep(source.device, partial(self._run_source, source, on_results)))
        finally:
            await self.close()

    async def close(self) -> None:
        """Let go of every device."""
        for bus in self.buses:
            await bus.close()
        for source in self._sources:
            await source.close()

    def _spread(self) -> None:
        now, rank = self._clock.now(), {device: number for number, device in enumerate(self.pollers)}
        for bus in self.buses:
            for poller in bus.pollers:
                bus.place(poller.device, first_due(rank[poller.device], len(rank), poller.period_ms, now))

    async def _keep(self, name: str, work: Callable[[], Coroutine[None, None, None]]) -> None:
        """Start the work again after a failure nobody foresaw: one bad line never stops the others."""
        while True:
            try:
                await work()
            except Exception:
                log.exception("acquisition loop failed; it is started again", loop=name)
                await self._clock.sleep_until(self._clock.now() + RESTART_AFTER_MS)

    async def _run_bus(self, bus: Bus, accept: Callable[[Sequence[Reading]], object]) -> None:
        while True:
            await self._clock.sleep_until(bus.next_due(self._clock.now()))
            accept(await bus.poll_next(self._clock.now()))
            _heed_cancellation()

    async def _run_source(self, source: Source, on_results: Callable[[Sequence[tuple[str, Result]]], object]) -> None:
        while True:
            if results := await source.collect(self._clock.now()):
                on_results([(source.device, result) for result in results])
            _heed_cancellation()
            await self._clock.sleep_until(self._clock.now() + source.period_ms)


def _heed_cancellation() -> None:
    """End a task whose cancellation a library took for an answer, as asyncio.wait_for does before Python 3.12."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def _check_place(device: DeviceRow, neighbours: list[DeviceRow]) -> None:
    """Refuse a device that is another one once more, whose values would be shown under two names; else add it.

    A folder, or a line on which the instrument begins, is one instrument's alone.
    """
    for other in neighbours:
        is_same = (other.driver, other.options) == (device.driver, device.options)
        if is_same or device.link.startswith(_ALONE):
            raise device.row.error(
                f"device {device.id!r} stands at the same place as {other.id!r}; say its own link or address", "link"
            )
    neighbours.append(device)


def _check_port(device: DeviceRow, ports: dict[str, DeviceRow]) -> None:
    """Refuse a second way to write the link to one serial port: a port has one speed, and one line of turns."""
    scheme, _, rest = device.link.partition("://")
    if scheme not in _SERIAL:
        return
    other = ports.setdefault(rest.partition("?")[0], device)
    if other.link != device.link:
        raise device.row.error(
            f"this port is {other.id!r}'s, as {other.link!r}; write the links of one line alike", "link"
        )


def _check_names(device: DeviceRow, driver: Driver) -> None:
    names = [channel.name for channel in driver.channels]
    for name in device.max_rates:
        if name not in names:
            raise device.row.error(
                f"device {device.id!r} has no channel {name!r}; its channels: {', '.join(names)}", "max_rate_per_min"
            )


def open_device(device: DeviceRow, links: dict[str, Link]) -> Driver | ResultSource:
    """Create a device's driver on its link, which ``links`` keeps for others on the same line; nothing connects yet.

    Raises ConfigError with file and line.
    """
    key = "link"
    try:
        if device.link not in links:
            links[device.link] = open_link(device.link, device.deadline_s)
        key = "options" if device.driver in known_drivers() else "driver"
        return create_driver(device.driver, device.id, links[device.link], device.options)
    except ConfigError as error:
        raise device.row.error(f"device {device.id!r}: {error}", key) from None
