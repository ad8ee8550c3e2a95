from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cultureops_simulators.modbus import AsciiDialect, MbapDialect, RtuDialect, crc16, lrc
from cultureops_simulators.vaisala_gmp252 import Gmp252, build

READ_CO2 = bytes.fromhex("f0030000 0002 d12a".replace(" ", ""))


def words(address: int, count: int) -> bytes | None:
    """A map of 16 registers that hold their own address."""
    if address + count > 16:
        return None
    return b"".join(struct.pack(">H", address + index) for index in range(count))


def mbap(transaction: int, unit_id: int, pdu: bytes) -> bytes:
    return struct.pack(">HHHB", transaction, 0, len(pdu) + 1, unit_id) + pdu


def tcp() -> MbapDialect:
    return MbapDialect(1, 4, words)


def rtu() -> RtuDialect:
    return RtuDialect(240, 3, words)


def test_crc_of_published_vectors() -> None:
    assert crc16(b"123456789") == 0x4B37
    assert struct.pack("<H", crc16(bytes.fromhex("010400000001"))) == bytes.fromhex("31ca")


def test_reads_input_registers() -> None:
    request = bytes.fromhex("00a7 0000 0006 01 04 0001 0002")
    assert tcp().receive(request) == bytes.fromhex("00a7 0000 0007 01 04 04 0001 0002")


@pytest.mark.parametrize(
    ("pdu", "exception"),
    [
        ("03 0000 0001", "83 01"),
        ("06 0000 0001", "86 01"),
        ("04 000f 0002", "84 02"),
        ("04 ffff 0001", "84 02"),
        ("04 0000 0000", "84 03"),
        ("04 0000 007e", "84 03"),
        ("04 0000", "84 03"),
    ],
)
def test_exceptions(pdu: str, exception: str) -> None:
    assert tcp().receive(mbap(5, 1, bytes.fromhex(pdu))) == mbap(5, 1, bytes.fromhex(exception))


def test_another_unit_id_is_a_gateway_failure() -> None:
    assert tcp().receive(mbap(1, 9, bytes.fromhex("0400000001"))) == mbap(1, 9, bytes.fromhex("840b"))


def test_pipelined_requests_split_at_every_place() -> None:
    requests = mbap(1, 1, bytes.fromhex("0400000001")) + mbap(2, 1, bytes.fromhex("0400050001"))
    expected = mbap(1, 1, bytes.fromhex("04020000")) + mbap(2, 1, bytes.fromhex("04020005"))
    for place in range(len(requests) + 1):
        dialect = tcp()
        assert dialect.receive(requests[:place]) + dialect.receive(requests[place:]) == expected


def test_garbage_is_dropped_and_the_next_request_answered() -> None:
    dialect = tcp()
    assert dialect.receive(b"GET / HTTP/1.1\r\n\r\n") == b""
    assert dialect.receive(mbap(1, 1, bytes.fromhex("0400030001"))) == mbap(1, 1, bytes.fromhex("04020003"))


@given(st.lists(st.binary(max_size=300), max_size=6))
def test_no_bytes_break_the_dialects(chunks: list[bytes]) -> None:
    mbap_dialect, rtu_dialect = tcp(), rtu()
    for chunk in chunks:
        mbap_dialect.receive(chunk)
        rtu_dialect.receive(chunk)


@given(st.binary(max_size=40))
def test_rtu_finds_a_request_behind_any_noise(noise: bytes) -> None:
    assert rtu().receive(noise + READ_CO2).endswith(rtu().receive(READ_CO2))


def test_rtu_half_a_frame_then_a_whole_one() -> None:
    dialect = rtu()
    assert dialect.receive(READ_CO2[:5]) == b""
    assert dialect.receive(READ_CO2[5:]) != b""
    assert dialect.receive(READ_CO2[:5]) == b""
    assert dialect.receive(READ_CO2) == rtu().receive(READ_CO2)


def test_rtu_is_silent_to_others_and_to_a_wrong_crc() -> None:
    to_another = bytes.fromhex("01040000000131ca")
    assert rtu().receive(to_another) == b""
    assert rtu().receive(READ_CO2[:-1] + b"\x00") == b""


