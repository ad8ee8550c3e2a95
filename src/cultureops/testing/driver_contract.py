"""What every driver keeps, as tests to inherit from."""

from __future__ import annotations

import asyncio
import math
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager

import pytest

from cultureops.device.driver import Driver
from cultureops.errors import DriverError, DriverTimeout, NotConnected, ProtocolError
from cultureops.testing.instrument import Fault, Instrument

__all__ = ["DriverContract"]

pytestmark = pytest.mark.asyncio


class DriverContract(ABC):
    """Inherit, name the class ``Test...``, and say what to test on.

    ``instrument(path)`` returns an instrument whose answers follow ``self.values``; ``driver(address)`` returns the
    driver on a link to that address with ``deadline_s``; ``first`` and ``second`` are two sets of values, by channel,
    that differ in each channel named in ``second``.
    """

    deadline_s = 0.5
    first: Mapping[str, float]
    second: Mapping[str, float]
    values: Mapping[str, float]

    def __init_subclass__(cls) -> None:
        """Refuse a test class that leaves a method out: pytest passes over an abstract class without a word."""
        super().__init_subclass__()
        missing = [name for name in ("instrument", "driver") if getattr(cls, name) is getattr(DriverContract, name)]
        if missing and cls.__name__.startswith("Test"):
            raise TypeError(f"{cls.__name__} must say what to test on: {' and '.join(missing)} missing")

    @abstractmethod
    def instrument(self, folder: object) -> Instrument:
        """Return the instrument, not plugged in yet; ``folder`` is a pathlib.Path for a serial device's link."""

    @abstractmethod
    def driver(self, address: str) -> Driver:
        """Return the driver of the instrument at that address, not connected yet."""

    @asynccontextmanager
    async def _rig(self, folder: object) -> AsyncIterator[tuple[Instrument, Driver]]:
        self.values = self.first
        instrument = self.instrument(folder)
        await instrument.restore()
        driver = self.driver(instrument.address)
        try:
            yield instrument, driver
        finally:
            await driver.disconnect()
            await instrument.cut()

    @contextmanager
    def _in_time(self, deadlines: float) -> Iterator[None]:
        began = time.monotonic()
        yield
        took_s = time.monotonic() - began
        assert took_s < deadlines * self.deadline_s + 0.3, f"took {took_s:.3f} s"

    async def _recovered(self, driver: Driver) -> dict[str, float | None]:
        """Connect anew after each failure, as the poller does, until values come."""
        for _ in range(8):
            try:
                await driver.connect()
                return {sample.name: sample.value for sample in await driver.read()}
            except DriverError:
                await driver.disconnect()
        raise AssertionError("the driver did not recover")

    def _assert_values(self, found: Mapping[str, float | None], wanted: Mapping[str, float]) -> None:
        assert {name: found[name] for name in wanted} == pytest.approx(dict(wanted), rel=1e-6)

    async def test_identify(self, tmp_path: object) -> None:
        """The device, or its profile, says who it is; connecting twice is harmless."""
        async with self._rig(tmp_path) as (_, driver):
            await driver.connect()
            await driver.connect()
            identity = await driver.identify()
            assert identity.vendor and identity.model

    async def test_check_bits(self, tmp_path: object) -> None:
        """The driver says how many check bits guard an answer."""
        async with self._rig(tmp_path) as (_, driver):
            assert driver.check_bits in (0, 8, 16, 32)

    async def test_read(self, tmp_path: object) -> None:
        """A read gives each channel once, as a finite number."""
        async with self._rig(tmp_path) as (_, driver):
            await driver.connect()
            samples = await driver.read()
            assert sorted(sample.name for sample in samples) == sorted(row.name for row in driver.channels)
            assert all(sample.value is not None and math.isfinite(sample.value) for sample in samples)
            self._assert_values({sample.name: sample.value for sample in samples}, self.first)

    async def test_not_connected(self, tmp_path: object) -> None:
        """Nothing is asked before connect and after disconnect."""
        async with self._rig(tmp_path) as (instrument, driver):
            with pytest.raises(NotConnected):
                await driver.read()
            await driver.connect()
            await driver.disconnect()
            await driver.disconnect()
            with pytest.raises(NotConnected):
                await driver.read()
            assert instrument.requests == []

    async def test_time_out(self, tmp_path: object) -> None:
        """A silent device costs one deadline, and is read again once it speaks."""
        async with self._rig(tmp_path) as (instrument, driver):
            await driver.connect()
            instrument.fault = Fault.SILENT
            with self._in_time(1), pytest.raises(DriverTimeout):
                await driver.read()
            await driver.disconnect()
            instrument.fault = Fault.NONE
            self._assert_values(await self._recovered(driver), self.first)

    async def test_garbage(self, tmp_path: object) -> None:
        """Garbage is never a value, and does no harm afterwards."""
        async with self._rig(tmp_path) as (instrument, driver):
            await driver.connect()
            instrument.fault = Fault.GARBAGE
            with self._in_time(1), pytest.raises(ProtocolError):
                await driver.read()
            await driver.disconnect()
            instrument.fault = Fault.NONE
            self._assert_values(await self._recovered(driver), self.first)

    async def test_late_frame(self, tmp_path: object) -> None:
        """An answer that missed its deadline is never taken for a later one."""
        async with self._rig(tmp_path) as (instrument, driver):
            await driver.connect()
            instrument.fault, instrument.delay_s = Fault.LATE, 1.5 * self.deadline_s
            with pytest.raises(DriverTimeout):
                await driver.read()
            # the old answer is due while the new one is awaited; once both have come the instrument is quick again
            instrument.delay_s, self.values = 0.8 * self.deadline_s, self.second
            asyncio.get_running_loop().call_later(self.deadline_s, setattr, instrument, "fault", Fault.NONE)
            self._assert_values(await self._recovered(driver), self.second)

    async def test_disconnect(self, tmp_path: object) -> None:
        """A pulled cable is NotConnected at once, and for as long as it is out."""
        async with self._rig(tmp_path) as (instrument, driver):
            await driver.connect()
            instrument.fault = Fault.SILENT
            reading = asyncio.create_task(_read(driver))
            await instrument.asked.wait()
            await instrument.cut()
            with self._in_time(1), pytest.raises(NotConnected):
                await reading
            await driver.disconnect()
            with self._in_time(1), pytest.raises(NotConnected):
                await driver.connect()

    async def test_reconnect(self, tmp_path: object) -> None:
        """After the cable is back the device is read again."""
        async with self._rig(tmp_path) as (instrument, driver):
            await driver.connect()
            await driver.read()
            await instrument.cut()
            with pytest.raises(NotConnected):
                await driver.read()
            await driver.disconnect()
            await instrument.restore()
            self.values = self.second
            self._assert_values(await self._recovered(driver), self.second)

    async def test_cancel(self, tmp_path: object) -> None:
        """A cancelled read ends at once, leaves no task behind, and its answer is not taken for the next."""
        async with self._rig(tmp_path) as (instrument, driver):
            await driver.connect()
            instrument.fault, instrument.delay_s = Fault.LATE, 0.5 * self.deadline_s
            reading = asyncio.create_task(_read(driver))
            await instrument.asked.wait()
            reading.cancel()
            with self._in_time(0), pytest.raises(asyncio.CancelledError):
                await reading
            instrument.fault, self.values = Fault.NONE, self.second
            found = {sample.name: sample.value for sample in await driver.read()}
            self._assert_values(found, self.second)
            assert asyncio.all_tasks() == {asyncio.current_task()}


async def _read(driver: Driver) -> object:
    return await driver.read()
