from __future__ import annotations

from datetime import datetime

import numpy as np
import pytest

from cultureops_simulators.instrument import SimulatorError
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


@pytest.mark.parametrize("query", [b"?:2000:00::c2\r", b"?:2030:00::c1\r"])
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


def log_events(heracell: Heracell) -> list[str]:
    """Page through the log as far as its last record; the event codes in hex."""
    dialect = heracell.dialect()
    events: list[str] = []
    query = b"?:2400:00::c6\r"
    while "ff" not in events:
        payload = dialect.receive(query)[10:-4].decode()
        assert len(payload) % 32 == 0 and len(payload) <= 7 * 32
        events += [payload[start : start + 2] for start in range(0, len(payload), 32)]
        query = b"?:2401:00::c7\r"
    return events


def test_the_log_tells_what_happened_in_pages_of_seven(heracell: Heracell) -> None:
    assert log_events(heracell) == ["30", "ff"]
    heracell.chamber.open_door(30.0)
    heracell.step(10.0)
    heracell.step(60.0)
    heracell.upset("co2_supply", True)
    heracell.chamber.temperature_setpoint_c = 33.0
    heracell.step(60.0)
    assert log_events(heracell)[:7] == ["30", "31", "32", "20", "21", "70", "10"]
    for _ in range(300):
        heracell.step(60.0)
    events = log_events(heracell)
    assert "20" in events and events.count("01") == 5 and events[-1] == "ff"


def test_a_log_record_is_laid_out_as_the_printed_one(heracell: Heracell) -> None:
    heracell.panel.values.update(temperature=37.5, co2=4.0)
    record = heracell.logbook.record(1, datetime(2006, 1, 11, 15, 55), heracell.panel.values)
    printed = bytes.fromhex("010b01060f3700000177002800d40000")
    assert record[:12] == printed[:12] and record[14:] == printed[14:] and len(record) == 16


def test_a_page_can_be_had_again_and_each_connection_has_its_place(heracell: Heracell) -> None:
    for _ in range(12 * 60):
        heracell.step(60.0)
    one, other = heracell.dialect(), heracell.dialect()
    first = one.receive(b"?:2400:00::c6\r")
    second = one.receive(b"?:2401:00::c7\r")
    assert second != first and one.receive(b"?:2402:00::c4\r")[10:-4] == second[10:-4]
    assert other.receive(b"?:2402:00::c4\r")[10:-4] == first[10:-4]


def test_errors_are_listed_newest_first_in_two_halves(heracell: Heracell) -> None:
    for _ in range(13):
        heracell.chamber.co2_pct = 0.1
        heracell.step(60.0)
        heracell.chamber.co2_pct = 5.0
        heracell.step(60.0)
    recent = heracell.dialect().receive(b"?:2300:00::c1\r")[10:-4].decode()
    older = heracell.dialect().receive(b"?:2301:00::c0\r")[10:-4].decode()
    assert len(recent) == 11 * 22 - 1 == 241 and len(older) == 2 * 22 - 1
    assert recent[:21] == "05.01.26;08:25;SIM 21"


def test_a_vios_cr_sums_differently() -> None:
    device = build("cr", {"check": "crc8"}, np.random.default_rng(1))
    assert device.dialect().receive(b"?:0001:00::c1\r")[:-3] == b"!:0001:02:?0:"
    with pytest.raises(SimulatorError, match="cr: check must be one of xor, crc8"):
        build("cr", {"check": "md5"}, np.random.default_rng(1))
