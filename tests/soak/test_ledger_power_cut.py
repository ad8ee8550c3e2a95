"""The power goes while two writers take turns at one ledger: no reported event is lost, and its claims are exact."""

import asyncio
import random
import shutil
import sqlite3
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from proof.calls import read_calls, strace_command
from proof.disk import Cut, Image, Recording
from proof.ledger_writer import ANCHOR, event
from proof.run import Run, finished, start

from cultureops.clock import SystemClock, SystemEntropy
from cultureops.errors import Unreadable
from cultureops.ledger import SqlLedger, verify
from cultureops.ledger.anchor_file import read_anchor
from cultureops.ledger.examine import examine

LEDGER = "ledger.sqlite"
GRADES = ("strict", "journaled")
SECTORS = (0, 512, 4096)
NEAR_A_NAME = range(-3, 9)


async def recorded(strace: str, root: Path, appends: int, sessions: int) -> Recording:
    """Let the writer work on a new file and write down its calls."""
    data, trace = root / "data", root / "trace"
    data.mkdir(parents=True)
    command = [sys.executable, "-m", "proof.ledger_writer", str(data / LEDGER)]
    options = ["--appends", str(appends), "--sessions", str(sessions)]
    child = await start([*strace_command(strace, trace), *command, *options])
    said, errors = await finished(child)
    run = Run.of(child, said)
    assert run.code == 0 and run.has("closed"), errors.decode()[-2000:]
    recording = Recording(data, Image({}), await asyncio.to_thread(lambda: list(read_calls(trace))))
    trace.unlink()
    return recording


def some_cuts(recording: Recording, seeds: range) -> Iterator[Cut]:
    """Choose instants, half of them near a change of names, and what survives of what was not synced."""
    dice = random.Random(seeds.start)
    lines = recording.name_lines
    for seed in seeds:
        at = dice.randint(lines[0], recording.lines)
        if dice.random() < 0.5:
            at = dice.choice(lines) + dice.choice(NEAR_A_NAME)
        survival = "drop" if seed % 3 == 0 else "rand"
        yield Cut(at, survival, dice.choice(GRADES), dice.choice(SECTORS) if survival == "rand" else 0, seed)


async def check(path: Path, least: int, anchor: Path) -> int:
    """Verify what is left, compare events and claims with the course, go on, and return how many events were left."""
    heads = [known for known in read_anchor(anchor)[0] if known.size - 1 <= least]
    try:
        examined = examine(path, heads)
        assert examined.findings == (), [str(finding) for finding in examined.findings]
        assert examined.unsigned == 0, "each commit holds its head"
        found = max(0, examined.head.position - 1)
    except Unreadable:
        assert least == 0, "what was reported is gone"
        found = 0
    assert least <= found <= least + 1
    ledger = SqlLedger.open(path, SystemClock(), SystemEntropy())
    for stored in ledger.read_all(after_position=1):
        course = event(stored.position - 1)
        assert (stored.data, stored.claims, stored.releases) == (course.data, course.claims, course.releases)
    held = {f"place:{number % 3}/{number}": f"s{number % 3}" for number in range(max(1, found - 2), found + 1)}
    assert dict(ledger.claimed()) == held
    before = ledger.head().position
    await ledger.append(f"s{(found + 1) % 3}", [event(found + 1)], found // 3)
    await ledger.close()
    assert verify(path).position == before + 1
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    return found


def every_cut(recording: Recording) -> Iterator[Cut]:
    """Choose each call that was recorded: what was not synced is gone, or some of it is there."""
    for at in range(recording.name_lines[0], recording.lines + 1):
        yield Cut(at, "drop", GRADES[0], 0, at)
        yield Cut(at, "rand", GRADES[at % len(GRADES)], SECTORS[at % len(SECTORS)], at)


async def cut_and_check(recording: Recording, root: Path, cuts: Iterable[Cut]) -> int:
    """Cut the power at many instants and check each; return how many cuts left events."""
    with_events = 0
    for cut in cuts:
        left = root / "left"
        left.mkdir()
        recording.after(cut).write_to(left, recording.root)
        try:
            with_events += await check(left / LEDGER, recording.durable(cut.at), root / ANCHOR) > 0
        except Exception as error:
            error.add_note(f"{cut}; what was left: {left}")
            raise
        shutil.rmtree(left)
    return with_events


async def test_no_reported_event_is_lost_by_fifteen_power_cuts(strace: str, tmp_path: Path) -> None:
    recording = await recorded(strace, tmp_path, 32, 2)
    assert recording.durable(recording.lines) == 64
    assert await cut_and_check(recording, tmp_path, some_cuts(recording, range(15))) > 5


@pytest.mark.soak
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("seed", [1, 2])
async def test_no_reported_event_is_lost_by_five_hundred_power_cuts(strace: str, tmp_path: Path, seed: int) -> None:
    recording = await recorded(strace, tmp_path, 32, 3)
    cuts = some_cuts(recording, range(1000 * seed, 1000 * seed + 500))
    assert await cut_and_check(recording, tmp_path, cuts) > 200


@pytest.mark.soak
@pytest.mark.timeout(1800)
async def test_a_cut_at_every_call_of_some_appends_drops_only_what_was_never_durable(
    strace: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    recording = await recorded(strace, tmp_path, 3, 1)
    cuts = tuple(every_cut(recording))
    record_property("cuts", len(cuts))
    print(f"{recording.lines} calls, {len(cuts)} cuts")
    assert await cut_and_check(recording, tmp_path, cuts) > 20
