"""A month's archive answers as the store does that it was written from, and tells when it is not what it says."""

import hashlib
import io
import itertools
import json
import struct
from collections.abc import Sequence
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import numpy as np
import pyarrow.parquet as pq
import pytest
import rfc8785
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cultureops.clock import DAY_MS, HOUR_MS, MINUTE_MS, parse_iso
from cultureops.device.channel import Kind
from cultureops.device.reading import Quality, Reading, Reason
from cultureops.errors import ConfigError, StorageError, Unreadable
from cultureops.telemetry import ChannelInfo, EmbeddedStore, parquet
from cultureops.telemetry.archive import Archive, is_archive
from cultureops.telemetry.archive_contents import Archived, file_name, month_range
from cultureops.telemetry.archiving import archive_month, check_archive
from cultureops.telemetry.exchange import UTC, export_csv, import_readings, write_csv
from cultureops.telemetry.month import ALL_HOURS
from cultureops.telemetry.parquet import NOTES

OCTOBER, NOVEMBER = (month_range(month)[0] for month in ("2026-10", "2026-11"))
DECEMBER = month_range("2026-11")[1]
LATER = parse_iso("2027-03-01T00:00:00Z")
EVER = (OCTOBER - DAY_MS, DECEMBER + DAY_MS)
INFOS = {
    "z/t": ChannelInfo("Cel", decimals=1, simulated=True),
    "a/c": ChannelInfo("%", verified=False),
    "a/door": ChannelInfo("1", decimals=0, kind=Kind.STATE),
    "a/öl": ChannelInfo("%"),
}


def reading(channel: str, at: int, value: float | None, reason: Reason = Reason.TIMEOUT, later: int = 7) -> Reading:
    if value is None:
        return Reading(channel, None, Quality.BAD, reason, at, at + later)
    return Reading(channel, value, Quality.GOOD, Reason.NONE, at, at + later)


def archive(folder: Path, out: Path, *months: str, zone: ZoneInfo = UTC) -> list[Archived]:
    found = []
    for month in months:
        with (out / file_name(month, so_far=False)).open("w+b") as file:
            found.append(archive_month(folder, month, zone, file, LATER, so_far=False, show=lambda done, of: None))
    return found


async def filled(folder: Path, frames: Sequence[Sequence[Reading]], *, seal_every: int = 100) -> EmbeddedStore:
    store = EmbeddedStore.open(folder)
    store.declare(INFOS)
    for number, frame in enumerate(frames, 1):
        await store.append(frame)
        if number % seal_every == 0:
            await store.seal(ALL_HOURS * HOUR_MS)
    await store.seal(ALL_HOURS * HOUR_MS)
    return store


async def assert_alike(
    store: EmbeddedStore, archive: Archive, ranges: Sequence[tuple[int, int]], *, exact_mean: bool = True
) -> None:
    assert archive.channels() == store.channels()
    assert list(archive.channels()) == list(store.channels())
    assert archive.latest() == store.latest()
    for start, end in ranges:
        assert await archive.gaps(start, end) == await store.gaps(start, end)
        assert await archive.gaps(start, end, ["a/c"]) == await store.gaps(start, end, ["a/c"])
        for channel in (*store.channels(), "a/nobody"):
            ours, theirs = await archive.series(channel, start, end), await store.series(channel, start, end)
            for name in ("source_ms", "value", "quality", "reason", "revised"):
                np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))
            for count in (1, 7, 300):
                found = await archive.buckets(channel, start, end, count)
                expected = await store.buckets(channel, start, end, count)
                assert found.width_ms == expected.width_ms
                for name in ("from_ms", "minimum", "maximum", "count", "bad", *["mean"] * exact_mean):
                    np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
                np.testing.assert_allclose(found.mean, expected.mean, rtol=1e-12, atol=1e-12)


def troubled() -> list[list[Reading]]:
    """Return two days around the turn of a month: late, doubled, superseded, BAD, and a clock that went back."""
    rows = [
        [
            reading("z/t", at, None if 300 <= minute < 400 or minute % 97 == 0 else 36 + minute % 11 / 10),
            reading("a/c", at + 3, None if minute > 700 else 5.0, Reason.SENTINEL if minute < 800 else Reason.TIMEOUT),
        ]
        for minute in range(0, 2 * 24 * 60, 3)
        for at in [NOVEMBER - DAY_MS + minute * MINUTE_MS]
    ]
    late, rest = rows[100:180], rows[:100] + rows[180:]
    rest[400:400] = late
    rest += rows[50:60]  # said twice
    rest += [[reading("z/t", rows[n][0].source_time, 40.0 + n, later=n)] for n in (10, 20, 100, 479, 480)]  # superseded
    rest += [[reading("z/t", rows[20][0].source_time, 36.0)], [reading("z/t", rows[20][0].source_time, None)]]
    return rest


