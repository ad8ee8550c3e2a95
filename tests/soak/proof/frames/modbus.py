"""Oracles for Modbus over TCP, RTU and ASCII, and for a probe whose registers are known.

Modbus Application Protocol V1.1b3, sections 4, 6 and 7 (an answer has the function of its request and as many bytes as
were asked for; a refusal has the function's high bit and one code); Modbus over Serial Line V1.02, 2.5.1 and 6.2.2
(RTU: CRC-16, polynomial 0xA001, low byte first), 2.5.2 and 6.2.1 (ASCII: upper-case hex, a colon starts anew, LRC);
Modbus Messaging on TCP/IP V1.0b, 3.1.3 (transaction, protocol 0, length, unit). In a stream of bytes an answer counts
wherever it stands whole: which silence lay before it nobody can see behind a terminal server.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from proof.frames.dialect import FAULT, ROUNDS, Answer, Dialect, Scene, scenes_of

__all__ = ["MODBUS_ASCII", "MODBUS_RTU", "MODBUS_TCP", "PROBE", "Poll", "Question"]

QUESTIONS = (
    (3, 0x0000, 2),
    (3, 0x0002, 2),
    (4, 0x0010, 10),
    (3, 0x0800, 1),
    (1, 0x0000, 12),
    (1, 0x0040, 3),
    (2, 0x0020, 3),
)
OURS, THEIRS = 17, (16, 18, 49, 1)


@dataclass(frozen=True, slots=True)
class Question:
    """One request of a master."""

    unit_id: int
    function: int
    address: int
    count: int
    transaction: int

    @property
    def data_bytes(self) -> int:
        """How many bytes of data its answer has."""
        return (self.count + 7) // 8 if self.function < 3 else 2 * self.count

    def read(self, body: bytes) -> Answer | None:
        """Return what an answer says, unit id to data; None where it is no answer to this."""
        if len(body) < 3 or body[0] != self.unit_id:
            return None
        if body[1] == self.function + 0x80:
            return FAULT if len(body) == 3 else None
        data = body[3:]
        if body[1] != self.function or body[2] != self.data_bytes or len(data) != self.data_bytes:
            return None
        if self.function < 3:
            return tuple(data[bit // 8] >> bit % 8 & 1 for bit in range(self.count))
        return struct.unpack(f">{self.count}H", data)


def crc16(data: bytes) -> bytes:
    register = 0xFFFF
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = (register >> 1) ^ (0xA001 * (register & 1))
    return struct.pack("<H", register)


def rtu_frame(_transaction: int, body: bytes) -> bytes:
    return body + crc16(body)


def tcp_frame(transaction: int, body: bytes) -> bytes:
    return struct.pack(">HHH", transaction, 0, len(body)) + body


def ascii_frame(_transaction: int, body: bytes) -> bytes:
    return f":{body.hex().upper()}{-sum(body) % 256:02X}\r\n".encode()


def _device(framed: Callable[[int, bytes], bytes]) -> Callable[[Random, bool], Mapping[Question, bytes]]:
    def device(dice: Random, is_ours: bool) -> Mapping[Question, bytes]:
        unit_id = OURS if is_ours else dice.choice(THEIRS)
        said = {}
        for function, address, count in QUESTIONS:
            question = Question(unit_id, function, address, count, dice.randrange(1, 60_000))
            if function > 2 and dice.random() < 0.1:
                body = bytes([unit_id, function | 0x80, dice.randint(1, 6)])
            else:
                data = dice.randbytes(question.data_bytes)
                body = bytes([unit_id, function, question.data_bytes]) + data
            said[question] = framed(question.transaction, body)
        return said

    return device


def _judge_rtu(asked: Question, heard: bytes) -> Collection[Answer]:
    found = []
    for at in range(len(heard)):
        for length in (3, 3 + asked.data_bytes):
            body, check = heard[at : at + length], heard[at + length : at + length + 2]
            if (said := asked.read(body)) is not None and check == crc16(body):
                found.append(said)
    return found


def _judge_tcp(asked: Question, heard: bytes) -> Collection[Answer]:
    if len(heard) < 8:
        return ()
    transaction, protocol, length = struct.unpack(">HHH", heard[:6])
    if transaction != asked.transaction or protocol or len(heard) < 6 + length:
        return ()
    said = asked.read(heard[6 : 6 + length])
    return () if said is None else (said,)


def _judge_ascii(asked: Question, heard: bytes) -> Collection[Answer]:
    found = []
    for piece in heard.split(b":")[1:]:
        digits, end, _ = piece.decode("latin-1").partition("\r\n")
        if not end or len(digits) % 2 or not set("0123456789ABCDEF").issuperset(digits):
            continue
        body = bytes.fromhex(digits)
        if sum(body) % 256 == 0 and (said := asked.read(body[:-1])) is not None:
            found.append(said)
    return found


MODBUS_RTU = Dialect("Modbus RTU", 16, scenes_of(_device(rtu_frame)), _judge_rtu)
MODBUS_TCP = Dialect("Modbus TCP", 0, scenes_of(_device(tcp_frame)), _judge_tcp)
"""Its own 16 check bits lie in TCP, beneath what is spoiled here."""
MODBUS_ASCII = Dialect("Modbus ASCII", 8, scenes_of(_device(ascii_frame)), _judge_ascii)

CO2_AND_TEMPERATURE, STATUS = (3, 0x0000, 4), (3, 0x0800, 2)


@dataclass(frozen=True, slots=True)
class Poll:
    """Both requests of one poll, the sound answers to them, and which of them is spoiled."""

    question: Question
    values: bytes
    status: bytes


def _probe_scenes(dice: Random) -> Sequence[Scene]:
    """GMP252 (user guide p116-120): CO2 [ppm] and temperature as float32, low word first, and two status words."""
    found = []
    for _ in range(ROUNDS):
        (values, status), (theirs, _) = _probe(dice, OURS), _probe(dice, dice.choice(THEIRS))
        for row, answer, other in ((CO2_AND_TEMPERATURE, values, status), (STATUS, status, values)):
            found.append(Scene(Poll(Question(OURS, *row, 0), values, status), answer, (other,), (theirs,)))
    return found


def _probe(dice: Random, unit_id: int) -> tuple[bytes, bytes]:
    words = struct.unpack(">4H", struct.pack(">ff", dice.gauss(50_000, 500), dice.gauss(37, 1)))
    device, co2 = dice.choice([(0, 0), (0, 0), (4, 0), (2, 0), (0, 256)])
    values = struct.pack(">4H", words[1], words[0], words[3], words[2])
    return tuple(
        rtu_frame(0, bytes([unit_id, 3, len(data)]) + data) for data in (values, struct.pack(">2H", device, co2))
    )


def _judge_probe(asked: Poll, heard: bytes) -> Collection[Answer]:
    return {_co2_and_temperature(asked, said) for said in _judge_rtu(asked.question, heard)}


def _co2_and_temperature(asked: Poll, said: Answer) -> Answer:
    is_status = asked.question.address == STATUS[1]
    words = struct.unpack(">4H", asked.values[3:-2]) if is_status else said
    status = said if is_status else struct.unpack(">2H", asked.status[3:-2])
    if words == FAULT:
        return (None, None)
    ppm, temperature = struct.unpack(">ff", struct.pack(">4H", words[1], words[0], words[3], words[2]))
    is_sound = status != FAULT and not status[0] & 3 and not status[1] & 258
    return (_known(ppm * 1e-4) if is_sound else None, _known(temperature))


def _known(number: float) -> float | str:
    return "nan" if number != number else number


PROBE = Dialect("Modbus driver, GMP252 over RTU", 16, _probe_scenes, _judge_probe)
