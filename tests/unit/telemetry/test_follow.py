"""A follower sees every kept reading at least once and nothing else, wherever it stands and whatever goes on."""

import asyncio
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cultureops.clock import DAY_MS, HOUR_MS
from cultureops.device.reading import Quality, Reading, Reason
from cultureops.errors import ConfigError
from cultureops.telemetry import ChannelInfo, Cursor, EmbeddedStore, Extract
from cultureops.telemetry.points import as_readings

START = 1_769_904_000_000 - 2 * HOUR_MS  # two hours before a month ends
NAMES = ("a/t", "a/c")
INFOS = {name: ChannelInfo("Cel") for name in NAMES}


def rows_of(extract: Extract) -> list[Reading]:
    names = [extract.names[number] for number in extract.rows.channel.tolist()]
    return list(as_readings(names, extract.rows.points))


@st.composite
def readings(draw: st.DrawFn) -> Reading:
    at = START + draw(st.one_of(st.integers(0, 5), st.integers(0, 200), st.just(-60 * 365 * 24))) * HOUR_MS
    value = draw(st.sampled_from([None, 1.0, 2.0]))
    quality, reason = (Quality.BAD, Reason.TIMEOUT) if value is None else (Quality.GOOD, Reason.NONE)
    return Reading(draw(st.sampled_from(NAMES)), value, quality, reason, at, at)


STEPS = st.lists(
    st.one_of(
        st.lists(readings(), min_size=1, max_size=8),
        st.lists(readings(), min_size=1, max_size=8),
        st.sampled_from(["restart", "follow", "follow", "start"]),
        st.integers(-1, 210),
    ),
    max_size=14,
)


class Follower:
    """Reads some at a time; ``seen`` is what it was given since it stood at the first reading."""

    def __init__(self, at_once: int) -> None:
        self.at_once = at_once
        self.cursor = Cursor()
        self.seen: list[Reading] = []

    async def step(self, store: EmbeddedStore) -> bool:
        """Take the next readings; tell whether there may be more."""
        extract = await store.follow(self.cursor, self.at_once)
        self.seen += rows_of(extract)
        went_on = extract.next != self.cursor
        self.cursor = Cursor.parse(extract.next.to_text())
        assert went_on or (extract.rows.channel.size, extract.remaining) == (0, 0)
        return went_on


async def followed_throughout(folder: Path, steps: list[list[Reading] | str | int], at_once: int) -> None:
    store = EmbeddedStore.open(folder)
    store.declare(INFOS)
    late, now_and_then = Follower(at_once), Follower(at_once)
    arrived: list[Reading] = []
    for number, step in enumerate(steps):
        if isinstance(step, list):
            arrived += [row_received(row, number) for row in step]
            await store.append(arrived[-len(step) :])
        elif isinstance(step, int):
            await store.seal(START + step * HOUR_MS)
        elif step == "restart":
            await store.close()
            store = EmbeddedStore.open(folder)
        elif step == "follow":
            await now_and_then.step(store)
        else:
            late = Follower(at_once)
    for follower in (now_and_then, late):
        while await follower.step(store):
            assert len(follower.seen) < 9 * len(arrived) + 9
    series = {name: await store.series(name, START - 99_999 * DAY_MS, START + 99_999 * DAY_MS) for name in NAMES}
    kept = Counter((name, at) for name, found in series.items() for at in found.source_ms.tolist())
    for follower in (now_and_then, late):
        assert set(follower.seen) <= set(arrived)
        assert {said(row) for row in follower.seen} == {said(row) for row in arrived}
        assert Counter((row.channel, row.source_time) for row in set(follower.seen)) >= kept
    await store.close()


def row_received(row: Reading, number: int) -> Reading:
    return Reading(row.channel, row.value, row.quality, row.reason, row.source_time, START + number * 7 * DAY_MS)


