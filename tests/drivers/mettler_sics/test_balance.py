"""The balance's lines, the driver's choices, and the driver against the simulated balance."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cultureops.device.reading import Reason, Sample
from cultureops.device.transport.open import open_link
from cultureops.errors import ConfigError, DeviceFault, DriverError, ProtocolError, WriteRejected
from cultureops.testing import MemoryLink
from cultureops_drivers.mettler_sics import create, protocol
from cultureops_drivers.mettler_sics.protocol import Weighing


@pytest.mark.parametrize(
    ("answer", "weighing"),
    [
        (b"S S      12.34 g\r\n", Weighing(12.34, True)),
        (b"S S     100.00 g\r\n", Weighing(100.0, True)),
        (b"S D    -0.6800 g\r\n", Weighing(-0.68, False)),
        (b"S S       1.50 kg\r\n", Weighing(1500.0, True)),
        (b"S S     250.00 mg \r\n", Weighing(0.25, True)),
        (b"S I\r\n", Weighing(None, None, Reason.DEVICE_FAULT)),
        (b"S +\r\n", Weighing(None, None, Reason.OUT_OF_RANGE)),
        (b"S -\r\n", Weighing(None, None, Reason.OUT_OF_RANGE)),
    ],
)
def test_weighings(answer: bytes, weighing: Weighing) -> None:
    assert protocol.weighing_of(answer, "SI") == weighing


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"S S      12.34 lb\r\n", "SI: unit 'lb' is none of mg, g, kg; set unit 1 of the balance to g"),
        (b"S S      12.34 G\r\n", "unit 'G' is none of"),
        (b"S S      12.34\r\n", "expected a weight"),
        (b"SI S      12.34 g\r\n", "expected a weight"),
        (b"S X      12.34 g\r\n", "expected a weight"),
        (b"S S      12,34 g\r\n", "expected a weight"),
        (b"S S        nan g\r\n", "expected a weight"),
        (b"S S  1 2.34 g\r\n", "expected a weight"),
        (b'I4 A "123456"\r\n', "expected a weight"),
        (b"T S      12.34 g\r\n", "expected a weight"),
        (b"ES\r\n", "does not know the command .ES.; set its interface to MT-SICS"),
        (b"ET\r\n", "garbled command"),
        (b"EL\r\n", "can't carry out"),
        (b"S S \xb112.34 g\r\n", "not ASCII"),
        (b"\r\n", "expected a weight"),
    ],
)
def test_what_is_no_weight(answer: bytes, message: str) -> None:
    with pytest.raises(ProtocolError, match=message):
        protocol.weighing_of(answer, "SI")


@given(st.binary(max_size=40))
def test_any_bytes_are_a_weighing_or_a_driver_error(answer: bytes) -> None:
    try:
        weighing = protocol.weighing_of(answer, "SI")
    except DriverError as error:
        assert "\n" not in str(error)
    else:
        assert (weighing.weight_g is None) == bool(weighing.reason)


def test_texts() -> None:
    assert protocol.text_of(b'I2 A "T72XW Standard 50.00 kg"\r\n', "I2") == "T72XW Standard 50.00 kg"
    assert protocol.text_of(b'I4 A "123456"\r\n', "I4") == "123456"
    with pytest.raises(DeviceFault, match="can't tell now"):
        protocol.text_of(b"I4 I\r\n", "I4")
    with pytest.raises(ProtocolError, match="expected I4 A and a text in quotes"):
        protocol.text_of(b'I3 A "1.00"\r\n', "I4")


@pytest.mark.parametrize("word", ["Z", "ZI", "T", "TI", "TA", "TAC", "@", "SIR", "C1", "S\r\nZ", "si", ""])
def test_what_changes_the_balance_is_never_sent(word: str) -> None:
    with pytest.raises(WriteRejected, match="is not sent to a balance"):
        protocol.query(word)


async def test_overload_is_no_weight_and_says_why() -> None:
    driver = create("balance_1", MemoryLink(lambda _: b"S +\r\n"), {})
    await driver.connect()
    assert list(await driver.read()) == [
        Sample("weight", None, Reason.OUT_OF_RANGE),
        Sample("stable", None, Reason.OUT_OF_RANGE),
    ]


async def test_errors_name_the_device() -> None:
    driver = create("balance_1", MemoryLink(lambda _: b"ES\r\n"), {})
    await driver.connect()
    with pytest.raises(ProtocolError, match=r"^balance_1 I2: the balance does not know"):
        await driver.identify()


def test_wrong_options() -> None:
    with pytest.raises(ConfigError, match="'wait_for_stable' must be true or false"):
        create("balance_1", MemoryLink(lambda _: None), {"wait_for_stable": "yes"})


async def test_reads_the_simulated_balance(simulate: Callable[..., tuple[Any, str]]) -> None:
    balance, address = simulate("mettler_sics")
    at_once = create("balance_1", open_link(f"tcp://{address}", 1.0), {})
    await at_once.connect()
    identity = await at_once.identify()
    assert identity.model == "SIMULATOR 4200.00 g" and identity.serial_number and identity.firmware
    balance.pan.load(251.3)
    balance.step(0.2)
    moving = {sample.name: sample.value for sample in await at_once.read()}
    assert moving["stable"] == 0.0 and moving["weight"] is not None and moving["weight"] < 251.0
    balance.step(20.0)
    resting = {sample.name: sample.value for sample in await at_once.read()}
    assert resting["stable"] == 1.0 and resting["weight"] == pytest.approx(251.3, abs=0.05)
    balance.pan.load(5000.0)
    balance.step(20.0)
    assert [sample.reason for sample in await at_once.read()] == [Reason.OUT_OF_RANGE] * 2
    await at_once.disconnect()


async def test_waits_for_a_weight_at_rest(simulate: Callable[..., tuple[Any, str]]) -> None:
    balance, address = simulate("mettler_sics")
    patient = create("balance_1", open_link(f"tcp://{address}", 1.0), {"wait_for_stable": True})
    await patient.connect()
    balance.pan.load(100.0)
    balance.step(0.2)
    assert [sample.reason for sample in await patient.read()] == [Reason.DEVICE_FAULT] * 2
    balance.step(20.0)
    assert (await patient.read())[1] == Sample("stable", 1.0)
    await patient.disconnect()
