"""Readings go out as Parquet and come back, others can read them, and what is wrong with a file is said."""

import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cultureops.clock import HOUR_MS, MINUTE_MS, parse_iso
from cultureops.device.reading import Quality, Reading, Reason
from cultureops.errors import ConfigError, Unreadable
from cultureops.telemetry import ChannelInfo, EmbeddedStore, parquet
from cultureops.telemetry.exchange import UTC, export_csv, import_readings, kept_readings, write_parquet
from cultureops.telemetry.parquet import ParquetFile, ParquetWriter
from cultureops.telemetry.points import Points

START = 1_767_600_000_000 // HOUR_MS * HOUR_MS
EVER = (0, START * 2)
VIENNA = ZoneInfo("Europe/Vienna")


async def filled(path: Path) -> None:
    store = EmbeddedStore.open(path)
    store.declare({"b/t": ChannelInfo("Cel", simulated=True), "a/c": ChannelInfo("%"), "a/door": ChannelInfo("1")})
    for minute in range(90):
        at = START + minute * MINUTE_MS
        await store.append(
            [
                Reading("b/t", 37 + minute / 7, Quality.GOOD, Reason.NONE, at, at + 9),
                Reading("a/c", None, Quality.BAD, Reason.TIMEOUT, at + 1, at + 250)
                if minute in (20, 21)
                else Reading(
                    "a/c", -0.0 if minute == 3 else 0.1 + 0.2, Quality.UNCERTAIN, Reason.UNVERIFIED, at + 1, at
                ),
            ]
        )
    for value in (1.0, 2.0):
        await store.append([Reading("b/t", value, Quality.GOOD, Reason.NONE, START, START + int(value))])
    await store.close()


@pytest.fixture
async def exported(tmp_path: Path) -> Path:
    await filled(tmp_path / "a")
    with (tmp_path / "a.parquet").open("w+b") as out:
        assert write_parquet(kept_readings(tmp_path / "a", None, *EVER), out, VIENNA) == 182
    return tmp_path / "a.parquet"


async def test_an_export_comes_back_the_same(exported: Path, tmp_path: Path) -> None:
    again = EmbeddedStore.open(tmp_path / "b")
    assert await import_readings(again, exported) == 182 == again.count()
    await again.close()
    ours, theirs = io.StringIO(), io.StringIO()
    export_csv(tmp_path / "a", ours, None, *EVER)
    export_csv(tmp_path / "b", theirs, None, *EVER)
    assert sorted(theirs.getvalue().splitlines()) == sorted(ours.getvalue().splitlines())
    assert "superseded" in ours.getvalue() and ",-0.0," in ours.getvalue()


def test_others_read_it_as_documented(exported: Path) -> None:
    found = duckdb.sql(
        "SELECT channel, count(*), count(value), min(value), max(value) "
        f"FROM '{exported}' GROUP BY channel ORDER BY channel"
    ).fetchall()
    assert found == [("a/c", 90, 88, 0.0, 0.1 + 0.2), ("b/t", 92, 92, 1.0, 37 + 89 / 7)]
    columns = duckdb.sql(f"SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM '{exported}')").fetchall()
    assert columns == [
        ("time_utc", "TIMESTAMP WITH TIME ZONE"), ("channel", "VARCHAR"), ("value", "DOUBLE"), ("unit", "VARCHAR"),
        ("quality", "VARCHAR"), ("reason", "VARCHAR"), ("received_utc", "TIMESTAMP WITH TIME ZONE"),
        ("simulated", "BOOLEAN"), ("superseded", "BOOLEAN"), ("utc_offset_min", "SMALLINT"),
    ]  # fmt: skip
    first = duckdb.sql(
        "SELECT epoch_ms(time_utc), value, unit, quality, reason, epoch_ms(received_utc), simulated, superseded, "
        f"utc_offset_min FROM '{exported}' WHERE epoch_ms(time_utc) = {START}"
    ).fetchall()
    assert first == [
        (START, 37.0, "Cel", "GOOD", "NONE", START + 9, True, True, 60),
        (START, 1.0, "Cel", "GOOD", "NONE", START + 1, True, True, 60),
        (START, 2.0, "Cel", "GOOD", "NONE", START + 2, True, False, 60),
    ]
    bad = duckdb.sql(f"SELECT DISTINCT reason, value FROM '{exported}' WHERE quality = 'BAD'").fetchall()
    assert bad == [("TIMEOUT", None)]
    notes = duckdb.sql(f"SELECT decode(key), decode(value) FROM parquet_kv_metadata('{exported}')").fetchall()
    assert {("cultureops.format", "1"), ("cultureops.readings", "182"), ("cultureops.zone", "Europe/Vienna")} <= {
        *notes
    }


