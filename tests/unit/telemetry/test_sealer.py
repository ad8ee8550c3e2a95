"""Sealing changes nothing that is read: whatever arrives in whatever order, sealed at whatever moment."""

import asyncio
import itertools
import shutil
import sqlite3
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cultureops.clock import DAY_MS, HOUR_MS, MINUTE_MS
from cultureops.device.reading import Quality, Reading, Reason
from cultureops.errors import StorageError
from cultureops.telemetry import ChannelInfo, Cursor, EmbeddedStore
from cultureops.telemetry.exchange import check, export_csv
from cultureops.telemetry.extent import Extent
from cultureops.telemetry.frame import Columns
from cultureops.telemetry.month import ALL_HOURS, END_MS, FIRST_MS, Key, hour_after, month_of
from cultureops.telemetry.points import no_points
from cultureops.telemetry.sealer import Sealer

BOUNDARY = 1_769_904_000_000  # 2026-02-01T00:00Z
START = BOUNDARY - 2 * HOUR_MS
CHANNELS = {name: number for number, name in enumerate(("a/t", "a/c", "b/t"), 1)}
INFOS = {name: ChannelInfo("Cel") for name in CHANNELS}
AWAY = (0, -1, -40 * DAY_MS, 1_500_000_000_000, 4_100_000_000_000)


@dataclass(frozen=True, slots=True)
class Arrive:
    rows: list[Reading]


@dataclass(frozen=True, slots=True)
class Seal:
    before_ms: int


class Restart:
    """Close the store and open it again."""


Step = Arrive | Seal | Restart


def reading(
    channel: str, at: int, value: float | None, received: int = START, reason: Reason = Reason.TIMEOUT
) -> Reading:
    if value is None:
        return Reading(channel, None, Quality.BAD, reason, at, received)
    return Reading(channel, value, Quality.GOOD, Reason.NONE, at, received)


INSTANTS = st.one_of(
    st.integers(0, 4 * 60).map(lambda minute: START + minute * MINUTE_MS),
    st.integers(0, 4 * 60).map(lambda minute: START + minute * MINUTE_MS),
    st.integers(0, 40).map(lambda hours: START + hours * 7 * HOUR_MS),
    st.sampled_from(AWAY),
)
VALUES = st.one_of(st.none(), st.integers(-50, 50).map(lambda tenths: tenths / 10), st.sampled_from([0.1 + 0.2, -0.0]))
READINGS = st.builds(
    reading,
    st.sampled_from(list(CHANNELS)),
    INSTANTS,
    VALUES,
    reason=st.sampled_from([Reason.TIMEOUT, Reason.SENTINEL]),
)
STEPS: st.SearchStrategy[list[Step]] = st.lists(
    st.one_of(
        st.lists(READINGS, min_size=1, max_size=12).map(Arrive),
        st.lists(READINGS, min_size=1, max_size=12).map(Arrive),
        st.one_of(st.integers(-1, 300).map(lambda hours: START + hours * HOUR_MS), st.sampled_from([0, END_MS])).map(
            Seal
        ),
        st.builds(Restart),
    ),
    min_size=1,
    max_size=9,
)


def dated(steps: list[Step], pace_ms: int) -> list[Step]:
    """Have every reading received some time after the one before, so that months go by while they arrive."""
    now = itertools.count(START, pace_ms)
    return [
        Arrive([row._replace(received_time=next(now)) for row in step.rows]) if isinstance(step, Arrive) else step
        for step in steps
    ]


async def carried_out(folder: Path, steps: Iterable[Step]) -> EmbeddedStore:
    store = EmbeddedStore.open(folder)
    store.declare(INFOS)
    for step in steps:
        match step:
            case Arrive(rows):
                await store.append(rows)
            case Seal(before_ms):
                await store.seal(before_ms)
            case _:
                await store.close()
                store = EmbeddedStore.open(folder)
        assert store.failure is None
    return store


def arrivals(steps: Iterable[Step]) -> list[Reading]:
    return [row for step in steps if isinstance(step, Arrive) for row in step.rows]


WINDOWS = (
    (START, START + 5 * HOUR_MS),
    (START + 50 * MINUTE_MS, START + 130 * MINUTE_MS),
    (START - DAY_MS, START + 13 * DAY_MS),
    (START + 29 * HOUR_MS, START + 30 * HOUR_MS),
    (-50 * DAY_MS, DAY_MS),
    (4_000_000_000_000, 4_200_000_000_000),
    (-50 * DAY_MS, 4_200_000_000_000),
)


