r"""The ASCII dialogue of Heracell VIOS, Heracell 150i/240i and Steri-Cycle i160, without any I/O.

A query is ``?:aaaa:00::cc\r``, an answer ``!:aaaa:bb:payload:cc\r``: address, payload length and check sum in
lower-case hex. The check sum is the ones' complement of the XOR of all bytes before it. Source: Steri-Cycle i160
operating manual, RS-232 interface, p170-181; Heracell VIOS 160i, p170-171. Only queries can be built here.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import StrEnum
from functools import reduce
from operator import xor
from typing import Final, TypeAlias

from cultureops.errors import DeviceFault, ProtocolError

__all__ = [
    "CHECK_SUMS",
    "CO2",
    "CO2_GUARD",
    "END",
    "O2_GUARD",
    "OLDER_ERRORS",
    "RECENT_ERRORS",
    "TEMPERATURE",
    "VERSION",
    "CheckSum",
    "GasGuardBit",
    "control_loop",
    "crc8",
    "error_list",
    "gas_guard",
    "ones_complement_xor",
    "payload_of",
    "query",
]

END: Final = b"\r"

VERSION: Final = "0001"
TEMPERATURE: Final = "2010"
CO2: Final = "2020"
CO2_GUARD: Final = "2140"
O2_GUARD: Final = "2141"
RECENT_ERRORS: Final = "2300"
OLDER_ERRORS: Final = "2301"

CheckSum: TypeAlias = Callable[[bytes], int]
"""The check sum [0-255] of all bytes before it."""


class GasGuardBit(StrEnum):
    """What the gas guard says of its two cylinders, in the order of ``_GAS_GUARD_MASKS``."""

    A_ACTIVE = "a_active"
    B_ACTIVE = "b_active"
    A_PRESSURE_OK = "a_pressure_ok"
    B_PRESSURE_OK = "b_pressure_ok"


_GAS_GUARD_MASKS: Final = {
    GasGuardBit.A_ACTIVE: 0x01,
    GasGuardBit.B_ACTIVE: 0x02,
    GasGuardBit.A_PRESSURE_OK: 0x10,
    GasGuardBit.B_PRESSURE_OK: 0x20,
}

_ADDRESS = re.compile(r"[0-9a-f]{4}")
_ANSWER = re.compile(r"!:(?P<address>[0-9a-f]{4}):(?P<length>[0-9a-f]{2}):(?P<payload>.*):(?P<check>[0-9a-f]{2})\r")
_NUMBER = re.compile(r"[+-]\d{3}\.\d{2}")
_BYTE = re.compile(r"[0-9a-f]{2}")
_FIELDS: Final = 4
_ERROR_CHARACTERS: Final = 21
_MOST_ERRORS: Final = 11
_CRC8_POLYNOMIAL: Final = 0x07

_ERRORS: Final = {
    "?0": "our query's structure or check sum",
    "?1": "unknown address",
    "?2": "internal memory error",
    "?3": "value out of limits",
}


def ones_complement_xor(data: bytes) -> int:
    """Return the ones' complement of the XOR of all bytes, the check sum of every manual."""
    return ~reduce(xor, data, 0) & 0xFF


def crc8(data: bytes) -> int:
    """Return the CRC-8 with polynomial 0x07 that the VIOS CR manual names (manualshive 1104558, p182-186).

    The same manual repeats the text of the XOR, and gives no start value; 0 is assumed here.
    """
    return reduce(lambda crc, byte: _CRC8_TABLE[crc ^ byte], data, 0)


def _divided(byte: int) -> int:
    for _ in range(8):
        byte = (byte << 1) ^ (_CRC8_POLYNOMIAL if byte & 0x80 else 0)
    return byte & 0xFF


_CRC8_TABLE: Final = tuple(_divided(byte) for byte in range(256))

CHECK_SUMS: Final[dict[str, CheckSum]] = {"xor": ones_complement_xor, "crc8": crc8}


def query(address: str, check_sum: CheckSum = ones_complement_xor) -> bytes:
    """Return the query for a four-digit lower-case hex address."""
    if not _ADDRESS.fullmatch(address):
        raise ValueError(f"{address!r} is not four lower-case hex digits")
    head = f"?:{address}:00::".encode()
    return head + b"%02x" % check_sum(head) + END


def payload_of(answer: bytes, address: str, check_sum: CheckSum = ones_complement_xor) -> str:
    """Return the payload of an answer.

    Raises ProtocolError for a wrong structure, length, check sum or address, and DeviceFault where the incubator
    itself says that it can't answer.
    """
    found = _ANSWER.fullmatch(answer.decode("ascii", errors="replace"))
    if found is None:
        raise ProtocolError(f"address {address}: not an answer of the form '!:aaaa:bb:payload:cc': {answer[:80]!r}")
    if found["check"] != (expected := f"{check_sum(answer[: found.start('check')]):02x}"):
        raise ProtocolError(f"address {address}: check sum {found['check']} instead of {expected}")
    if found["address"] != address:
        raise ProtocolError(f"address {address}: the answer is for address {found['address']}")
    payload = found["payload"]
    if int(found["length"], 16) != len(payload):
        raise ProtocolError(f"address {address}: {len(payload)} characters, announced as 0x{found['length']}")
    if payload == "?0":
        raise ProtocolError(f"address {address}: the incubator refused {_ERRORS[payload]} (?0)")
    if payload in _ERRORS:
        raise DeviceFault(f"address {address}: the incubator answered {_ERRORS[payload]} ({payload})")
    return payload


def control_loop(payload: str) -> tuple[float | None, float | None]:
    """Return (setpoint, actual value) of a control loop's payload ``set;actual;reference;sample``.

    A field that is no number, such as dashes, is None. The layout is second-hand: it comes from a public third-party
    client, not from the manual. Raises ProtocolError when there are not four fields.
    """
    fields = payload.split(";")
    if len(fields) != _FIELDS:
        raise ProtocolError(f"expected 'set;actual;reference;sample', got {payload[:80]!r}")
    return _number(fields[0]), _number(fields[1])


def _number(field: str) -> float | None:
    return float(field) if _NUMBER.fullmatch(field) else None


def gas_guard(payload: str) -> dict[GasGuardBit, bool]:
    """Return what a gas guard (2140 CO2, 2141 O2) says, from its two hex digits; raises ProtocolError.

    Source: Heracell VIOS 160i, p170-171. Bits without a published meaning are left alone.
    """
    if not _BYTE.fullmatch(payload):
        raise ProtocolError(f"expected two hex digits of the gas guard, got {payload[:80]!r}")
    status = int(payload, 16)
    return {bit: bool(status & mask) for bit, mask in _GAS_GUARD_MASKS.items()}


def error_list(payload: str) -> tuple[str, ...]:
    """Return the errors of one half of the list (2300 recent, 2301 older), as the incubator writes them.

    Up to 11 entries of 21 characters with ``:`` between them; what stands at which place inside an entry is not
    public. Raises ProtocolError for any other length. Source: Steri-Cycle i160, p170-181.
    """
    if not payload:
        return ()
    width = _ERROR_CHARACTERS + 1
    starts = range(0, len(payload) + 1, width)
    entries = tuple(payload[start : start + _ERROR_CHARACTERS] for start in starts)
    if len(entries) > _MOST_ERRORS or payload != ":".join(entries) or len(entries[-1]) != _ERROR_CHARACTERS:
        raise ProtocolError(
            f"expected at most {_MOST_ERRORS} errors of {_ERROR_CHARACTERS} characters, got {payload[:80]!r}"
        )
    return entries
