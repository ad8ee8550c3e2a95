r"""MT-SICS level 0, the part that asks, without any I/O.

A command and its answer are lines ended by ``\r\n``. A weight comes as ``S S      12.34 g`` (stable) or ``S D ...``
(moving); ``S I`` means that the balance can't tell now, ``S +`` and ``S -`` over- and underload. Source: MT-SICS
reference manual, level 0, commands S, SI, I2, I3, I4 and error messages. Commands that zero, tare, adjust or reset the
balance can't be built.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from cultureops.device.reading import Reason
from cultureops.errors import DeviceFault, ProtocolError, WriteRejected

__all__ = [
    "DATA",
    "END",
    "NOW",
    "QUERIES",
    "SERIAL_NUMBER",
    "SOFTWARE",
    "STABLE",
    "Weighing",
    "query",
    "text_of",
    "weighing_of",
]

END: Final = b"\r\n"

STABLE: Final = "S"
NOW: Final = "SI"
DATA: Final = "I2"
SOFTWARE: Final = "I3"
SERIAL_NUMBER: Final = "I4"

QUERIES: Final = frozenset({STABLE, NOW, DATA, SOFTWARE, SERIAL_NUMBER})
"""All that is ever sent."""

_GRAMS: Final = {"mg": 1e-3, "g": 1.0, "kg": 1e3}
_WEIGHT = re.compile(r"S ([SD]) +(-?[0-9]+(?:\.[0-9]+)?) +(\S+)")
_NO_WEIGHT: Final = {"S I": Reason.DEVICE_FAULT, "S +": Reason.OUT_OF_RANGE, "S -": Reason.OUT_OF_RANGE}
_ERRORS: Final = {
    "ES": "does not know the command",
    "ET": "received a garbled command",
    "EL": "can't carry out the command",
}


@dataclass(frozen=True, slots=True)
class Weighing:
    """What a balance said of its load: net weight [g] and whether it is at rest, or why it can't tell."""

    weight_g: float | None
    is_stable: bool | None
    reason: Reason = Reason.NONE


def query(word: str) -> bytes:
    """Return a query; raises WriteRejected for every word that is not in ``QUERIES``."""
    if word not in QUERIES:
        raise WriteRejected(f"{word!r} is not sent to a balance; only {', '.join(sorted(QUERIES))} are")
    return word.encode("ascii") + END


def _line(answer: bytes, word: str) -> str:
    try:
        line = answer.removesuffix(END).decode("ascii").rstrip(" ")
    except UnicodeDecodeError:
        raise ProtocolError(f"{word}: not ASCII: {answer[:60]!r}") from None
    if line in _ERRORS:
        raise ProtocolError(f"{word}: the balance {_ERRORS[line]} ({line}); set its interface to MT-SICS")
    return line


def weighing_of(answer: bytes, word: str) -> Weighing:
    """Return the weighing of an answer to ``S`` or ``SI``.

    Raises ProtocolError for an answer of another form, and for a unit other than mg, g and kg: a weight whose unit is
    not understood is no weight.
    """
    line = _line(answer, word)
    if line in _NO_WEIGHT:
        return Weighing(None, None, _NO_WEIGHT[line])
    found = _WEIGHT.fullmatch(line)
    if found is None:
        raise ProtocolError(f"{word}: expected a weight such as 'S S      12.34 g', got {line[:40]!r}")
    status, number, unit = found.groups()
    if unit not in _GRAMS:
        raise ProtocolError(
            f"{word}: unit {unit[:10]!r} is none of {', '.join(_GRAMS)}; set unit 1 of the balance to g"
        )
    return Weighing(float(number) * _GRAMS[unit], status == "S")


def text_of(answer: bytes, word: str) -> str:
    """Return the text of an answer such as ``I4 A "123456"``.

    Raises DeviceFault for ``I4 I``, understood but not executable now, and ProtocolError for anything else.
    """
    line = _line(answer, word)
    if line == f"{word} I":
        raise DeviceFault(f"{word}: the balance can't tell now ({line}); wait until it is idle")
    found = re.fullmatch(rf'{word} A "(.*)"', line)
    if found is None:
        raise ProtocolError(f"{word}: expected {word} A and a text in quotes, got {line[:40]!r}")
    return found[1].strip()
