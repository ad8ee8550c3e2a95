"""One dialogue with a device, kept byte by byte, to be played back as a ``replay:///`` link (transport/replay.py)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Generic, TypeVar

from cultureops.acquisition import DeviceRow
from cultureops.clock import Clock
from cultureops.commissioning.checking import DeviceReport, read_device
from cultureops.device.driver import Link, ResultSource
from cultureops.device.registry import create_driver
from cultureops.device.transport.base import ByteLink, RegisterLink
from cultureops.device.transport.open import open_link
from cultureops.device.transport.replay import register_refusal, register_reply, register_request
from cultureops.errors import DeviceFault

__all__ = ["capture"]

L = TypeVar("L", bound=ByteLink | RegisterLink)


async def capture(row: DeviceRow, clock: Clock) -> tuple[DeviceReport, str]:
    """Connect, identify and read a device once; return what it said and the dialogue as text.

    The text tells driver, options and values in comments. Raises ConfigError for a link whose bytes are not seen here,
    and what the driver raises; a dialogue that failed is not kept.
    """
    tape: list[str] = []
    driver = create_driver(row.driver, row.id, _taped(open_link(row.link, row.deadline_s), row, tape), row.options)
    if isinstance(driver, ResultSource):
        raise row.row.error("hands over results; keep its files instead of a dialogue", "driver")
    try:
        report = await read_device(row, driver, clock)
    finally:
        await driver.disconnect()
    return report, "\n".join([*_head(row, report, clock), *tape, ""])


def _head(row: DeviceRow, report: DeviceReport, clock: Clock) -> list[str]:
    identity = report.identity
    who = f"{identity.vendor} {identity.model} {identity.serial_number} {identity.firmware}" if identity else ""
    captured = datetime.fromtimestamp(clock.now() / 1000, UTC).isoformat(timespec="seconds")
    return [
        f"# captured {captured}{', simulated' if row.simulated else ''}: {_ascii(who)}",
        f"# driver {row.driver}",
        f"# options {json.dumps(dict(row.options))}",
        *(f"# value {reading.channel.partition('/')[2]} {json.dumps(reading.value)}" for reading in report.readings),
    ]


def _ascii(text: str) -> str:
    return " ".join(text.split()).encode("ascii", "replace").decode()


def _taped(link: Link, row: DeviceRow, tape: list[str]) -> ByteLink | RegisterLink:
    if isinstance(link, RegisterLink):
        return _TapedRegisters(link, tape)
    if isinstance(link, ByteLink):
        return _TapedBytes(link, tape)
    raise row.row.error("only serial, TCP and Modbus links can be captured", "link")


class _Taped(Generic[L]):
    """A link that is opened and closed as ever."""

    def __init__(self, link: L, tape: list[str]) -> None:
        self._link = link
        self._tape = tape

    @property
    def is_open(self) -> bool:
        return self._link.is_open

    async def open(self) -> None:
        await self._link.open()

    async def close(self) -> None:
        await self._link.close()


class _TapedBytes(_Taped[ByteLink]):
    """A ByteLink that writes down what goes through it."""

    async def exchange(self, request: bytes, terminator: bytes, *, limit: int = 4096, trailing: int = 0) -> bytes:
        self._tape.append(f"> {request.hex(' ')}")
        reply = await self._link.exchange(request, terminator, limit=limit, trailing=trailing)
        self._tape.append(f"< {reply.hex(' ')}")
        return reply

    async def send(self, request: bytes) -> None:
        self._tape.append(f"> {request.hex(' ')}")
        await self._link.send(request)

    async def send_break(self, duration_s: float) -> None:
        await self._link.send_break(duration_s)


class _TapedRegisters(_Taped[RegisterLink]):
    """A RegisterLink that writes down requests and answers as Modbus frames without their check sums."""

    @property
    def check_bits(self) -> int:
        return self._link.check_bits

    async def read_registers(self, unit_id: int, function: int, address: int, count: int) -> Sequence[int]:
        self._tape.append(f"> {register_request(unit_id, function, address, count).hex(' ')}")
        try:
            values = await self._link.read_registers(unit_id, function, address, count)
        except DeviceFault:
            self._tape.append(f"< {register_refusal(unit_id, function).hex(' ')}")
            raise
        self._tape.append(f"< {register_reply(unit_id, function, values).hex(' ')}")
        return values
