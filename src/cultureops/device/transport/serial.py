"""Bytes over a serial port, real or pseudo-terminal."""

from __future__ import annotations

import asyncio
import contextlib
import termios
from dataclasses import dataclass

import serial
import serial_asyncio_fast

from cultureops.device.transport.stream import StreamLink

__all__ = ["SerialSettings", "opened_port", "serial_link"]


@dataclass(frozen=True, slots=True)
class SerialSettings:
    """How a serial port is set: baud rate [Bd], data bits (5-8), parity (N, E, O), stop bits (1 or 2), RTS/CTS."""

    baudrate: int = 9600
    bytesize: int = 8
    parity: str = "N"
    stopbits: int = 1
    rtscts: bool = False


def serial_link(device: str, settings: SerialSettings, deadline_s: float) -> StreamLink:
    """Return a closed link to a serial device such as ``/dev/ttyUSB0``; while open nobody else may have the port."""

    async def connect(protocol: asyncio.Protocol) -> object:
        port = await opened_port(device, settings)
        try:
            return await serial_asyncio_fast.connection_for_serial(asyncio.get_running_loop(), lambda: protocol, port)
        except termios.error as error:
            port.close()
            raise _refused(settings, error) from None

    return StreamLink(f"serial://{device}", connect, deadline_s)


async def opened_port(device: str, settings: SerialSettings) -> serial.Serial:
    """Open the port in a thread, since a driver of the system may block; a port that comes too late is closed."""

    def open_port() -> serial.Serial:
        try:
            return serial.Serial(
                device,
                baudrate=settings.baudrate,
                bytesize=settings.bytesize,
                parity=settings.parity,
                stopbits=settings.stopbits,
                rtscts=settings.rtscts,
                timeout=0,
                exclusive=True,
            )
        except termios.error as error:
            raise _refused(settings, error) from None

    opening = asyncio.get_running_loop().run_in_executor(None, open_port)
    try:
        return await asyncio.shield(opening)
    except asyncio.CancelledError:
        opening.add_done_callback(_close_late)
        raise


def _refused(settings: SerialSettings, error: termios.error) -> OSError:
    """Say that a port does not know these settings, as pseudo-terminals do not know seven data bits."""
    chosen = f"{settings.baudrate} Bd {settings.bytesize}{settings.parity}{settings.stopbits}"
    return OSError(f"the port does not take {chosen}: {error}")


def _close_late(opening: asyncio.Future[serial.Serial]) -> None:
    with contextlib.suppress(OSError):
        opening.result().close()