async def told(store: EmbeddedStore, folder: Path) -> dict[Any, Any]:
    """Everything that can be asked, with float sums apart."""
    found: dict[Any, Any] = {}
    for start, end in WINDOWS:
        found["gaps", start, end] = await store.gaps(start, end)
        for name in CHANNELS:
            series = await store.series(name, start, end)
            found["series", name, start] = [
                getattr(series, column).tobytes() for column in ("source_ms", "value", "quality", "reason", "revised")
            ]
            for count in (1, 7, 300):
                buckets = await store.buckets(name, start, end, count)
                found["buckets", name, start, count] = [
                    getattr(buckets, column).tobytes() for column in ("from_ms", "minimum", "maximum", "count", "bad")
                ]
                found["mean", name, start, count] = buckets.mean
    csv = StringIO()
    export_csv(folder, csv, None, -(1 << 62), 1 << 62)
    found["csv"] = csv.getvalue()
    return found


def same(ours: dict[Any, Any], theirs: dict[Any, Any]) -> None:
    assert ours.keys() == theirs.keys()
    for key, found in ours.items():
        if key[0] == "mean":
            np.testing.assert_allclose(found, theirs[key], rtol=0, atol=1e-9)
        else:
            assert found == theirs[key], key


async def late_is_as_good_as_in_order(root: Path, steps: list[Step]) -> None:
    rows = arrivals(steps)
    in_order = await carried_out(
        root / "in_order", [Arrive(sorted(rows, key=lambda row: row.source_time))] if rows else []
    )
    store = await carried_out(root / "late", steps)
    expected = await told(in_order, root / "in_order")
    same(await told(store, root / "late"), expected)
    assert store.count() == len(rows)
    assert store.latest() == {row.channel: row for row in rows}
    await store.close()
    store = await carried_out(root / "late", [Seal(END_MS), Restart()])
    same(await told(store, root / "late"), expected)
    assert store.latest() == {row.channel: row for row in rows}
    await gone(root / "late")
    assert check(root / "late").readings == len(rows)
    await store.close()
    await in_order.close()


async def gone(folder: Path) -> None:
    """Wait until the journal has let go of what was sealed."""
    db = sqlite3.connect(f"{(folder / 'journal.sqlite').as_uri()}?mode=ro", uri=True)
    async with asyncio.timeout(20):
        while db.execute("SELECT count(*) FROM frames").fetchone() != (0,):
            await asyncio.sleep(0.005)
    db.close()


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(STEPS, st.sampled_from([1000, DAY_MS, 9 * DAY_MS]))
async def test_late_data_in_any_order_is_the_same_data_in_order(
    tmp_path_factory: pytest.TempPathFactory, steps: list[Step], pace_ms: int
) -> None:
    await late_is_as_good_as_in_order(tmp_path_factory.mktemp("late"), dated(steps, pace_ms))


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_very_many_orders_are_the_same_data_in_order(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    tried = 0

    @settings(max_examples=1000, deadline=None)
    @given(STEPS, st.sampled_from([1000, DAY_MS, 9 * DAY_MS]))
    def one(steps: list[Step], pace_ms: int) -> None:
        nonlocal tried
        tried += 1
        root = tmp_path / str(tried)
        root.mkdir()
        asyncio.run(late_is_as_good_as_in_order(root, dated(steps, pace_ms)))
        shutil.rmtree(root)

    one()
    record_property("orders", tried)


def brute_gaps(rows: list[Reading], start: int, end: int) -> list[tuple[str, int, int | None, Reason]]:
    found: list[tuple[str, int, int | None, Reason]] = []
    for name in CHANNELS:
        shown = {row.source_time: row for row in rows if row.channel == name}
        run: tuple[int, Reason] | None = None
        for at in [*sorted(shown), None]:
            state = shown[at].reason if at is not None and shown[at].value is None else None
            if run is not None and (at is None or state != run[1]):
                found.append((name, run[0], at, run[1]))
                run = None
            if at is not None and state is not None and run is None:
                run = at, state
    return [gap for gap in found if gap[1] < end and (gap[2] is None or gap[2] > start)]


SPARSE = st.builds(
    reading,
    st.sampled_from(list(CHANNELS)),
    st.one_of(st.integers(0, 90), st.integers(0, 5)).map(lambda hours: START + hours * HOUR_MS),
    st.one_of(st.none(), st.none(), st.just(1.0)),
    reason=st.sampled_from([Reason.TIMEOUT, Reason.TIMEOUT, Reason.SENTINEL]),
)


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(st.one_of(st.lists(SPARSE, min_size=1, max_size=15).map(Arrive), st.just(Seal(START + 40 * HOUR_MS)))),
    st.lists(st.tuples(st.integers(-2, 95), st.integers(1, 30)), min_size=1, max_size=12),
)
async def test_gaps_of_any_window_have_their_true_begin_and_end(
    tmp_path_factory: pytest.TempPathFactory, steps: list[Step], windows: list[tuple[int, int]]
) -> None:
    store = await carried_out(tmp_path_factory.mktemp("gaps") / "telemetry", steps)
    for first, length in windows:
        start, end = START + first * HOUR_MS + 60_000, START + (first + length) * HOUR_MS
        gaps = [(gap.channel, gap.from_ms, gap.to_ms, gap.reason) for gap in await store.gaps(start, end)]
        assert gaps == brute_gaps(arrivals(steps), start, end)
    await store.close()


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*.sqlite"))


