r"""The ASCII dialogue of a Cytomat 2C, 5C, 6000 or 2-Lin, without any I/O.

A query is ``ch:xx`` and a carriage return, its answer ``xx value\r``, or ``er HH\r`` where the device refuses. Sources:
PyLabRobot (storage/cytomat) and open-cytomat 0.1.3 (df-bio/open-cytomat 11b7f02), two independent public clients; the
vendor's own description (SD_Cytomat_2_Lin_50113635A) is not public. Only ``ch:`` queries can be built here: the same
line also moves plates and changes setpoints.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from cultureops.errors import DeviceFault, ProtocolError, WriteRejected

__all__ = [
    "ACTION",
    "CO2",
    "END",
    "ERROR",
    "HUMIDITY",
    "LINE_ENDS",
    "O2",
    "OVERVIEW",
    "QUERIES",
    "TEMPERATURE",
    "WARNING",
    "Overview",
    "action_of",
    "code_of",
    "loop_of",
    "overview_of",
    "query",
]

END: Final = b"\r"
LINE_ENDS: Final = {"cr": b"\r", "crlf": b"\r\n"}
"""What ends a query: open-cytomat, and PyLabRobot towards a C2C_425, send CR; PyLabRobot sends CR LF to all others."""

OVERVIEW: Final = "bs"
ERROR: Final = "be"
WARNING: Final = "bw"
ACTION: Final = "ba"
TEMPERATURE: Final = "it"
CO2: Final = "ic"
HUMIDITY: Final = "ih"
O2: Final = "io"

QUERIES: Final = frozenset({OVERVIEW, ERROR, WARNING, ACTION, TEMPERATURE, CO2, HUMIDITY, O2})
"""All that is ever asked."""

_BYTE = re.compile(r"[0-9A-Fa-f]{2}")
_LOOP = re.compile(r"([+-]?\d{1,3}\.\d{1,2}) +([+-]?\d{1,3}\.\d{1,2})")
_TARGET_SHIFT: Final = 5
_ACTION_MASK: Final = 0x1F
_MISREAD: Final = 0x03

_REFUSALS: Final = {
    0x01: "busy",
    0x02: "unknown command",
    _MISREAD: "wrong structure of our query",
    0x04: "wrong parameters",
    0x51: "internal memory",
    0x52: "access denied",
}


@dataclass(frozen=True, slots=True)
class Overview:
    """The overview byte, from bit 7 down."""

    transfer_station_occupied: bool
    door_open: bool
    gate_open: bool
    shovel_occupied: bool
    error: bool
    warning: bool
    ready: bool
    busy: bool


def query(register: str, line_end: bytes = END) -> bytes:
    """Return the query for a register; raises WriteRejected for all that is not in ``QUERIES``."""
    if register not in QUERIES:
        raise WriteRejected(f"{register!r} is not asked of a Cytomat; only {', '.join(sorted(QUERIES))} are")
    return b"ch:" + register.encode("ascii") + line_end


def _value_of(answer: bytes, register: str) -> str:
    """Return what stands behind the register's name; raises ProtocolError, DeviceFault for a refusal."""
    try:
        text = answer.decode("ascii").strip(
            "\r\n"
        )  # a device that ends with CR LF leaves its LF before the next answer
    except UnicodeDecodeError:
        raise ProtocolError(f"ch:{register}: not ASCII: {answer[:40]!r}") from None
    name, _, value = text.partition(" ")
    if name == "er" and _BYTE.fullmatch(value):
        code = int(value, 16)
        meaning = f"er {value} ({_REFUSALS.get(code, 'see the code in the README')})"
        if code == _MISREAD:
            raise ProtocolError(f"ch:{register}: the Cytomat refused {meaning}")
        raise DeviceFault(f"ch:{register}: the Cytomat answered {meaning}")
    if name != register or not value:
        raise ProtocolError(f"ch:{register}: expected '{register} value', got {text[:40]!r}")
    return value.strip(" ")


def _byte_of(answer: bytes, register: str) -> int:
    value = _value_of(answer, register)
    if not _BYTE.fullmatch(value):
        raise ProtocolError(f"ch:{register}: expected two hex digits, got {value[:40]!r}")
    return int(value, 16)


def overview_of(answer: bytes) -> Overview:
    """Return the overview byte's bits."""
    byte = _byte_of(answer, OVERVIEW)
    return Overview(*(bool(byte & 1 << bit) for bit in range(7, -1, -1)))


def code_of(answer: bytes, register: str) -> int:
    """Return the code of the error (``be``) or warning (``bw``) register, 0 for none."""
    return _byte_of(answer, register)


def action_of(answer: bytes) -> tuple[int, int]:
    """Return target (3 bits) and action (5 bits) of the action register.

    So PyLabRobot reads it; open-cytomat takes the upper bits for the action, into which its own codes do not fit.
    """
    byte = _byte_of(answer, ACTION)
    return byte >> _TARGET_SHIFT, byte & _ACTION_MASK


def loop_of(answer: bytes, register: str) -> tuple[float, float]:
    """Return (setpoint, actual value) of a control loop, such as ``+37.0 +36.9``."""
    value = _value_of(answer, register)
    found = _LOOP.fullmatch(value)
    if found is None:
        raise ProtocolError(f"ch:{register}: expected 'nominal actual' such as '+37.0 +36.9', got {value[:40]!r}")
    return float(found[1]), float(found[2])
