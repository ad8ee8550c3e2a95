from __future__ import annotations

import numpy as np
import pytest

from cultureops_simulators.thermo_heracell import Heracell, build


@pytest.fixture
def heracell() -> Heracell:
    return build("heracell_4", {"start": "2026-01-05T08:00:00Z"}, np.random.default_rng(1))


PRINTED_QUERIES = {
    b"?:0001:00::c1\r": b"!:0001:08:SIM 1.00:",
    b"?:0010:00::c1\r": b"!:0010:11:05.01.26;08:01:00:",
    b"?:0011:00::c0\r": b"!:0011:08:05.01.26:",
    b"?:0012:00::c3\r": b"!:0012:08:08:01:00:",
    b"?:2300:00::c1\r": b"!:2300:00::",
}


@pytest.mark.parametrize(("query", "reply"), PRINTED_QUERIES.items())
def test_answers_the_queries_whose_sums_the_manuals_give(heracell: Heracell, query: bytes, reply: bytes) -> None:
    heracell.step(60.0)
    answer = heracell.dialect().receive(query)
    assert answer[:-3] == reply
    xor = 0
    for byte in answer[:-3]:
        xor ^= byte
    assert answer[-3:] == b"%02x\r" % (~xor & 0xFF)


@pytest.mark.parametrize("query", [b"?:2000:00::c2\r", b"?:2400:00::c6\r"])
def test_well_summed_queries_for_addresses_that_are_not_public_get_unknown_address(
    heracell: Heracell, query: bytes
) -> None:
    address = query[2:6]
    assert heracell.dialect().receive(query)[:-3] == b"!:" + address + b":02:?1:"


def test_temperature_and_co2_payloads(heracell: Heracell) -> None:
    heracell.panel.values.update(temperature=36.95, co2=4.9)
    assert heracell.dialect().receive(b"?:2010:00::c3\r")[:-3] == b"!:2010:1f:+037.00;+036.95;+036.95;+036.95:"
    assert heracell.dialect().receive(b"?:2020:00::c0\r")[:-3] == b"!:2020:1f:+005.00;+004.90;+004.90;+004.90:"


def test_gas_guard_loses_its_pressure_bit_with_the_supply(heracell: Heracell) -> None:
    query = b"?:2140:00::c7\r"
    assert heracell.dialect().receive(query).startswith(b"!:2140:02:11:")
    heracell.upset("co2_supply", True)
    assert heracell.dialect().receive(query).startswith(b"!:2140:02:01:")


@pytest.mark.parametrize(
    "line",
    [
        b"?:2010:00::c4\r",  # wrong sum
        b"?:2010:01::c2\r",  # length says one byte
        b"?:2010:00::C3\r",  # upper case
        b"?:2010:00:c3\r",  # a colon short
        b"\x00\xff?:2010\r",
        b"hello\r",
    ],
)
def test_broken_frames_are_answered_by_question_mark_zero(heracell: Heracell, line: bytes) -> None:
    answer = heracell.dialect().receive(line)
    assert answer[6:-3] == b":02:?0:"


def test_a_frame_in_pieces_and_two_in_one(heracell: Heracell) -> None:
    dialect = heracell.dialect()
    assert dialect.receive(b"?:2010:0") == b""
    assert dialect.receive(b"0::c3\r").startswith(b"!:2010:")
    both = dialect.receive(b"?:0001:00::c1\r?:0011:00::c0\r")
    assert both.count(b"\r") == 2 and both.startswith(b"!:0001:") and b"\r!:0011:" in both


def test_a_line_that_never_ends_is_forgotten(heracell: Heracell) -> None:
    dialect = heracell.dialect()
    assert dialect.receive(b"x" * 5000) == b""
    assert dialect.receive(b"?:0001:00::c1\r").startswith(b"!:0001:08:")


def test_writes_are_refused(heracell: Heracell) -> None:
    body = b"!:2010:07:+038.00:"
    xor = 0
    for byte in body:
        xor ^= byte
    assert heracell.dialect().receive(body + b"%02x\r" % (~xor & 0xFF))[:-3] == b"!:2010:02:?1:"
    assert heracell.chamber.temperature_setpoint_c == 37.0
