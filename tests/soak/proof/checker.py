"""What must hold of a store's folder after a crash: nothing durable lost, nothing shown that was never appended."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np

from cultureops.clock import HOUR_MS, MINUTE_MS, Instant
from cultureops.device.channel import ChannelId
from cultureops.device.reading import Quality, Reason
from cultureops.errors import Unreadable
from cultureops.telemetry import EmbeddedStore
from cultureops.telemetry.exchange import check as check_files
from cultureops.telemetry.exchange import kept_readings
from cultureops.telemetry.follow import Cursor
from cultureops.telemetry.points import Points
from cultureops.telemetry.store import Buckets
from proof.course import CHANNELS, Said, Shown

__all__ = ["Bounds", "Broken", "Found", "check"]

EVER = -(1 << 50), 1 << 50
WORD_S = 10.0
FOLLOWED_AT_ONCE = 500


class Broken(AssertionError):
    """The store did not keep its word."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Appends ``1..least`` were durable, none beyond ``most`` was made."""

    least: int
    most: int


@dataclass(frozen=True, slots=True)
class Found:
    """What a store shows at the end of a check, and why a reader was turned away before the writer came, if it was."""

    shown: Shown
    refusal: str | None


def expect(holds: bool, what: str) -> None:
    if not holds:
        raise Broken(what)


async def check(folder: Path, bounds: Bounds, known: Shown, *, seal: bool = True) -> Found:
    """Open a folder as a reader and then as its writer, compare all it shows, go on, and compare again.

    ``known`` is any state of the same course. Raises Broken.
    """
    was_read, refusal = None, None
    try:
        was_read = _read_only(folder, bounds, known)
    except (Unreadable, sqlite3.Error) as error:
        refusal = str(error)
    async with asyncio.timeout(WORD_S * 3):
        store = EmbeddedStore.open(folder)
        try:
            shown = _within(bounds, known, store.count())
            if was_read is not None:
                expect(was_read == shown.number, f"a reader saw {was_read} appends, the writer {shown.number}")
            await _compare(store, shown)
            store.declare(CHANNELS)
            for number in range(shown.number + 1, shown.number + 3):
                await store.append(shown.course.readings(number))
                shown = shown.up_to(number)
            if seal:
                await store.seal(shown.course.at(shown.number) + HOUR_MS)
            await _compare(store, shown)
            expect(store.failure is None, f"a sound disk, and yet: {store.failure}")
        finally:
            await store.close()
    _intact(folder)
    return Found(shown, refusal)


def _within(bounds: Bounds, known: Shown, total: int) -> Shown:
    shown = known.with_total(total)
    if shown is None:
        raise Broken(f"{total} readings are no whole number of appends: one is torn")
    expect(shown.number >= bounds.least, f"{bounds.least} appends were durable, {shown.number} are left")
    expect(shown.number <= bounds.most, f"{bounds.most} appends were made, {shown.number} are there")
    return shown


def _read_only(folder: Path, bounds: Bounds, known: Shown) -> int:
    """Compare what another process would see before any writer comes; raises Unreadable where it sees nothing."""
    shown = _within(bounds, known, check_files(folder).readings)
    found: dict[ChannelId, dict[Instant, list[Said]]] = {name: {} for name in CHANNELS}
    for channel, _, points in kept_readings(folder, None, *EVER):
        for at, said in _said(points):
            found[channel].setdefault(at, []).append(said)
    for channel in CHANNELS:
        expect(found[channel] == shown.kept[channel], f"{channel}: other readings are kept than were appended")
    _intact(folder)
    return shown.number


def _said(points: Points) -> Iterable[tuple[Instant, Said]]:
    columns = (points.source_ms, points.value, points.quality, points.reason)
    for at, value, quality, reason in zip(*(column.tolist() for column in columns), strict=True):
        yield at, (None if value != value else value, Quality(quality), Reason(reason))


