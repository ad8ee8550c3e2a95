r"""The ASCII dialogue of Heracell VIOS, Heracell 150i/240i and Steri-Cycle i160, without any I/O.

A query is ``?:aaaa:00::cc\r``, an answer ``!:aaaa:bb:payload:cc\r``: address, payload length and check sum in
lower-case hex. The check sum is the ones' complement of the XOR of all bytes before it. Source: Steri-Cycle i160
operating manual, RS-232 interface, p170-181; Heracell VIOS 160i, p170-171. Only queries can be built here.
"""

from __future__ import annotations

import re
from functools import reduce
from operator import xor
from typing import Final

from cultureops.errors import DeviceFault, ProtocolError

__all__ = ["CO2", "END", "TEMPERATURE", "VERSION", "check_sum", "control_loop", "payload_of", "query"]

END: Final = b"\r"

VERSION: Final = "0001"
TEMPERATURE: Final = "2010"
CO2: Final = "2020"

_ADDRESS = re.compile(r"[0-9a-f]{4}")
_ANSWER = re.compile(r"!:(?P<address>[0-9a-f]{4}):(?P<length>[0-9a-f]{2}):(?P<payload>.*):(?P<check>[0-9a-f]{2})\r")
_NUMBER = re.compile(r"[+-]\d{3}\.\d{2}")
_FIELDS: Final = 4

_ERRORS: Final = {
    "?0": "our query's structure or check sum",
    "?1": "unknown address",
    "?2": "internal memory error",
    "?3": "value out of limits",
}


def check_sum(data: bytes) -> bytes:
    """Return the two lower-case hex digits that follow ``data``."""
    return b"%02x" % (~reduce(xor, data, 0) & 0xFF)


def query(address: str) -> bytes:
    """Return the query for a four-digit lower-case hex address."""
    if not _ADDRESS.fullmatch(address):
        raise ValueError(f"{address!r} is not four lower-case hex digits")
    head = f"?:{address}:00::".encode()
    return head + check_sum(head) + END


def payload_of(answer: bytes, address: str) -> str:
    """Return the payload of an answer.

    Raises ProtocolError for a wrong structure, length, check sum or address, and DeviceFault where the incubator
    itself says that it can't answer.
    """
    found = _ANSWER.fullmatch(answer.decode("ascii", errors="replace"))
    if found is None:
        raise ProtocolError(f"address {address}: not an answer of the form '!:aaaa:bb:payload:cc': {answer[:80]!r}")
    if found["check"].encode() != (expected := check_sum(answer[: found.start("check")])):
        raise ProtocolError(f"address {address}: check sum {found['check']} instead of {expected.decode()}")
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