@pytest.mark.parametrize("rows_a_group", [13, 65_536])
async def test_an_archive_answers_as_its_store(
    rows_a_group: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "ROWS_A_GROUP", rows_a_group)
    store = await filled(tmp_path / "telemetry", troubled(), seal_every=50)
    archive(tmp_path / "telemetry", tmp_path, "2026-10", "2026-11")
    found = Archive.open(tmp_path)
    day = NOVEMBER - DAY_MS
    ranges = [
        EVER, (day, day + 2 * DAY_MS), (NOVEMBER - HOUR_MS, NOVEMBER + HOUR_MS), (NOVEMBER, NOVEMBER + 1),
        (day + 5 * HOUR_MS, day + 6 * HOUR_MS), (day + 30 * MINUTE_MS, day + 31 * MINUTE_MS),
        (OCTOBER, OCTOBER + HOUR_MS), (day + 18 * HOUR_MS + 17, day + 30 * HOUR_MS + 5_003),
    ]  # fmt: skip
    await assert_alike(store, found, ranges)
    ours, theirs = io.StringIO(), io.StringIO()
    assert write_csv(found.kept(None, *EVER), ours, UTC) == export_csv(tmp_path / "telemetry", theirs, None, *EVER)
    assert ours.getvalue() == theirs.getvalue() and "superseded" in ours.getvalue()
    assert found.count() == len(ours.getvalue().splitlines()) - 1
    with pytest.raises(ConfigError, match="no channel 'a/o2' in the archive; known: z/t, a/c, a/door, a/öl"):
        found.kept(["a/o2"], *EVER)
    with pytest.raises(ValueError, match="is no range"):
        await found.buckets("z/t", NOVEMBER, NOVEMBER, 1)
    found.close()
    await store.close()


CHANNELS = st.sampled_from(["z/t", "a/c"])
MINUTES = st.one_of(st.integers(-200, 200), st.sampled_from([-1, 0, 5 * 24 * 60, -9 * 24 * 60]))
VALUES = st.one_of(st.none(), st.integers(-500, 500).map(lambda tenths: tenths / 10))
ANY_VALUES = st.one_of(st.none(), st.floats(-50, 50))
REASONS = st.sampled_from([Reason.TIMEOUT, Reason.SENTINEL])
RECEIVED = st.integers(-3, 3)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    points=st.one_of(
        *(
            st.lists(st.tuples(CHANNELS, MINUTES, values, REASONS, RECEIVED), min_size=1, max_size=40)
            for values in (VALUES, ANY_VALUES)
        )
    ),
    cuts=st.lists(st.integers(0, 40), max_size=4),
    rows_a_group=st.integers(1, 9),
)  # fmt: skip
async def test_any_order_of_arrival_gives_the_answers_of_the_store(
    points: list[tuple[str, int, float | None, Reason, int]],
    cuts: list[int],
    rows_a_group: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    path = tmp_path_factory.mktemp("any")
    rows = [reading(name, NOVEMBER + at * MINUTE_MS, value, why, later) for name, at, value, why, later in points]
    edges = sorted({0, len(rows), *(cut for cut in cuts if cut < len(rows))})
    store = await filled(
        path / "telemetry", [rows[begin:end] for begin, end in itertools.pairwise(edges)], seal_every=1
    )
    months = sorted({"2026-10" if row.source_time < NOVEMBER else "2026-11" for row in rows})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parquet, "ROWS_A_GROUP", rows_a_group)
        archive(path / "telemetry", path, *months)
    found = Archive.open(path)
    exact = all(value is None or round(value, 1) == value for _, _, value, _, _ in points)
    around = [
        (NOVEMBER + first * MINUTE_MS, NOVEMBER + last * MINUTE_MS) for first, last in ((-90, 60), (10, 75), (-1, 0))
    ]
    await assert_alike(store, found, [EVER, *around], exact_mean=exact)
    found.close()
    await store.close()


