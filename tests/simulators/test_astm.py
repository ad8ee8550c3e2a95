"""The simulated analyser: what it sends, and how it insists."""

from __future__ import annotations

import re
from collections import deque

import numpy as np
import pytest

from cultureops_simulators.astm_counter import AstmAnalyser, build
from cultureops_simulators.astm_counter.sender import Outbox, Sender, frames_of
from cultureops_simulators.culture import Suspension
from cultureops_simulators.instrument import SimulatorError

SUSPENSION = Suspension(total_cells_per_ml=2.0e6, viable_cells_per_ml=1.9e6, volume_ml=30.0)
ACK, NAK, ENQ, EOT = b"\x06", b"\x15", b"\x05", b"\x04"


def analyser(seed: int = 5, **options: object) -> AstmAnalyser:
    return build("counter_1", options, np.random.default_rng(seed))


def said(simulator: AstmAnalyser) -> bytes:
    """All that one connection hears when it acknowledges everything."""
    heard: list[bytes] = []
    sender = simulator.dialect()
    sender.on_line(heard.append)
    while (answer := sender.receive(ACK)) and not answer.startswith(EOT):
        heard.append(answer)
    return b"".join([*heard, answer])


def test_a_count_is_a_session() -> None:
    simulator = analyser(time_zone="Europe/Berlin")
    simulator.step(300.0)
    simulator.analyse("B1.P1-harvest-1", SUSPENSION)
    session = said(simulator)
    assert session.startswith(ENQ + b"\x021H|\\^&|||") and session.endswith(EOT)
    assert b"\x023O|1|B1.P1-harvest-1\r\x03" in session and b"|20260105090500\r" in session
    viable = re.search(rb"\^\^\^VIABLE\|([0-9]+)\|cells/mL", session)
    assert viable is not None and float(viable[1]) == pytest.approx(1.9e6, rel=0.15)
    assert simulator.truth() == {"analyses": 1, "unsent": 0}


def test_a_frame_and_its_sum_written_by_hand() -> None:
    # 0x31 + 0x4c + 0x7c + 0x31 + 0x7c + 0x4e + 0x0d + 0x03 = 0x204
    assert list(frames_of([b"L|1|N"])) == [b"\x021L|1|N\r\x0304\r\n"]


def test_long_records_are_continued() -> None:
    first, second, third = frames_of([b"x" * 300, b"y"])
    assert len(first) == 240 + 7 and first[-5:-4] == b"\x17" and first[1:2] == b"1"
    assert second[-5:-4] == b"\x03" and second[1:2] == b"2" and third[1:2] == b"3"


def test_it_insists_until_it_is_heard() -> None:
    outbox: Outbox = deque([[b"H", b"L"]])
    sender = Sender(outbox)
    assert sender.step(0.0) == ENQ and sender.step(14.9) == b""
    assert sender.step(0.1) == EOT  # no answer within 15 s
    assert sender.step(14.9) == b"" and sender.step(0.2) == ENQ
    assert sender.receive(NAK) == EOT and sender.step(9.9) == b"" and sender.step(0.2) == ENQ  # busy: 10 s later
    frame = sender.receive(ACK)
    assert [sender.receive(NAK) for _ in range(5)] == [frame] * 5
    assert sender.receive(NAK) == EOT and len(outbox) == 1  # six attempts, and later anew
    assert sender.step(15.0) == ENQ
    sender.receive(ACK + ACK)
    assert sender.receive(b"noise") == b"" and sender.receive(ACK) == EOT and not outbox


def test_one_seed_gives_the_same_bytes_and_hearing_draws_no_noise() -> None:
    told = []
    for seed in (5, 5, 6):
        simulator = analyser(seed)
        simulator.analyse("B1", SUSPENSION)
        simulator.analyse("B2", SUSPENSION)
        told.append(said(simulator))
    assert told[0] == told[1] != told[2]


def test_a_standard_is_counted_by_itself() -> None:
    simulator = analyser(every_min="10")
    simulator.step(1200.0)
    assert simulator.truth() == {"analyses": 3, "unsent": 3}


@pytest.mark.parametrize("sample_id", ["", "a|b", "a^b", "B 1", "x" * 81])
def test_refuses_what_would_break_a_record(sample_id: str) -> None:
    with pytest.raises(SimulatorError, match="sample_id"):
        analyser().analyse(sample_id, SUSPENSION)


def test_refuses_what_can_not_be() -> None:
    with pytest.raises(SimulatorError, match="too thin to count"):
        analyser().analyse("B1", Suspension(0.0, 0.0, 10.0))
    with pytest.raises(SimulatorError, match="every_min must be minutes"):
        analyser(every_min="often")
    with pytest.raises(SimulatorError, match="no supply"):
        analyser().upset("mains", True)