def chunks_of(folder: Path) -> dict[Key, int]:
    """Read past the store which chunks there are and how many readings they hold."""
    found: dict[Key, int] = {}
    for path in folder.glob("????-??.sqlite"):
        db = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
        for number, readings in db.execute("SELECT id, readings FROM chunks"):
            assert Key.of(number) not in found
            found[Key.of(number)] = readings
        db.close()
    return found


HOUR = START // HOUR_MS


async def test_a_value_that_was_sealed_already_writes_no_further_generation(tmp_path: Path) -> None:
    folder = tmp_path / "telemetry"
    rows = [reading("a/t", START + at, 1.0) for at in range(0, 60_000, 1000)]
    again = [row._replace(received_time=row.received_time + 5000) for row in rows]
    store = await carried_out(folder, [Arrive(rows), Seal(BOUNDARY), Arrive(again), Seal(BOUNDARY)])
    assert chunks_of(folder) == {Key(HOUR, 1, 0): 60}
    series = await store.series("a/t", START, BOUNDARY)
    assert (series.source_ms.size, series.revised.sum()) == (60, 0)
    assert store.count() == 120
    await gone(folder)
    await store.close()


async def test_another_value_is_kept_beside_the_first_and_flagged(tmp_path: Path) -> None:
    """And so is the first value when it comes a third time: a, b, a are three readings, the last is shown."""
    folder = tmp_path / "telemetry"
    store = await carried_out(folder, [Arrive([reading("a/t", START + at, 1.0) for at in (0, 1000)]), Seal(BOUNDARY)])
    for generation, value in enumerate((2.0, 1.0), 1):
        late = reading("a/t", START, value, START + generation)
        store = await reopened(store, folder, [Arrive([late, late]), Seal(BOUNDARY)])
        assert chunks_of(folder)[Key(HOUR, 1, generation)] == 1
        series = await store.series("a/t", START, BOUNDARY)
        assert (series.value.tolist(), series.revised.tolist()) == ([value, 1.0], [True, False])
        buckets = await store.buckets("a/t", START, START + MINUTE_MS, 1)
        assert (buckets.count.tolist(), buckets.maximum.tolist()) == ([2], [max(value, 1.0)])
    csv = StringIO()
    assert export_csv(folder, csv, None, START, BOUNDARY) == 4
    rows = [line.split(",") for line in csv.getvalue().splitlines()[1:]]
    assert [(row[2], row[8]) for row in rows] == [
        ("1.0", "superseded"), ("2.0", "superseded"), ("1.0", ""), ("1.0", "")
    ]  # fmt: skip
    await store.close()


async def reopened(store: EmbeddedStore, folder: Path, steps: list[Step]) -> EmbeddedStore:
    await store.close()
    return await carried_out(folder, steps)


