"""Logger files as programs write them: delimiters, decimal signs, dates, units, gaps; and what is refused, and how."""

from __future__ import annotations

import io
import math
import random
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cultureops.analysis.cold_chain import assess
from cultureops.clock import HOUR_MS, MINUTE_MS
from cultureops.errors import ConfigError, CultureOpsError, Unreadable
from cultureops.logger_file import read_logger_file

VIENNA = ZoneInfo("Europe/Vienna")


def read(text: str, **options: object) -> tuple[list[str], list[float]]:
    """Times as text, and values."""
    trace = read_logger_file(text.encode(), "log.csv", **options)  # type: ignore[arg-type]
    return [trace.text(int(time)) for time in trace.times_ms], trace.values_c.tolist()


TWO = ["2026-01-15T09:00:00", "2026-01-15T09:10:00"]


@pytest.mark.parametrize(
    "text",
    [
        "timestamp,value\n2026-01-15 09:00:00,5.1\n2026-01-15 09:10:00,5.3\n",
        "Timestamp,Temperature (°C)\r\n2026-01-15T09:00:00,5.1\r\n2026-01-15T09:10:00,5.3\r\n\r\n",
        "Datum;Uhrzeit;Temperatur [°C];Feuchte [%]\n15.01.2026;09:00:00;5,1;40,0\n15.01.2026;09:10:00;5,3;41,0\n",
        "Date/Time\tTemp °C\n15/01/2026 09:00\t5.1\n15/01/2026 09:10\t5.3\n",
        "Date,Time,Temp C\n1/15/2026,9:00:00 AM,5.1\n1/15/2026,9:10:00 AM,5.3\n",
        "Serial,EL123\nInterval,600 s\n\nNo.,Time,Temperature°C\n"
        "1,2026-01-15 09:00:00,5.1\n2,2026-01-15 09:10:00,5.3\n",
        "EL-USB-2,Time,Celsius(°C),Humidity(%rh),Dew Point(°C),Serial Number\n"
        "1,15/01/2026 09:00:00,5.1,50.0,-4.0,0100\n2,15/01/2026 09:10:00,5.3,50.0,-4.0\n",
        '"Date Time","Temp, °C"\n"15-Jan-2026 09:00:00","5.1"\n"15-Jan-2026 09:10:00","5.3"\n',
        'time,temperature\n"2026-01-15 09:00","5,1"\n"2026-01-15 09:10","5,3"\n',
        "recorded at|probe temperature (deg C)\n2026/01/15 09:00:00|5.1 °C\n2026/01/15 09:10:00|5.3 °C\n",
        "Time,Temperature(°F)\n2026-01-15 09:00:00,41.18\n2026-01-15 09:10:00,41.54\n",
        "Time,Temperature_K\n2026-01-15 09:00:00,278.25\n2026-01-15 09:10:00,278.45\n",
        "time,temp,setpoint temp\n2026-01-15 09:10:00,5.3,5\n2026-01-15 09:00:00,5.1,5\n",
        'Datetime,Temp. (°C)\n"Jan 15, 2026 09:00:00 AM",5.1\n"Jan 15, 2026 09:10:00 AM",5.3\n',
    ],
)  # fmt: skip
def test_the_same_two_readings(text: str) -> None:
    times, values = read(text)
    assert times == TWO
    assert values == pytest.approx([5.1, 5.3])


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_encodings_of_the_degree_sign(encoding: str) -> None:
    text = "Time;Temperatur (°C)\n2026-01-15 09:00:00;5,1\n"
    trace = read_logger_file(text.encode(encoding), "log.csv")
    assert trace.values_c.tolist() == [5.1] and trace.remarks == ()


