r"""The ASCII dialogue of the MVE TEC 3000, without any I/O.

A query is a word and ``\r\n``, with the controller's three-digit number and a space before it where several share a
line; the answer is the bare value and ``\r\n``. Source: MVE TEC 3000 manual 13289499 Rev F, serial commands, p92 and
neighbours. The controller also obeys words that change it, calibrate it or tell its password; none of them can be
built here.
"""

from __future__ import annotations

import re
from typing import Final

from cultureops.errors import ProtocolError, WriteRejected

__all__ = [
    "BYPASS",
    "END",
    "FILL",
    "FILL_ALARM",
    "FILL_TIME",
    "IDENTITY",
    "QUERIES",
    "TEMPERATURE_A",
    "firmware_of",
    "query",
    "state_of",
    "temperature_of",
    "whole_of",
]

END: Final = b"\r\n"

IDENTITY: Final = "*IDN?"
TEMPERATURE_A: Final = "TEMPA?"
FILL: Final = "FILL?"
FILL_TIME: Final = "FILTIM?"
FILL_ALARM: Final = "FILAS?"
BYPASS: Final = "BPFIL?"

QUERIES: Final = frozenset({IDENTITY, TEMPERATURE_A, FILL, FILL_TIME, FILL_ALARM, BYPASS})
"""All that is ever sent. CODE? is a question too, but its answer is the global password."""

_TEMPERATURE = re.compile(r"[+-]?\d{1,3}\.\d{1,2}")
_WHOLE = re.compile(r"\d{1,6}")
_VERSION = re.compile(r"ver\. *(\S+)")


def query(word: str, controller: str = "") -> bytes:
    """Return a query for the controller with that three-digit number (empty: the only one on the line).

    Raises WriteRejected for every word that is not in ``QUERIES``.
    """
    if word not in QUERIES:
        raise WriteRejected(f"{word!r} is not sent to an MVE TEC 3000; only {', '.join(sorted(QUERIES))} are")
    return (f"{controller} {word}" if controller else word).encode("ascii") + END


def _text(answer: bytes, word: str) -> str:
    try:
        return answer.removesuffix(END).decode("ascii").strip(" ")
    except UnicodeDecodeError:
        raise ProtocolError(f"{word}: not ASCII: {answer[:40]!r}") from None


def firmware_of(answer: bytes) -> str:
    """Return the software version out of ``Controller, Software ver. X.XX``."""
    text = _text(answer, IDENTITY)
    found = _VERSION.search(text)
    if found is None:
        raise ProtocolError(f"{IDENTITY}: expected '..., Software ver. X.XX', got {text[:40]!r}")
    return found[1]


def temperature_of(answer: bytes, word: str) -> float:
    """Return a temperature such as ``-197.10`` [degC]."""
    text = _text(answer, word)
    if not _TEMPERATURE.fullmatch(text):
        raise ProtocolError(f"{word}: expected a temperature such as -197.10, got {text[:40]!r}")
    return float(text)


def state_of(answer: bytes, word: str) -> float:
    """Return 0 or 1."""
    text = _text(answer, word)
    if text not in ("0", "1"):
        raise ProtocolError(f"{word}: expected 0 or 1, got {text[:40]!r}")
    return float(text)


def whole_of(answer: bytes, word: str) -> float:
    """Return a whole number such as a duration [s]."""
    text = _text(answer, word)
    if not _WHOLE.fullmatch(text):
        raise ProtocolError(f"{word}: expected a whole number, got {text[:40]!r}")
    return float(text)