async def test_latest_is_by_receipt_where_the_stores_last_reading_is_of_a_later_month(tmp_path: Path) -> None:
    frames = [[reading("z/t", at, float(n))] for n, at in enumerate((OCTOBER + 9, OCTOBER, NOVEMBER))]
    store = await filled(tmp_path / "telemetry", frames)
    archive(tmp_path / "telemetry", tmp_path, "2026-10")
    found = Archive.open(tmp_path / "2026-10.parquet")
    assert found.latest() == {"z/t": frames[0][0]}
    assert (await found.series("z/t", NOVEMBER, DECEMBER)).source_ms.size == 0
    found.close()
    await store.close()


async def test_a_file_is_what_its_page_of_the_reference_says(tmp_path: Path) -> None:
    store = await filled(tmp_path / "telemetry", troubled())
    (found,) = archive(tmp_path / "telemetry", tmp_path, "2026-10", zone=ZoneInfo("Europe/Vienna"))
    await store.close()
    path = tmp_path / "2026-10.parquet"
    rows = duckdb.sql(
        "SELECT channel, epoch_ms(time_utc), epoch_ms(received_utc), value, quality, reason, superseded, "
        f"utc_offset_min FROM '{path}'"
    ).fetchall()
    assert found.readings == len(rows) and found.channels == 2
    assert rows == sorted(rows, key=lambda row: row[:2])  # both sorts keep the order of arrival
    assert {row[7] for row in rows} == {60}
    by_channel = {name: [row for row in rows if row[0] == name] for name in ("a/c", "z/t")}
    lines = ["2026-10"]
    for name, info in (("a/c", INFOS["a/c"]), ("z/t", INFOS["z/t"])):
        packed = b"".join(
            struct.pack("<qq", at, received)
            + (b"\0\0\0\0\0\0\xf8\x7f" if value is None else struct.pack("<d", value))
            + bytes([Quality[quality], Reason[reason]])
            for _, at, received, value, quality, reason, _, _ in by_channel[name]
        )
        entry = {
            "channel": name, "unit": info.unit, "decimals": info.decimals, "kind": info.kind.value,
            "verified": info.verified, "simulated": info.simulated, "readings": len(by_channel[name]),
            "sha256": hashlib.sha256(packed).hexdigest(),
        }  # fmt: skip
        lines.append(rfc8785.dumps(entry).decode())
    assert found.sha256 == hashlib.sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest()
    notes = {key: value for key, value in pq.read_metadata(path).metadata.items() if key.startswith(b"cultureops.")}
    assert notes[b"cultureops.sha256"].decode() == found.sha256
    assert notes[b"cultureops.zone"] == b"Europe/Vienna" and notes[b"cultureops.month"] == b"2026-10"
    assert [entry["channel"] for entry in json.loads(notes[b"cultureops.channels"])] == list(INFOS)
    assert check_archive(path) == found


async def test_the_digest_does_not_depend_on_how_readings_came(tmp_path: Path) -> None:
    once = await filled(tmp_path / "once", [[row for frame in troubled() for row in frame]])
    often = await filled(tmp_path / "often", troubled(), seal_every=7)
    (first,) = archive(tmp_path / "once", tmp_path, "2026-10")
    (tmp_path / "again").mkdir()
    (second,) = archive(tmp_path / "often", tmp_path / "again", "2026-10")
    assert first == second
    await once.close()
    await often.close()


async def test_what_is_archived_comes_back(tmp_path: Path) -> None:
    store = await filled(tmp_path / "telemetry", troubled(), seal_every=100)
    archive(tmp_path / "telemetry", tmp_path, "2026-10", "2026-11")
    again = EmbeddedStore.open(tmp_path / "again")
    for month in ("2026-10", "2026-11"):
        await import_readings(again, tmp_path / f"{month}.parquet")
    for channel in ("z/t", "a/c"):
        ours, theirs = await again.series(channel, *EVER), await store.series(channel, *EVER)
        for name in ("source_ms", "value", "quality", "reason", "revised"):
            np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))
    await again.close()
    await store.close()