async def test_the_same_value_of_another_quality_or_reason_is_another_reading(tmp_path: Path) -> None:
    folder = tmp_path / "telemetry"
    first = reading("a/t", START, 1.0)
    doubtful = Reading("a/t", 1.0, Quality.UNCERTAIN, Reason.UNVERIFIED, START, START)
    gone_dark = reading("a/t", START, None)
    negative, positive = reading("a/t", START + 1, -0.0), reading("a/t", START + 1, 0.0)
    steps: list[Step] = [Arrive([first, negative]), Seal(BOUNDARY), Arrive([doubtful, positive]), Seal(BOUNDARY),
                         Arrive([gone_dark]), Seal(BOUNDARY)]  # fmt: skip
    store = await carried_out(folder, steps)
    assert [chunks_of(folder)[Key(HOUR, 1, number)] for number in range(3)] == [2, 2, 1]
    series = await store.series("a/t", START, START + 2)
    assert (series.quality.tolist(), series.revised.tolist()) == ([Quality.BAD, Quality.GOOD], [True, True])
    await store.close()


async def test_frames_go_only_when_all_their_readings_are_sealed(tmp_path: Path) -> None:
    folder = tmp_path / "telemetry"
    early, later = START + 5, START + HOUR_MS + 5
    store = await carried_out(
        folder,
        [
            Arrive([reading("a/t", early, 1.0)]),
            Arrive([reading("a/t", early + 1, 2.0), reading("a/c", later, 3.0)]),
            Arrive([reading("a/t", early + 2, 4.0)]),
        ],
    )
    db = sqlite3.connect(f"{(folder / 'journal.sqlite').as_uri()}?mode=ro", uri=True)

    async def frames_become(expected: list[tuple[int]]) -> None:
        async with asyncio.timeout(20):
            while db.execute("SELECT seq FROM frames ORDER BY seq").fetchall() != expected:
                await asyncio.sleep(0.005)

    await store.seal(START)
    assert chunks_of(folder) == {}
    await frames_become([(1,), (2,), (3,)])
    await store.seal(START + HOUR_MS)
    assert chunks_of(folder) == {Key(HOUR, 1): 3}
    await frames_become([(2,), (3,)])  # 2 holds a reading of the hour that goes on, 3 comes after it
    await store.seal(START + 2 * HOUR_MS)
    assert chunks_of(folder) == {Key(HOUR, 1): 3, Key(HOUR + 1, 2): 1}
    await frames_become([])
    assert (store.durable[0], store.count()) == (3, 4)
    assert await store.append([reading("a/t", later, 5.0)]) == 4
    db.close()
    await store.close()


@pytest.mark.parametrize("before", [END_MS, BOUNDARY + 40 * HOUR_MS])
async def test_an_earlier_hour_than_last_time_loses_nothing(tmp_path: Path, before: int) -> None:
    """A clock set back, or the whole journal sealed because it was full and then the next full hour."""
    folder = tmp_path / "telemetry"
    store = await carried_out(
        folder,
        [
            Arrive([reading("a/t", START, 1.0), reading("a/c", START + 50 * HOUR_MS, 1.0)]),
            Seal(before),
            Arrive([reading("a/t", START + 1, 2.0), reading("a/c", START + 5 * HOUR_MS, 3.0)]),
            Seal(START + HOUR_MS),
            Arrive([reading("b/t", START + 1, 2.0)]),
            Seal(START + 2 * HOUR_MS),
        ],
    )
    assert (await store.series("a/c", START, START + 9 * HOUR_MS)).value.tolist() == [3.0]
    await store.seal(END_MS)
    await gone(folder)
    assert (await store.series("a/c", START, START + 99 * HOUR_MS)).value.tolist() == [3.0, 1.0]
    assert check(folder).sealed_readings == 5
    await store.close()


async def test_a_whole_journal_sealed_once_does_not_cut_every_later_hour(tmp_path: Path) -> None:
    folder = tmp_path / "telemetry"
    store = await carried_out(
        folder,
        [
            Arrive([reading("a/t", START, 1.0)]),
            Seal(END_MS),
            Arrive([reading("a/t", START + 1, 1.0), reading("a/t", START + HOUR_MS, 1.0)]),
            Seal(START + HOUR_MS),
        ],
    )
    assert chunks_of(folder) == {Key(HOUR, 1, 0): 1, Key(HOUR, 1, 1): 1}
    await store.close()


class Cut(Exception):
    """Power goes here."""


