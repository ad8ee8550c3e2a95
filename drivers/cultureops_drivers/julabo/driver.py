"""Temperatures, heating and status of a JULABO bath; it never changes anything."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from typing import Final

from cultureops.device.channel import Channel, Kind
from cultureops.device.driver import Identity, Link
from cultureops.device.linked import LinkedDriver
from cultureops.device.option import Options
from cultureops.device.reading import Reason, Sample
from cultureops.device.transport.base import ByteLink
from cultureops.errors import ConfigError, DeviceFault, DriverError
from cultureops_drivers.julabo import protocol

__all__ = ["Julabo", "create"]

_MIN_GAP_MS: Final = 250
_SHORTEST_GAP_MS: Final = 10
_LONGEST_GAP_MS: Final = 10_000
_LONGEST_ANSWER: Final = 128

_ANY_LIQUID_CEL: Final = (-273.15, 500.0)

_BATH: Final = (Channel("temperature", "Cel", valid_range=_ANY_LIQUID_CEL), protocol.BATH)
_SETPOINT: Final = (Channel("temperature_setpoint", "Cel", Kind.SETPOINT), protocol.SETPOINT)
_HEATING: Final = (Channel("heating_power", "%", valid_range=(-100.0, 100.0)), protocol.HEATING_POWER)
_EXTERNAL: Final = (Channel("external_temperature", "Cel", valid_range=_ANY_LIQUID_CEL), protocol.EXTERNAL)
_SAFETY: Final = (Channel("safety_temperature", "Cel", valid_range=_ANY_LIQUID_CEL), protocol.SAFETY)
_STATES: Final = (
    Channel("running", "1", Kind.STATE, decimals=0),
    Channel("status", "1", Kind.STATE, decimals=0),
)


def create(device: str, link: Link, options: Mapping[str, object]) -> Julabo:
    """Create the driver of one bath.

    Options: ``address`` (three digits in quotes, on RS-485), ``external_sensor`` and ``safety_sensor`` (false where the
    model or the set-up has none), ``min_gap_ms`` (10-10000, 250: what the manual asks for between two commands; behind
    an answer it allows 10). Needs a serial:// or tcp:// link.
    """
    given = Options(device, options, ("address", "external_sensor", "safety_sensor", "min_gap_ms"))
    expected = 'three digits in quotes such as "032"'
    address = given.get("address", str, "", expected)
    if address and not re.fullmatch(r"[0-9]{3}", address):
        raise given.error("address", f"must be {expected}, not {address!r}")
    rows = [_BATH, _SETPOINT, _HEATING]
    if given.get("external_sensor", bool, True, "true or false"):
        rows.append(_EXTERNAL)
    if given.get("safety_sensor", bool, True, "true or false"):
        rows.append(_SAFETY)
    allowed = f"a whole number from {_SHORTEST_GAP_MS} to {_LONGEST_GAP_MS}"
    min_gap_ms = given.get("min_gap_ms", int, _MIN_GAP_MS, allowed)
    if not _SHORTEST_GAP_MS <= min_gap_ms <= _LONGEST_GAP_MS:
        raise given.error("min_gap_ms", f"must be {allowed}, not {min_gap_ms}")
    if not isinstance(link, ByteLink):
        raise ConfigError(f"{device}: a JULABO needs a serial:// or tcp:// link")
    return Julabo(device, link, address, tuple(rows), min_gap_ms / 1000)


class Julabo(LinkedDriver[ByteLink]):
    """One bath, alone on RS-232 or one of several on RS-485."""

    check_bits: Final = 0

    def __init__(
        self, device: str, link: ByteLink, address: str, rows: Sequence[tuple[Channel, str]], min_gap_s: float
    ) -> None:
        super().__init__(device, link)
        self._address = address
        self._rows = rows
        self._min_gap_s = min_gap_s
        self._may_ask_at = 0.0

    @property
    def channels(self) -> tuple[Channel, ...]:
        """Temperatures, setpoint 1, heating power, whether it runs, and the number of its status message."""
        return (*(channel for channel, _ in self._rows), *_STATES)

    async def identify(self) -> Identity:
        """Ask for the software version, which names the model too on most."""
        return Identity("JULABO", "circulator", firmware=await self._ask(protocol.VERSION))

    async def read(self) -> Sequence[Sample]:
        """Ask for every channel; dashes are SENTINEL, a command that the bath refuses DEVICE_FAULT.

        While the status is an error (below 0) nobody knows whether the bath runs.
        """
        samples = [await self._number(channel.name, word) for channel, word in self._rows]
        status = await self._status()
        running = Sample("running", None, Reason.DEVICE_FAULT) if status < 0 else Sample("running", float(status % 2))
        return [*samples, running, Sample("status", float(status))]

    async def _number(self, name: str, word: str) -> Sample:
        text = await self._ask(word)
        try:
            value = protocol.number_of(text, word)
        except DeviceFault:
            return Sample(name, None, Reason.DEVICE_FAULT)
        except DriverError as error:
            raise self._named(error) from None
        return Sample(name, value, Reason.SENTINEL if value is None else Reason.NONE)

    async def _status(self) -> int:
        text = await self._ask(protocol.STATUS)
        try:
            return protocol.status_of(text)
        except DriverError as error:
            raise self._named(error) from None

    async def _ask(self, word: str) -> str:
        link, loop = self.link, asyncio.get_running_loop()
        await asyncio.sleep(max(0.0, self._may_ask_at - loop.time()))
        try:
            answer = await link.exchange(protocol.query(word, self._address), protocol.END, limit=_LONGEST_ANSWER)
        finally:
            self._may_ask_at = loop.time() + self._min_gap_s
        try:
            return protocol.text_of(answer, word, self._address)
        except DriverError as error:
            raise self._named(error) from None

    def _named(self, error: DriverError) -> DriverError:
        return type(error)(f"{self.device} {error}")