def test_what_is_one_instant_is_never_parted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "ROWS_A_GROUP", 4)
    at = np.array([0, 1, 2, 3, 3, 3, 4, 4, 4, 4, 4, 4, 5, 6], np.int64) + START
    good = np.full(at.size, Quality.GOOD, np.uint8)
    points = Points(at, at, np.arange(at.size, dtype=float), good, np.zeros(at.size, np.uint8))
    out = io.BytesIO()
    writer = ParquetWriter(out, UTC)
    for first, end in ((0, 3), (3, 12), (12, 14)):
        writer.write("a/t", ChannelInfo("Cel"), points.at(slice(first, end)))
    writer.write("b/t", ChannelInfo("Cel"), points)
    writer.close({})
    file = ParquetFile(out, "x")
    groups = file.row_groups()
    assert [(group.channel, group.rows) for group in groups] == [
        (name, rows) for name in ("a/t", "b/t") for rows in (3, 3, 6, 2)
    ]
    assert [value for group in groups[:4] for value in file.points(group).value.tolist()] == points.value.tolist()
    assert file.notes == {}


def rewritten(source: Path, change: Callable[[pa.Table], pa.Table]) -> None:
    pq.write_table(change(pq.read_table(source)), source)


def set_column(name: str, row: int, value: object) -> Callable[[pa.Table], pa.Table]:
    def change(table: pa.Table) -> pa.Table:
        at = table.column_names.index(name)
        values = table.column(name).cast(
            pa.string() if pa.types.is_dictionary(table.field(at).type) else table.field(at).type
        )
        changed = [*values.slice(0, row).to_pylist(), value, *values.slice(row + 1).to_pylist()]
        return table.set_column(at, pa.field(name, values.type), pa.array(changed, values.type))

    return change


BAD_ROW = 20 + 92


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (set_column("value", 5, float("nan")), "row 6: 'nan' is not a finite number"),
        (set_column("value", 5, float("inf")), "row 6: 'inf' is not a finite number"),
        (set_column("value", 5, None), "row 6: b/t: a reading has no value exactly when it is BAD"),
        (set_column("value", BAD_ROW, 5.0), f"row {BAD_ROW + 1}: a/c: a reading has no value exactly when it is BAD"),
        (set_column("reason", BAD_ROW, "NONE"), f"row {BAD_ROW + 1}: a/c: a BAD reading needs a reason"),
        (set_column("quality", 181, "FINE"), "row 182: 'FINE' with reason 'UNVERIFIED' is no quality"),
        (set_column("reason", 0, "MOOD"), "row 1: 'GOOD' with reason 'MOOD' is no quality and reason"),
        (set_column("reason", 7, None), "row 8: the field reason is empty"),
        (set_column("received_utc", 7, None), "row 8: the field received_utc is empty"),
        (set_column("channel", 0, "t"), "row 1: 't' is no channel"),
        (set_column("unit", 9, "K"), "row 10: b/t is in 'K' here and was in 'Cel' before"),
        (set_column("simulated", 9, False), "row 10: b/t is simulated in one place and real in the other"),
        (lambda table: table.drop_columns(["reason"]), "expected the columns time_utc,channel,value"),
        (lambda table: table.append_column("more", table["value"]), "expected the columns time_utc,channel,value"),
        (
            lambda table: table.set_column(2, "value", table["value"].cast(pa.float32(), safe=False)),
            "the column value is float, expected double",
        ),
        (
            lambda table: table.set_column(0, "time_utc", table["time_utc"].cast(pa.timestamp("us", "UTC"))),
            r"the column time_utc is timestamp\[us, tz=UTC\], expected timestamp\[ms, tz=UTC\]",
        ),
        (
            lambda table: table.set_column(
                0, "time_utc", pa.array(np.full(182, 1 << 60)).cast(pa.timestamp("ms", "UTC"), safe=False)
            ),
            f"row 1: {1 << 60} ms is no time of the years 1 to 9999",
        ),
        (
            lambda table: table.set_column(3, "unit", pa.array(np.zeros(182))),
            "the column unit is double, expected text",
        ),
    ],
)  # fmt: skip
async def test_a_bad_row_is_named_and_keeps_all_out(
    change: Callable[[pa.Table], pa.Table], message: str, exported: Path, tmp_path: Path
) -> None:
    rewritten(exported, change)
    store = EmbeddedStore.open(tmp_path / "b")
    with pytest.raises(ConfigError, match=rf"^[^\n]*a\.parquet: .*{message}[^\n]*; nothing was imported$"):
        await import_readings(store, exported)
    assert (store.count(), store.channels()) == (0, {})
    await store.close()


