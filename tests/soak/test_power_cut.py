"""The power goes at any instant: what was not synced is lost, wholly, by halves or by sectors. Nothing durable is."""

import asyncio
import random
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from proof.calls import read_calls, strace_command
from proof.checker import Bounds, check
from proof.course import MOST_AT_ONCE, Course, Shown
from proof.disk import Cut, Image, Recording
from proof.run import run_writer

GRADES = ("strict", "journaled")
SECTORS = (512, 4096)
NEAR_A_NAME = range(-3, 9)
THREE_SESSIONS = ("--appends", "70", "--sessions", "3")


@dataclass(frozen=True, slots=True)
class History:
    """A recorded run of the writer, and how many appends were durable before it began."""

    recording: Recording
    earlier: int

    def bounds(self, at: int) -> Bounds:
        """Return which appends must be there and which may be, when the power goes at a line of the trace."""
        least = max(self.earlier, self.recording.durable(at))
        return Bounds(least, least + MOST_AT_ONCE)


async def recorded(strace: str, root: Path, before: Image, earlier: int, *options: str) -> History:
    """Let a writer go on from what a disk holds and write down its calls."""
    data, trace = root / "data", root / "trace"
    data.mkdir(parents=True)
    before.write_to(data, data)
    run = await run_writer(strace_command(strace, trace), data / "telemetry", *options)
    assert run.code == 0 and run.has("closed"), run.words
    history = History(Recording(data, before, await asyncio.to_thread(lambda: list(read_calls(trace)))), earlier)
    trace.unlink()
    return history


def some_cut(recording: Recording, dice: random.Random, seed: int) -> Cut:
    """Choose an instant, half of them near a change of names, and what survives of what was not synced."""
    lines = recording.name_lines
    at = dice.randint(lines[0], recording.lines)
    if dice.random() < 0.5:
        at = dice.choice(lines) + dice.choice(NEAR_A_NAME)
    kind = seed % 3
    return Cut(at, "drop" if kind == 0 else "rand", dice.choice(GRADES), dice.choice(SECTORS) if kind == 2 else 0, seed)


async def cuts(history: History, root: Path, seeds: range, known: Shown) -> Counter[str]:
    """Cut the power at many instants of one run and check what is left each time."""
    dice, counted = random.Random(seeds.start), Counter[str]()
    for seed in seeds:
        cut = some_cut(history.recording, dice, seed)
        left, bounds = root / "left", history.bounds(cut.at)
        left.mkdir(parents=True)
        history.recording.after(cut).write_to(left, history.recording.root)
        try:
            found = await check(left / "telemetry", bounds, known)
            assert found.refusal is None or not bounds.least, f"a reader is turned away: {found.refusal}"
        except Exception as error:
            error.add_note(f"{cut}, {bounds}; what was left: {left}")
            raise
        known = found.shown
        counted[f"cuts_{cut.survival}_{cut.grade}_{cut.sector or 'whole'}"] += 1
        shutil.rmtree(left)
    return counted


def empty(root: Path) -> Image:
    """A folder for the store that was made, and outlived the power before, holds nothing."""
    return Image({}, frozenset({root / "data" / "telemetry"}))


async def test_nothing_durable_is_lost_by_twenty_power_cuts(strace: str, tmp_path: Path) -> None:
    history = await recorded(strace, tmp_path, empty(tmp_path), 0, "--appends", "45", "--sessions", "2")
    assert (await cuts(history, tmp_path, range(20), Shown(Course()))).total() == 20


async def test_a_new_folder_outlives_a_power_cut(strace: str, tmp_path: Path) -> None:
    history = await recorded(strace, tmp_path, Image({}), 0, "--appends", "3")
    recording = history.recording
    for number, grade in enumerate(GRADES):
        left = tmp_path / grade
        left.mkdir()
        recording.after(Cut(recording.lines, "drop", grade, 0, number)).write_to(left, recording.root)
        assert (left / "telemetry").is_dir(), f"{grade}: the folder is gone with all that was durable in it"
        await check(left / "telemetry", Bounds(3, 3), Shown(Course()))


@pytest.mark.soak
async def test_nothing_durable_is_lost_by_a_thousand_power_cuts(
    strace: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Each second run goes on from what a cut of the one before had left."""
    counted, dice = Counter[str](), random.Random(7)
    for run in range(0, 10, 2):
        root, further = tmp_path / str(run), tmp_path / str(run + 1)
        first = await recorded(strace, root, empty(root), 0, *THREE_SESSIONS)
        counted += await cuts(first, tmp_path, range(100 * run, 100 * run + 100), Shown(Course()))
        cut = some_cut(first.recording, dice, run)
        left = first.recording.after(cut).moved(first.recording.root, further / "data")
        second = await recorded(strace, further, left, first.bounds(cut.at).least, *THREE_SESSIONS)
        counted += await cuts(second, tmp_path, range(100 * run + 100, 100 * run + 200), Shown(Course()))
    for name, count in counted.items():
        record_property(name, count)
    assert counted.total() == 1000
