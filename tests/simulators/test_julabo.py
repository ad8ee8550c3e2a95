from __future__ import annotations

import numpy as np
import pytest

from cultureops_simulators.instrument import SimulatorError
from cultureops_simulators.julabo import Julabo, build


def made(**options: object) -> Julabo:
    return build("bath_1", options, np.random.default_rng(3))


def test_the_manuals_example_in_remote_mode() -> None:
    bath = made(remote="yes")
    dialect = bath.dialect()
    assert dialect.receive(b"out_sp_00 55.5\r") == b""
    bath.step(1.0)
    assert dialect.receive(b"in_sp_00\r") == b"55.50\r\n"


def test_with_its_address_as_on_rs485() -> None:
    dialect = made(address="032").dialect()
    assert dialect.receive(b"A032_in_sp_00\r") == b"A032_37.00\r\n"
    assert dialect.receive(b"A033_in_sp_00\rin_sp_00\r") == b""


def test_every_question() -> None:
    bath = made()
    bath.panel.values.update(temperature=36.98, safety_temperature=37.1, heating_power=3.0)
    questions = b"version\rstatus\rin_pv_00\rin_pv_01\rin_pv_02\rin_pv_03\rin_sp_00\rin_mode_05\r"
    assert bath.dialect().receive(questions) == (
        b"JULABO SIMULATOR 1.00\r\n01 MANUAL START\r\n36.98\r\n003\r\n---.--\r\n37.10\r\n37.00\r\n1\r\n"
    )


@pytest.mark.parametrize(
    ("remote", "command", "status"),
    [
        ("no", b"out_sp_00 40.00", b"-09 COMMAND NOT ALLOWED IN CURRENT OPERATING MODE"),
        ("no", b"out_mode_05 0", b"-09 COMMAND NOT ALLOWED IN CURRENT OPERATING MODE"),
        ("no", b"in_pv_99", b"-08 INVALID COMMAND"),
        ("yes", b"out_sp_00 2.0", b"-10 VALUE TOO SMALL"),
        ("yes", b"out_sp_00 200", b"-11 VALUE TOO LARGE"),
        ("yes", b"out_sp_00 warm", b"-08 INVALID COMMAND"),
        ("yes", b"out_mode_05 2", b"-08 INVALID COMMAND"),
        ("yes", b"\xff\xfe", b"-08 INVALID COMMAND"),
    ],
)
def test_what_it_refuses_stands_in_the_next_status(remote: str, command: bytes, status: bytes) -> None:
    bath = made(remote=remote)
    dialect = bath.dialect()
    assert dialect.receive(command + b"\r") == b""
    assert dialect.receive(b"status\r") == status + b"\r\n"
    assert dialect.receive(b"status\r") in (b"01 MANUAL START\r\n", b"03 REMOTE START\r\n")
    assert bath.bath.setpoint_c == 37.0 and bath.bath.is_on


def test_either_case_is_understood() -> None:
    assert made(address="032").dialect().receive(b"A032_IN_SP_00\r") == b"A032_37.00\r\n"


def test_pieces_and_endless_lines() -> None:
    dialect = made().dialect()
    assert dialect.receive(b"in_sp") + dialect.receive(b"_00\r") == b"37.00\r\n"
    dialect.receive(b"x" * 1000)
    assert dialect.receive(b"in_sp_00\r") == b"37.00\r\n"


def test_holds_37_degrees_and_recovers_from_cold_bags() -> None:
    bath = made()
    bath.step(3600.0)
    assert bath.bath.temperature_c == pytest.approx(37.0, abs=0.1)
    bath.bath.immerse(4 * 80_000.0)
    bath.step(180.0)
    assert bath.bath.temperature_c < 36.5
    bath.step(3600.0)
    assert bath.bath.temperature_c == pytest.approx(37.0, abs=0.2)


def test_cools_when_switched_off_and_is_silent_without_mains() -> None:
    bath = made(remote="yes")
    dialect = bath.dialect()
    dialect.receive(b"out_mode_05 0\r")
    bath.step(3600.0)
    assert 33.0 < bath.bath.temperature_c < 36.5
    assert dialect.receive(b"status\rin_pv_01\r") == b"02 REMOTE STOP\r\n000\r\n"
    bath.upset("mains", True)
    assert dialect.receive(b"status\r") == b""
    bath.upset("mains", False)
    assert dialect.receive(b"status\r") == b"02 REMOTE STOP\r\n"


@pytest.mark.parametrize("options", [{"address": "32"}, {"remote": "maybe"}])
def test_wrong_options(options: dict[str, object]) -> None:
    with pytest.raises(SimulatorError, match="bath_1: "):
        made(**options)
