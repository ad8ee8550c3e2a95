"""The bath's words: what is asked, what is understood, and what is never sent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cultureops.errors import DeviceFault, DriverError, ProtocolError, WriteRejected
from cultureops_drivers.julabo import SCAN_SETTINGS, protocol


def test_the_manuals_examples() -> None:
    assert protocol.query("in_sp_00") == b"in_sp_00\r"
    assert protocol.query("in_sp_00", "032") == b"A032_in_sp_00\r"
    assert protocol.number_of(protocol.text_of(b"55.5\n", "in_sp_00"), "in_sp_00") == 55.5
    assert protocol.number_of(protocol.text_of(b"A032_55.5\n", "in_sp_00", "032"), "in_sp_00") == 55.5


def test_the_factory_settings_come_first() -> None:
    first = SCAN_SETTINGS[0]
    assert (first.baudrate, first.bytesize, first.parity, first.stopbits, first.rtscts) == (4800, 7, "E", 1, True)


@pytest.mark.parametrize(
    "word", ["out_sp_00 37.00", "out_mode_05 1", "out_mode_05", "in_mode_05", "IN_PV_00", "in_pv_00\rout_mode_05 0", ""]
)
def test_what_changes_the_bath_is_never_sent(word: str) -> None:
    with pytest.raises(WriteRejected, match="is not sent to a JULABO"):
        protocol.query(word)


@given(st.text(max_size=12))
def test_only_the_listed_words_can_be_built(word: str) -> None:
    if word not in protocol.QUERIES:
        with pytest.raises(WriteRejected):
            protocol.query(word)


@pytest.mark.parametrize(
    ("text", "number"), [("37.00", 37.0), ("-8.00", -8.0), ("+0.5", 0.5), ("000", 0.0), ("---.--", None), ("--", None)]
)
def test_numbers(text: str, number: float | None) -> None:
    assert protocol.number_of(text, "in_pv_02") == number


@pytest.mark.parametrize("text", ["-08 INVALID COMMAND", "-09 COMMAND NOT ALLOWED IN CURRENT OPERATING MODE"])
def test_a_refusal_is_no_temperature(text: str) -> None:
    with pytest.raises(DeviceFault, match="in_pv_03: the bath answered '-0"):
        protocol.number_of(text, "in_pv_03")


@pytest.mark.parametrize(
    "text", ["", "-", "nan", "inf", "1e3", "37,00", "37.00 C", "12345.0", "3 7", "-08 invalid", "٣٧.٠"]
)
def test_what_is_no_number(text: str) -> None:
    with pytest.raises(ProtocolError, match="in_pv_00: expected a number"):
        protocol.number_of(text, "in_pv_00")


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("00 MANUAL STOP", 0),
        ("01 MANUAL START", 1),
        ("02 REMOTE STOP", 2),
        ("03 REMOTE START", 3),
        ("-01 LOW LEVEL ALARM", -1),
        ("-10 VALUE TOO SMALL", -10),
    ],
)
def test_status_messages(text: str, status: int) -> None:
    assert protocol.status_of(text) == status


@pytest.mark.parametrize("text", ["", "3", "04 MANUAL START", "37.00", "Hello from the simulated Julabo"])
def test_what_is_no_status(text: str) -> None:
    with pytest.raises(ProtocolError, match="status: expected a status"):
        protocol.status_of(text)


@pytest.mark.parametrize(
    ("answer", "address", "message"),
    [
        (b"55.5\n", "032", "does not start with A032_"),
        (b"A033_55.5\n", "032", "does not start with A032_"),
        (b"5\xff.5\n", "", "not ASCII"),
    ],
)
def test_wrong_answers(answer: bytes, address: str, message: str) -> None:
    with pytest.raises(ProtocolError, match=message):
        protocol.text_of(answer, "in_sp_00", address)


@given(st.binary(max_size=40))
def test_any_bytes_are_a_number_or_a_driver_error(answer: bytes) -> None:
    try:
        protocol.number_of(protocol.text_of(answer, "in_pv_00"), "in_pv_00")
    except DriverError as error:
        assert "\n" not in str(error)
