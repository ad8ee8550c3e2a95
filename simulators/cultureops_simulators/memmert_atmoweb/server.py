r"""A Memmert chamber's AtmoWEB: ``GET /atmoweb?Temp1Read=`` answered by ``"Temp1Read": 28.7, `` and hanging up.

Sources: Memmert's AtmoWEB description D33477 (table of contents); the public clients pyatmoweb, MemmertControl and
ha-atmoweb, and the answer of a chamber that one of them prints: status line, ``Content-Type: Unknown``, ``Server:
Memmert``, no length, no braces, a comma behind the last value, ``N/A`` for what is not fitted, ``{min: x, max: y}`` for
ranges. Keys here: those readings and setpoints, DoorOpen, TempSet_Range, CurOp, SN, DevType, SWRev. A value behind a
key's ``=`` changes nothing, as in a chamber whose menu says *Remote Control: Read*; how such a chamber answers is not
public, so it answers as if nothing had been asked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import Final

import numpy as np

from cultureops_simulators.incubator import Incubator
from cultureops_simulators.instrument import Options, SimulatorError
from cultureops_simulators.memmert_atmoweb.model import AtmowebModel

__all__ = ["AtmowebChamber", "AtmowebDialect", "build"]

_LONGEST_HEAD: Final = 8192
_REQUEST_LINE: Final = re.compile(rb"GET ([^ ?]*)(?:\?([^ ]*))? HTTP/1\.[01]")
_HEAD: Final = b"HTTP/1.1 200 OK\r\nContent-Type: Unknown\r\nServer: Memmert\r\n\r\n"
_NOT_FOUND: Final = b"HTTP/1.1 404 Not Found\r\nServer: Memmert\r\n\r\n"
_BAD_REQUEST: Final = b"HTTP/1.1 400 Bad Request\r\nServer: Memmert\r\n\r\n"

ABSENT: Final = '"N/A"'
FITTED_KEYS: Final = {
    "co2": {"CO2Read": "co2", "CO2Set": "co2_setpoint"},
    "humidity": {"HumRead": "humidity", "HumSet": "humidity_setpoint"},
    "o2": {"O2Read": "o2"},
    "fan": {"FanRead": "fan", "FanSet": "fan"},
}
ALWAYS: Final = {"Temp1Read": "temperature", "TempSet": "temperature_setpoint", "DoorOpen": "door"}
TEXTS: Final = {
    **dict.fromkeys(("Temp2Read", "Temp3Read", "Temp4Read", "O2Set"), ABSENT),
    "CurOp": '"Manual"',
    "TempSet_Range": "{min: 18.0, max: 50.0}",
    "SN": '"SIM.0001"',
    "DevType": '"ICO105"',
    "SWRev": '"SIM 1.00"',
}


class AtmowebDialect:
    """One connection: one question, one answer, the end."""

    def __init__(self, say: Callable[[str], str | None]) -> None:
        self._say = say
        self._buffer = b""
        self.is_over = False

    def receive(self, data: bytes) -> bytes:
        """Answer the first whole question."""
        if self.is_over:
            return b""
        self._buffer += data
        head, end, _ = self._buffer.partition(b"\r\n\r\n")
        if not end and len(self._buffer) <= _LONGEST_HEAD:
            return b""
        self.is_over = True
        return self._answer(head) if end else _BAD_REQUEST

    def _answer(self, head: bytes) -> bytes:
        asked = _REQUEST_LINE.fullmatch(head.partition(b"\r\n")[0])
        if asked is None:
            return _BAD_REQUEST
        if asked[1] != b"/atmoweb":
            return _NOT_FOUND
        keys = [pair.partition("=")[0] for pair in (asked[2] or b"").decode("ascii", "replace").split("&")]
        said = [(key, value) for key in keys if (value := self._say(key)) is not None]
        return _HEAD + "".join(f'"{key}": {value}, ' for key, value in said).encode("ascii")


class AtmowebChamber(Incubator[AtmowebModel]):
    """A Memmert CO2 incubator, read only."""

    wires: frozenset[str] = frozenset({"tcp"})

    def __init__(self, name: str, model: AtmowebModel, fitted: Collection[str]) -> None:
        super().__init__(name, model)
        parts = ({key: ABSENT for key in keys} if part not in fitted else keys for part, keys in FITTED_KEYS.items())
        self._channels = ALWAYS | {key: channel for part in parts for key, channel in part.items()}

    def _say(self, key: str) -> str | None:
        """Return the value of a key as it is written, None for a key that is not known."""
        channel = self._channels.get(key)
        if channel is None:
            return TEXTS.get(key)
        return ABSENT if channel == ABSENT else f"{self._model.panel.values[channel]:g}"

    def dialect(self) -> AtmowebDialect:
        """Return the wire language for one new connection."""
        return AtmowebDialect(self._say)


def build(name: str, options: Options, rng: np.random.Generator) -> AtmowebChamber:
    """Build it; option ``fitted``: what it has beside its temperature, ``co2,humidity`` where not given.

    Raises SimulatorError.
    """
    text = options.get("fitted", "co2,humidity")
    fitted = [part.strip() for part in str(text).split(",") if part.strip()]
    for part in fitted:
        if part not in FITTED_KEYS:
            raise SimulatorError(f"{name}: option fitted: {part!r} is none of {', '.join(FITTED_KEYS)}")
    return AtmowebChamber(name, AtmowebModel(rng), fitted)
