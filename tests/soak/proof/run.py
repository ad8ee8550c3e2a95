"""Running the writer in a process of its own."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from proof.checker import Broken

__all__ = ["Run", "end", "finished", "run_writer", "start", "start_writer"]

RUN_S = 30.0
ORDERLY = (0, 3)


@dataclass(frozen=True, slots=True)
class Run:
    """How a run of the writer ended and what it said, line by line."""

    code: int
    words: tuple[str, ...]

    @classmethod
    def of(cls, child: Process, said: bytes) -> Self:
        """Take whole lines only: a word cut short was not given."""
        return cls(child.returncode or 0, tuple(said.decode().split("\n")[:-1]))

    @property
    def durable(self) -> int:
        """The highest append that was called durable."""
        return max((int(word.split()[1]) for word in self.words if word.startswith("durable ")), default=0)

    def has(self, first: str) -> bool:
        """Whether a line begins with this word."""
        return any(word.split(" ", 1)[0] == first for word in self.words)


async def start(command: Sequence[str]) -> Process:
    """Start a program that finds the proofs, as the leader of a group of its own."""
    found_at = os.pathsep.join([str(Path(__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])])
    return await asyncio.create_subprocess_exec(
        *command, stdout=PIPE, stderr=PIPE, start_new_session=True, env=os.environ | {"PYTHONPATH": found_at}
    )


async def start_writer(prefix: Sequence[str], folder: Path, *options: str) -> Process:
    """Start the writer; it goes on for ever unless the options say how far."""
    return await start([*prefix, sys.executable, "-m", "proof.writer", str(folder), *options])


def end(child: Process) -> None:
    """Kill a program and whoever traces it, who alone would let it live on."""
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)


async def finished(child: Process) -> tuple[bytes, bytes]:
    """Return what a program wrote to its outputs until its end, which must come; raises Broken."""
    try:
        async with asyncio.timeout(RUN_S):
            return await child.communicate()
    except TimeoutError:
        raise Broken("the program hangs") from None
    finally:
        end(child)
        await child.wait()


async def run_writer(prefix: Sequence[str], folder: Path, *options: str) -> Run:
    """Run the writer to its end, which must be in order; raises Broken."""
    child = await start_writer(prefix, folder, *options)
    said, errors = await finished(child)
    run = Run.of(child, said)
    if run.code not in ORDERLY:
        raise Broken(f"the writer fell over with {run.code}: {errors.decode()[-2000:]}")
    return run
