"""Metric text exports in several regional settings, and what is refused of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cultureops.device.driver import ConfluenceResult, RejectedFile
from cultureops.errors import ConfigError, ProtocolError
from cultureops_drivers.incucyte import create
from cultureops_drivers.incucyte.protocol import parse_export
from cultureops_simulators.incucyte import build

HEAD = (
    "Label: Flask 7\nMetric: Phase Object Confluence (Percent)\nCell Type: MSC\nPassage: 2\nNotes: \n"
    "Analysis Job: 1\n\n"
)
ROWS = [("25/11/2025 10:00:00", "0", "12.5", "13.25"), ("25/11/2025 16:00:00", "6", "14", "15.5")]


def export(rows: list[tuple[str, ...]], head: str = HEAD, wells: str = "B2\tC2") -> bytes:
    return (head + f"Date Time\tElapsed\t{wells}\n" + "".join("\t".join(row) + "\n" for row in rows)).encode()


def parsed(contents: bytes, date_order: str | None = None) -> ConfluenceResult:
    (result,) = parse_export(contents, "plate.txt", date_order)
    return result


def test_an_export_becomes_observations() -> None:
    result = parsed(export(ROWS))
    assert (result.label, result.cell_type, result.passage) == ("Flask 7", "MSC", "2")
    found = [(row.well, row.observed_at_local, row.elapsed_h, row.confluence_pct) for row in result.observations]
    assert found == [
        ("B2", "2025-11-25T10:00:00", 0.0, 12.5),
        ("C2", "2025-11-25T10:00:00", 0.0, 13.25),
        ("B2", "2025-11-25T16:00:00", 6.0, 14.0),
        ("C2", "2025-11-25T16:00:00", 6.0, 15.5),
    ]
    assert not any(row.flags for row in result.observations)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("25/11/2025 10:00:00", "25/11/2025 22:00:00"),
        ("25.11.2025 10:00:00", "25.11.2025 22:00:00"),
        ("11/25/2025 10:00:00 AM", "11/25/2025 10:00:00 PM"),
        ("2025-11-25 10:00", "2025-11-25 22:00"),
        ("11/25/2025 10:00 a.m.", "11/25/2025 10:00 p.m."),
    ],
)
def test_regional_settings(first: str, second: str) -> None:
    result = parsed(export([(first, "0,0", "12,5", "1"), (second, "12,0", "14,25", "2")]))
    assert [row.observed_at_local for row in result.observations[::2]] == ["2025-11-25T10:00:00", "2025-11-25T22:00:00"]
    assert [row.confluence_pct for row in result.observations] == [12.5, 1.0, 14.25, 2.0]


def test_noon_and_midnight_of_a_twelve_hour_clock() -> None:
    rows = [("11/25/2025 12:30:00 AM", "0", "1", "1"), ("11/25/2025 12:30:00 PM", "12", "1", "1")]
    times = [row.observed_at_local for row in parsed(export(rows)).observations[::2]]
    assert times == ["2025-11-25T00:30:00", "2025-11-25T12:30:00"]


def test_the_order_of_day_and_month_follows_from_the_hours_that_passed() -> None:
    rows = [("08/05/2025 22:00:00", "0", "1", "1"), ("09/05/2025 04:00:00", "6", "1", "1")]
    assert parsed(export(rows)).observations[-1].observed_at_local == "2025-05-09T04:00:00"
    rows = [("05/08/2025 22:00:00", "0", "1", "1"), ("05/09/2025 04:00:00", "6", "1", "1")]
    assert parsed(export(rows)).observations[-1].observed_at_local == "2025-05-09T04:00:00"


def test_an_order_that_can_not_be_known_is_asked_for() -> None:
    contents = export([("08/05/2025 10:00:00", "0", "1", "1"), ("08/05/2025 16:00:00", "6", "1", "1")])
    with pytest.raises(ProtocolError, match=r"line 9: .* can be dmy or mdy; set option 'date_order'"):
        parsed(contents)
    assert parsed(contents, "dmy").observations[0].observed_at_local == "2025-05-08T10:00:00"
    assert parsed(contents, "mdy").observations[0].observed_at_local == "2025-08-05T10:00:00"


def test_a_clock_that_was_set_is_flagged() -> None:
    rows = [("25/10/2025 22:00:00", "0", "1", "1"), ("26/10/2025 09:00:00", "12", "1", "1")]
    assert [row.flags for row in parsed(export(rows), "dmy").observations[::2]] == [
        (),
        ("time_disagrees_with_elapsed",),
    ]


@pytest.mark.parametrize(
    "stamp",
    [
        "25/11/2025 25:00:00", "25/11/2025 24:61:00", "25/11/2025 24:00:00", "25/11/2025 16:60:00",
        "25/11/2025 16:00:61", "25/11/2025 13:00:00 PM", "25/11/2025 00:30:00 AM", "31/02/2025 16:00:00",
        "25/13/2025 16:00:00", "25/11/25 16:00:00", "yesterday", "", "25/11/2025", "٢٥/11/2025 16:00:00",
    ],
)  # fmt: skip
@pytest.mark.parametrize("date_order", ["dmy", None])
def test_impossible_times_are_refused_with_their_line(stamp: str, date_order: str | None) -> None:
    with pytest.raises(ProtocolError, match=r"^line 10: "):
        parsed(export([ROWS[0], (stamp, "6", "1", "2")]), date_order)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (("25/11/2025 16:00:00", "6", "x", "1"), "line 10: 'x' is no number"),
        (("25/11/2025 16:00:00", "6", "inf", "1"), "line 10: 'inf' is no number"),
        (("25/11/2025 16:00:00", "6", "1e999", "1"), "line 10: '1e999' is no number"),
        (("25/11/2025 16:00:00", "6", "1"), "line 10: 3 fields where 4 are expected"),
        (("25/11/2025 16:00:00", "6", "1", "2", "3"), "line 10: 5 fields where 4 are expected"),
        (("25/11/2025 16:00:00", "0", "1", "1"), "line 10: elapsed hours don't grow"),
        (("25/11/2025 10:00:00", "6", "1", "1"), "line 10: .* is not later than the row before"),
        (("25/11/2025 16:00:00", "-6", "1", "1"), "line 10: -6 h have elapsed"),
        (("25/11/2025 16:00:00", "6", "1,5", "1"), "decimal point and with decimal comma"),
    ],
)
def test_bad_rows(row: tuple[str, ...], message: str) -> None:
    with pytest.raises(ProtocolError, match=message):
        parsed(export([ROWS[0], row]), "dmy")


@pytest.mark.parametrize(
    ("cell", "value", "flag"),
    [
        ("", None, "confluence_missing"),
        ("NaN", None, "confluence_missing"),
        ("100.5", 100.5, "confluence_above_100"),
        ("-1", -1.0, "confluence_negative"),
        ("-0.0", 0.0, "confluence_negative_zero"),
    ],
)
def test_what_can_not_be_true_is_flagged(cell: str, value: float | None, flag: str) -> None:
    row = parsed(export([("25/11/2025 10:00:00", "0", cell, "1.5")])).observations[0]
    assert (row.confluence_pct, row.flags) == (value, (flag,))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("Phase Object Confluence (Percent)", "Green Object Count (1/mm²)", "line 2: expected a confluence in percent"),
        ("Date Time", "Time", "line 8: expected 'Key: value'"),
        ("B2\t", "B2 (Std Err)\t", r"line 8: column 'B2 \(Std Err\)' is no well"),
        ("B2\tC2", "B2\tB2", "line 8: expected each well once"),
        ("Label: Flask 7\n", "Flask 7\n", "line 1: expected 'Key: value'"),
    ],
)
def test_other_files_are_refused(old: str, new: str, message: str) -> None:
    contents = export(ROWS).decode().replace(old, new, 1).encode()
    with pytest.raises(ProtocolError, match=message):
        parsed(contents)


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_garbage_is_refused(contents: bytes) -> None:
    with pytest.raises(ProtocolError):
        parse_export(contents, "plate.txt")


async def test_from_the_folder(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(export(ROWS))
    (tmp_path / "b.txt").write_bytes(export([("25/11/2025 25:00:00", "0", "1", "1")]))
    good, bad = await create("incucyte_1", tmp_path, {"atomic": True}).collect()
    assert isinstance(good, ConfluenceResult) and len(good.source_sha256) == 64
    assert isinstance(bad, RejectedFile) and "line 9: '25/11/2025 25:00:00' is no possible time" in bad.error
    with pytest.raises(ConfigError, match="option 'date_order' must be one of dmy, mdy, ymd"):
        create("incucyte_1", tmp_path, {"date_order": "us"})


async def test_the_simulated_imager_is_read(tmp_path: Path) -> None:
    for locale in ("uk", "de", "us"):
        folder = tmp_path / locale
        simulator = build("incucyte_1", {"folder": str(folder), "locale": locale}, np.random.default_rng(3))
        for _ in range(50):
            simulator.step(3600.0)
        (result,) = await create("incucyte_1", folder, {"atomic": True}).collect()
        assert isinstance(result, ConfluenceResult) and len(result.observations) == 9 * 6
        last = [row for row in result.observations if row.well == "B2"][-1]
        assert last.observed_at_local == "2026-01-07T08:00:00" and last.elapsed_h == 48.0
        assert last.confluence_pct is not None and 0 < last.confluence_pct < 100 and not last.flags