async def test_a_month_that_may_still_change_is_refused(tmp_path: Path) -> None:
    store = EmbeddedStore.open(tmp_path / "telemetry")
    store.declare(INFOS)
    await store.append([reading("z/t", OCTOBER, 1.0), reading("z/t", NOVEMBER - 1, 2.0), reading("z/t", NOVEMBER, 3.0)])

    def attempt(month: str, now: int, *, so_far: bool = False) -> Archived:
        return archive_month(
            tmp_path / "telemetry", month, UTC, io.BytesIO(), now, so_far=so_far, show=lambda done, of: None
        )

    with pytest.raises(ConfigError, match="2026-10 is not over in UTC; archive it then, or give --so-far"):
        attempt("2026-10", NOVEMBER - 1)
    with pytest.raises(ConfigError, match=r"2 readings of 2026-10 are not sealed yet; .* or give --so-far"):
        attempt("2026-10", NOVEMBER)
    assert attempt("2026-10", NOVEMBER - 1, so_far=True).readings == 2
    await store.seal(NOVEMBER + HOUR_MS)
    assert attempt("2026-10", NOVEMBER).readings == 2
    with pytest.raises(StorageError, match="holds no readings of 2026-09"):
        attempt("2026-09", NOVEMBER)
    for month in ("2026-13", "2026-1", "october", "0000-01", "2026-10-01"):
        with pytest.raises(ConfigError, match="is no month; write e"):
            attempt(month, NOVEMBER)
    assert store.count() == 3
    await store.close()


def noted(path: Path, key: str, value: str | None) -> None:
    """Write a file again with another note."""
    source = pq.ParquetFile(path)
    notes = dict(source.metadata.metadata)
    notes.pop(b"ARROW:schema")
    name = (NOTES + key).encode()
    notes = {k: v for k, v in notes.items() if k != name} | ({} if value is None else {name: value.encode()})
    groups = [source.read_row_group(number) for number in range(source.num_row_groups)]
    with pq.ParquetWriter(path, source.schema_arrow.with_metadata(notes)) as writer:
        for group in groups:
            writer.write_table(group)


async def test_an_archive_that_is_not_what_it_says_is_refused(tmp_path: Path) -> None:
    store = await filled(tmp_path / "telemetry", troubled())
    await store.close()
    path = tmp_path / "2026-10.parquet"
    for key, value, error, message in [
        ("month", None, ConfigError, "is no archive; give a file that `telemetry archive` wrote"),
        ("month", "2026-09", Unreadable, "holds readings that are not of 2026-09"),
        ("month", "soon", Unreadable, "what the file says of itself is damaged"),
        ("format", "2", Unreadable, "is of format 2, this program knows 1; update"),
        ("channels", "[]", Unreadable, "channels and readings do not belong together"),
        ("channels", '[{"channel": 1}]', Unreadable, "what the file says of itself is damaged"),
        ("latest", "{", Unreadable, "what the file says of itself is damaged"),
        ("zone", "Vienna", Unreadable, "what the file says of itself is damaged"),
    ]:
        archive(tmp_path / "telemetry", tmp_path, "2026-10")
        noted(path, key, value)
        with pytest.raises(error, match=rf"2026-10\.parquet: {message}"):
            Archive.open(tmp_path)
    archive(tmp_path / "telemetry", tmp_path, "2026-10")
    noted(path, "sha256", "0" * 64)
    with pytest.raises(Unreadable, match=r"holds \d+ readings with SHA-256 [0-9a-f]{64}, noted were \d+ with 0000"):
        check_archive(path)
    archive(tmp_path / "telemetry", tmp_path, "2026-10")
    damaged = bytearray(path.read_bytes())
    damaged[300] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(Unreadable, match=r"2026-10\.parquet: is no Parquet file, or was cut short or damaged"):
        check_archive(path)


async def test_two_files_of_one_month_are_refused(tmp_path: Path) -> None:
    store = await filled(tmp_path / "telemetry", troubled())
    await store.close()
    (tmp_path / "out").mkdir()
    assert not is_archive(tmp_path / "out")
    with pytest.raises(ConfigError, match="no archive is there"):
        Archive.open(tmp_path / "out")
    archive(tmp_path / "telemetry", tmp_path / "out", "2026-10")
    assert is_archive(tmp_path / "out") and is_archive(tmp_path / "out" / "2026-10.parquet")
    (tmp_path / "out" / "copy.parquet").write_bytes((tmp_path / "out" / "2026-10.parquet").read_bytes())
    with pytest.raises(ConfigError, match=r"copy\.parquet: 2026-10\.parquet is of the same month; keep one"):
        Archive.open(tmp_path / "out")


async def test_a_file_that_does_not_give_back_what_was_written_gets_no_name(tmp_path: Path) -> None:
    store = await filled(tmp_path / "telemetry", troubled())
    await store.close()

    class Forgetful(io.BytesIO):
        def seek(self, offset: int, whence: int = 0, /) -> int:
            self.getbuffer()[400] ^= 1
            return super().seek(offset, whence)

    with pytest.raises(StorageError):
        archive_month(
            tmp_path / "telemetry", "2026-10", UTC, Forgetful(), LATER, so_far=False, show=lambda done, of: None
        )