def test_rtu_other_functions_get_exception_one() -> None:
    write = bytes.fromhex("f010000000020401020304")
    frame = write + struct.pack("<H", crc16(write))
    assert rtu().receive(frame)[:3] == bytes.fromhex("f09001")


@pytest.fixture
def probe() -> Gmp252:
    return build("probe", {}, np.random.default_rng(3))


def test_the_probe_answers_the_manual_s_example(probe: Gmp252) -> None:
    probe.panel.values["co2_ppm"] = 465.65997  # printed as 465.66
    assert probe.dialect().receive(READ_CO2)[:-2] == bytes.fromhex("f003 04 d47a 43e8")


def test_the_probe_s_other_registers(probe: Gmp252) -> None:
    probe.panel.values.update(co2_ppm=50_000.0, temperature=37.0)

    def read(address: int, count: int) -> bytes:
        body = struct.pack(">BBHH", 240, 3, address, count)
        answer = probe.dialect().receive(body + struct.pack("<H", crc16(body)))
        assert struct.unpack("<H", answer[-2:])[0] == crc16(answer[:-2])
        return answer[1:-2]

    assert read(0x0002, 2) == read(0x0004, 2) == bytes.fromhex("03 04 0000 4214")
    assert read(0x0100, 2) == bytes.fromhex("03 04 7fff 1388")
    assert read(0x0800, 2) == bytes.fromhex("03 04 0000 0000")
    assert read(0x0005, 2) == bytes.fromhex("83 02")
    assert read(0x0300, 1) == bytes.fromhex("83 02")
    probe.panel.values["co2_ppm"] = -1.0
    assert read(0x0100, 1) == bytes.fromhex("03 02 ffff")


ASK_ASCII = b":010300000002FA\r\n"


def ascii_line() -> AsciiDialect:
    return AsciiDialect(1, 3, words, {4: words})


def test_lrc_of_published_frames() -> None:
    assert lrc(bytes.fromhex("070310000002")) == 0xE4  # minimalmodbus, recorded on a Delta controller
    assert lrc(bytes.fromhex("070208000001")) == 0xEE


def test_ascii_reads_registers_by_both_functions() -> None:
    assert ascii_line().receive(ASK_ASCII) == b":01030400000001F7\r\n"
    assert ascii_line().receive(b":010400050001F5\r\n") == b":0104020005F4\r\n"
    assert ascii_line().receive(b":010600050001F3\r\n") == b":01860178\r\n"
    assert ascii_line().receive(b":0103000F0002EB\r\n") == b":0183027A\r\n"


@pytest.mark.parametrize(
    "request_bytes",
    [
        b":010300000002FB\r\n",
        b":020300000002F9\r\n",
        b":010300000002fa\r\n",
        b":01030000002FA\r\n",
        b"010300000002FA\r\n",
        b":\r\n",
        b":01FF\r\n",
    ],
)
def test_ascii_is_silent_to_others_and_to_broken_frames(request_bytes: bytes) -> None:
    assert ascii_line().receive(request_bytes) == b""


def test_ascii_in_pieces_and_behind_noise() -> None:
    expected = ascii_line().receive(ASK_ASCII)
    for place in range(len(ASK_ASCII) + 1):
        dialect = ascii_line()
        assert dialect.receive(ASK_ASCII[:place]) + dialect.receive(ASK_ASCII[place:]) == expected
    assert ascii_line().receive(b"noise\r\n:0103" + ASK_ASCII) == expected


@given(st.lists(st.binary(max_size=300), max_size=6))
def test_no_bytes_break_the_ascii_dialect(chunks: list[bytes]) -> None:
    dialect = ascii_line()
    for chunk in chunks:
        dialect.receive(chunk)
    assert dialect.receive(b"\r\n" + ASK_ASCII).endswith(ascii_line().receive(ASK_ASCII))


def test_one_device_may_answer_two_functions() -> None:
    assert MbapDialect(1, 4, words, {3: words}).receive(mbap(1, 1, bytes.fromhex("0300020001"))) == mbap(
        1, 1, bytes.fromhex("03020002")
    )
    body = bytes.fromhex("010300020001")
    asked = body + struct.pack("<H", crc16(body))
    assert RtuDialect(1, 4, words, {3: words}).receive(asked)[:5] == bytes.fromhex("0103020002")
