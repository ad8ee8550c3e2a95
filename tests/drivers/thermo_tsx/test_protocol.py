"""The freezer's frames, against what the manuals print."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cultureops.errors import DeviceFault, DriverError, ProtocolError
from cultureops_drivers.thermo_tsx import protocol
from cultureops_drivers.thermo_tsx.protocol import Item, Reckoning

TC2, TC3, TC4, TC5, TC7, TC8, TC9, TC10 = protocol.THERMOCOUPLES
SYSTEM, ENCLOSURE = protocol.status_items("frame")

# TSX manual p63-67, TDE manual p30-36: query and answer of the same row
PRINTED = [
    (protocol.SETPOINT, b":190305300002AD\r\n", b":190304FFFFFCE002\r\n", -80.0),
    (protocol.WARM_ALARM, b":190305380002A5\r\n", b":190304FFFFFD449D\r\n", -70.0),
    (protocol.COLD_ALARM, b":1903053C0002A1\r\n", b":190304FFFFFC7C66\r\n", -90.0),
    (protocol.PRODUCT_ID, b":19030598000245\r\n", b":1903040001E240B9\r\n", 123456),
    (protocol.CONTROL_MODEL, b":1903059C000142\r\n", b":19030204DE\r\n", 4),
    (TC2, b":190304CC000212\r\n", b":19030441BB48E4B4\r\n", 23.410591),
    (TC4, b":190304D400020A\r\n", b":19030441E5816EC7\r\n", 28.688198),
    (TC5, b":190304D8000206\r\n", b":190304C2FE00001C\r\n", -127.0),
    (TC7, b":190304E00002FE\r\n", b":190304C2FE00001C\r\n", -127.0),
    (TC8, b":190304E40002FA\r\n", b":19030441BCCD9F73\r\n", 23.600401),
    (TC10, b":190304EC0002F2\r\n", b":19030441BE2C7E33\r\n", 23.771725),
    (SYSTEM, b":1903066F00016E\r\n", b":19030228BA\r\n", 0x28),
    (ENCLOSURE, b":1903067000026C\r\n", b":19030400050000D7\r\n", 0x50000),
]


@pytest.mark.parametrize(("item", "query", "answer", "value"), PRINTED)
def test_printed_queries_and_answers(item: Item, query: bytes, answer: bytes, value: float) -> None:
    assert protocol.query(0x19, item) == query
    data, reckoning = protocol.data_of(answer, 0x19, item)
    assert item.number(data) == pytest.approx(value)
    assert reckoning is Reckoning.CHARACTERS


@pytest.mark.parametrize(
    ("item", "query", "answer"),
    [(TC3, b":190304D000020E\r\n", b":19030441BB0CAC24\r\n"), (TC9, b":190304E80002F6\r\n", b":19030441BE24A114\r\n")],
)
def test_the_two_misprinted_answers_are_refused(item: Item, query: bytes, answer: bytes) -> None:
    assert protocol.query(0x19, item) == query
    with pytest.raises(ProtocolError, match="do not fit the data"):
        protocol.data_of(answer, 0x19, item)


def framed(body: str, reckoned: str | None = None) -> bytes:
    """``:body LRC``, the LRC reckoned over ``reckoned`` where it is another text."""
    check = -sum(bytes.fromhex(reckoned or body)) & 0xFF
    return f":{body}{check:02X}\r\n".encode()


@pytest.mark.parametrize(
    ("answer", "reckoning"),
    [
        (framed("190304FFFFFCE0"), Reckoning.BYTES),
        (framed("190308FFFFFCE0"), Reckoning.CHARACTERS),
        (framed("190304FFFFFCE0", "190308FFFFFCE0"), Reckoning.CHARACTERS),
    ],
)
def test_both_counts_are_understood(answer: bytes, reckoning: Reckoning) -> None:
    assert protocol.data_of(answer, 0x19, protocol.SETPOINT) == (b"\xff\xff\xfc\xe0", reckoning)


def test_one_freezer_is_held_to_the_reckoning_of_its_first_answer() -> None:
    standard = framed("190304FFFFFCE0")
    assert protocol.data_of(standard, 0x19, protocol.SETPOINT, Reckoning.BYTES)[0] == b"\xff\xff\xfc\xe0"
    with pytest.raises(ProtocolError, match="do not fit"):
        protocol.data_of(standard, 0x19, protocol.SETPOINT, Reckoning.CHARACTERS)


def test_one_byte_values_of_both_counts() -> None:
    assert protocol.data_of(framed("19030104"), 0x19, protocol.CONTROL_MODEL) == (b"\x04", Reckoning.BYTES)
    assert protocol.data_of(framed("19030204"), 0x19, protocol.CONTROL_MODEL) == (b"\x04", Reckoning.CHARACTERS)


@pytest.mark.parametrize(
    ("answer", "error", "message"),
    [
        (framed("198302"), DeviceFault, "exception 2 .illegal data address"),
        (b":19830200\r\n", ProtocolError, "garbled exception"),
        (framed("180304FFFFFCE0"), ProtocolError, "unit 24 function 3 answered, not unit 25 function 3"),
        (framed("190404FFFFFCE0"), ProtocolError, "unit 25 function 4 answered"),
        (framed("190302FFFF"), ProtocolError, "2 bytes of data instead of 4"),
        (framed("190306FFFFFCE0"), ProtocolError, "count 06 and LRC .. do not fit"),
        (framed("190308FFFFFCE0", "190304FFFFFCE0"), ProtocolError, "do not fit"),
        (b":190304FFFFFCE003\r\n", ProtocolError, "LRC 03 do not fit"),
        (b":190304fffffce002\r\n", ProtocolError, "not a Modbus ASCII answer"),
        (b":190304FFFFFCE02\r\n", ProtocolError, "not a Modbus ASCII answer"),
        (b"\r\n", ProtocolError, "not a Modbus ASCII answer"),
    ],
)
def test_wrong_answers(answer: bytes, error: type[DriverError], message: str) -> None:
    with pytest.raises(error, match=message):
        protocol.data_of(answer, 0x19, protocol.SETPOINT)


@given(st.sampled_from(PRINTED), st.data())
def test_no_single_wrong_character_goes_unnoticed(row: tuple[Item, bytes, bytes, float], data: st.DataObject) -> None:
    item, _, answer, _ = row
    position = data.draw(st.integers(0, len(answer) - 3))
    garbled = bytearray(answer)
    garbled[position] ^= data.draw(st.integers(1, 127))
    try:
        found, _ = protocol.data_of(bytes(garbled), 0x19, item, Reckoning.CHARACTERS)
    except DriverError:
        return
    assert found == protocol.data_of(answer, 0x19, item)[0]  # its count may read either way


@given(st.binary(max_size=60))
def test_any_bytes_are_data_or_a_driver_error(answer: bytes) -> None:
    try:
        protocol.data_of(answer, 0x19, TC2)
    except DriverError as error:
        assert "\n" not in str(error)


def test_only_function_03_can_be_built() -> None:
    items = (*(row[0] for row in PRINTED), *protocol.status_items("table"))
    assert {protocol.query(unit_id, item)[3:5] for item in items for unit_id in range(256)} == {b"03"}
    assert [item.address for item in protocol.status_items("table")] == [0x671, 0x674]