def test_times_with_an_offset_are_utc() -> None:
    times, _ = read("time,temp °C\n2026-01-15T09:00:00+01:00,5\n2026-01-15T08:10:00Z,6\n")
    assert times == ["2026-01-15T08:00:00Z", "2026-01-15T08:10:00Z"]
    assert read("Time (UTC),temp °C\n2026-01-15 08:00:00,5\n")[0] == ["2026-01-15T08:00:00Z"]
    times, _ = read("time,temp °C\n1768464000,5\n1768464000500,6\n")
    assert times == ["2026-01-15T08:00:00Z", "2026-01-15T08:00:00.500Z"]
    assert read("time,temp °C\n2026-01-15T08:00:00Z,5\n", zone=VIENNA)[0] == ["2026-01-15T09:00:00+01:00"]


def test_a_zone_places_local_times() -> None:
    times, _ = read("time,temp °C\n2026-07-15 09:00:00,5\n", zone=VIENNA)
    assert times == ["2026-07-15T09:00:00+02:00"]


def test_the_hour_that_comes_twice() -> None:
    rows = ["2026-10-25 01:30", "2026-10-25 02:00", "2026-10-25 02:30", "2026-10-25 02:00", "2026-10-25 02:30",
            "2026-10-25 03:00"]  # fmt: skip
    text = "time,temp °C\n" + "".join(f"{row},5\n" for row in rows)
    trace = read_logger_file(text.encode(), "log.csv", zone=VIENNA)
    assert np.diff(trace.times_ms).tolist() == [30 * MINUTE_MS] * 5
    with pytest.raises(Unreadable, match=r"log\.csv:5: '2026-10-25 02:00' comes after .*--zone"):
        read(text)
    once = "time,temp °C\n2026-10-25 01:30,5\n2026-10-25 02:30,5\n2026-10-25 03:30,5\n"
    with pytest.raises(ConfigError, match=r"log\.csv:3: '2026-10-25 02:30' came twice in Europe/Vienna"):
        read(once, zone=VIENNA)
    with pytest.raises(ConfigError, match=r"2026-03-29 02:30:00 did not exist in Europe/Vienna"):
        read("time,temp °C\n2026-03-29 02:30,5\n", zone=VIENNA)


@pytest.mark.parametrize(
    ("dates", "expected"),
    [("dmy", ["2026-02-01T09:00:00", "2026-02-02T09:00:00"]), ("mdy", ["2026-01-02T09:00:00", "2026-02-02T09:00:00"])],
)
def test_ambiguous_dates_are_refused_until_somebody_says(dates: str, expected: list[str]) -> None:
    text = "time,temp °C\n01/02/2026 09:00,5\n02/02/2026 09:00,5\n"
    with pytest.raises(ConfigError, match=r"log\.csv:2: .* could be either; say --dates dmy or --dates mdy"):
        read(text)
    assert read(text, dates=dates)[0] == expected


def test_one_clear_date_settles_all() -> None:
    assert read("time,temp °C\n01/02/2026 09:00,5\n13/02/2026 09:00,5\n")[0][0] == "2026-02-01T09:00:00"
    assert read("time,temp °C\n01/02/2026 09:00,5\n02/13/2026 09:00,5\n")[0][0] == "2026-01-02T09:00:00"
    assert read("time,temp °C\n01.02.2026 09:00,5\n")[0] == ["2026-02-01T09:00:00"]
    with pytest.raises(Unreadable, match="another order than before"):
        read("time,temp °C\n13/02/2026 09:00,5\n02/14/2026 09:00,5\n")
    with pytest.raises(ConfigError, match="several ways; say --dates"):
        read("time,temp °C\n13/02/26 09:00,5\n")
    assert read("time,temp °C\n13/02/26 09:00,5\n", dates="dmy")[0] == ["2026-02-13T09:00:00"]


def test_missing_values_are_gaps() -> None:
    text = "time,temp °C\n" + "".join(
        f"2026-01-15 {9 + at:02}:00,{cell}\n" for at, cell in enumerate(["5", "", "NaN", "ERROR", "--", "6"])
    )
    trace = read_logger_file(text.encode(), "log.csv")
    assert [math.isnan(value) for value in trace.values_c] == [False, True, True, True, True, False]
    (gap,) = assess(trace.times_ms, trace.values_c).gaps
    assert gap.end - gap.start == 5 * HOUR_MS


