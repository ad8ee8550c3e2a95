"""An AMI 186 level controller on RS-232: words, answered by a value and CR LF.

Commands: AMI 185/186 manual, Rev. 3, p35-40 (azmanual 252976 p45-50, manualsdir 252976 p48). Commands are case
insensitive; those that return nothing return CR LF. CM, INCH, PERCENT, HI= and LO= act. The control band is the tank's
own and can't be changed; A=, B=, INTERVAL=, LENGTH= and SAVE are unknown here, as is whatever no page prints. Such a
command is answered by an error code, of which no page was seen: -1 is our choice.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from cultureops_simulators.ami_185.model import BAND_PCT, LENGTH_CM, LevelModel
from cultureops_simulators.device import Device
from cultureops_simulators.instrument import Options, SimulatorError
from cultureops_simulators.tank import Tank

__all__ = ["Ami185", "AmiDialect", "build"]

UNKNOWN: Final = "-1"
INTERVAL_MIN: Final = 60
_LONGEST_LINE: Final = 200
_UNITS: Final = {"%": ("%", 100.0), "cm": ("C", LENGTH_CM), "in": ("I", LENGTH_CM / 2.54)}
_WORDS: Final = {"PERCENT": "%", "CM": "cm", "INCH": "in"}
_LIMIT: Final = re.compile(r"(HI|LO)=(\d{1,3}(?:\.\d{1,2})?)")


class AmiDialect:
    """One line to the instrument."""

    def __init__(self, reads: Mapping[str, Callable[[], str]], change: Callable[[str], bool]) -> None:
        self._reads, self._change = reads, change
        self._buffer = b""

    def receive(self, data: bytes) -> bytes:
        """Answer every whole line; a line that never ends is forgotten."""
        *lines, rest = (self._buffer + data).replace(b"\n", b"").split(b"\r")
        self._buffer = rest if len(rest) <= _LONGEST_LINE else b""
        return b"".join(map(self._answer, lines))

    def _answer(self, line: bytes) -> bytes:
        word = line.decode("ascii", errors="replace").strip().upper()
        read = self._reads.get(word)
        if read is not None:
            return f"{read()}\r\n".encode("ascii")
        return b"\r\n" if self._change(word) else f"{UNKNOWN}\r\n".encode("ascii")


class Ami185(Device[LevelModel]):
    """A level controller of a nitrogen store; its panel shows the level in % whatever the unit."""

    def __init__(self, name: str, model: LevelModel, unit: str) -> None:
        super().__init__(name, model)
        self._unit = unit
        self._reads: dict[str, Callable[[], str]] = {
            "UNIT": lambda: _UNITS[self._unit][0],
            "LEVEL": lambda: self._length(model.panel.values["level"]),
            "HI": lambda: self._length(model.high_pct),
            "LO": lambda: self._length(model.low_pct),
            "A": lambda: self._length(BAND_PCT[1]),
            "B": lambda: self._length(BAND_PCT[0]),
            "INTERVAL": lambda: str(INTERVAL_MIN),
            "LENGTH": lambda: self._length(100.0),
        }

    def _length(self, level_pct: float) -> str:
        return f"{level_pct / 100.0 * _UNITS[self._unit][1]:.1f}"

    def _change(self, command: str) -> bool:
        if command in _WORDS:
            self._unit = _WORDS[command]
            return True
        found = _LIMIT.fullmatch(command)
        if found is None:
            return False
        level_pct = float(found[2]) / _UNITS[self._unit][1] * 100.0
        if found[1] == "HI":
            self._model.high_pct = level_pct
        else:
            self._model.low_pct = level_pct
        return True

    @property
    def tank(self) -> Tank:
        """The nitrogen store."""
        return self._model.tank

    def dialect(self) -> AmiDialect:
        """Return the wire language for one new connection."""
        return AmiDialect(self._reads, self._change)

    def upset(self, condition: str, present: bool) -> None:
        """Fail or restore the nitrogen supply (``ln2_supply``)."""
        if condition != "ln2_supply":
            raise SimulatorError(f"{self.name}: a level controller can only lose its ln2_supply, not {condition!r}")
        self.tank.supply_ok = not present

    def truth(self) -> dict[str, object]:
        """Return the true state, for tests only."""
        return {
            **super().truth(),
            "level_pct": self.tank.level_pct,
            "filling": self.tank.is_filling,
        }


def build(name: str, options: Options, rng: np.random.Generator) -> Ami185:
    """Build it; option ``unit``: %, cm or in. Raises SimulatorError."""
    unit = str(options.get("unit", "%"))
    if unit not in _UNITS:
        raise SimulatorError(f"{name}: unit must be one of {', '.join(_UNITS)}, got {unit!r}")
    return Ami185(name, LevelModel(rng), unit)
