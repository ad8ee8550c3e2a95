"""The Cytomat's words: what is asked, what is understood, and what is never sent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cultureops.device.reading import Reason, Sample
from cultureops.errors import ConfigError, DeviceFault, DriverError, ProtocolError, WriteRejected
from cultureops.testing import MemoryLink
from cultureops_drivers.thermo_cytomat import create, protocol

QUIET = {
    b"ch:it\r": b"it +37.0 +36.9\r",
    b"ch:ic\r": b"ic +05.0 +04.9\r",
    b"ch:bs\r": b"bs 02\r",
    b"ch:be\r": b"be 00\r",
    b"ch:bw\r": b"bw 00\r",
    b"ch:ba\r": b"ba 2B\r",
}


def test_the_overview_byte_as_both_clients_read_it() -> None:
    assert protocol.overview_of(b"bs 01\r") == protocol.Overview(*[False] * 7, True)
    assert protocol.overview_of(b"bs F1\r") == protocol.Overview(True, True, True, True, False, False, False, True)
    assert protocol.overview_of(b"\nbs a2\r").transfer_station_occupied  # a LF is left from the answer before


def test_a_control_loop_is_nominal_then_actual() -> None:
    assert protocol.loop_of(b"it +37.0 +36.9\r", "it") == (37.0, 36.9)
    assert protocol.loop_of(b"it 37.0 -02.5\r", "it") == (37.0, -2.5)


def test_the_action_register_is_three_bits_of_target_and_five_of_action() -> None:
    assert protocol.action_of(b"ba 95\r") == (4, 0x15)


@pytest.mark.parametrize(
    "answer",
    [
        b"\r",
        b"bs\r",
        b"bs \r",
        b"bs 1\r",
        b"bs 123\r",
        b"bs G1\r",
        b"be 01\r",
        b"BS 01\r",
        b"bs\xff01\r",
        b"er\r",
        b"er 0\r",
        b"ok 01\r",
        b"bs 01 02\r",
    ],
)
def test_wrong_overviews(answer: bytes) -> None:
    with pytest.raises(ProtocolError, match=r"^ch:bs: "):
        protocol.overview_of(answer)


@pytest.mark.parametrize(
    "answer",
    [b"it +37.0\r", b"it +37.0 ---\r", b"it 37 36\r", b"it +37.0 +36.9 +1.0\r", b"ic +37.0 +36.9\r", b"it nan nan\r"],
)
def test_wrong_loops(answer: bytes) -> None:
    with pytest.raises(ProtocolError, match=r"^ch:it: "):
        protocol.loop_of(answer, "it")


def test_refusals_are_faults_of_the_device_but_a_misread_query_is_one_of_the_line() -> None:
    with pytest.raises(DeviceFault, match=r"ch:io: the Cytomat answered er 02 \(unknown command\)"):
        protocol.loop_of(b"er 02\r", "io")
    with pytest.raises(DeviceFault, match="er 61"):
        protocol.overview_of(b"er 61\r")
    with pytest.raises(ProtocolError, match="er 03"):
        protocol.overview_of(b"er 03\r")


@given(st.binary(max_size=40))
def test_any_bytes_are_a_value_or_a_driver_error(data: bytes) -> None:
    for parse in (protocol.overview_of, protocol.action_of, lambda answer: protocol.loop_of(answer, "it")):
        try:
            parse(data)
        except DriverError as error:
            assert "\n" not in str(error)


@pytest.mark.parametrize("word", ["in", "gp 002", "st 001", "sw", "it 37.0", "bs\rll:in", "", "BS"])
def test_what_moves_or_changes_is_never_sent(word: str) -> None:
    with pytest.raises(WriteRejected, match="is not asked of a Cytomat"):
        protocol.query(word)


async def test_a_whole_life_sends_queries_only() -> None:
    link = MemoryLink(QUIET.get)
    driver = create("cytomat_1", link, {})
    await driver.connect()
    assert (await driver.identify()).model == "Cytomat"
    samples = {sample.name: sample.value for sample in await driver.read()}
    assert samples["temperature"] == 36.9 and samples["ready"] == 1.0 and samples["action"] == 11.0
    assert set(samples) == {channel.name for channel in driver.channels}
    await driver.disconnect()
    assert set(link.sent) == set(QUIET)


async def test_crlf_where_the_model_wants_it() -> None:
    link = MemoryLink({b"ch:bs\r\n": b"bs 02\r\n"}.get)
    driver = create("cytomat_1", link, {"line_end": "crlf"})
    await driver.connect()
    await driver.identify()


async def test_a_loop_that_is_not_there_gives_no_value_and_does_not_spoil_the_others() -> None:
    link = MemoryLink({**QUIET, b"ch:io\r": b"er 02\r"}.get)
    driver = create("cytomat_1", link, {"fitted": "temperature+o2"})
    await driver.connect()
    samples = list(await driver.read())
    assert samples[:4] == [
        Sample("temperature_setpoint", 37.0),
        Sample("temperature", 36.9),
        Sample("o2_setpoint", None, Reason.DEVICE_FAULT),
        Sample("o2", None, Reason.DEVICE_FAULT),
    ]
    assert b"ch:ic\r" not in link.sent


async def test_errors_name_the_device() -> None:
    driver = create("cytomat_1", MemoryLink(lambda _: b"bs 9\r"), {})
    await driver.connect()
    with pytest.raises(ProtocolError, match=r"^cytomat_1: ch:bs: expected two hex digits"):
        await driver.identify()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fitted": "humidity+ph"}, "option 'fitted' must be some of temperature, co2, humidity, o2"),
        ({"fitted": "co2+co2"}, "option 'fitted' must be some of"),
        ({"line_end": "lf"}, "option 'line_end' must be cr or crlf, not 'lf'"),
        ({"baud": 9600}, "option 'baud' is unknown; known options: fitted, line_end"),
    ],
)
def test_wrong_options(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=f"^cytomat_1: {message}"):
        create("cytomat_1", MemoryLink(lambda _: None), options)
