"""What an AtmoWEB answer says, without any I/O.

A question names its keys, ``Temp1Read=&CO2Read=``; the answer is nearly JSON: ``"Temp1Read": 28.7, "CO2Read": N/A, ``
without braces and with a comma behind the last value, or with braces in other firmwares. ``N/A`` (quoted or not) is
what the chamber does not have; a range is ``{min: 20.0, max: 50.0}``, its keys quoted or not.

An answer may end with the connection, so a number could be cut off unseen; only the comma or the brace behind it shows
that it is whole, and an answer without that is refused.

Source: Memmert AtmoWEB description D33477 (its table of contents) and the public clients pyatmoweb, MemmertControl
(archive/atmoweb.py @3a80d6a) and ha-atmoweb (@1571e2a). A key with a value behind its ``=`` changes the chamber; none
can be built here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from cultureops.errors import ProtocolError, WriteRejected

__all__ = ["IDENTITY_KEYS", "PATH", "READ_KEYS", "Range", "Value", "parse", "query"]

PATH: Final = "/atmoweb"

IDENTITY_KEYS: Final = ("SN", "DevType", "SWRev")
READ_KEYS: Final = (
    "Temp1Read", "TempSet", "CO2Read", "CO2Set", "HumRead", "HumSet", "O2Read", "O2Set", "FanRead", "DoorOpen",
)  # fmt: skip
"""All that is ever asked for: temperatures in degC, the rest in percent, DoorOpen 0 or 1."""


@dataclass(frozen=True, slots=True)
class Range:
    """The lowest and the highest value that a setting can take."""

    lowest: float
    highest: float


Value: TypeAlias = float | str | Range | None
"""A number, a text, a range, or None for what the chamber does not have."""

_NUMBER: Final = r"-?[0-9]{1,7}(?:\.[0-9]{1,6})?"
_ENTRY: Final = re.compile(
    r'\s*"(?P<key>[A-Za-z][A-Za-z0-9_]{0,31})"\s*:\s*'
    rf'(?:(?P<number>{_NUMBER})|"(?P<text>[^"\\\x00-\x1f]{{0,80}})"|(?P<absent>N/A)'
    rf'|\{{\s*"?min"?\s*:\s*(?P<lowest>{_NUMBER})\s*,\s*"?max"?\s*:\s*(?P<highest>{_NUMBER})\s*,?\s*\}})\s*'
)


def query(keys: Sequence[str]) -> str:
    """Return the question for these keys; raises WriteRejected for one that is none of the two lists."""
    for key in keys:
        if key not in READ_KEYS and key not in IDENTITY_KEYS:
            raise WriteRejected(f"{key!r} is not asked of a Memmert chamber; only {', '.join(READ_KEYS)} are")
    return "&".join(f"{key}=" for key in keys)


def parse(answer: bytes) -> dict[str, Value]:
    """Return what an answer says by key; raises ProtocolError for one that is no AtmoWEB answer or not whole."""
    try:
        text = answer.decode("utf-8").strip()
    except UnicodeDecodeError:
        raise ProtocolError(f"AtmoWEB: not a text: {answer[:40]!r}") from None
    braced = text.startswith("{")
    at, found = int(braced), dict[str, Value]()
    while match := _ENTRY.match(text, at):
        if match["key"] in found:
            raise ProtocolError(f"AtmoWEB: {match['key']} stands twice in the answer")
        found[match["key"]] = _value(match)
        at = match.end()
        if text[at : at + 1] != ",":
            break
        at += 1
    is_whole = text[at:].strip() == "}" if braced else at == len(text) and text.endswith(",")
    if not found or not is_whole:
        raise ProtocolError(f'AtmoWEB: expected "key": value, ... to its end, got {text[-60:]!r}')
    return found


def _value(match: re.Match[str]) -> Value:
    if match["number"] is not None:
        return float(match["number"])
    if match["lowest"] is not None:
        return Range(float(match["lowest"]), float(match["highest"]))
    text: str | None = match["text"]
    return None if text == "N/A" else text