def _intact(folder: Path) -> None:
    """Every SQLite file opens and is whole."""
    for path in sorted(folder.rglob("*.sqlite")):
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as db:
            found = db.execute("PRAGMA integrity_check").fetchone()[0]
        expect(found == "ok", f"{path.name}: {found}")


async def _compare(store: EmbeddedStore, shown: Shown) -> None:
    expect(store.count() == shown.total, f"{store.count()} readings are counted, {shown.total} were appended")
    expect(dict(store.latest()) == shown.latest, "the latest readings are others")
    for channel in CHANNELS:
        rows = shown.series(channel)
        series = await store.series(channel, *EVER)
        columns = (series.source_ms, series.value, series.quality, series.reason, series.revised)
        found = [
            (at, None if value != value else value, *rest)
            for at, value, *rest in zip(*(column.tolist() for column in columns), strict=True)
        ]
        expect(found == rows, f"{channel}: {_first_difference(found, rows)}")
        if rows:
            await _compare_buckets(store, channel, rows)
    if shown.number:
        expect(list(await store.gaps(*EVER)) == shown.gaps(), "the gaps are others")
    await _compare_followed(store, shown)


def _first_difference(found: list[tuple], rows: list[tuple]) -> str:  # type: ignore[type-arg]
    for at, (one, other) in enumerate(zip(found, rows, strict=False)):
        if one != other:
            return f"row {at} is {one}, expected {other}"
    return f"{len(found)} rows, expected {len(rows)}"


async def _compare_buckets(store: EmbeddedStore, channel: ChannelId, rows: list[tuple]) -> None:  # type: ignore[type-arg]
    end = rows[-1][0] + 1
    for start, count in ((rows[0][0], 300), (end - 6 * HOUR_MS, 360), (end - 20 * MINUTE_MS, 100)):
        buckets = await store.buckets(channel, start, end, count)
        first = int(buckets.from_ms[0])
        inside = [(at, value) for at, value, *_ in rows if first <= at < end]
        expect(
            _by_bucket(buckets) == _expected(inside, first, buckets.width_ms),
            f"{channel}: {count} buckets of {start}..{end} do not agree with the series",
        )


Bucket = tuple[int, int, float | None, float | None]


def _by_bucket(buckets: Buckets) -> dict[int, Bucket]:
    return {
        number: (count, bad, low if count else None, high if count else None)
        for number, (count, bad, low, high) in enumerate(
            zip(*(column.tolist() for column in (buckets.count, buckets.bad, buckets.minimum, buckets.maximum)),
                strict=True)
        )
        if count or bad
    }  # fmt: skip


def _expected(rows: list[tuple[Instant, float | None]], first: Instant, width_ms: int) -> dict[int, Bucket]:
    found = {}
    for number, stretch in groupby(rows, key=lambda row: (row[0] - first) // width_ms):
        values = [value for _, value in stretch]
        good = [value for value in values if value is not None]
        found[number] = (len(good), len(values) - len(good), min(good, default=None), max(good, default=None))
    return found


async def _compare_followed(store: EmbeddedStore, shown: Shown) -> None:
    """A follower from the beginning misses no reading and meets none that was not appended."""
    cursor, seen = Cursor(), set[tuple[ChannelId, Instant, Said]]()
    while True:
        extract = await store.follow(cursor, FOLLOWED_AT_ONCE)
        for number in np.unique(extract.rows.channel).tolist():
            points = extract.rows.points.at(extract.rows.channel == number)
            seen |= {(extract.names[number], at, said) for at, said in _said(points)}
        if extract.next == cursor:
            break
        cursor = extract.next
    kept = {
        (channel, at, said) for channel, instants in shown.kept.items() for at, all_said in instants.items()
        for said in all_said
    }  # fmt: skip
    missed, invented = kept - seen, seen - kept
    expect(not missed, f"a follower misses {len(missed)} readings, by channel {Counter(row[0] for row in missed)}")
    expect(not invented, f"a follower meets {len(invented)} readings that were never appended")
