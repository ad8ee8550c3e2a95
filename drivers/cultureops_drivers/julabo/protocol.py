r"""The ASCII dialogue of JULABO circulators, without any I/O.

A command is lower-case words and ``\r``, on RS-485 with the instrument's address in front (``A032_in_sp_00``); an
answer ends with ``\n`` and there carries the same address. Source: JULABO LC 6 user manual, p46 and p49; SL heating
circulators, p82; MAGIO MX, p91. Only questions can be built: ``out`` commands, which change the bath, are refused.
"""

from __future__ import annotations

import re
from typing import Final

from cultureops.errors import DeviceFault, ProtocolError, WriteRejected

__all__ = [
    "BATH",
    "END",
    "EXTERNAL",
    "HEATING_POWER",
    "QUERIES",
    "SAFETY",
    "SETPOINT",
    "STATUS",
    "VERSION",
    "number_of",
    "query",
    "status_of",
    "text_of",
]

END: Final = b"\n"

VERSION: Final = "version"
STATUS: Final = "status"
BATH: Final = "in_pv_00"
HEATING_POWER: Final = "in_pv_01"
EXTERNAL: Final = "in_pv_02"
SAFETY: Final = "in_pv_03"
SETPOINT: Final = "in_sp_00"

QUERIES: Final = frozenset({VERSION, STATUS, BATH, HEATING_POWER, EXTERNAL, SAFETY, SETPOINT})
"""All that is ever sent."""

_NUMBER = re.compile(r"[+-]?[0-9]{1,4}(\.[0-9]{1,3})?")
_DASHES = re.compile(r"-[-.]*-")
_COMPLAINT = re.compile(r"(-[0-9]{2}) [A-Z].*")
_STATUS = re.compile(r"(0[0-3]|-[0-9]{2}) [A-Z].*")


def query(word: str, address: str = "") -> bytes:
    """Return a query for the instrument with that three-digit address (empty: RS-232, no address).

    Raises WriteRejected for every word that is not in ``QUERIES``.
    """
    if word not in QUERIES:
        raise WriteRejected(f"{word!r} is not sent to a JULABO; only {', '.join(sorted(QUERIES))} are")
    return f"{_prefix(address)}{word}\r".encode("ascii")


def _prefix(address: str) -> str:
    return f"A{address}_" if address else ""


def text_of(answer: bytes, word: str, address: str = "") -> str:
    """Return what an answer says; raises ProtocolError where it is not ASCII or lacks the address."""
    try:
        text = answer.removesuffix(END).decode("ascii")
    except UnicodeDecodeError:
        raise ProtocolError(f"{word}: not ASCII: {answer[:40]!r}") from None
    text = text.removesuffix("\r").strip(" ")
    if not text.startswith(_prefix(address)):
        raise ProtocolError(f"{word}: the answer does not start with {_prefix(address)}: {text[:40]!r}")
    return text.removeprefix(_prefix(address)).strip(" ")


def number_of(text: str, word: str) -> float | None:
    """Return a number such as ``37.00``, or None for dashes: no such sensor.

    Raises DeviceFault for a message such as ``-08 INVALID COMMAND`` and ProtocolError for anything else.
    """
    if _NUMBER.fullmatch(text):
        return float(text)
    if _DASHES.fullmatch(text):
        return None
    if _COMPLAINT.fullmatch(text):
        raise DeviceFault(f"{word}: the bath answered {text[:60]!r}")
    raise ProtocolError(f"{word}: expected a number such as 37.00, got {text[:40]!r}")


def status_of(text: str) -> int:
    """Return the number of a status message: 0 to 3, or below 0 for an error, of which each model has its own list.

    0 ``MANUAL STOP``, 1 ``MANUAL START``, 2 ``REMOTE STOP``, 3 ``REMOTE START``. Raises ProtocolError for other texts.
    """
    found = _STATUS.fullmatch(text)
    if found is None:
        raise ProtocolError(f"{STATUS}: expected a status such as '01 MANUAL START', got {text[:40]!r}")
    return int(found[1])
