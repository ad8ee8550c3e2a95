r"""Oracles for what stands on a bench: JULABO, MT-SICS balances, Hettich Rotanta.

JULABO: LC 6 manual p46 and p49 (a value or a message and LF or CR LF; on RS-485 the address in front). MT-SICS:
reference manual, level 0. Hettich: AH5680-01EN p6-12 (``address STX code=value ETX BCC``; BCC is the XOR behind STX up
to ETX).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from random import Random

from proof.frames.dialect import FAULT, Answer, Dialect, plain_text, scenes_of
from proof.frames.incubators import decimal

__all__ = ["HETTICH", "JULABO", "SICS"]

STATUSES = ["00 MANUAL STOP", "01 MANUAL START", "02 REMOTE STOP", "03 REMOTE START", "-01 LOW LEVEL ALARM"]


def _julabo(dice: Random, is_ours: bool) -> Mapping[str, bytes]:
    prefix = dice.choice(["", "A032_"]) if is_ours else dice.choice(["A031_", "A012_"])
    said = {
        "in_pv_00": f"{dice.gauss(20, 20):.2f}",
        "in_pv_02": dice.choice([f"{dice.gauss(0, 20):.2f}", "---.--", "-08 INVALID COMMAND"]),
        "in_sp_00": "37.00",
        "status": dice.choice(STATUSES),
        "version": "JULABO LC6 VERSION 2.0",
    }
    end = dice.choice(["\r\n", "\n"])
    return {prefix + word: f"{prefix}{text}{end}".encode() for word, text in said.items()}


def _judge_julabo(asked: str, heard: bytes) -> Collection[Answer]:
    if not heard.isascii() or not heard.endswith(b"\n"):
        return ()
    text, word = heard[:-1].removesuffix(b"\r").decode().strip(" "), asked
    if asked.startswith("A"):
        prefix, word = asked[:5], asked[5:]
        if not text.startswith(prefix):
            return ()
        text = text[5:].strip(" ")
    if word == "version":  # free text
        return ((text.strip(),),)
    is_message = text[0:1] in ("-", "0") and text[1:3].isdigit() and text[3:4] == " " and text[4:5].isupper()
    if word == "status":
        if text[:1] == "0" and text[1:2] in ("0", "1", "2", "3") and text[2:3] == " " and text[3:4].isupper():
            return ((int(text[:2]),),)
        return ((int(text[:3]),),) if is_message and text[0] == "-" else ()
    if is_message and text[0] == "-":
        return (FAULT,)
    if len(text) > 1 and set(text) <= {"-", "."}:
        return ((None,),)
    number = decimal(text, 4, 3, needs_point=False)
    return () if number is None else ((number,),)


JULABO = Dialect("JULABO", 0, scenes_of(_julabo), _judge_julabo, end=b"\n", limit=128)

GRAMS = {"g": 1.0, "mg": 1e-3, "kg": 1e3}


def _sics(dice: Random, is_ours: bool) -> Mapping[str, bytes]:
    weighing = f"S {dice.choice('SD')} {dice.gauss(10, 30):10.2f} {dice.choice(['g', 'g', 'kg', 'mg'])}"
    said = {
        "SI": dice.choice([weighing, weighing, weighing, "S I", "S +", "S -"]),
        "S": f"S S {dice.gauss(10, 30):10.2f} g",
        "I2": 'I2 A "XS204 Excellence 220.0000 g"',
        "I4": dice.choice([f'I4 A "{dice.randrange(10**9)}"', "I4 I"]),
    }
    return {word: f"{text}\r\n".encode() for word, text in said.items()}


def _judge_sics(asked: str, heard: bytes) -> Collection[Answer]:
    if asked not in ("S", "SI"):
        return _sics_text(asked, heard)
    text = plain_text(heard[:-2])
    if text is None or heard[-2:] != b"\r\n":
        return ()
    text = text.rstrip(" ")
    if text in ("S I", "S +", "S -"):
        return ((None, None),)
    words = [word for word in text.split(" ") if word]
    if len(words) != 4 or words[0] != "S" or words[1] not in ("S", "D") or words[3] not in GRAMS:
        return ()
    number = decimal(words[2], 20, 20, needs_point=False)
    if number is None or words[2].startswith("+"):
        return ()
    return ((number * GRAMS[words[3]], words[1] == "S"),)


def _sics_text(asked: str, heard: bytes) -> Collection[Answer]:
    """Free text in quotes, or "I": not now."""
    text = heard[:-2].rstrip()
    if text == f"{asked} I".encode():
        return (FAULT,)
    head = f'{asked} A "'.encode()
    sound = heard.isascii() and text.startswith(head) and text.endswith(b'"') and len(text) > len(head)
    return ((text[len(head) : -1].decode().strip(),),) if sound else ()


SICS = Dialect("MT-SICS", 0, scenes_of(_sics), _judge_sics, end=b"\r\n", limit=256)


def _hettich(dice: Random, is_ours: bool) -> Mapping[str, bytes]:
    address = b"T" if is_ours else dice.choice([b"A", b"U", b"]"])
    return {
        code: address + b"\x02" + guarded(f"{code}={dice.randrange(2**16):04X}".encode() + b"\x03")
        for code in ("00634", "00635", "00528", "00524", "00537")
    }


def guarded(block: bytes) -> bytes:
    check = 0
    for byte in block:
        check ^= byte
    return block + bytes([check])


def _judge_hettich(asked: str, heard: bytes) -> Collection[Answer]:
    digits = plain_text(heard[8:12])
    if len(heard) != 14 or heard[:2] != b"T\x02" or heard[2:8] != asked.encode() + b"=" or digits is None:
        return ()
    if not set("0123456789ABCDEF").issuperset(digits) or heard[12:13] != b"\x03" or guarded(heard[2:13]) != heard[2:]:
        return ()
    return ((int(digits, 16),),)


HETTICH = Dialect("Hettich Rotanta", 8, scenes_of(_hettich), _judge_hettich, end=b"\x03", trailing=1, limit=32)