ROWS = [
    reading(name, START + hour * HOUR_MS + second * 1000, float(second) if hour != 1 else None)
    for hour in range(3)
    for second in range(20)
    for name in CHANNELS
]


@pytest.mark.parametrize("end", ["fails", "is stopped"])
@pytest.mark.parametrize("after", range(4))
async def test_a_pass_cut_short_is_taken_up_and_nothing_is_doubled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int, end: str
) -> None:
    """After each channel, one channel to a commit; the cut is inside the next channel's transaction or before it."""
    monkeypatch.setattr("cultureops.telemetry.sealer.CHANNELS_A_COMMIT", 1)
    folder = tmp_path / "telemetry"
    store = await carried_out(folder, [Arrive(ROWS)])
    expected = await told(store, folder)
    seal_channel, left = Sealer._seal_channel, itertools.count(after, -1)

    def cut(self: Sealer, *args: Any) -> None:
        seal_channel(self, *args)
        if next(left) == 0:
            if end == "fails":
                raise sqlite3.OperationalError("cut")
            store._sealing._stop.set()

    monkeypatch.setattr(Sealer, "_seal_channel", cut)
    if after < len(CHANNELS):
        with pytest.raises(StorageError, match="cut" if end == "fails" else "closed before all was sealed"):
            await store.seal(BOUNDARY + HOUR_MS)
        kept = after if end == "fails" else after + 1
        assert len({key.channel for key in chunks_of(folder)}) == kept
        if end == "fails":
            assert "cut" in str(store.failure)
    else:
        await store.seal(BOUNDARY + HOUR_MS)
    same(await told(store, folder), expected)
    monkeypatch.setattr(Sealer, "_seal_channel", seal_channel)
    if end == "is stopped":
        store = await reopened(store, folder, [])
    late = [reading("a/t", START + 500, 7.0)]
    await store.append(late)
    await store.seal(BOUNDARY + HOUR_MS)
    assert store.failure is None
    await gone(folder)
    found = chunks_of(folder)
    assert sum(found.values()) == len(ROWS) + 1
    assert {key: size for key, size in found.items() if key.generation == 0} == {
        Key(HOUR + hour, number): 20 for hour in range(3) for number in CHANNELS.values()
    }
    followed = await follow_all(store)
    assert sorted(followed) == sorted((row.channel, row.source_time) for row in ROWS + late)
    passes = await store.passes(0)
    assert sorted(number for one in passes for number, _ in one.chunks) == sorted(key.number for key in found)
    assert [one.number for one in passes] == list(range(1, len(passes) + 1))
    await store.close()


async def follow_all(store: EmbeddedStore) -> list[tuple[str, int]]:
    cursor, found = Cursor(), list[tuple[str, int]]()
    while (extract := await store.follow(cursor, 50)).next != cursor:
        cursor = extract.next
        names = [extract.names[number] for number in extract.rows.channel.tolist()]
        found += zip(names, extract.rows.points.source_ms.tolist(), strict=True)
    return found


async def test_a_failure_to_seal_is_said_and_readings_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "telemetry"
    store = await carried_out(folder, [Arrive(ROWS)])
    monkeypatch.setattr(Sealer, "_seal_channel", lambda *_: (_ for _ in ()).throw(OSError("no room")))
    with pytest.raises(StorageError, match="readings stay in the journal, sealing failed: no room"):
        await store.seal(BOUNDARY)
    assert "no room" in str(store.failure)
    assert await store.append([reading("a/t", BOUNDARY + HOUR_MS, 1.0)]) == 2
    assert (await store.series("a/t", START, BOUNDARY + DAY_MS)).value.size == 61
    monkeypatch.undo()
    await store.seal(BOUNDARY)
    assert store.failure is None
    await store.close()


COLUMNS = st.lists(
    st.tuples(st.integers(1, 12), st.integers(1, 9), st.integers(0, 10), st.integers(0, HOUR_MS - 1)), max_size=30
)
SMALL = st.integers(0, 11)


@given(COLUMNS, st.builds(Extent, SMALL, SMALL, SMALL, SMALL, SMALL, SMALL))
def test_an_extent_covers_what_a_brute_force_says(rows: list[tuple[int, int, int, int]], extent: Extent) -> None:
    points = no_points()
    frame, channel, hour, rest = (np.array([row[at] for row in rows], np.int64) for at in range(4))
    columns = Columns(frame, channel, replace(points, source_ms=hour * HOUR_MS + rest))
    assert extent.covers(columns).tolist() == [
        seq <= extent.floor
        or (seq <= extent.seq and at < extent.before_hour)
        or (seq <= extent.pass_seq and at < extent.pass_before_hour and number <= extent.pass_channel)
        for seq, number, at, _ in rows
    ]


