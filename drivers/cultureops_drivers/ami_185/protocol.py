r"""The ASCII dialogue of the AMI 185 and 186, without any I/O.

A command is a word, an answer the bare value and ``\r\n``. ``UNIT`` answers C, I or %, the unit of every length that
follows; it belongs to the interface, not to the display. Source: AMI 185/186 manual, Rev. 3, p35-40. A word with ``=``
sets something, and so do CM, INCH, PERCENT and SAVE; none of them can be built here.
"""

from __future__ import annotations

import re
from typing import Final

from cultureops.errors import DeviceFault, ProtocolError, WriteRejected

__all__ = [
    "BAND_BOTTOM",
    "BAND_TOP",
    "END",
    "HIGH",
    "LEVEL",
    "LOW",
    "QUERIES",
    "UNIT",
    "UNITS",
    "level_of",
    "query",
    "unit_of",
]

END: Final = b"\r\n"

UNIT: Final = "UNIT"
LEVEL: Final = "LEVEL"
HIGH: Final = "HI"
LOW: Final = "LO"
BAND_TOP: Final = "A"
BAND_BOTTOM: Final = "B"

QUERIES: Final = frozenset({UNIT, LEVEL, HIGH, LOW, BAND_TOP, BAND_BOTTOM})
"""All that is ever sent."""

UNITS: Final = {"C": "cm", "I": "in", "%": "%"}
"""What the instrument calls each unit."""

_NUMBER = re.compile(r"[0-9]{1,4}(\.[0-9]{1,3})?")
_NEGATIVE = re.compile(r"-[0-9]{1,4}(\.[0-9]{1,3})?")


def query(word: str) -> bytes:
    """Return a query; raises WriteRejected for every word that is not in ``QUERIES``."""
    if word not in QUERIES:
        raise WriteRejected(f"{word!r} is not sent to an AMI 185; only {', '.join(sorted(QUERIES))} are")
    return word.encode("ascii") + END


def _text(answer: bytes, word: str) -> str:
    try:
        text = answer.removesuffix(END).decode("ascii").strip(" ")
    except UnicodeDecodeError:
        raise ProtocolError(f"{word}: not ASCII: {answer[:40]!r}") from None
    if text.upper() == word:
        raise ProtocolError(f"{word}: the instrument echoes what it hears; switch echo off (DIP switch 2)")
    return text


def unit_of(answer: bytes) -> str:
    """Return the unit of all lengths: ``cm``, ``in`` or ``%``."""
    text = _text(answer, UNIT)
    if text not in UNITS:
        raise ProtocolError(f"{UNIT}: expected C, I or %, got {text[:40]!r}")
    return UNITS[text]


def level_of(answer: bytes, word: str) -> float:
    """Return a level in the instrument's unit [>= 0].

    Raises DeviceFault for a number below 0, which is no level but can be an error code, ProtocolError for no number.
    """
    text = _text(answer, word)
    if _NEGATIVE.fullmatch(text):
        raise DeviceFault(f"{word}: the instrument answered {text}, which is no level")
    if not _NUMBER.fullmatch(text):
        raise ProtocolError(f"{word}: expected a number such as 62.5, got {text[:40]!r}")
    return float(text)
