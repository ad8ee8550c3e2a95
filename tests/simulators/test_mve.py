from __future__ import annotations

import numpy as np
import pytest

from cultureops_simulators.instrument import SimulatorError
from cultureops_simulators.mve_tec3000 import Tec3000, build


@pytest.fixture
def controller() -> Tec3000:
    return build("mve_1", {"device_id": "12"}, np.random.default_rng(5))


def test_temperature_as_the_manual_prints_it(controller: Tec3000) -> None:
    controller.panel.values["temp_a"] = -197.1
    assert controller.dialect().receive(b"TEMPA?\r\n") == b"-197.10\r\n"


def test_every_query(controller: Tec3000) -> None:
    dialect = controller.dialect()
    queries = b"*IDN?\r\nFILL?\r\nFILT?\r\nFILTIM?\r\nFILAS?\r\nBPFIL?\r\nALMS?\r\n"
    idn, *rest = dialect.receive(queries).split(b"\r\n")
    assert b", Software ver. " in idn
    assert rest == [b"0", b"060", b"000", b"0", b"0", b"1", b""]


def test_only_its_own_prefix_is_answered(controller: Tec3000) -> None:
    dialect = controller.dialect()
    assert dialect.receive(b"012 FILL?\r\n") == b"0\r\n"
    assert dialect.receive(b"013 FILL?\r\n") == b""


def test_sets_give_no_reply_but_act(controller: Tec3000) -> None:
    dialect = controller.dialect()
    assert dialect.receive(b"FILT 090\r\nFILT 999\r\nALMS 0\r\nFILL 1\r\n") == b""
    controller.step(60.0)
    assert dialect.receive(b"FILT?\r\nALMS?\r\nFILL?\r\nBPFIL?\r\nFILTIM?\r\n") == b"090\r\n0\r\n1\r\n1\r\n060\r\n"
    assert dialect.receive(b"FILL 0\r\n") == b""
    controller.step(60.0)
    assert dialect.receive(b"FILL?\r\n") == b"0\r\n"


@pytest.mark.parametrize("line", [b"LEVL?", b"CODE?", b"CALTA", b"tempa?", b"", b"\xff\xfe", b"FILL 2", b"FILT abc"])
def test_unknown_commands_get_no_reply(controller: Tec3000, line: bytes) -> None:
    dialect = controller.dialect()
    assert dialect.receive(line + b"\r\n") == b""
    assert dialect.receive(b"FILL?\r\n") == b"0\r\n"


def test_half_lines_and_endless_ones(controller: Tec3000) -> None:
    dialect = controller.dialect()
    assert dialect.receive(b"FIL") + dialect.receive(b"L?\r") + dialect.receive(b"\n") == b"0\r\n"
    dialect.receive(b"y" * 1000)
    assert dialect.receive(b"FILL?\r\n") == b"0\r\n"


@pytest.mark.parametrize("device_id", [0, 1000, "x"])
def test_refuses_an_impossible_id(device_id: object) -> None:
    with pytest.raises(SimulatorError, match=r"mve_1: device_id must be 1\.\.999"):
        build("mve_1", {"device_id": device_id}, np.random.default_rng(5))