def test_what_no_temperature_can_be_is_missing_and_said() -> None:
    text = "time,temp °C\n2026-01-15 09:00,5\n2026-01-15 09:10,-999.9\n2026-01-15 09:20,5\n"
    trace = read_logger_file(text.encode(), "log.csv")
    assert math.isnan(trace.values_c[1])
    assert trace.remarks == ("1 values are no temperature, e.g. -999.9 in line 3; taken as missing",)


def test_a_unit_that_is_not_stated_is_said() -> None:
    text = "timestamp,value\n2026-01-15 09:00,68\n"
    trace = read_logger_file(text.encode(), "log.csv")
    assert trace.values_c.tolist() == [68] and "taken as °C; otherwise say --unit F" in trace.remarks[0]
    trace = read_logger_file(text.encode(), "log.csv", unit="F")
    assert trace.values_c.tolist() == pytest.approx([20]) and trace.remarks == ()
    with pytest.raises(ConfigError, match="in °C, and --unit says F"):
        read("timestamp,value °C\n2026-01-15 09:00,68\n", unit="F")


def test_a_head_that_speaks_of_fahrenheit_needs_a_choice() -> None:
    text = "Unit,°F\ntime,temperature\n2026-01-15 09:00,41\n"
    with pytest.raises(ConfigError, match=r"log\.csv:1: speaks of °F, .* say --unit F or --unit C"):
        read(text)
    assert read(text, unit="F")[1] == pytest.approx([5])


def test_a_letter_behind_a_probe_is_its_name() -> None:
    trace = read_logger_file(b"time,Probe F\n2026-01-15 09:00,5\n", "log.csv")
    assert trace.values_c.tolist() == [5] and "states no unit" in trace.remarks[0]


def test_several_columns_need_a_choice() -> None:
    text = "time,Probe 1 (°C),Probe 2 (°C)\n2026-01-15 09:00,5,6\n"
    with pytest.raises(ConfigError, match=r"'Probe 1 \(°C\)', 'Probe 2 \(°C\)'; say which with --column"):
        read(text)
    assert read(text, column="probe 2 (°c)")[1] == [6]
    with pytest.raises(ConfigError, match=r"column 'Probe 3' is not there; there are 'Probe 1 \(°C\)'"):
        read(text, column="Probe 3")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        (" \n \n", "is empty"),
        ("\0\1\2", "is no text"),
        ("hello\n", "found no titles of a time and a temperature"),
        ("2026-01-15 09:00,5.1\n2026-01-15 09:10,5.1\n", "found no titles"),
        ("time,humidity (%)\n2026-01-15 09:00,50\n", "found no titles"),
        ("time,temperature (mV)\n2026-01-15 09:00,50\n", r"log\.csv:1: column 'temperature \(mV\)' is in 'mv'"),
        ("time,temperature (°R)\n2026-01-15 09:00,50\n", "expected °C, °F or K"),
        ("time,temp °C\n", r"log\.csv:1: there is no row under the titles"),
        ("time,temp °C\n2026-01-15 09:00,warm\n", r"log\.csv:2: temp °C is 'warm', no number"),
        ("time,temp °C\n2026-01-15 09:00,inf\n", "no number"),
        ("time,temp °C\n2026-01-15 09:00,5.1 °F\n", "a value in °F under titles or after others in °C"),
        ("time,temp °C\n2026-01-15 09:00,5.1\nsoon,5.2\n", r"log\.csv:3: 'soon' is no time such as"),
        ("time,temp °C\n2026-02-30 09:00,5.1\n", "'2026-02-30 09:00' is no time"),
        ("time,temp °C\n2026-01-15 25:00,5.1\n", "is no time"),
        ("time,temp °C\n2026-01-15 09:00,5.1\n2026-01-15 09:00,5.2\n", r"log\.csv:3: .* comes twice"),
        ("time,temp °C\n2026-01-15 09:00,5\n2026-01-15 08:00,5\n2026-01-15 10:00,5\n", r"log\.csv:3: .* comes after"),
        ("time,temp °C\n2026-01-15 09:00,5,1\n", "is a decimal comma not quoted"),
        ("time;temp °C\n2026-01-15 09:00;5,1\n2026-01-15 09:10;5.1\n", "another decimal sign than before"),
        ("time,temp\n2026-01-15 09:00,5.1\n2026-01-15 09:10,41 °F\n", "after others without a unit"),
        ("time;temp °C\n2026-01-15 09:00;1.234,5\n", "no number"),
        ("time,temp °C\n2026-01-15 09:00,5\n2026-01-15 09:1", "cut off; expected 2 cells, found 1"),
        ("time,temp °C\n2026-01-15 09:00,\n2026-01-15 09:10,NaN\n", "holds no temperature"),
        ("time,temp °C\n2026-01-15T09:00:00Z,5\n2026-01-15T09:10:00,5\n", "some times state a UTC offset"),
    ],
)
def test_bad_files_are_refused_in_one_line(text: str, message: str) -> None:
    with pytest.raises(CultureOpsError, match=message) as refusal:
        read(text)
    assert "\n" not in str(refusal.value) and "log.csv" in str(refusal.value)