async def test_a_closed_month_is_read_only_and_late_data_for_it_lies_in_the_open_one(tmp_path: Path) -> None:
    folder = tmp_path / "telemetry"
    january = [reading("a/t", START + at, 1.0, START + at) for at in (0, 1000)]
    february = [reading("a/t", BOUNDARY + at, 2.0, BOUNDARY + at) for at in (0, 1000)]
    store = await carried_out(folder, [Arrive(january), Seal(BOUNDARY), Arrive(february), Seal(BOUNDARY + HOUR_MS)])
    assert files(folder) == ["2026-01.sqlite", "2026-02.sqlite", "journal.sqlite"]
    store = await reopened(store, folder, [])  # this process read it until now
    closed, bytes_before = folder / "2026-01.sqlite", (folder / "2026-01.sqlite").read_bytes()
    assert stat.S_IMODE(closed.stat().st_mode) == 0o444
    assert stat.S_IMODE((folder / "2026-02.sqlite").stat().st_mode) & 0o200
    db = sqlite3.connect(f"{closed.as_uri()}?mode=ro", uri=True)
    assert db.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    db.close()
    assert not list(folder.glob("2026-01.sqlite-*"))

    await store.append([reading("a/t", START, 5.0, BOUNDARY + HOUR_MS), reading("a/c", START, 6.0, BOUNDARY + HOUR_MS)])
    await store.seal(BOUNDARY + HOUR_MS)
    assert closed.read_bytes() == bytes_before
    assert files(folder) == ["2026-01.sqlite", "2026-02.sqlite", "journal.sqlite"]
    series = await store.series("a/t", START, BOUNDARY + HOUR_MS)
    assert (series.value.tolist(), series.revised.tolist()) == ([5.0, 1.0, 2.0, 2.0], [True, False, False, False])
    buckets = await store.buckets("a/t", START, START + HOUR_MS, 1)
    assert (buckets.count.tolist(), buckets.minimum.tolist(), buckets.maximum.tolist()) == ([2], [1.0], [5.0])
    assert (await store.series("a/c", START, BOUNDARY)).value.tolist() == [6.0]
    await store.close()


async def test_passes_name_their_chunks_in_order_across_months(tmp_path: Path) -> None:
    folder = tmp_path / "telemetry"
    steps: list[Step] = []
    for hour in range(4):  # two hours of each month
        at = START + hour * HOUR_MS
        steps += [Arrive([reading(name, at, 1.0, at) for name in CHANNELS]), Seal(at + HOUR_MS)]
    store = await carried_out(folder, steps)
    passes = await store.passes(0)
    assert [(one.number, one.before_hour) for one in passes] == [(at, HOUR + at) for at in range(1, 5)]
    assert [[Key.of(number) for number, _ in one.chunks] for one in passes] == [
        [Key(HOUR + at, number) for number in CHANNELS.values()] for at in range(4)
    ]
    for path in folder.glob("2026-*.sqlite"):
        db = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
        stored = dict(db.execute("SELECT id, sha256 FROM chunks").fetchall())
        db.close()
        assert stored == {n: sha for one in passes for n, sha in one.chunks if month_of(Key.of(n).hour) == path.stem}
    assert await store.passes(2) == passes[2:]
    assert await store.seal(START + 4 * HOUR_MS) == 4  # nothing to do is no pass
    await store.close()