async def test_what_was_written_again_by_others_is_taken(exported: Path, tmp_path: Path) -> None:
    rewritten(exported, lambda table: table.set_column(1, "channel", table["channel"].cast(pa.string())))
    store = EmbeddedStore.open(tmp_path / "b")
    assert await import_readings(store, exported) == 182
    await store.close()


async def test_what_is_no_parquet_file_or_not_a_whole_one_is_refused(exported: Path, tmp_path: Path) -> None:
    whole = exported.read_bytes()
    flipped = bytearray(whole)
    flipped[200] ^= 1
    store = EmbeddedStore.open(tmp_path / "b")
    for damaged in (b"", b"time_utc,channel\n", whole[: len(whole) // 2], whole[:-1], bytes(flipped)):
        exported.write_bytes(damaged)
        with pytest.raises(ConfigError, match=r"^[^\n]*a\.parquet: is no Parquet file, or was cut short or damaged"):
            await import_readings(store, exported)
    with pytest.raises(ConfigError, match=r"none\.parquet: no such file"):
        await import_readings(store, tmp_path / "none.parquet")
    assert (store.count(), store.channels()) == (0, {})
    await store.close()


def test_a_row_group_that_can_not_be_is_refused(exported: Path) -> None:
    for change, message in [
        (set_column("value", 5, None), "row group 0 has values that do not fit their quality"),
        (set_column("reason", 5, None), "row group 0 has empty fields"),
        (set_column("quality", 5, "FINE"), "row group 0 has the quality 'FINE', which is unknown here"),
        (lambda table: table.take(np.arange(table.num_rows)[::-1].copy()), "row group 0 is not in order of time"),
    ]:
        table = pq.read_table(exported, filters=[("channel", "=", "b/t")])
        pq.write_table(change(table), exported.with_name("changed.parquet"))
        with ParquetFile(exported.with_name("changed.parquet"), "x") as file:
            (group,) = file.row_groups()
            with pytest.raises(Unreadable, match=message):
                file.points(group)
    pq.write_table(pq.read_table(exported), exported.with_name("changed.parquet"))
    with (
        ParquetFile(exported.with_name("changed.parquet"), "x") as file,
        pytest.raises(Unreadable, match="row group 0 holds more than one channel"),
    ):
        file.row_groups()


def test_a_code_that_is_not_known_yet_is_not_written_as_another() -> None:
    at = np.array([START])
    points = Points(at, at, np.array([np.nan]), np.zeros(1, np.uint8), np.array([200], np.uint8))
    writer = ParquetWriter(io.BytesIO(), UTC)
    writer.write("a/t", ChannelInfo("Cel"), points)
    with pytest.raises(Unreadable, match="reason 200 was stored by a newer cultureops; update this one first"):
        writer.close({})


@pytest.mark.usefixtures("exported")
def test_without_pyarrow_one_line_says_what_to_install(tmp_path: Path) -> None:
    program = (
        "import sys; sys.modules['pyarrow'] = None\n"
        "from cultureops.cli import main\n"
        f"sys.argv = ['cultureops', 'telemetry', *{{}}, '--data-dir', {str(tmp_path / 'data')!r}]\n"
        "main()"
    )
    (tmp_path / "data").mkdir()
    (tmp_path / "a").rename(tmp_path / "data" / "telemetry")
    arguments = ["export", str(tmp_path / "b.parquet")]
    done = subprocess.run(
        [sys.executable, "-c", program.format(arguments)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert "pip install 'cultureops[parquet]'" in done.stderr and done.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.glob("b.parquet*")] == []
    done = subprocess.run(
        [sys.executable, "-c", program.format(["export", "-"])], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0 and len(done.stdout.splitlines()) == 183
    assert parse_iso(done.stdout.splitlines()[1].split(",")[0]) == START