@settings(max_examples=150)
@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(contents: bytes) -> None:
    try:
        read_logger_file(contents, "log.csv")
    except CultureOpsError as error:
        assert "\n" not in str(error)


def test_a_damaged_file_is_read_or_refused() -> None:
    """Turn, drop and double characters of a good file: nothing else than a refusal may come of it."""
    good = "Date;Time;Temperature (°C)\n" + "".join(f"15.01.2026;09:{at:02}:00;5,{at % 10}\n" for at in range(40))
    rng = random.Random(3)
    refused = 0
    for _ in range(300):
        signs = list(good)
        for _ in range(rng.randint(1, 3)):
            at = rng.randrange(len(signs))
            signs[at] = rng.choice(["", ";", ",", "\n", '"', "x", "9", signs[at] * 2, "\r", "\t"])
        try:
            trace = read_logger_file("".join(signs).encode(), "log.csv")
        except CultureOpsError:
            refused += 1
        else:
            assert np.all(np.diff(trace.times_ms) > 0)
    assert refused > 50


def test_a_workbook_of_another_kind_is_read_by_its_titles() -> None:
    pytest.importorskip("python_calamine", reason="the counters extra is not installed")
    book = pytest.importorskip("openpyxl", reason="openpyxl writes the workbook").Workbook()
    book.active.append(["nothing here"])
    sheet = book.create_sheet("Log")
    for row in (
        ["Device Model", "RC-99", "", "Time Zone", "UTC +02:00"],
        [],
        ["No.", "Time", "Temperature°F", "Humidity%RH"],
        [1, datetime(2026, 1, 15, 9, 0), 41, 40],
        [2, "2026-01-15 09:10:00", 42.8, 40],
    ):
        sheet.append(row)
    written = io.BytesIO()
    book.save(written)
    trace = read_logger_file(written.getvalue(), "log.xlsx")
    assert trace.values_c.tolist() == pytest.approx([5, 6])
    assert [trace.text(int(time)) for time in trace.times_ms] == TWO
    assert trace.remarks == ("is no file of mapping elitech_rc5; read by the titles of its columns",)


def test_a_torn_workbook_is_refused() -> None:
    pytest.importorskip("python_calamine", reason="the counters extra is not installed")
    for contents in (b"PK\x03\x04torn", bytes.fromhex("d0cf11e0a1b11ae1") + b"torn"):
        with pytest.raises(Unreadable, match="not a workbook"):
            read_logger_file(contents, "log.xls")


def test_long_files_are_read_quickly() -> None:
    lines = (f"2026-01-{1 + at // 1440:02}T{at // 60 % 24:02}:{at % 60:02}:00,5.{at % 10}\n" for at in range(40_000))
    trace = read_logger_file(("timestamp,value\n" + "".join(lines)).encode(), "log.csv")
    assert trace.times_ms.size == 40_000