async def test_a_damaged_chunk_is_named_and_spoils_no_other_hour(tmp_path: Path) -> None:
    folder = tmp_path / "telemetry"
    store = await carried_out(folder, [Arrive(ROWS), Seal(BOUNDARY + HOUR_MS)])
    await store.close()
    (path,) = folder.glob("2026-*.sqlite")
    db = sqlite3.connect(path)
    db.execute("UPDATE chunks SET payload = zeroblob(length(payload)) WHERE id = ?", (Key(HOUR + 2, 1).number,))
    db.commit()
    db.close()
    store = await carried_out(folder, [])
    with pytest.raises(StorageError, match=rf"{path.name}: Key\(hour={HOUR + 2}, channel=1.*SHA-256.*; restore"):
        await store.series("a/t", START, START + 3 * HOUR_MS)
    assert (await store.series("a/t", START, START + 2 * HOUR_MS)).source_ms.size == 40
    assert (await store.series("a/c", START, START + 3 * HOUR_MS)).source_ms.size == 60
    with pytest.raises(StorageError, match="SHA-256"):
        check(folder)
    await store.append([reading("a/t", START + 2 * HOUR_MS + 1, 1.0), reading("a/c", BOUNDARY + DAY_MS, 1.0)])
    with pytest.raises(StorageError, match=r"sealing failed.*SHA-256"):
        await store.seal(BOUNDARY + HOUR_MS)
    assert await store.append([reading("a/t", BOUNDARY, 1.0)]) == 3
    await store.close()


@given(st.integers(FIRST_MS // HOUR_MS, ALL_HOURS - 1), st.integers(1, (1 << 20) - 1), st.integers(0, (1 << 16) - 1))
def test_a_key_is_a_positive_number_in_the_order_of_sealing(hour: int, channel: int, generation: int) -> None:
    key = Key(hour, channel, generation)
    assert 0 < key.number < 1 << 63
    assert Key.of(key.number) == key
    assert key.number < Key(hour, channel + 1 if channel < (1 << 20) - 1 else channel, generation + 1).number


@given(st.integers(FIRST_MS // HOUR_MS, ALL_HOURS - 1))
def test_an_hour_lies_in_its_month(hour: int) -> None:
    month = month_of(hour)
    assert hour < hour_after(month)
    assert month_of(hour_after(month)) > month or month == "9999-12"
    assert month_of(hour_after(month) - 1) == month


async def test_readings_of_the_first_and_last_year_are_sealed_and_others_refused(tmp_path: Path) -> None:
    folder = tmp_path / "telemetry"
    ends = [reading("a/t", at, 1.0) for at in (FIRST_MS, -1, 0, END_MS - 1)]
    store = await carried_out(folder, [Arrive(ends), Seal(END_MS)])
    await gone(folder)
    series = await store.series("a/t", FIRST_MS, END_MS)
    assert series.source_ms.tolist() == [FIRST_MS, -1, 0, END_MS - 1]
    for at in (FIRST_MS - 1, END_MS, 1 << 62, -(1 << 62)):
        with pytest.raises(StorageError, match=f"a/c: {at} ms is no time of the years 1 to 9999"):
            await store.append([reading("a/t", START, 1.0), reading("a/c", at, 1.0)])
    assert (store.count(), store.latest()) == (4, {"a/t": ends[-1]})
    await store.close()


async def test_sealing_by_itself_when_the_journal_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cultureops.telemetry.embedded.MOST_UNSEALED_READINGS", 100)
    folder = tmp_path / "telemetry"
    store = await carried_out(folder, [Arrive(ROWS[at : at + 20]) for at in range(0, len(ROWS), 20)])
    async with asyncio.timeout(20):
        while not chunks_of(folder):
            await asyncio.sleep(0.01)
    assert (await store.series("a/t", START, BOUNDARY + HOUR_MS)).source_ms.size == 60
    await store.close()


async def test_a_wish_to_seal_ends_when_the_disk_is_full_or_the_store_is_closed(tmp_path: Path) -> None:
    folder = tmp_path / "telemetry"
    store = await carried_out(folder, [Arrive(ROWS)])
    db = sqlite3.connect(folder / "journal.sqlite", isolation_level=None)
    db.execute("CREATE TRIGGER full BEFORE INSERT ON frames BEGIN SELECT RAISE(ABORT, 'disk full'); END")
    refused = store.append([reading("a/t", START + 1, 1.0)])
    with pytest.raises(StorageError, match="disk full"):
        await asyncio.wait_for(store.seal(BOUNDARY), 20)
    assert isinstance(refused.exception(), StorageError)
    sealing = asyncio.create_task(store.seal(BOUNDARY))
    await asyncio.sleep(0)
    await asyncio.wait_for(store.close(), 20)
    with pytest.raises(StorageError):
        await asyncio.wait_for(sealing, 20)
    with pytest.raises(StorageError, match="is closed"):
        await store.seal(BOUNDARY)
    db.close()
