"""The program of acquisition's peer: a pymodbus client per device, one block read each a second, nothing kept."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from array import array
from pathlib import Path

import uvloop
from pymodbus.client import AsyncModbusTcpClient

__all__: list[str] = []

PERIOD_S = 1.0


async def _poll(address: str, registers: int, place_s: float, begun: array[float], ended: asyncio.Event) -> None:
    host, _, port = address.partition(":")
    client = AsyncModbusTcpClient(host, port=int(port))
    await client.connect()
    due = time.time() // PERIOD_S * PERIOD_S + PERIOD_S + place_s
    while not ended.is_set():
        await asyncio.sleep(due - time.time())
        begun.extend((due, time.time()))
        answer = await client.read_input_registers(0, count=registers, device_id=1)
        if answer.isError() or len(answer.registers) != registers:
            raise RuntimeError(f"{address}: {answer}")
        due += PERIOD_S


async def _run(devices: list[tuple[str, int]], registers: int) -> list[float]:
    """Poll until told to end; return when each poll was due and when it began, one after the other [s UTC]."""
    begun = array("d")
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    async with asyncio.TaskGroup() as polls:
        for address, place_ms in devices:
            polls.create_task(_poll(address, registers, place_ms / 1000, begun, ended))
    return begun.tolist()


if __name__ == "__main__":
    file, count = sys.argv[1:]
    print(json.dumps(uvloop.run(_run(json.loads(Path(file).read_text()), int(count)))))
