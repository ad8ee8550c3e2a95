"""The instrument's words, the driver's choices, and the driver against the simulated instrument."""

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
from cultureops_drivers.ami_185 import create, protocol


@pytest.mark.parametrize(
    "word",
    ["HI=90.0", "LO=5", "A=80", "B=60", "INTERVAL=10", "LENGTH=35.0", "SAVE", "CM", "INCH", "PERCENT", "level", ""],
)
def test_what_sets_something_is_never_sent(word: str) -> None:
    with pytest.raises(WriteRejected, match="is not sent to an AMI 185"):
        protocol.query(word)


@pytest.mark.parametrize(("answer", "unit"), [(b"C\r\n", "cm"), (b"I\r\n", "in"), (b"%\r\n", "%")])
def test_units(answer: bytes, unit: str) -> None:
    assert protocol.unit_of(answer) == unit


@pytest.mark.parametrize(
    ("answer", "error", "message"),
    [
        (b"-1\r\n", DeviceFault, "the instrument answered -1, which is no level"),
        (b"LEVEL\r\n", ProtocolError, "echoes what it hears; switch echo off"),
        (b"62.5 %\r\n", ProtocolError, "expected a number"),
        (b"nan\r\n", ProtocolError, "expected a number"),
        (b"1e2\r\n", ProtocolError, "expected a number"),
        (b"\r\n", ProtocolError, "expected a number"),
        (b"6\xb2.5\r\n", ProtocolError, "not ASCII"),
    ],
)
def test_what_is_no_level(answer: bytes, error: type[DriverError], message: str) -> None:
    with pytest.raises(error, match=message):
        protocol.level_of(answer, "LEVEL")


@given(st.binary(max_size=20))
def test_any_bytes_are_a_level_or_a_driver_error(answer: bytes) -> None:
    try:
        assert protocol.level_of(answer, "LEVEL") >= 0
    except DriverError as error:
        assert "\n" not in str(error)


async def test_lengths_are_millimetres() -> None:
    link = MemoryLink(lambda request: b"I\r\n" if request == b"UNIT\r\n" else b"10.0\r\n")
    driver = create("level_1", link, {"unit": "in"})
    assert {channel.unit for channel in driver.channels} == {"mm"}
    await driver.connect()
    assert {sample.value for sample in await driver.read()} == {254.0}


async def test_another_unit_is_no_value() -> None:
    driver = create("level_1", MemoryLink(lambda _: b"C\r\n"), {})
    await driver.connect()
    assert (await driver.identify()).model == "185/186"
    with pytest.raises(ProtocolError, match=r"^level_1 UNIT: the instrument tells cm, the site file %; correct"):
        await driver.read()


async def test_a_refused_limit_costs_only_itself() -> None:
    answers = {b"UNIT\r\n": b"%\r\n", b"LEVEL\r\n": b"62.5\r\n", b"A\r\n": b"-3\r\n"}
    driver = create("level_1", MemoryLink(lambda request: answers.get(request, b"50.0\r\n")), {})
    await driver.connect()
    samples = await driver.read()
    assert samples[0] == Sample("level", 62.5)
    assert samples[3] == Sample("fill_stop_level", None, Reason.DEVICE_FAULT)


def test_wrong_options() -> None:
    with pytest.raises(ConfigError, match="'unit' must be one of cm, in, %, not 'mm'"):
        create("level_1", MemoryLink(lambda _: None), {"unit": "mm"})


@pytest.mark.parametrize("unit", ["%", "cm", "in"])
async def test_reads_the_simulated_instrument(simulate: Callable[..., tuple[Any, str]], unit: str) -> None:
    instrument, address = simulate("ami_185", unit=unit)
    driver = create("level_1", open_link(f"tcp://{address}", 1.0), {"unit": unit})
    await driver.connect()
    assert (await driver.identify()).model == "185/186"
    instrument.step(600.0)
    samples = {sample.name: sample.value for sample in await driver.read()}
    mm_per_pct = 1.0 if unit == "%" else 10.0
    assert samples["level"] == pytest.approx(instrument.tank.level_pct * mm_per_pct, abs=1.5 * mm_per_pct)
    assert samples["fill_start_level"] == pytest.approx(60.0 * mm_per_pct, abs=1.5)
    await driver.disconnect()
