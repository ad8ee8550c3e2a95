"""The Heracell's frames, against what the manuals print."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cultureops.device.reading import Reason, Sample
from cultureops.errors import ConfigError, DeviceFault, DriverError, ProtocolError
from cultureops.testing import MemoryLink
from cultureops_drivers.thermo_heracell import create, protocol

QUERIES = {
    "0001": b"?:0001:00::c1\r",
    "0010": b"?:0010:00::c1\r",
    "0011": b"?:0011:00::c0\r",
    "0012": b"?:0012:00::c3\r",
    "2000": b"?:2000:00::c2\r",
    "2010": b"?:2010:00::c3\r",
    "2020": b"?:2020:00::c0\r",
    "2030": b"?:2030:00::c1\r",
    "2300": b"?:2300:00::c1\r",
    "2400": b"?:2400:00::c6\r",
}

TEMPERATURE = b"!:2010:1f:+037.00;+036.95;+036.95;+036.95:"
CO2 = b"!:2020:1f:+005.00;+005.02;+005.02;+005.02:"


def closed(head: bytes) -> bytes:
    check = 0
    for byte in head:
        check ^= byte
    return head + b"%02x\r" % (check ^ 0xFF)


@pytest.mark.parametrize(("address", "frame"), QUERIES.items())
def test_printed_query_sums(address: str, frame: bytes) -> None:
    assert protocol.query(address) == frame


def test_the_actual_value_stands_where_the_public_client_cuts_it_out() -> None:
    assert closed(TEMPERATURE)[18:25] == b"+036.95"
    payload = protocol.payload_of(closed(TEMPERATURE), "2010")
    assert protocol.control_loop(payload) == (37.0, 36.95)


@pytest.mark.parametrize(
    ("payload", "set_bits"),
    [
        ("00", set()),
        ("11", {"a_active", "a_pressure_ok"}),
        ("32", {"b_active", "a_pressure_ok", "b_pressure_ok"}),
        ("cc", set()),
    ],
)
def test_gas_guards(payload: str, set_bits: set[str]) -> None:
    found = protocol.gas_guard(payload)
    assert {bit.value for bit, is_set in found.items() if is_set} == set_bits and len(found) == 4


@pytest.mark.parametrize("payload", ["", "1", "111", "1G", "AA", "0x", "٣٣"])
def test_wrong_gas_guards(payload: str) -> None:
    with pytest.raises(ProtocolError, match="expected two hex digits of the gas guard"):
        protocol.gas_guard(payload)


def test_the_crc_of_the_vios_cr() -> None:
    assert protocol.crc8(b"123456789") == 0xF4  # the check value of polynomial 0x07, start 0, nothing reflected
    assert protocol.query("2010", protocol.crc8) != QUERIES["2010"]
    head = b"!:2010:02:?1:"
    with pytest.raises(DeviceFault, match="unknown address"):
        protocol.payload_of(head + b"%02x\r" % protocol.crc8(head), "2010", protocol.crc8)
    with pytest.raises(ProtocolError, match="check sum"):
        protocol.payload_of(closed(head), "2010", protocol.crc8)


def test_dashes_are_no_number() -> None:
    assert protocol.control_loop("+037.00;---.--;+036.95;+036.95") == (37.0, None)


@pytest.mark.parametrize(
    ("answer", "error", "message"),
    [
        (closed(b"!:2010:02:?0:"), ProtocolError, "structure or check sum"),
        (closed(b"!:2010:02:?1:"), DeviceFault, "unknown address"),
        (closed(b"!:2010:02:?2:"), DeviceFault, "internal memory"),
        (closed(b"!:2010:02:?3:"), DeviceFault, "out of limits"),
        (closed(CO2), ProtocolError, "the answer is for address 2020"),
        (TEMPERATURE + b"00\r", ProtocolError, "check sum 00 instead of"),
        (closed(TEMPERATURE.replace(b"1f", b"1e")), ProtocolError, "31 characters, announced as 0x1e"),
        (closed(TEMPERATURE.replace(b"1f", b"1F")), ProtocolError, "not an answer of the form"),
        (b"\xff\x00\r", ProtocolError, "not an answer of the form"),
        (b"\r", ProtocolError, "not an answer of the form"),
    ],
)
def test_wrong_answers(answer: bytes, error: type[DriverError], message: str) -> None:
    with pytest.raises(error, match=message):
        protocol.payload_of(answer, "2010")


@given(st.integers(0, len(closed(TEMPERATURE)) - 2), st.integers(1, 255))
def test_no_single_wrong_byte_goes_unnoticed(position: int, flip: int) -> None:
    answer = bytearray(closed(TEMPERATURE))
    answer[position] ^= flip
    with pytest.raises(ProtocolError):
        protocol.payload_of(bytes(answer), "2010")


@given(st.binary(max_size=80))
def test_any_bytes_are_a_payload_or_a_driver_error(data: bytes) -> None:
    try:
        protocol.payload_of(data, "2010")
    except DriverError as error:
        assert "\n" not in str(error)


def test_only_queries_can_be_built() -> None:
    built = [protocol.query(f"{address:04x}") for address in range(0x10000)]
    assert all(frame.startswith(b"?:") and frame[6:10] == b":00:" for frame in built)
    with pytest.raises(ValueError, match="not four lower-case hex digits"):
        protocol.query("2010:05:+040.00")


async def test_an_incubator_without_co2_still_gives_its_temperature() -> None:
    answers = {QUERIES["2010"]: closed(TEMPERATURE), QUERIES["2020"]: closed(b"!:2020:02:?1:")}
    driver = create("heracell_4", MemoryLink(answers.get), {})
    await driver.connect()
    assert list(await driver.read()) == [
        Sample("temperature", 36.95),
        Sample("temperature_setpoint", 37.0),
        Sample("co2", None, Reason.DEVICE_FAULT),
        Sample("co2_setpoint", None, Reason.DEVICE_FAULT),
    ]


async def test_errors_name_the_device() -> None:
    driver = create("heracell_4", MemoryLink(lambda _: closed(b"!:0001:02:?2:")), {})
    await driver.connect()
    with pytest.raises(DeviceFault, match=r"^heracell_4 address 0001: .*internal memory"):
        await driver.identify()


def test_control_loops_are_marked_as_second_hand_and_gas_guards_are_not() -> None:
    channels = create("heracell_4", MemoryLink(lambda _: None), {"gas_guard": "co2+o2"}).channels
    assert [channel.verified for channel in channels] == [False] * 4 + [True] * 8
    assert [channel.name for channel in channels[4:6]] == ["co2_supply_a_active", "co2_supply_b_active"]


async def test_gas_guards_that_are_not_fitted_cost_no_query() -> None:
    answers = {QUERIES["2010"]: closed(TEMPERATURE), QUERIES["2020"]: closed(CO2)}
    link = MemoryLink(answers.get)
    driver = create("heracell_4", link, {})
    await driver.connect()
    assert len(await driver.read()) == 4 and len(link.sent) == 2


async def test_gas_guards_are_read_each_by_its_own_address() -> None:
    answers = {
        QUERIES["2010"]: closed(TEMPERATURE),
        QUERIES["2020"]: closed(CO2),
        b"?:2140:00::c7\r": closed(b"!:2140:02:21:"),
        b"?:2141:00::c6\r": closed(b"!:2141:02:?1:"),
    }
    driver = create("heracell_4", MemoryLink(answers.get), {"gas_guard": "co2+o2"})
    await driver.connect()
    assert list(await driver.read())[4:] == [
        Sample("co2_supply_a_active", 1.0),
        Sample("co2_supply_b_active", 0.0),
        Sample("co2_supply_a_pressure_ok", 0.0),
        Sample("co2_supply_b_pressure_ok", 1.0),
        Sample("o2_supply_a_active", None, Reason.DEVICE_FAULT),
        Sample("o2_supply_b_active", None, Reason.DEVICE_FAULT),
        Sample("o2_supply_a_pressure_ok", None, Reason.DEVICE_FAULT),
        Sample("o2_supply_b_pressure_ok", None, Reason.DEVICE_FAULT),
    ]


async def test_a_vios_cr_is_asked_with_its_crc() -> None:
    link = MemoryLink(lambda _: None)
    driver = create("heracell_4", link, {"check": "crc8"})
    await driver.connect()
    with pytest.raises(DriverError):
        await driver.identify()
    assert link.sent == [b"?:0001:00::%02x\r" % protocol.crc8(b"?:0001:00::")]


def test_wrong_set_up() -> None:
    with pytest.raises(ConfigError, match="heracell_4: option 'baud' is unknown; known options: gas_guard, check"):
        create("heracell_4", MemoryLink(lambda _: None), {"baud": 9600})
    with pytest.raises(ConfigError, match=r"option 'gas_guard' must be one of none, co2, o2, co2\+o2, not 'both'"):
        create("heracell_4", MemoryLink(lambda _: None), {"gas_guard": "both"})
    with pytest.raises(ConfigError, match="option 'check' must be one of xor, crc8, not 8"):
        create("heracell_4", MemoryLink(lambda _: None), {"check": 8})
