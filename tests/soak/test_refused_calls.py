"""System calls that fail, each in turn: no word is false, nothing hangs, and what is kept is whole.

A call that failed once must leave no trace once the disk is sound again: everything accepted is durable in the end.
"""

import asyncio
import itertools
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from proof.calls import read_calls, strace_command
from proof.course import Shown
from proof.disk import Image, Recording
from proof.refusal import APPENDS, COURSE, NUMBERS, Refusal, refuse
from proof.run import run_writer

CALLS = [
    ("pwrite64", "ENOSPC"), ("pwrite64", "EIO"), ("fdatasync", "EIO"), ("fsync", "EIO"), ("rename", "EIO"),
    ("ftruncate", "EIO"), ("unlink", "EIO"), ("chmod", "EPERM"), ("openat", "ENOSPC"), ("openat", "EMFILE"),
]  # fmt: skip
LANES = 2
MOST = 2_000


async def paths_of_a_run(strace: str, root: Path) -> list[Path]:
    """Return every path that a run touches, the folder among them."""
    folder, trace = root / "data" / "telemetry", root / "trace"
    folder.parent.mkdir(parents=True)
    await run_writer(strace_command(strace, trace), folder, "--appends", str(APPENDS), "--course", *NUMBERS)
    recorded = Recording(folder.parent, Image({}), read_calls(trace)).paths
    shutil.rmtree(root)
    return [*recorded, *(path.with_name(f"{path.name}-shm") for path in recorded if path.suffix == ".sqlite")]


async def until_clean(strace: str, root: Path, call: str, error: str, is_sticky: bool, most: int) -> int:
    """Refuse the first call, the second, and so on, until none is left to be refused; return how many there were."""
    only = await paths_of_a_run(strace, root / "0") if call == "openat" else []
    known = Shown(COURSE).up_to(APPENDS + 2)
    numbers = itertools.count(1)
    refused: list[int] = []

    async def lane(at: Path) -> None:
        for number in numbers:
            if number > most or not await refuse(strace, at, Refusal(call, error, number, is_sticky, only), known):
                break
            refused.append(number)
            shutil.rmtree(at)

    # The paths to refuse are known by their names: then all runs are in one place, one after the other.
    async with asyncio.TaskGroup() as lanes:
        for number in range(1 if only else LANES):
            lanes.create_task(lane(root / str(number)))
    return len(refused)


@pytest.mark.soak
@pytest.mark.parametrize("is_sticky", [False, True], ids=["once", "from then on"])
@pytest.mark.parametrize(("call", "error"), CALLS, ids=map("-".join, CALLS))
async def test_any_call_may_fail(
    strace: str, tmp_path: Path, call: str, error: str, is_sticky: bool, record_property: Callable[[str, object], None]
) -> None:
    count = await until_clean(strace, tmp_path, call, error, is_sticky, MOST)
    record_property("refused_calls", count)
    assert 0 < count < MOST


@pytest.mark.parametrize(
    ("call", "error", "is_sticky", "nth"),
    [("pwrite64", "ENOSPC", False, 20), ("pwrite64", "ENOSPC", True, 40), ("fdatasync", "EIO", False, 9),
     ("rename", "EIO", False, 1)],
)  # fmt: skip
async def test_some_calls_may_fail(
    strace: str, tmp_path: Path, call: str, error: str, is_sticky: bool, nth: int
) -> None:
    known = Shown(COURSE).up_to(APPENDS + 2)
    assert await refuse(strace, tmp_path, Refusal(call, error, nth, is_sticky), known)
