"""The TEC's event log: codes, mappings, and what is refused."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cultureops.device.channel import STANDARD_NAMES
from cultureops.errors import ConfigError, DriverError, ProtocolError
from cultureops_drivers import mve_tec3000
from cultureops_drivers.mve_tec3000.event_log import (
    EventLogMapping,
    LoggedEvent,
    TecEvent,
    load_mapping,
    parse_event_log,
    read_event_log,
)

EXAMPLE = Path(mve_tec3000.__file__).with_name("event_log_example.toml")
PUBLISHED = [
    "AM",
    "AH",
    "AL",
    "BB",
    "BH",
    "BL",
    "BP",
    "BV",
    "BY",
    "CA",
    "CB",
    "CG",
    "CL",
    "F",
    "FD",
    "FT",
    "HG",
    "LH",
    "LL",
    "LO",
    "PF",
    "UW",
    "ZO",
]
MAPPING = EventLogMapping(("Date", "Time"), "%d/%m/%Y %H:%M", "Status", " ")
HEAD = b"Date,Time,User,Temp A,Temp B,Level,Usage,Status\r\n"
LINE = b"03/11/2022,%b,0,-188.2\xb0C,-195.1\xb0C,215 mm,11 mm/day,%b\r\n"


def test_every_published_code_has_a_text_and_a_standard_channel() -> None:
    assert {event.value for event in TecEvent} == {*PUBLISHED, "US"}
    for event in TecEvent:
        assert event.text
        assert event.channel == "" or event.channel in STANDARD_NAMES["cryostore"]
    assert (TecEvent("AH").text, TecEvent("AH").channel) == ("temperature A too high", "temp_a")
    assert (TecEvent("LO").text, TecEvent("LO").channel) == ("lid open", "lid")
    assert (TecEvent("PF").text, TecEvent("PF").channel) == ("power failure", "mains")


def test_a_log_becomes_events(tmp_path: Path) -> None:
    lines = (b"16:00", b"LO"), (b"15:31", b"F BY"), (b"12:00", b""), (b"08:00", b"QQ")
    data = HEAD + b"".join(LINE % line for line in lines)
    path = tmp_path / "39560000.CSV"
    path.write_bytes(data)
    log = read_event_log(path, load_mapping(EXAMPLE))
    assert log.events == (
        LoggedEvent(2, "2022-11-03T16:00:00", "LO", TecEvent.LID_OPEN),
        LoggedEvent(3, "2022-11-03T15:31:00", "F", TecEvent.FILLING),
        LoggedEvent(3, "2022-11-03T15:31:00", "BY", TecEvent.BYPASSING),
        LoggedEvent(5, "2022-11-03T08:00:00", "QQ", None),
    )
    assert [event.text for event in log.events[2:]] == ["letting hot gas by", "code QQ, not in the published list"]
    assert (log.n_rows, log.source_file) == (4, "39560000.CSV")
    assert log.source_sha256 == hashlib.sha256(data).hexdigest()


def test_the_layout_is_the_mappings() -> None:
    mapping = EventLogMapping(("When",), "%Y-%m-%dT%H:%M:%S", "Code", delimiter=";")
    log = parse_event_log("\ufeffCode;When\nZO;2022-11-03T16:00:07\n".encode(), "log", mapping)
    assert log.events == (LoggedEvent(2, "2022-11-03T16:00:07", "ZO", TecEvent.LEVEL_ZEROING),)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (HEAD + LINE % (b"25:00", b"F"), "log:2: '03/11/2022 25:00' is no time of the form"),
        (HEAD + LINE % (b"16:00", b"") + LINE % (b"4 pm", b"AH"), "log:3: '03/11/2022 4 pm' is no time"),
        (HEAD + LINE.replace(b"03/11", b"31/02") % (b"16:00", b"AH"), "log:2: '31/02/2022 16:00' is no time"),
        (b"Date,Time,Level\r\n", "log:1: there is no column Status; correct the mapping"),
        (b"", "log:1: there is no column Date, Status, Time"),
    ],
)
def test_what_is_refused(data: bytes, message: str) -> None:
    mapping = EventLogMapping(("Date", "Time"), "%d/%m/%Y %H:%M", "Status", " ", encoding="latin-1")
    with pytest.raises(ProtocolError, match=message):
        parse_event_log(data, "log", mapping)


def test_wrong_encoding_and_absent_file(tmp_path: Path) -> None:
    with pytest.raises(ProtocolError, match="log: not utf-8 text; give the file's encoding"):
        parse_event_log(HEAD + LINE % (b"16:00", b"F"), "log", MAPPING)
    with pytest.raises(ProtocolError, match=r"absent\.csv: can't be read: No such file"):
        read_event_log(tmp_path / "absent.csv", MAPPING)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_log_or_one_line_of_error(data: bytes) -> None:
    try:
        parse_event_log(HEAD + data, "log", EventLogMapping(("Date",), "%d/%m/%Y", "Status", encoding="latin-1"))
    except DriverError as error:
        assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("time_columns = ['Date']\ntime_format = '%d'", "'code_column' is missing; expected the name of a column"),
        ("time_columns = 'Date'", "'time_columns' must be a list of column names, not 'Date'"),
        ("time_columns = [1]", "'time_columns' must be a list of column names"),
        ("delimiter = ', '", "'delimiter' must be one character"),
        ("encoding = 'klingon'", "'encoding' must be an encoding such as"),
        ("codes = 'x'", "'codes' is unknown; known: time_columns"),
        ("= 1", "can't be read as a mapping"),
    ],
)
def test_wrong_mappings(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "mapping.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        load_mapping(path)
