"""A writer that is killed at any instant, over and over on the same folder, loses nothing that it called durable."""

import asyncio
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from proof.checker import Bounds, check
from proof.course import MOST_AT_ONCE, Course, Shown
from proof.run import Run, end, start_writer

RUNS_A_FOLDER = 25
MOST_LINES = 60
START_S = 0.35


async def killed_run(folder: Path, dice: random.Random) -> Run:
    """Let a writer work until it has said some lines or, as often, until an instant of its start; kill it.

    In half of the runs a process of its own seals. It is killed with the writer or, as often, outlives it.
    """
    child = await start_writer([], folder, *dice.choice([[], ["--apart"]]))
    assert child.stdout is not None
    lines: list[bytes] = []
    try:
        if dice.random() < 0.3:
            await asyncio.sleep(dice.uniform(0.4, 1.6) * START_S)
        else:
            lines = [await child.stdout.readline() for _ in range(dice.randrange(1, MOST_LINES))]
            await asyncio.sleep(dice.uniform(0, 0.003))
    finally:
        if dice.random() < 0.5:
            end(child)
        else:
            child.kill()
        rest, errors = await child.communicate()
    complaints = [line for line in errors.decode().splitlines() if "[info" not in line]
    assert not complaints, complaints
    return Run.of(child, b"".join([*lines, rest]))


async def kills(rounds: int, root: Path, seed: int) -> int:
    dice, durable = random.Random(seed), 0
    for number in range(rounds):
        if number % RUNS_A_FOLDER == 0:
            folder, shown = root / f"{seed}-{number}", Shown(Course())
        run = await killed_run(folder, dice)
        least = max(run.durable, shown.number)
        found = await check(folder, Bounds(least, least + MOST_AT_ONCE), shown, seal=dice.random() < 0.3)
        assert found.refusal is None or not least, f"after kill {number} a reader is turned away: {found.refusal}"
        shown = found.shown
        durable += run.durable > 0
    return durable


async def test_nothing_durable_is_lost_by_five_kills(tmp_path: Path) -> None:
    assert await kills(5, tmp_path, 20261121) > 0


@pytest.mark.soak
@pytest.mark.parametrize("seed", [1, 2])
async def test_nothing_durable_is_lost_by_five_hundred_kills(
    tmp_path: Path, seed: int, record_property: Callable[[str, object], None]
) -> None:
    after_a_word = await kills(500, tmp_path, seed)
    record_property("kills", 500)
    record_property("kills_after_a_durable_word", after_a_word)
    assert after_a_word > 250
