"""The STX's words: what is asked, what is understood, and how a dialogue begins and ends."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cultureops.device.reading import Reason, Sample
from cultureops.errors import ConfigError, DeviceFault, DriverError, DriverTimeout, ProtocolError
from cultureops.testing import MemoryLink
from cultureops_drivers.liconic_stx import SCAN_SETTINGS, create, protocol

TEMPERATURE = b"RD DM982\r"


def test_values_as_both_clients_read_them() -> None:
    assert protocol.word_of(b"373\r\n", TEMPERATURE) == protocol.word_of(b"00373\r\n", TEMPERATURE) == 373
    assert protocol.relay_of(b"1\r\n", b"RD 1915\r") is True
    assert protocol.read_memory(982) == TEMPERATURE and protocol.read_relay(1915) == b"RD 1915\r"


@pytest.mark.parametrize(
    "answer",
    [b"\r\n", b"OK\r\n", b"-1\r\n", b"65536\r\n", b"000373\r\n", b"37.3\r\n", b"\xb2\r\n", b" 373\r\n", b"E9\r\n"],
)
def test_wrong_words(answer: bytes) -> None:
    with pytest.raises(ProtocolError, match=r"^RD DM982: "):
        protocol.word_of(answer, TEMPERATURE)


@pytest.mark.parametrize("answer", [b"\r\n", b"2\r\n", b"00001\r\n", b"CC\r\n"])
def test_wrong_relays(answer: bytes) -> None:
    with pytest.raises(ProtocolError, match=r"^RD 1915: expected 0 or 1"):
        protocol.relay_of(answer, b"RD 1915\r")


@pytest.mark.parametrize("code", ["E0", "E2", "E3", "E4", "E5"])
def test_refusals(code: str) -> None:
    with pytest.raises(DeviceFault, match=rf"RD DM982: the STX answered {code} \("):
        protocol.word_of(f"{code}\r\n".encode(), TEMPERATURE)


@given(st.binary(max_size=20))
def test_any_bytes_are_a_value_or_a_driver_error(data: bytes) -> None:
    for parse in (protocol.word_of, protocol.relay_of, lambda answer, _: protocol.check_begun(answer)):
        try:
            parse(data, TEMPERATURE)
        except DriverError as error:
            assert "\n" not in str(error)


class Controller:
    """Answers within a dialogue only."""

    def __init__(self) -> None:
        self.is_open = False
        self.memory = {"DM982": "00373", "DM890": "00370", "DM200": "00000", "1915": "1", "1814": "0", "1813": "0"}
        self.memory["1812"] = "1"

    def answer(self, request: bytes) -> bytes | None:
        if request == b"CR\r":
            self.is_open = True
            return b"CC\r\n"
        if not self.is_open:
            return b"E1\r\n"
        if request == b"CQ\r":
            self.is_open = False
            return b"CF\r\n"
        return self.memory.get(request[3:-1].decode(), "E0").encode() + b"\r\n"


async def test_a_dialogue_begins_with_a_break_of_more_than_a_tenth_of_a_second_and_ends_politely() -> None:
    controller = Controller()
    link = MemoryLink(controller.answer)
    driver = create("stx_1", link, {"fitted": "temperature"})
    await driver.connect()
    assert link.sent == [] and link.breaks_s == []
    assert (await driver.identify()).vendor == "LiCONiC"
    assert link.breaks_s == [0.15]
    assert list(await driver.read()) == [
        Sample("temperature", 37.3),
        Sample("temperature_setpoint", 37.0),
        Sample("ready", 1.0),
        Sample("error", 0.0),
        Sample("transfer_station", 0.0),
        Sample("shovel", 1.0),
        Sample("error_code", 0.0),
    ]
    await driver.disconnect()
    assert not controller.is_open and link.sent[0] == b"CR\r" and link.sent[-1] == b"CQ\r"
    assert all(sent.startswith(b"RD ") for sent in link.sent[1:-1]) and len(link.breaks_s) == 1


async def test_a_controller_that_was_switched_off_is_greeted_again() -> None:
    controller = Controller()
    link = MemoryLink(controller.answer)
    driver = create("stx_1", link, {"fitted": "temperature"})
    await driver.connect()
    await driver.read()
    controller.is_open = False
    with pytest.raises(ProtocolError, match=r"^stx_1: RD DM982: not understood \(E1\); the dialogue is opened again"):
        await driver.read()
    assert len(await driver.read()) == 7 and len(link.breaks_s) == 2


async def test_a_dialogue_that_broke_is_not_closed_politely_which_would_cost_another_deadline() -> None:
    controller = Controller()
    silent = False
    link = MemoryLink(lambda request: None if silent else controller.answer(request))
    driver = create("stx_1", link, {})
    await driver.connect()
    await driver.identify()
    silent = True
    with pytest.raises(DriverTimeout):
        await driver.read()
    asked = len(link.sent)
    await driver.disconnect()
    assert len(link.sent) == asked


async def test_what_is_not_there_gives_no_value_and_leaves_the_dialogue_open() -> None:
    controller = Controller()
    link = MemoryLink(controller.answer)
    driver = create("stx_1", link, {"fitted": "co2", "gas_2": "n2"})
    await driver.connect()
    samples = list(await driver.read())
    assert [sample for sample in samples if sample.value is None] == [
        Sample(name, None, Reason.DEVICE_FAULT) for name in ("co2", "co2_setpoint", "n2", "n2_setpoint")
    ]
    assert len(link.breaks_s) == 1 and b"RD DM986\r" in link.sent and b"RD DM985\r" not in link.sent


async def test_a_value_that_may_be_negative_is_refused() -> None:
    controller = Controller()
    controller.memory["DM982"] = "65336"
    driver = create("stx_1", MemoryLink(controller.answer), {"fitted": "temperature"})
    await driver.connect()
    assert (await driver.read())[0] == Sample("temperature", None, Reason.OUT_OF_RANGE)


async def test_a_wrong_greeting_names_the_device() -> None:
    driver = create("stx_1", MemoryLink(lambda _: b"OK\r\n"), {})
    await driver.connect()
    with pytest.raises(ProtocolError, match=r"^stx_1: CR: expected CC, got 'OK'"):
        await driver.read()


def test_what_one_source_never_tried_is_unverified() -> None:
    channels = create("stx_1", MemoryLink(lambda _: None), {"gas_1": "o2"}).channels
    assert {channel.name for channel in channels if channel.verified} == {
        "temperature",
        "temperature_setpoint",
        "humidity",
        "humidity_setpoint",
        "ready",
        "error",
        "error_code",
    }
    assert {channel.name: channel.decimals for channel in channels}["co2"] == 2


def test_scanned_with_its_own_settings() -> None:
    (settings,) = SCAN_SETTINGS
    assert (settings.baudrate, settings.parity, settings.rtscts) == (9600, "E", True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fitted": "temperature+o2"}, "option 'fitted' must be some of temperature, humidity, co2"),
        ({"gas_1": "argon"}, "option 'gas_1' must be none, o2 or n2, not 'argon'"),
        ({"gas_1": "o2", "gas_2": "o2"}, "option 'gas_2' can't be o2: the other port is already"),
        ({"baud": 9600}, "option 'baud' is unknown; known options: fitted, gas_1, gas_2"),
    ],
)
def test_wrong_options(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=f"^stx_1: {message}"):
        create("stx_1", MemoryLink(lambda _: None), options)
