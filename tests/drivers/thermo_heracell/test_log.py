"""The Heracell's log and error list, against the record the manual prints, and over a line."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cultureops.errors import DriverError, NotConnected, ProtocolError
from cultureops.testing import MemoryLink
from cultureops_drivers.thermo_heracell import Heracell, protocol
from cultureops_drivers.thermo_heracell.log import EVENTS, LogPage, LogRecord, records_of

PRINTED = "010b01060f3700000177002800d40000"
DOOR = "310b01060f3800000170002800d40000"
LAST = "ff" + "00" * 15


def framed(address: str, payload: str) -> bytes:
    head = f"!:{address}:{len(payload):02x}:{payload}:".encode()
    check = 0xFF
    for byte in head:
        check ^= byte
    return head + b"%02x\r" % check


def test_the_printed_record() -> None:
    assert records_of(PRINTED) == (
        LogRecord(0x01, datetime(2006, 1, 11, 15, 55), 0, 37.5, 4.0, 21.2, 0.0, bytes.fromhex(PRINTED)),
    )
    assert records_of(PRINTED)[0].text == "actual values"


def test_a_page_holds_at_most_seven() -> None:
    assert len(records_of(PRINTED * 7)) == 7 and records_of("") == ()
    with pytest.raises(ProtocolError, match="at most 7 log records of 16 bytes, got 128 bytes"):
        records_of(PRINTED * 8)


@pytest.mark.parametrize("payload", [PRINTED[:-2], PRINTED.upper(), PRINTED[:-1] + " ", "zz" * 16, "01 " * 16, "0"])
def test_what_is_no_page_is_refused(payload: str) -> None:
    with pytest.raises(ProtocolError):
        records_of(payload)


def test_what_is_not_known_is_left_open() -> None:
    (record,) = records_of("aa2d01060f3700018001002800d40000")
    assert record.at_local is None and record.temperature_c is None and record.status == 1
    assert record.text == "event 0xaa, which no public page explains"
    assert record.co2_pct == 4.0


def test_every_code_the_manual_names_has_a_text() -> None:
    named = [0x01, 0x02, 0x10, 0x11, 0x12, 0x20, 0x21, 0x22, 0x2F, 0x30, 0x31, 0x32, 0x40, 0x41, 0x42]
    named += [0x50, 0x51, 0x52, 0x53, 0x60, 0x61, 0x62, 0x63, 0x70, 0x71, 0x72, 0x90, 0x91, 0xE0, 0xFF]
    assert list(EVENTS) == named


@given(st.text(alphabet="0123456789abcdefABCDEF :", max_size=240))
def test_any_text_is_records_or_an_error(payload: str) -> None:
    try:
        records = records_of(payload)
    except DriverError as error:
        assert "\n" not in str(error)
    else:
        assert "".join(record.raw.hex() for record in records) == payload


def test_error_lists_are_cut_by_width_since_entries_may_hold_colons() -> None:
    first, second = "05.01.26;08:01;E21...", "05.01.26;09:30;E20..."
    assert protocol.error_list("") == ()
    assert protocol.error_list(first) == (first,)
    assert protocol.error_list(f"{first}:{second}") == (first, second)
    assert len(protocol.error_list(":".join([first] * 11))) == 11


@pytest.mark.parametrize("payload", ["x", "x" * 20, "x" * 22, "x" * 43, "x" * 21 + ":", ":".join(["x" * 21] * 12)])
def test_wrong_error_lists(payload: str) -> None:
    with pytest.raises(ProtocolError, match="expected at most 11 errors of 21 characters"):
        protocol.error_list(payload)


class Incubator:
    """Pages of a log, and two halves of an error list."""

    def __init__(self, pages: list[str], recent: str = "", older: str = "") -> None:
        self.asked: list[str] = []
        self._pages, self._errors, self._at = pages, {"2300": recent, "2301": older}, 0

    def answer(self, request: bytes) -> bytes:
        address = request[2:6].decode()
        self.asked.append(address)
        if address in self._errors:
            return framed(address, self._errors[address])
        self._at = {"2400": 0, "2401": self._at + 1, "2402": self._at}[address]
        return framed(address, self._pages[self._at])


@pytest.fixture
async def reader() -> Callable[[Incubator], Heracell]:
    def connected(incubator: Incubator) -> Heracell:
        return Heracell("heracell_4", MemoryLink(incubator.answer))

    return connected


async def test_the_log_is_paged_through_to_its_last_record(reader: Callable[[Incubator], Heracell]) -> None:
    incubator = Incubator([PRINTED * 7, DOOR * 2 + LAST])
    driver = reader(incubator)
    await driver.connect()
    events = [record.event async for record in driver.log()]
    assert events == [0x01] * 7 + [0x31] * 2
    assert incubator.asked == ["2400", "2401"]
    assert [record.text for record in await driver.log_page(LogPage.AGAIN)] == ["door open", "door open", "last"]


async def test_an_empty_page_ends_the_log_too(reader: Callable[[Incubator], Heracell]) -> None:
    driver = reader(Incubator([PRINTED, ""]))
    await driver.connect()
    assert len([record async for record in driver.log()]) == 1


async def test_a_log_without_end_is_an_error(
    reader: Callable[[Incubator], Heracell], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cultureops_drivers.thermo_heracell.driver._MOST_LOG_RECORDS", 20)
    driver = reader(Incubator([PRINTED * 7] * 9))
    await driver.connect()
    with pytest.raises(ProtocolError, match=r"^heracell_4: the log did not end after 21 records"):
        _ = [record async for record in driver.log()]


async def test_both_halves_of_the_error_list(reader: Callable[[Incubator], Heracell]) -> None:
    recent, older = "recent error no 1 ...", "older error no 12 ..."
    driver = reader(Incubator([], recent, older))
    with pytest.raises(NotConnected):
        await driver.errors()
    await driver.connect()
    assert await driver.errors() == (recent, older)


async def test_a_damaged_list_names_device_and_address(reader: Callable[[Incubator], Heracell]) -> None:
    driver = reader(Incubator(["0102"], recent="short"))
    await driver.connect()
    with pytest.raises(ProtocolError, match=r"^heracell_4 address 2300: expected at most 11 errors"):
        await driver.errors()
    with pytest.raises(ProtocolError, match=r"^heracell_4 address 2400: expected at most 7 log records"):
        await driver.log_page(LogPage.FIRST)
