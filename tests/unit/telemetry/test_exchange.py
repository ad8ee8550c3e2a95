"""Readings go out as CSV and come back, and a damaged file is named."""

import io
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from cultureops.clock import HOUR_MS, MINUTE_MS, iso
from cultureops.device.reading import Quality, Reading, Reason
from cultureops.errors import ConfigError, StorageError, Unreadable
from cultureops.telemetry import ChannelInfo, EmbeddedStore
from cultureops.telemetry.exchange import COLUMNS, Checked, check, export_csv, import_csv

START = 1_767_600_000_000 // HOUR_MS * HOUR_MS
HEAD = ",".join(COLUMNS)
GOOD_ROW = "2026-01-05T08:00:00.000Z,a/t,37.0,Cel,GOOD,NONE,2026-01-05T08:00:00.009Z,,"


async def filled(path: Path) -> EmbeddedStore:
    store = EmbeddedStore.open(path)
    store.declare({"a/t": ChannelInfo("Cel"), "a/c": ChannelInfo("%"), "a/door": ChannelInfo("1")})
    for minute in range(90):
        at = START + minute * MINUTE_MS
        await store.append(
            [
                Reading("a/t", 37 + minute / 7, Quality.GOOD, Reason.NONE, at, at + 9),
                Reading("a/c", None, Quality.BAD, Reason.TIMEOUT, at + 1, at + 250)
                if minute in (20, 21)
                else Reading("a/c", 0.1 + 0.2, Quality.UNCERTAIN, Reason.UNVERIFIED, at + 1, at + 9),
            ]
        )
    return store


async def test_an_export_comes_back_the_same(tmp_path: Path) -> None:
    store = await filled(tmp_path / "a")
    with (tmp_path / "a.csv").open("w", encoding="utf-8", newline="") as out:
        assert export_csv(tmp_path / "a", out, None, 0, START * 2) == 180  # beside the open writer
    again = EmbeddedStore.open(tmp_path / "b")
    assert await import_csv(again, tmp_path / "a.csv") == 180 == again.count()
    for channel in ("a/t", "a/c"):
        ours = await store.series(channel, START, START + 2 * HOUR_MS)
        theirs = await again.series(channel, START, START + 2 * HOUR_MS)
        for name in ("source_ms", "value", "quality", "reason"):
            np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))
    assert await again.gaps(START, START + 2 * HOUR_MS) == await store.gaps(START, START + 2 * HOUR_MS)
    assert again.latest() == store.latest()
    assert again.channels()["a/c"].unit == "%"
    copy = io.StringIO()
    export_csv(tmp_path / "b", copy, None, 0, START * 2)
    assert copy.getvalue() == (tmp_path / "a.csv").read_text(encoding="utf-8")
    await store.close()
    await again.close()


async def test_an_export_can_be_narrowed(tmp_path: Path) -> None:
    store = await filled(tmp_path / "a")
    out = io.StringIO()
    assert export_csv(tmp_path / "a", out, ["a/c"], START + 20 * MINUTE_MS, START + 22 * MINUTE_MS) == 2
    at = START + 20 * MINUTE_MS
    assert out.getvalue().splitlines()[:2] == [HEAD, f"{iso(at + 1)},a/c,,%,BAD,TIMEOUT,{iso(at + 250)},,"]
    assert export_csv(tmp_path / "a", io.StringIO(), [], 0, START * 2) == 0
    with pytest.raises(StorageError, match=r"no channel 'a/o2'; known: a/t, a/c, a/door"):
        export_csv(tmp_path / "a", out, ["a/o2"], 0, START)
    with pytest.raises(Unreadable, match="no such file"):
        export_csv(tmp_path / "nothing", out, None, 0, START)
    await store.close()


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("2026-01-05T08:00:00Z,a/t,37.0,Cel,GOOD,NONE", "expected 9 fields, not 6"),
        ("2026-01-05 08:00,a/t,37.0,Cel,GOOD,NONE,2026-01-05T08:00:00Z,,", "states no UTC offset"),
        ("yesterday,a/t,37.0,Cel,GOOD,NONE,2026-01-05T08:00:00Z,,", "not an ISO 8601 date-time"),
        ("2026-01-05T08:00:00Z,t,37.0,Cel,GOOD,NONE,2026-01-05T08:00:00Z,,", "'t' is no channel"),
        ("2026-01-05T08:00:00Z,a/t,warm,Cel,GOOD,NONE,2026-01-05T08:00:00Z,,", "'warm'"),
        ("2026-01-05T08:00:00Z,a/t,nan,Cel,GOOD,NONE,2026-01-05T08:00:00Z,,", "'nan' is not a finite number"),
        ("2026-01-05T08:00:00Z,a/t,,Cel,GOOD,NONE,2026-01-05T08:00:00Z,,", "no value exactly when it is BAD"),
        ("2026-01-05T08:00:00Z,a/t,1,Cel,BAD,TIMEOUT,2026-01-05T08:00:00Z,,", "no value exactly when it is BAD"),
        ("2026-01-05T08:00:00Z,a/t,1,Cel,FINE,NONE,2026-01-05T08:00:00Z,,", "'FINE' with reason 'NONE'"),
        (
            "2026-01-05T08:00:00Z,a/t,98.6,[degF],GOOD,NONE,2026-01-05T08:00:00Z,,",
            "in '\\[degF\\]' here and was in 'Cel'",
        ),
        ("2026-01-05T08:00:00Z,a/t,1,Cel,GOOD,NONE,2026-01-05T08:00:00Z,real,", "'real' and '': the last columns"),
        ("2026-01-05T08:00:00Z,a/t,1,Cel,GOOD,NONE,2026-01-05T08:00:00Z,,newest", "'' and 'newest': the last columns"),
        (
            "2026-01-05T08:00:00Z,a/t,1,Cel,GOOD,NONE,2026-01-05T08:00:00Z,simulated,",
            "a/t is simulated in one place and real in the other",
        ),
        ('2026-01-05T08:00:00Z,"a/t,37.0', "not CSV"),
    ],
)
async def test_a_bad_row_is_named_and_keeps_all_out(row: str, message: str, tmp_path: Path) -> None:
    source = tmp_path / "in.csv"
    source.write_text(f"{HEAD}\n{GOOD_ROW}\n{row}\n", encoding="utf-8")
    store = EmbeddedStore.open(tmp_path / "a")
    with pytest.raises(ConfigError, match=f"in\\.csv:3: .*{message}.*; nothing was imported"):
        await import_csv(store, source)
    assert (store.count(), store.channels()) == (0, {})
    await store.close()


