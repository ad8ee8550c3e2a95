"""The program that reads one device on a serial line as fast as it answers: our driver, or pymodbus alone."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Final

import uvloop
from pymodbus.client import AsyncModbusSerialClient

from cultureops.device.driver import ResultSource
from cultureops.device.registry import create_driver
from cultureops.device.transport.open import open_link

__all__ = ["REGISTERS"]

REGISTERS: Final = 14
"""What a read of the virtual incubator takes, in one request."""
PROFILE: Final = "cultureops_virtual_incubator"
DEADLINE_S: Final = 5.0
Read = Callable[[], Awaitable[object]]


async def _ours(port: str, baudrate: int) -> Read:
    link = open_link(f"modbus+rtu://{port}?baudrate={baudrate}", DEADLINE_S)
    driver = create_driver("modbus", "device", link, {"profile": PROFILE})
    assert not isinstance(driver, ResultSource)
    await driver.connect()
    return driver.read


async def _pymodbus(port: str, baudrate: int) -> Read:
    client = AsyncModbusSerialClient(port, baudrate=baudrate, timeout=DEADLINE_S, reconnect_delay=0)
    await client.connect()
    return lambda: client.read_input_registers(0, count=REGISTERS, device_id=1)


async def _read(who: str, port: str, baudrate: int, reads: int) -> list[float]:
    """Return how long each read took [s]; the first one is not counted."""
    read = await {"cultureops": _ours, "pymodbus": _pymodbus}[who](port, baudrate)
    await read()
    took = []
    for _ in range(reads):
        began = time.perf_counter()
        await read()
        took.append(time.perf_counter() - began)
    return took


if __name__ == "__main__":
    name, line, speed, count = sys.argv[1:]
    print(json.dumps(uvloop.run(_read(name, line, int(speed), int(count)))))
