"""The simulated instruments of the demo: a process of its own, stepped over its control port."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from cultureops.device.transport.base import ByteLink
from cultureops.device.transport.open import open_link
from cultureops.errors import CultureOpsError

__all__ = ["Fleet", "FleetFailed", "start_fleet"]

READY_WITHIN_S: Final = 30.0
CONTROL_DEADLINE_S: Final = 20.0
END_WITHIN_S: Final = 5.0


class FleetFailed(CultureOpsError):
    """The simulators did not start, or refused what they were asked."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """A running fleet: where its instruments can be reached, and its control port."""

    wires: Mapping[str, Mapping[str, str]]
    control: ByteLink
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Time passes and hands work on one line: whoever asks waits for the answer of whoever asked before."""

    async def step(self, dt_s: float) -> None:
        """Let ``dt_s`` seconds of lab time pass for every instrument and culture."""
        await self._ask({"cmd": "step", "dt_s": dt_s})

    async def act(self, act: str, **details: object) -> dict[str, Any]:
        """Do with one's hands what a person does: seed, move, look, harvest, count, open a door."""
        return await self._ask({"cmd": "act", "act": act, **details})

    async def plant(self, device: str, fault: str, **args: object) -> None:
        """Switch a fault on."""
        await self._ask({"cmd": "fault", "device": device, "fault": fault, "args": args})

    async def clear(self, device: str) -> None:
        """Switch a device's faults off."""
        await self._ask({"cmd": "clear", "device": device})

    async def _ask(self, request: Mapping[str, object]) -> dict[str, Any]:
        async with self._turn:
            line = await self.control.exchange(json.dumps(request).encode() + b"\n", b"\n", limit=1 << 20)
        reply: dict[str, Any] = json.loads(line)
        if not reply.get("ok"):
            raise FleetFailed(f"the simulators refused {request['cmd']}: {reply.get('error', 'no reason given')}")
        return reply


@asynccontextmanager
async def start_fleet(
    config_file: Path, seed: int, start: str, devices: Sequence[Mapping[str, object]]
) -> AsyncIterator[Fleet]:
    """Start the simulators and end them with the block; raises FleetFailed when they do not get ready."""
    config = {
        "seed": seed,
        "start": start,
        "control": {"host": "127.0.0.1", "port": 0},
        "devices": list(devices),
    }
    await asyncio.to_thread(config_file.write_text, json.dumps(config, indent=1), "utf-8")
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "cultureops_simulators", "fleet", "--config", str(config_file)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is ours to handle; the fleet ends when its standard input does
    )
    control: ByteLink | None = None
    try:
        ready = await _ready_line(process)
        link = open_link(f"tcp://{ready['control']}", CONTROL_DEADLINE_S)
        assert isinstance(link, ByteLink)
        control = link
        await control.open()
        yield Fleet(ready["devices"], control)
    finally:
        if control is not None:
            await control.close()
        await _end(process)


async def _ready_line(process: asyncio.subprocess.Process) -> dict[str, Any]:
    assert process.stdout is not None
    try:
        async with asyncio.timeout(READY_WITHIN_S):
            line = await process.stdout.readline()
    except TimeoutError:
        raise FleetFailed(f"the simulators were not ready within {READY_WITHIN_S:g} s") from None
    if not line:
        raise FleetFailed("the simulators ended before they were ready; their reason stands above")
    ready: dict[str, Any] = json.loads(line)
    return ready


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    assert process.stdin is not None
    process.stdin.close()
    try:
        async with asyncio.timeout(END_WITHIN_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