async def test_a_unit_that_the_store_does_not_use_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "in.csv"
    source.write_text(f"{HEAD}\n{GOOD_ROW}\n", encoding="utf-8")
    store = EmbeddedStore.open(tmp_path / "a")
    store.declare({"a/t": ChannelInfo("K")})
    with pytest.raises(ConfigError, match=r"in\.csv:2: a/t is in 'Cel' here and was in 'K' before"):
        await import_csv(store, source)
    await store.close()


@pytest.mark.parametrize("text", ["", "time,value\n", f"{HEAD},more\n"])
async def test_other_columns_are_refused(text: str, tmp_path: Path) -> None:
    source = tmp_path / "in.csv"
    source.write_text(text, encoding="utf-8")
    store = EmbeddedStore.open(tmp_path / "a")
    with pytest.raises(ConfigError, match=r"in\.csv:1: expected the columns time_utc,channel"):
        await import_csv(store, source)
    with pytest.raises(ConfigError, match=r"none\.csv: can't be read"):
        await import_csv(store, tmp_path / "none.csv")
    source.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match=r"in\.csv: can't be read"):
        await import_csv(store, source)
    await store.close()


async def test_what_was_superseded_and_what_is_simulated_come_back_so(tmp_path: Path) -> None:
    rows = [
        Reading("a/t", value, Quality.GOOD, Reason.NONE, START, START + at) for at, value in enumerate((1.0, 2.0, 1.0))
    ]
    texts = []
    for name in ("a", "b"):
        store = EmbeddedStore.open(tmp_path / name)
        if name == "a":
            store.declare({"a/t": ChannelInfo("Cel", simulated=True)})
            for row in rows:
                await store.append([row])
                await store.seal(START + HOUR_MS)
        else:
            assert await import_csv(store, tmp_path / "a.csv") == 3
        out = io.StringIO()
        assert export_csv(tmp_path / name, out, None, START, START + 1) == 3
        (tmp_path / f"{name}.csv").write_text(out.getvalue(), encoding="utf-8")
        texts.append(out.getvalue())
        await store.close()
    assert texts[0] == texts[1]
    assert [line.split(",")[2::5] for line in texts[0].splitlines()[1:]] == [
        ["1.0", "simulated"], ["2.0", "simulated"], ["1.0", "simulated"]
    ]  # fmt: skip
    assert [line.split(",")[8] for line in texts[0].splitlines()[1:]] == ["superseded", "superseded", ""]


def tamper(path: Path, statement: str) -> None:
    db = sqlite3.connect(path)
    db.execute(statement)
    db.commit()
    db.close()


async def test_a_check_counts_and_names_the_first_bad_frame(tmp_path: Path) -> None:
    path = tmp_path / "a"
    store = await filled(path)
    assert check(path) == Checked(90, 180, 0, 0, ())  # beside the open writer
    await store.close()
    for statement, error, message in [
        ("UPDATE frames SET total = 61 WHERE seq = 30", Unreadable, "frame 30: 60 readings up to it, 61 noted"),
        ("UPDATE frames SET payload = substr(payload, 2) WHERE seq = 20", Unreadable, "frame 20: a frame"),
        ("DELETE FROM frames WHERE seq = 10", StorageError, "frame 10 is missing, 11 comes next"),
    ]:
        tamper(path / "journal.sqlite", statement)
        with pytest.raises(error, match=message):
            check(path)
    (path / "journal.sqlite").write_bytes(b"not a database at all" * 100)
    with pytest.raises(Unreadable, match="can't be read"):
        check(path)


async def test_a_check_counts_and_names_the_first_bad_chunk(tmp_path: Path) -> None:
    path = tmp_path / "a"
    store = await filled(path)
    await store.seal(START + 2 * HOUR_MS)
    passes = await store.passes(0)
    assert check(path) == Checked(90, 180, 4, 180, passes)
    assert await store.append([Reading("a/t", 1.0, Quality.GOOD, Reason.NONE, START, START)]) == 91
    assert check(path) == Checked(91, 181, 4, 180, passes)
    await store.close()
    (month,) = path.glob("2026-*.sqlite")
    tamper(month, "UPDATE stamps SET payload = zeroblob(length(payload)) WHERE id = 4")
    with pytest.raises(Unreadable, match=rf"{month.name}: Key\(hour={START // HOUR_MS + 1}, .*SHA-256.*; restore"):
        check(path)
    tamper(month, "UPDATE chunks SET readings = readings + 1 WHERE id = (SELECT min(id) FROM chunks)")
    with pytest.raises(Unreadable, match=rf"{month.name}: Key\(hour={START // HOUR_MS}, channel=1"):
        check(path)
