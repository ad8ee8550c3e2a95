"""Readings go out as CSV and come back, and a damaged file is named."""

import io
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from cultureops.clock import HOUR_MS, MINUTE_MS, iso, parse_iso
from cultureops.device.reading import Quality, Reading, Reason
from cultureops.errors import ConfigError, StorageError, Unreadable
from cultureops.telemetry import ChannelInfo, EmbeddedStore
from cultureops.telemetry.exchange import COLUMNS, Checked, check, export_csv, import_readings
from cultureops.telemetry.local_time import offset_text, utc_offsets_min, zone_named
from cultureops.telemetry.month import END_MS, FIRST_MS
from cultureops.telemetry.whole_file import whole_file

START = 1_767_600_000_000 // HOUR_MS * HOUR_MS
HEAD = ",".join(COLUMNS)
GOOD_ROW = "2026-01-05T08:00:00.000Z,a/t,37.0,Cel,GOOD,NONE,2026-01-05T08:00:00.009Z,,,+00:00"


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
    assert await import_readings(again, tmp_path / "a.csv") == 180 == again.count()
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
    assert copy.getvalue() == (tmp_path / "a.csv").read_bytes().decode()
    await store.close()
    await again.close()


async def test_an_export_can_be_narrowed(tmp_path: Path) -> None:
    store = await filled(tmp_path / "a")
    out = io.StringIO()
    assert export_csv(tmp_path / "a", out, ["a/c"], START + 20 * MINUTE_MS, START + 22 * MINUTE_MS) == 2
    at = START + 20 * MINUTE_MS
    assert out.getvalue().splitlines()[:2] == [HEAD, f"{iso(at + 1)},a/c,,%,BAD,TIMEOUT,{iso(at + 250)},,,+00:00"]
    assert export_csv(tmp_path / "a", io.StringIO(), [], 0, START * 2) == 0
    with pytest.raises(StorageError, match=r"no channel 'a/o2'; known: a/t, a/c, a/door"):
        export_csv(tmp_path / "a", out, ["a/o2"], 0, START)
    with pytest.raises(Unreadable, match="no such file"):
        export_csv(tmp_path / "nothing", out, None, 0, START)
    await store.close()


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("2026-01-05T08:00:00Z,a/t,37.0,Cel,GOOD,NONE", "expected 10 fields, not 6"),
        ("2026-01-05 08:00,a/t,37.0,Cel,GOOD,NONE,2026-01-05T08:00:00Z,,,+00:00", "states no UTC offset"),
        ("yesterday,a/t,37.0,Cel,GOOD,NONE,2026-01-05T08:00:00Z,,,+00:00", "not an ISO 8601 date-time"),
        ("2026-01-05T08:00:00Z,t,37.0,Cel,GOOD,NONE,2026-01-05T08:00:00Z,,,+00:00", "'t' is no channel"),
        ("2026-01-05T08:00:00Z,a/t,warm,Cel,GOOD,NONE,2026-01-05T08:00:00Z,,,+00:00", "'warm'"),
        ("2026-01-05T08:00:00Z,a/t,nan,Cel,GOOD,NONE,2026-01-05T08:00:00Z,,,+00:00", "'nan' is not a finite number"),
        ("2026-01-05T08:00:00Z,a/t,,Cel,GOOD,NONE,2026-01-05T08:00:00Z,,,+00:00", "no value exactly when it is BAD"),
        ("2026-01-05T08:00:00Z,a/t,1,Cel,BAD,TIMEOUT,2026-01-05T08:00:00Z,,,+00:00", "no value exactly when it is BAD"),
        ("2026-01-05T08:00:00Z,a/t,1,Cel,FINE,NONE,2026-01-05T08:00:00Z,,,+00:00", "'FINE' with reason 'NONE'"),
        (
            "2026-01-05T08:00:00Z,a/t,98.6,[degF],GOOD,NONE,2026-01-05T08:00:00Z,,,+00:00",
            "in '\\[degF\\]' here and was in 'Cel'",
        ),
        ("2026-01-05T08:00:00Z,a/t,1,Cel,GOOD,NONE,2026-01-05T08:00:00Z,real,,+00:00", "'real' and '': these columns"),
        (
            "2026-01-05T08:00:00Z,a/t,1,Cel,GOOD,NONE,2026-01-05T08:00:00Z,,newest,+00:00",
            "'' and 'newest': these columns",
        ),
        (
            "2026-01-05T08:00:00Z,a/t,1,Cel,GOOD,NONE,2026-01-05T08:00:00Z,simulated,,+00:00",
            "a/t is simulated in one place and real in the other",
        ),
        (
            "2026-01-05T08:00:00Z,a/t,1,Cel,GOOD,NONE,2026-01-05T08:00:00Z,,,1",
            "'1' is no UTC offset; write e.g. \\+01:00",
        ),
        ('2026-01-05T08:00:00Z,"a/t,37.0', "not CSV"),
    ],
)
async def test_a_bad_row_is_named_and_keeps_all_out(row: str, message: str, tmp_path: Path) -> None:
    source = tmp_path / "in.csv"
    source.write_text(f"{HEAD}\n{GOOD_ROW}\n{row}\n", encoding="utf-8")
    store = EmbeddedStore.open(tmp_path / "a")
    with pytest.raises(ConfigError, match=f"in\\.csv:3: .*{message}.*; nothing was imported"):
        await import_readings(store, source)
    assert (store.count(), store.channels()) == (0, {})
    await store.close()


