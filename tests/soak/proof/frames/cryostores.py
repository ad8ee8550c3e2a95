"""Oracles for cold stores: MVE TEC 3000, AMI 185, Thermo TSX.

MVE: manual 13289499 Rev F p92 (bare value and CR LF). AMI: manual Rev. 3 p35-40 (bare value and CR LF). TSX: manual
appendix D p63-67: Modbus ASCII whose LRC is reckoned with the number of hex characters as the byte count, whichever of
bytes and characters stands in the count field; 7E1, upper-case hex, values of one byte come as one byte.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Collection, Mapping
from random import Random

from proof.frames.dialect import FAULT, Answer, Dialect, plain_text, scenes_of
from proof.frames.incubators import DIGITS, decimal

__all__ = ["AMI", "MVE", "TSX", "TSX_FIRST_ANSWER"]


def line_of(heard: bytes) -> str | None:
    """A line of printable ASCII that CR LF ends, without blanks around it."""
    text = plain_text(heard[:-2])
    return text.strip(" ") if text is not None and heard.endswith(b"\r\n") else None


def _mve(dice: Random, is_ours: bool) -> Mapping[str, bytes]:
    said = {
        "TEMPA?": f"{dice.choice([dice.gauss(-190, 5), dice.gauss(-60, 20)]):.2f}",
        "FILL?": str(dice.randrange(2)),
        "FILTIM?": str(dice.randrange(3600)),
        "BPFIL?": str(dice.randrange(2)),
        "*IDN?": "Controller, Software ver. 2.04",
    }
    return {word: f"{text}\r\n".encode() for word, text in said.items()}


def _judge_mve(asked: str, heard: bytes) -> Collection[Answer]:
    if asked == "*IDN?":  # free text
        text = heard[:-2].decode("latin-1") if heard.isascii() else ""
        found = [text[at + 4 :].split() for at in range(len(text)) if text.startswith("ver.", at)]
        return {(words[0],) for words in found if words}
    text = line_of(heard)
    if text is None:
        return ()
    match asked:
        case "TEMPA?":
            number = decimal(text, 3, 2)
            return () if number is None else ((number,),)
        case "FILL?" | "BPFIL?":
            return ((float(text),),) if text in ("0", "1") else ()
        case _:
            return ((float(text),),) if DIGITS.issuperset(text) and 1 <= len(text) <= 6 else ()


MVE = Dialect("MVE TEC 3000", 0, scenes_of(_mve), _judge_mve, end=b"\r\n", limit=256)


def _ami(dice: Random, is_ours: bool) -> Mapping[str, bytes]:
    said = {name: f"{dice.uniform(0, 100):.1f}" for name in ("LEVEL", "HI", "LO", "A", "B")}
    if dice.random() < 0.3:
        said["LEVEL"] = f"-{dice.randint(1, 9)}"
    said["UNIT"] = dice.choice("CI%")
    return {word: f"{text}\r\n".encode() for word, text in said.items()}


def _judge_ami(asked: str, heard: bytes) -> Collection[Answer]:
    text = line_of(heard)
    if text is None:
        return ()
    if asked == "UNIT":
        return ((text,),) if text in ("C", "I", "%") else ()
    number = decimal(text, 4, 3, needs_point=False)
    if number is None or text.startswith("+"):
        return ()
    return (FAULT,) if text.startswith("-") else ((number,),)


AMI = Dialect("AMI 185", 0, scenes_of(_ami), _judge_ami, end=b"\r\n", limit=64)

TSX_UNIT = 0x19
TSX_FORMATS = {
    "temperature_setpoint": ">i", "warm_alarm_setpoint": ">i", "tc2": ">f", "tc7": ">f", "product_id": ">I",
    "control_model": ">B",
}  # fmt: skip
TENTHS = ("temperature_setpoint", "warm_alarm_setpoint")


def hex_frame(body: bytes, counted: bytes) -> bytes:
    """A frame whose LRC was reckoned over ``counted``."""
    return b":" + (body + bytes([-sum(counted) % 256])).hex().upper().encode() + b"\r\n"


def tsx_frame(unit_id: int, data: bytes, dice: Random) -> bytes:
    counted = bytes([unit_id, 3, 2 * len(data)]) + data
    printed = bytes([unit_id, 3, dice.choice([len(data), 2 * len(data)])]) + data
    return hex_frame(printed, counted)


def _tsx(dice: Random, is_ours: bool) -> Mapping[str, bytes]:
    unit_id = TSX_UNIT if is_ours else dice.choice([0x18, 0x1A, 0x59])
    setpoint, cabinet = dice.randint(-860, -500), dice.gauss(-80, 3)
    values = [setpoint, setpoint + 100, cabinet, dice.choice([-127.0, cabinet + 2]), dice.randrange(9999), 7]
    said = {
        name: tsx_frame(unit_id, struct.pack(code, value), dice)
        for (name, code), value in zip(TSX_FORMATS.items(), values, strict=True)
    }
    if dice.random() < 0.3:
        refusal = bytes([unit_id, 0x83, dice.randint(1, 4)])
        said["tc7"] = hex_frame(refusal, refusal)
    return said


def _tsx_judge(factors: tuple[int, ...]) -> Callable[[str, bytes], Collection[Answer]]:
    def judge(asked: str, heard: bytes) -> Collection[Answer]:
        digits = plain_text(heard[1:-2])
        if digits is None or heard[:1] != b":" or heard[-2:] != b"\r\n" or len(digits) % 2 or len(digits) < 8:
            return ()
        if not set("0123456789ABCDEF").issuperset(digits):
            return ()
        *body, check = bytes.fromhex(digits)
        if body[0] != TSX_UNIT:
            return ()
        if body[1] == 0x83:
            return (FAULT,) if len(body) == 3 and (sum(body) + check) % 256 == 0 else ()
        code, data = TSX_FORMATS[asked], bytes(body[3:])
        if body[1] != 3 or len(data) != struct.calcsize(code):
            return ()
        if not any(
            body[2] in (len(data), factor * len(data))
            and (body[0] + body[1] + factor * len(data) + sum(data) + check) % 256 == 0
            for factor in factors
        ):
            return ()
        (number,) = struct.unpack(code, data)
        value = number * 0.1 if asked in TENTHS else float(number)
        return (("nan" if value != value else value,),)

    return judge


TSX = Dialect("Thermo TSX", 8, scenes_of(_tsx), _tsx_judge((2,)), end=b"\r\n", limit=64)
TSX_FIRST_ANSWER = Dialect("Thermo TSX, first answer", 7, scenes_of(_tsx), _tsx_judge((1, 2)), end=b"\r\n", limit=64)
"""Of the first answer nobody knows how its LRC is reckoned: two of 256 sums fit."""
