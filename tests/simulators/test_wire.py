"""A terminal may take a part of an answer only; the rest follows as soon as it takes more."""

import asyncio
import os
from pathlib import Path

import numpy as np

from cultureops_simulators.faults import Disturbance
from cultureops_simulators.wire import PtyWire

ANSWER = bytes(range(33, 127)) * 300


class LongWinded:
    """Answers anything with more than a terminal's buffer holds."""

    def receive(self, data: bytes) -> bytes:
        return ANSWER


async def test_a_long_answer_arrives_whole_though_nobody_reads_it_at_first(tmp_path: Path) -> None:
    wire = PtyWire(tmp_path / "line", LongWinded, Disturbance(np.random.default_rng(1)))
    end = os.open(tmp_path / "line", os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    try:
        os.write(end, b"?")
        await asyncio.sleep(0.05)
        heard = bytearray()
        async with asyncio.timeout(5):
            while len(heard) < len(ANSWER):
                try:
                    heard += os.read(end, 512)
                except BlockingIOError:
                    await asyncio.sleep(0.001)
        assert bytes(heard) == ANSWER
    finally:
        os.close(end)
        wire.close()
