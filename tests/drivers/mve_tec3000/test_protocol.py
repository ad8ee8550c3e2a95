"""The TEC 3000's words: what is asked, what is understood, and what is never sent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cultureops.errors import ConfigError, DriverError, ProtocolError, WriteRejected
from cultureops.testing import MemoryLink
from cultureops_drivers.mve_tec3000 import create, protocol

FORBIDDEN = [
    "CALTA",
    "CALTB",
    "CALVL",
    "CALVL?",
    "CODE?",
    "CODE",
    "HITSTA",
    "HITSTB",
    "HITSTA?",
    "HITSTB?",
    "FILL",
    "ALMS",
    "FILT",
    "HFIL",
    "FILL",
    "1",
    "FILLM",
    "LEVL?",
    "LID?",
    "TEMPB?",
    "fill?",
    "tempa?",
]
SETS = ["FILL 1", "FILL 0", "ALMS 1", "FILT 120", "HFIL 010.0", "CALVL +001.0", "TEMPA?\r\nCALTA", "TEMPA? ", ""]


@pytest.mark.parametrize("word", FORBIDDEN + SETS)
def test_what_changes_or_tells_secrets_is_never_sent(word: str) -> None:
    with pytest.raises(WriteRejected, match="is not sent to an MVE TEC 3000"):
        protocol.query(word)


@given(st.text(max_size=12))
def test_only_the_listed_words_can_be_built(word: str) -> None:
    if word not in protocol.QUERIES:
        with pytest.raises(WriteRejected):
            protocol.query(word)


async def test_a_whole_life_sends_queries_only() -> None:
    answers = {
        b"*IDN?\r\n": b"Controller, Software ver. 1.17\r\n",
        b"TEMPA?\r\n": b"-197.10\r\n",
        b"FILL?\r\n": b"0\r\n",
        b"FILTIM?\r\n": b"000\r\n",
        b"FILAS?\r\n": b"0\r\n",
        b"BPFIL?\r\n": b"0\r\n",
    }
    link = MemoryLink(answers.get)
    driver = create("mve_1", link, {})
    await driver.connect()
    assert (await driver.identify()).firmware == "1.17"
    assert {sample.name: sample.value for sample in await driver.read()} == {
        "temp_a": -197.1,
        "fill": 0.0,
        "fill_time": 0.0,
        "fill_alarm": 0.0,
        "bypass": 0.0,
    }
    await driver.disconnect()
    assert set(link.sent) == set(answers)


def test_level_and_lid_are_absent() -> None:
    names = {channel.name for channel in create("mve_1", MemoryLink(lambda _: None), {}).channels}
    assert names == {"temp_a", "fill", "fill_time", "fill_alarm", "bypass"}


def test_the_number_of_a_controller_goes_first() -> None:
    assert protocol.query("TEMPA?", "001") == b"001 TEMPA?\r\n"


async def test_controllers_on_one_line_are_told_apart() -> None:
    link = MemoryLink(lambda request: b"Controller, Software ver. 2.0\r\n" if request.startswith(b"002 ") else None)
    driver = create("mve_2", link, {"controller": "002"})
    await driver.connect()
    assert (await driver.identify()).firmware == "2.0"


@pytest.mark.parametrize(
    ("parse", "word", "answer"),
    [
        (protocol.temperature_of, "TEMPA?", b"---\r\n"),
        (protocol.temperature_of, "TEMPA?", b"1\r\n"),
        (protocol.temperature_of, "TEMPA?", b"nan\r\n"),
        (protocol.temperature_of, "TEMPA?", b"-1\xff.10\r\n"),
        (protocol.state_of, "FILL?", b"2\r\n"),
        (protocol.state_of, "FILL?", b"-197.10\r\n"),
        (protocol.whole_of, "FILTIM?", b"-5\r\n"),
        (protocol.whole_of, "FILTIM?", b"1.5\r\n"),
    ],
)
def test_wrong_answers(parse: object, word: str, answer: bytes) -> None:
    assert callable(parse)
    with pytest.raises(ProtocolError, match=word.replace("?", r"\?")):
        parse(answer, word)


async def test_errors_name_the_device() -> None:
    driver = create("mve_1", MemoryLink(lambda _: b"?\r\n"), {})
    await driver.connect()
    with pytest.raises(DriverError, match=r"^mve_1: \*IDN\?: expected"):
        await driver.identify()


@pytest.mark.parametrize("controller", ["1", "0001", "abc", "١٢٣", 1])
def test_wrong_number(controller: object) -> None:
    with pytest.raises(ConfigError, match="mve_1: option 'controller' must be three digits in quotes"):
        create("mve_1", MemoryLink(lambda _: None), {"controller": controller})
