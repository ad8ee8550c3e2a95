"""Devices behind register tables: their words, framings, faults and physics."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cultureops_simulators import registers
from cultureops_simulators.arguments import Arguments
from cultureops_simulators.catalog import BUILT_IN, find_build
from cultureops_simulators.chamber import Chamber
from cultureops_simulators.hamilton_arc import UNIT_PH, measurement
from cultureops_simulators.instrument import HoldsCultures, SimulatorError
from cultureops_simulators.lab import Lab
from cultureops_simulators.registers import RegisterDevice

KINDS = [
    "binder_mb1",
    "binder_mb2",
    "watlow_f4t",
    "eurotherm_3216",
    "hettich_hettcube",
    "comet_tx5xx",
    "julabo_magio",
    "lighthouse_remote",
    "hamilton_ph_arc",
    "hamilton_visiferm_do",
]
CHAMBERS = KINDS[:5]


def build(kind: str, /, seed: int = 3, **options: Any) -> RegisterDevice:
    device = find_build(kind)(kind, options, np.random.default_rng(seed))
    assert isinstance(device, RegisterDevice)
    return device


def test_words() -> None:
    assert registers.float_high_first(465.65997) == (0x43E8, 0xD47A)
    assert registers.float_low_first(465.65997) == (0xD47A, 0x43E8)
    assert registers.uint32_high_first(0x0001_0002) == (1, 2)
    assert registers.uint32_low_first(0x0001_0002) == (2, 1)
    assert registers.uint32_high_first(-1.0) == (0, 0)
    assert registers.uint32_high_first(1e12) == (0xFFFF, 0xFFFF)
    assert (registers.int16(-1), registers.int16(40_000.0), registers.int16(37.4)) == ((0xFFFF,), (0x7FFF,), (37,))
    assert registers.lay({5: (1, 2), 9: (3,)}) == {5: 1, 6: 2, 9: 3}


def test_a_measurement_channel_of_ten_registers() -> None:
    words = measurement(UNIT_PH, 4.02503, 0.0, 14.0)
    assert words == (0x1000, 0, *registers.float_low_first(4.02503), 0, 0, 0, 0, 0, 0x4160)


@pytest.mark.parametrize("kind", KINDS)
def test_readings_draw_no_noise_and_steps_are_repeatable(kind: str) -> None:
    assert kind in BUILT_IN
    one, other = build(kind), build(kind)
    for _ in range(5):
        one.dialect().receive(b"\x01\x03\0\0\0\x01\x84\x0a")
        one.step(60.0)
        other.step(60.0)
    assert one.panel.values == other.panel.values == one.truth()["shown"]
    assert build(kind, 4).panel.values != build(kind, 3).panel.values or kind == "lighthouse_remote"
    with pytest.raises(SimulatorError, match="no supply"):
        one.upset("co2_supply", True)


@pytest.mark.parametrize("kind", CHAMBERS)
def test_a_chamber_holds_vessels_and_cools_through_its_door(kind: str) -> None:
    device = build(kind, temperature_c=37, humidity_pct=60)
    assert isinstance(device, HoldsCultures)
    lab = Lab(7, {kind: device})
    lab.act("door", Arguments("act door", {"chamber": kind, "open_s": 600}))
    for _ in range(5):
        device.step(60.0)
    assert device.panel.values["temperature"] < 32.0
    assert device.panel.values["door"] == 1.0
    for _ in range(120):
        device.step(60.0)
    assert device.panel.values["temperature"] == pytest.approx(37.0, abs=0.3)
    assert device.panel.values["humidity"] == pytest.approx(60.0, abs=3.0)


def test_a_chamber_s_humidity_may_be_set() -> None:
    assert Chamber().humidity_setpoint_pct == Chamber().humidity_pct
    for text in ("wet", "nan", "99"):
        with pytest.raises(SimulatorError, match="option humidity_pct must"):
            build("binder_mb1", humidity_pct=text)


def test_a_transmitter_follows_the_chamber_it_hangs_in() -> None:
    chamber = Chamber(temperature_c=37.0, humidity_pct=90.0)
    device = build("comet_tx5xx", inside=chamber)
    device.step(3600.0)
    assert device.panel.values["temperature"] == pytest.approx(37.0, abs=0.3)
    with pytest.raises(SimulatorError, match="option inside"):
        build("comet_tx5xx", inside="nowhere")


def test_a_bath_heats_to_its_setpoint() -> None:
    device = build("julabo_magio")
    assert device.panel.values["heating_power"] == 100.0
    device.step(3600.0)
    assert device.panel.values["temperature"] == pytest.approx(37.0, abs=0.1)
    assert 0.0 < device.panel.values["heating_power"] < 20.0


def test_counted_particles_are_those_that_arrived() -> None:
    device = build("lighthouse_remote")
    device.step(60.0)
    arrived, shown = device.truth()["arrived"], device.panel.values
    assert isinstance(arrived, tuple)
    assert [shown[f"particles_{number}"] for number in range(1, 5)] == [sum(arrived[index:]) for index in range(4)]
    device.step(30.0)
    assert device.panel.values["particles_1"] == shown["particles_1"], "a record changes only when it is complete"


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("binder_mb1", {"framing": "ascii"}, "option framing must be rtu, got 'ascii'"),
        ("watlow_f4t", {"framing": "ascii"}, "option framing must be tcp or rtu"),
        ("julabo_magio", {"word_order": "swapped"}, "option word_order must be high_first or low_first"),
        ("hamilton_visiferm_do", {"unit_code": "0"}, "option unit_code must be a whole number"),
        ("hamilton_visiferm_do", {"unit_code": "x"}, "option unit_code must be a whole number"),
    ],
)
def test_wrong_options_are_one_line(kind: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(SimulatorError, match=message):
        build(kind, **options)


def test_a_serial_device_has_both_wires_and_a_network_device_one() -> None:
    assert build("binder_mb1").wires == {"tcp", "pty"}
    assert build("hettich_hettcube").wires == {"tcp"}
    assert build("lighthouse_remote", framing="tcp").wires == {"tcp"}