def said(row: Reading) -> tuple[str, int, float | None, Reason]:
    return row.channel, row.source_time, row.value, row.reason


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(STEPS, st.sampled_from([1, 3, 1000]))
async def test_a_follower_sees_every_kept_reading_through_seals_and_restarts(
    tmp_path_factory: pytest.TempPathFactory, steps: list[list[Reading] | str | int], at_once: int
) -> None:
    await followed_throughout(tmp_path_factory.mktemp("follow") / "telemetry", steps, at_once)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_very_many_followers_see_every_kept_reading(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    tried = 0

    @settings(max_examples=1000, deadline=None)
    @given(STEPS, st.sampled_from([1, 3, 1000]))
    def one(steps: list[list[Reading] | str | int], at_once: int) -> None:
        nonlocal tried
        tried += 1
        asyncio.run(followed_throughout(tmp_path / str(tried), steps, at_once))
        shutil.rmtree(tmp_path / str(tried))

    one()
    record_property("followers", 2 * tried)


def good(at: int, value: float = 1.0) -> Reading:
    return Reading("a/t", value, Quality.GOOD, Reason.NONE, START + at, START + at)


async def test_one_who_keeps_up_sees_each_reading_once(tmp_path: Path) -> None:
    store = EmbeddedStore.open(tmp_path / "telemetry")
    store.declare(INFOS)
    follower, rows = Follower(100), [good(minute * 60_000) for minute in range(300)]
    for at, row in enumerate(rows):
        await store.append([row])
        while await follower.step(store):
            pass
        if at % 50 == 0:
            await store.seal(row.source_time)
    assert follower.seen == rows
    await store.close()


async def test_any_cursor_that_was_ever_given_goes_on_from_there(tmp_path: Path) -> None:
    """Stored cursors of every age, also such as stand in the middle of a pass, miss nothing that came after."""
    folder = tmp_path / "telemetry"
    store = EmbeddedStore.open(folder)
    store.declare(INFOS)
    rows = [good(minute * 600_000) for minute in range(60)]
    stood: list[tuple[Cursor, int]] = [(Cursor(), 0)]
    follower = Follower(3)
    for at, row in enumerate(rows):
        await store.append([row])
        if at % 10 == 9:
            for _ in range(2):
                await follower.step(store)
                stood.append((follower.cursor, len(set(follower.seen))))
        if at % 15 == 14:
            await store.seal(row.source_time - HOUR_MS)
    assert any(cursor.sealing for cursor, _ in stood)
    for cursor, had in stood:
        late = Follower(4)
        late.cursor = cursor
        while await late.step(store):
            pass
        assert len(set(late.seen)) >= len(rows) - had
        assert set(rows[had:]) <= set(late.seen) | set(follower.seen[:had])
    await store.close()


async def test_how_much_is_left_is_told(tmp_path: Path) -> None:
    store = EmbeddedStore.open(tmp_path / "telemetry")
    store.declare(INFOS)
    for frame in range(20):
        await store.append([good(frame * HOUR_MS + at) for at in range(10)])
    assert (await store.follow(Cursor(), 35)).remaining == 170
    assert (await store.follow(Cursor(20), 35)).remaining == 0
    await store.seal(START + 12 * HOUR_MS)
    store = await reopened(store, tmp_path)
    cursor, left, seen = Cursor(), [], 0
    while True:
        extract = await store.follow(cursor, 35)
        seen += extract.rows.channel.size
        if extract.next == cursor:
            break
        cursor = extract.next
        left.append(extract.remaining)
    assert seen == 200
    assert left == sorted(left, reverse=True)
    assert left[-1] == 0
    await store.close()


async def reopened(store: EmbeddedStore, tmp_path: Path) -> EmbeddedStore:
    """Open the store again, which drops frames that are sealed before anything is read."""
    await store.close()
    store = EmbeddedStore.open(tmp_path / "telemetry")
    await store.flush()
    return store


@given(st.builds(Cursor, st.integers(0, 1 << 62), st.integers(0, 1 << 40), st.integers(-1, (1 << 63) - 1)))
def test_a_cursor_comes_back_from_its_text(cursor: Cursor) -> None:
    assert Cursor.parse(cursor.to_text()) == Cursor.parse(f" {cursor.to_text()}\n") == cursor


NO_CURSORS = ["", "1", "1:2", "1:2:3:4", "a:b:c", "1:2:", "1.5:0:-1", "\0", "1;2;3", "-5:0:-1", "0:-1:-1", "0:0:-2"]


@pytest.mark.parametrize("text", [*NO_CURSORS, f"{1 << 63}:0:-1", f"0:{1 << 63}:-1", f"0:0:{1 << 63}"])
def test_what_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="is no cursor; remove the file to begin from the first reading"):
        Cursor.parse(text)


async def test_a_cursor_that_is_ahead_of_the_store_begins_anew(tmp_path: Path) -> None:
    """It belongs to another folder, or to this one before a backup was restored."""
    store = EmbeddedStore.open(tmp_path / "telemetry")
    store.declare(INFOS)
    rows = [good(frame * HOUR_MS) for frame in range(6)]
    for row in rows:
        await store.append([row])
    for _ in range(2):
        for text in ("7:0:-1", "900:0:-1", "900:3:77"):
            ahead = Follower(1000)
            ahead.cursor = Cursor.parse(text)
            while await ahead.step(store):
                pass
            assert set(ahead.seen) == set(rows)
        await store.seal(START + DAY_MS)
        store = await reopened(store, tmp_path)
    await store.close()
