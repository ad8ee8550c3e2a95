"""AtmoWEB answers: as the public captures print them, in every form, and cut off anywhere."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cultureops.errors import ConfigError, ProtocolError, WriteRejected
from cultureops.testing import MemoryLink
from cultureops_drivers.memmert_atmoweb import create, protocol
from cultureops_drivers.memmert_atmoweb.protocol import Range

PRINTED = b'"Temp1Read": 28.7, '
"""The answer to ``GET /atmoweb?Temp1Read=`` as the public clients print it: no braces, a comma behind."""


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (PRINTED, {"Temp1Read": 28.7}),
        (b'"Temp1Read": 28.7,\r\n', {"Temp1Read": 28.7}),
        (b'"Temp1Read": -5, "CO2Read": N/A, "HumRead": "N/A", ', {"Temp1Read": -5, "CO2Read": None, "HumRead": None}),
        (b'"TempSet_Range": {min: 20.0, max: 50.0}, ', {"TempSet_Range": Range(20, 50)}),
        (b'"TempSet_RangeMin": 20.0, "TempSet_RangeMax": 50.0, ', {"TempSet_RangeMin": 20, "TempSet_RangeMax": 50}),
        (b'{"TempSet_Range": {"min": 20.0, "max": 50.0}}', {"TempSet_Range": Range(20, 50)}),
        (b'{"Temp1Read": 23.1, "CO2Read": "N/A"}', {"Temp1Read": 23.1, "CO2Read": None}),
        (b'{ "Temp1Read": 23.1, }\n', {"Temp1Read": 23.1}),
        (b'"SN": "B620.0011", "DevType": "ICO105", ', {"SN": "B620.0011", "DevType": "ICO105"}),
        (b'"CurOp": "Manual", "DoorOpen": 0, ', {"CurOp": "Manual", "DoorOpen": 0}),
    ],
)
def test_answers(answer: bytes, said: object) -> None:
    assert protocol.parse(answer) == said


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"{}",
        b"{",
        b'"Temp1Read": 28.7',
        b'{"Temp1Read": 28.7',
        b'{"Temp1Read": 28.7,',
        b'"Temp1Read": 28.7}',
        b'{"Temp1Read": 28.7}}',
        b'{"Temp1Read": 28.7} x',
        b'"Temp1Read": 28.7, "CO2Read"',
        b'"Temp1Read": 28.7, <html>',
        b'"Temp1Read": 28.7, , ',
        b'{"Temp1Read": 28.7, , }',
        b'"Temp1Read": 28.7 "CO2Read": 5.0, ',
        b'"Temp1Read": nan, ',
        b'"Temp1Read": 1e400, ',
        b'"Temp1Read": 28,7, ',
        b'"Temp1Read": 28.7, "Temp1Read": 29.7, ',
        b'"Temp1Read": \xff, ',
        b"<html><body>Not found</body></html>",
        b'"Temp1Read": --, ',
    ],
)
def test_what_is_no_answer(answer: bytes) -> None:
    with pytest.raises(ProtocolError, match="AtmoWEB: "):
        protocol.parse(answer)


WHOLE = (
    b'"Temp1Read": 36.98, "CO2Read": 5.02, "DoorOpen": 0, "SN": "B620.0011", "TempSet_Range": {min: 20.0, max: 50.0}, '
)


@pytest.mark.parametrize("whole", [WHOLE, b"{" + WHOLE.rstrip(b", ") + b"}"])
def test_an_answer_cut_off_anywhere_never_says_another_number(whole: bytes) -> None:
    said = protocol.parse(whole)
    for length in range(len(whole.rstrip())):
        try:
            part = protocol.parse(whole[:length])
        except ProtocolError:
            continue
        assert part.items() <= said.items()


@given(st.binary(max_size=200))
def test_garbage_raises_nothing_else(answer: bytes) -> None:
    try:
        protocol.parse(answer)
    except ProtocolError as error:
        assert "\n" not in str(error)


@given(
    st.dictionaries(st.sampled_from(protocol.READ_KEYS), st.integers(-9999, 9999).map(lambda n: n / 100), min_size=1)
)
def test_what_is_json_is_read_as_json(values: dict[str, float]) -> None:
    assert protocol.parse(json.dumps(values).encode()) == values


@pytest.mark.parametrize("key", ["TempSet=37.0", "HornSet", "DoorLock", "FlapSet", "SwASet", "", "SN=&TempSet=4"])
def test_nothing_that_changes_a_chamber_can_be_built(key: str) -> None:
    with pytest.raises(WriteRejected, match="is not asked of a Memmert chamber"):
        protocol.query([key])


def test_a_question() -> None:
    assert protocol.query(("Temp1Read", "TempSet")) == "Temp1Read=&TempSet="


def test_wrong_sites() -> None:
    with pytest.raises(ConfigError, match=r"chamber_1: a Memmert chamber needs an http://host:port link"):
        create("chamber_1", MemoryLink(lambda _: None), {})
    for fitted in ("co2", ["co2", "level"], 3, [["co2"]], [{"co2": 1}]):
        with pytest.raises(ConfigError, match="option 'fitted' must be a list out of co2, humidity"):
            create("chamber_1", MemoryLink(lambda _: None), {"fitted": fitted})