async def test_a_unit_that_the_store_does_not_use_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "in.csv"
    source.write_text(f"{HEAD}\n{GOOD_ROW}\n", encoding="utf-8")
    store = EmbeddedStore.open(tmp_path / "a")
    store.declare({"a/t": ChannelInfo("K")})
    with pytest.raises(ConfigError, match=r"in\.csv:2: a/t is in 'Cel' here and was in 'K' before"):
        await import_readings(store, source)
    await store.close()


@pytest.mark.parametrize("text", ["", "time,value\n", f"{HEAD},more\n"])
async def test_other_columns_are_refused(text: str, tmp_path: Path) -> None:
    source = tmp_path / "in.csv"
    source.write_text(text, encoding="utf-8")
    store = EmbeddedStore.open(tmp_path / "a")
    with pytest.raises(ConfigError, match=r"in\.csv:1: expected the columns time_utc,channel"):
        await import_readings(store, source)
    with pytest.raises(ConfigError, match=r"none\.csv: can't be read"):
        await import_readings(store, tmp_path / "none.csv")
    source.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match=r"in\.csv: can't be read"):
        await import_readings(store, source)
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
            assert await import_readings(store, tmp_path / "a.csv") == 3
        out = io.StringIO()
        assert export_csv(tmp_path / name, out, None, START, START + 1) == 3
        (tmp_path / f"{name}.csv").write_text(out.getvalue(), encoding="utf-8")
        texts.append(out.getvalue())
        await store.close()
    assert texts[0] == texts[1]
    assert [line.split(",")[2:8:5] for line in texts[0].splitlines()[1:]] == [
        ["1.0", "simulated"], ["2.0", "simulated"], ["1.0", "simulated"]
    ]  # fmt: skip
    assert [line.split(",")[8] for line in texts[0].splitlines()[1:]] == ["superseded", "superseded", ""]


async def test_an_export_of_before_the_offset_was_added_is_still_read(tmp_path: Path) -> None:
    source = tmp_path / "in.csv"
    source.write_text(f"{HEAD.removesuffix(',utc_offset')}\n{GOOD_ROW.removesuffix(',+00:00')}\n", encoding="utf-8")
    store = EmbeddedStore.open(tmp_path / "a")
    assert await import_readings(store, source) == 1
    assert store.latest()["a/t"].value == 37.0
    await store.close()


async def test_the_offset_changes_with_the_clocks_of_the_site(tmp_path: Path) -> None:
    """Vienna, 25 October 2026: 03:00 summer time is 02:00 again."""
    store = EmbeddedStore.open(tmp_path / "a")
    store.declare({"a/t": ChannelInfo("Cel")})
    change = parse_iso("2026-10-25T01:00:00Z")
    await store.append([Reading("a/t", 1.0, Quality.GOOD, Reason.NONE, at, at) for at in (change - 1, change)])
    await store.close()
    out = io.StringIO()
    export_csv(tmp_path / "a", out, None, 0, change * 2, zone_named("Europe/Vienna"))
    assert [line.split(",")[-1] for line in out.getvalue().splitlines()] == ["utc_offset", "+02:00", "+01:00"]


def test_offsets_are_those_of_the_zone_at_every_time() -> None:
    new_york, liberia = zone_named("America/New_York"), zone_named("Africa/Monrovia")
    in_1972 = parse_iso("1972-01-07T00:44:30Z")  # Liberia gave up 44 minutes and a half
    assert utc_offsets_min(liberia, np.array([in_1972 - 1, in_1972])).tolist() == [-44, 0]
    assert utc_offsets_min(new_york, np.array([FIRST_MS, END_MS - 1])).tolist() == [-296, -300]
    assert [offset_text(minutes) for minutes in (0, 60, -210, 845, -1)] == [
        "+00:00",
        "+01:00",
        "-03:30",
        "+14:05",
        "-00:01",
    ]
    for name in ("Europe/Wien", "../etc/passwd", "Europe", ""):
        with pytest.raises(ConfigError, match=r"is no time zone; write e\.g\. Europe/Vienna"):
            zone_named(name)


def test_a_file_has_its_name_only_when_it_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "a.csv"
    (tmp_path / "a.csv.new").write_text("left behind by one that was killed, and longer")
    with pytest.raises(KeyError), whole_file(target) as file:
        file.write(b"half")
        assert not target.exists()
        with pytest.raises(ConfigError, match=r"a\.csv\.new: another process is writing it"), whole_file(target):
            pass
        raise KeyError
    assert list(tmp_path.iterdir()) == []
    with whole_file(target) as file:
        file.write(b"whole")
    assert (target.read_bytes(), list(tmp_path.iterdir())) == (b"whole", [target])
    with pytest.raises(ConfigError, match=r"a\.csv exists; name a new file"), whole_file(target):
        pass
    with pytest.raises(ConfigError, match="can't be written"), whole_file(tmp_path / "none" / "a.csv"):
        pass
    with pytest.raises(ConfigError, match="exists"), whole_file(tmp_path / "b") as file:
        (tmp_path / "b").write_bytes(b"came meanwhile")
    assert (tmp_path / "b").read_bytes() == b"came meanwhile"


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
