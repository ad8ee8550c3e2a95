"""Files of loggers: a genuine report, and what is refused of others."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cultureops.device.reading import Reason
from cultureops.device.trace import MappingMismatch, Trace
from cultureops.errors import ConfigError
from cultureops_drivers.shipper_logger import read_trace
from cultureops_drivers.shipper_logger.mapping import find_mapping, load_mapping
from cultureops_drivers.shipper_logger.rows import trace_of
from cultureops_drivers.shipper_logger.sheet import Cells, read_sheet
from cultureops_simulators.elitech_rc5 import build

BERLIN = ZoneInfo("Europe/Berlin")
MAPPING = load_mapping(find_mapping("elitech_rc5"))
OWN = """
[trace]
vendor = "Anybody"
model = "Logger"
source = "this test"
kind = "csv"
delimiter = ";"
decimal = ","
[time]
column = "Zeit"
format = "%d.%m.%Y %H:%M"
[[channel]]
name = "temperature"
column = "T/°C"
unit = "Cel"
valid_range = [-200, 60]
missing = ["---"]
[[channel]]
name = "humidity"
column = "rF/%"
unit = "%"
"""


def report() -> Cells:
    """A report in the layout of an Elitech RC-5+, written here."""
    return [
        ["Data Report", "", "", "", ""],
        ["Device Model", "RC-5+", "", "Sensor Type", "Temperature(Internal)"],
        ["Serial Number", "EFX1", "", "Firmware Version", "V4,8"],
        ["Time Zone", "UTC +02:00", "", "Stop Mode", "Button + Software"],
        ["Maximum", "5,2°C", "", "First Reading", "2023-10-04 15:20:18"],
        ["Minimum", "5,0°C", "", "Last Reading", "2023-10-04 15:20:38(Stop by button)"],
        ["", "", "", "Current Readings", "3"],
        ["", "", "", "", ""],
        ["No.", "Time", "Temperature°C", "", ""],
        ["1", "2023-10-04 15:20:18", 5.2, "", ""],
        ["2", "2023-10-04 15:20:28", 5.1, "", ""],
        ["3", "2023-10-04 15:20:38", "5,0", "", ""],
    ]


def traced(cells: Cells, zone: ZoneInfo = BERLIN) -> Trace:
    return trace_of(cells, "r.xls", "00", MAPPING, zone)


def test_a_report_becomes_a_trace() -> None:
    trace = traced(report())
    assert (trace.identity.vendor, trace.identity.model, trace.identity.serial_number) == ("Elitech", "RC-5+", "EFX1")
    first = datetime(2023, 10, 4, 13, 20, 18, tzinfo=UTC)
    assert [row.source_time for row in trace.rows] == [
        round(first.timestamp() * 1000) + step for step in (0, 10_000, 20_000)
    ]
    assert [row.samples[0].value for row in trace.rows] == [5.2, 5.1, 5.0]
    assert [(channel.name, channel.unit) for channel in trace.channels] == [("temperature", "Cel")]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda cells: cells.insert(10, cells[9]), r"r\.xls:11: row number '1' where 2 is expected"),
        (lambda cells: cells.insert(10, ["2", *cells[9][1:]]), r"r\.xls:11: the row of 2023-10-04 15:20:18 is doubled"),
        (lambda cells: cells[11].__setitem__(1, "2023-10-04 15:20:08"), r"r\.xls:12: .* comes after 2023-10-04"),
        (lambda cells: cells.pop(10), r"r\.xls:11: row number '3' where 2 is expected"),
        (lambda cells: cells.pop(11), r"r\.xls:7: the head says Current Readings '3', expected 2 rows"),
        (lambda cells: cells[8].__setitem__(2, "Temperature°F"), r"r\.xls:9: expected the columns .*'Temperature°F'"),
        (lambda cells: cells[8].__setitem__(3, "Humidity%RH"), r"r\.xls:9: column 'Humidity%RH' is not in mapping"),
        (lambda cells: cells[8].__setitem__(3, "Time"), r"r\.xls:9: a column stands twice"),
        (lambda cells: cells[10].__setitem__(1, "2023-10-04 25:00:00"), r"r\.xls:11: '2023-10-04 25:00:00' is no"),
        (lambda cells: cells[10].__setitem__(1, "2023-10-04 15:61:00"), r"r\.xls:11: .* is no possible time"),
        (lambda cells: cells[10].__setitem__(1, "2023-02-30 15:20:28"), r"r\.xls:11: .* is no possible time"),
        (lambda cells: cells[10].__setitem__(1, "4.10.2023 15:20"), r"r\.xls:11: .* is no possible time"),
        (lambda cells: cells[10].__setitem__(2, "N/A"), r"r\.xls:11: Temperature°C is 'N/A', no number"),
        (lambda cells: cells[10].__setitem__(2, float("nan")), r"r\.xls:11: Temperature°C is nan"),
        (lambda cells: cells[10].__setitem__(2, "1.234,5"), r"r\.xls:11: Temperature°C is '1.234,5'"),
        (lambda cells: cells[10].__setitem__(2, True), r"r\.xls:11: Temperature°C is 'True'"),
        (lambda cells: cells[1].__setitem__(1, "RC-51H"), r"r\.xls:2: .* Device Model 'RC-51H', expected RC-5\+"),
        (lambda cells: cells[4].__setitem__(4, "2023-10-04 15:20:08"), r"r\.xls:5: the head says First Reading"),
        (lambda cells: cells[5].__setitem__(4, "2023-10-04 15:20:48"), r"r\.xls:6: the head says Last Reading"),
        (lambda cells: cells[3].__setitem__(1, "Berlin"), r"r\.xls:4: 'Berlin' is no UTC offset"),
        (lambda cells: cells.pop(3), r"r\.xls:1: the head lacks 'Time Zone'"),
        (lambda cells: cells.pop(8), r"r\.xls:1: there is no table with the columns"),
        (lambda cells: cells.__delitem__(slice(9, None)), r"r\.xls:9: the table has no row"),
        (lambda cells: cells.append(["Signed", "", "", "", ""]), r"r\.xls:13: row number 'Signed'"),
    ],
)  # fmt: skip
def test_what_is_not_as_it_should_be_is_refused_with_its_line(change: Callable[[Cells], object], message: str) -> None:
    cells = report()
    change(cells)
    with pytest.raises(ConfigError, match=f"^{message}.*; nothing was imported$"):
        traced(cells)


def test_a_zone_that_the_file_contradicts_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"r\.xls:10: the file says UTC \+02:00, Asia/Tokyo had another"):
        traced(report(), ZoneInfo("Asia/Tokyo"))
    assert traced(report(), ZoneInfo("Etc/GMT-2")).rows == traced(report()).rows


def own(text: str, folder: Path, zone: ZoneInfo = BERLIN) -> Trace:
    (folder / "own.toml").write_text(OWN, encoding="utf-8")
    return read_trace(text.encode(), "t.csv", str(folder / "own.toml"), zone)


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    trace = own("Zeit;T/°C;rF/%\n26.10.2025 01:30;5,25;40\n26.10.2025 04:00;---;41,5\n", tmp_path)
    assert [row.samples[0].value for row in trace.rows] == [5.25, None]
    assert trace.rows[1].samples[0].reason is Reason.NOT_DELIVERED and trace.rows[1].samples[1].value == 41.5
    assert trace.rows[1].source_time - trace.rows[0].source_time == round(3.5 * 3_600_000)  # the clocks were put back


@pytest.mark.parametrize(
    ("stamp", "message"),
    [
        ("26.10.2025 02:30", "came twice in Europe/Berlin"),
        ("30.03.2025 02:30", "did not exist in Europe/Berlin"),
    ],
)
def test_hours_that_came_twice_or_never_are_refused(tmp_path: Path, stamp: str, message: str) -> None:
    with pytest.raises(ConfigError, match=rf"t\.csv:2: .*{message}"):
        own(f"Zeit;T/°C;rF/%\n{stamp};5;40\n", tmp_path)
    assert own(f"Zeit;T/°C;rF/%\n{stamp};5;40\n", tmp_path, ZoneInfo("UTC")).rows


@pytest.mark.parametrize("text", ["", "\n", "Zeit;T\n", 'Zeit;"T', "Zeit,T/°C,rF/%\n1,2,3\n"])
def test_other_tables_are_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match=r"^t\.csv:\d+: "):
        own(text, tmp_path)


@pytest.mark.parametrize("contents", [b"", b"text", b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600])
def test_what_is_no_workbook_is_refused(contents: bytes) -> None:
    pytest.importorskip("python_calamine", reason="the counters extra is not installed")
    with pytest.raises(ConfigError, match=r"^r\.xls: not a workbook"):
        read_trace(contents, "r.xls", "elitech_rc5", BERLIN)


@given(st.lists(st.lists(st.text(max_size=5) | st.floats() | st.just("Time"), max_size=4), max_size=6))
def test_garbage_is_refused(cells: Cells) -> None:
    with pytest.raises(ConfigError, match="nothing was imported"):
        traced(cells)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('unit = "Cel"', 'unit = "degC"', r"own\.toml:\d+: \[channel\] unit: expected one of"),
        ('kind = "csv"', 'kind = "pdf"', r"\[trace\] kind: expected one of workbook, csv"),
        ('decimal = ","', 'decimal = ";"', r"\[trace\] decimal: expected one of"),
        ("[-200, 60]", "[60, -200]", r"\[channel\] valid_range: expected two numbers"),
        ('column = "rF/%"', 'column = "T/°C"', "names a column twice"),
        ("[time]", "[stamp]", "time: is missing"),
        ("[time]", '[stated]\ncolor = "x"\n[time]', r"\[stated\] color: unknown key"),
    ],
)
def test_wrong_mappings(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in OWN
    (tmp_path / "own.toml").write_text(OWN.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ConfigError, match=message):
        load_mapping(tmp_path / "own.toml")
    with pytest.raises(ConfigError, match=r"no such mapping; .*elitech_rc5"):
        load_mapping(find_mapping("none"))


def test_without_a_zone_the_stated_offset_counts() -> None:
    trace = trace_of(report(), "r.xls", "00", MAPPING, None)
    assert [row.source_time for row in trace.rows] == [row.source_time for row in traced(report()).rows]


def test_without_zone_and_stated_offset_nothing_is_guessed(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(OWN, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"log\.csv:2: the file states no UTC offset; give the logger's zone"):
        read_trace("Zeit;T/°C;rF/%\n04.10.2023 15:20;5,0;40\n".encode(), "log.csv", f"{tmp_path}/own.toml", None)


def test_a_file_of_another_kind_is_told_from_a_bad_one() -> None:
    other, bad = report(), report()
    other[8][2] = "Temperature°F"
    bad.pop(10)
    with pytest.raises(MappingMismatch):
        traced(other)
    with pytest.raises(ConfigError) as refusal:
        traced(bad)
    assert not isinstance(refusal.value, MappingMismatch)


def test_the_simulated_logger_is_read(tmp_path: Path) -> None:
    pytest.importorskip("python_calamine", reason="the counters extra is not installed")
    options = {"folder": str(tmp_path), "every_s": "60", "report_h": "2", "time_zone": "Europe/Berlin"}
    simulator = build("logger_1", options, np.random.default_rng(5))
    for _ in range(5):
        simulator.step(1800.0)
    (path,) = tmp_path.iterdir()
    trace = read_trace(path.read_bytes(), path.name, "elitech_rc5", BERLIN)
    assert len(trace.rows) == 120
    assert trace.rows[0].source_time == round(datetime(2026, 1, 5, 8, 1, tzinfo=UTC).timestamp() * 1000)
    assert all(4.0 < (row.samples[0].value or 0.0) < 7.0 for row in trace.rows)
    assert zipfile.is_zipfile(io.BytesIO(path.read_bytes()))


def real(acceptance_data: Path) -> Path:
    (path,) = (acceptance_data / "environment" / "elitech_rc5").glob("*.xls")
    return path


def test_a_genuine_report_gives_what_its_head_says(acceptance_data: Path) -> None:
    path = real(acceptance_data)
    trace = read_trace(path.read_bytes(), path.name, "elitech_rc5", BERLIN)
    values = np.array([row.samples[0].value for row in trace.rows], float)
    assert (values.size, values.min(), values.max()) == (16_063, 23.7, 26.7)
    assert values.mean() == pytest.approx(24.0, abs=0.1)
    kelvin = 83_144 / 8.31446 / -np.log(np.mean(np.exp(-83_144 / 8.31446 / (values + 273.15))))
    assert kelvin - 273.15 == pytest.approx(24.0868, abs=2e-4)
    assert trace.identity.serial_number == "EFI234105840"
    assert trace.rows[0].source_time == round(datetime(2023, 10, 4, 13, 20, 18, tzinfo=UTC).timestamp() * 1000)


def test_a_genuine_report_that_was_mended_is_refused(acceptance_data: Path) -> None:
    path = real(acceptance_data)
    cells = read_sheet(path.read_bytes(), path.name, MAPPING)
    del cells[5_000]
    with pytest.raises(ConfigError, match=r"\.xls:5001: row number"):
        trace_of(cells, path.name, "00", MAPPING, BERLIN)
