"""A balance with MT-SICS level 0 and the tare of level 1: lines ended by CR LF, upper case only.

Answers: MT-SICS reference manual, level 0 (paperzz 7823012), and as printed in the instructions of AL balances
(manymanuals 7405 p72) and Ohaus 7000 indicators (manualshive 3516254 p109). ``S``, ``Z`` and ``T``, for which a real
balance waits until it is at rest, answer at once that it is not (``S I``), as after its own time-out. Not here: ``I0``,
``I1`` and the repeating ``SIR``; they get ``ES`` as every unknown command does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from cultureops_simulators.device import Device
from cultureops_simulators.instrument import Options, SimulatorError
from cultureops_simulators.mettler_sics.model import CAPACITY_G, BalanceModel, Pan

__all__ = ["Balance", "SicsDialect", "build"]

SERIAL_NUMBER: Final = "0123456789"
SOFTWARE: Final = "1.00"
_LONGEST_LINE: Final = 200


class SicsDialect:
    """One line to the balance."""

    def __init__(self, commands: Mapping[str, Callable[[], str]]) -> None:
        self._commands = commands
        self._buffer = b""

    def receive(self, data: bytes) -> bytes:
        """Answer every whole line; a line that never ends is forgotten."""
        *lines, rest = (self._buffer + data).split(b"\r\n")
        self._buffer = rest if len(rest) <= _LONGEST_LINE else b""
        return b"".join(map(self._answer, lines))

    def _answer(self, line: bytes) -> bytes:
        command = self._commands.get(line.decode("ascii", errors="replace"))
        return ("ES" if command is None else command()).encode("ascii") + b"\r\n"


class Balance(Device[BalanceModel]):
    """A precision balance."""

    def __init__(self, name: str, model: BalanceModel) -> None:
        super().__init__(name, model)
        self._commands: dict[str, Callable[[], str]] = {
            "@": self._reset,
            "I2": lambda: f'I2 A "SIMULATOR {CAPACITY_G:.2f} g"',
            "I3": lambda: f'I3 A "{SOFTWARE}"',
            "I4": lambda: f'I4 A "{SERIAL_NUMBER}"',
            "S": lambda: self._weight() if self.pan.is_stable else "S I",
            "SI": self._weight,
            "Z": lambda: self._zero("Z") if self.pan.is_stable else "Z I",
            "ZI": lambda: self._zero("ZI"),
            "T": lambda: self._tare("T") if self.pan.is_stable else "T I",
            "TI": lambda: self._tare("TI"),
            "TA": lambda: f"TA A {self.pan.tare_g:10.2f} g",
            "TAC": self._clear_tare,
        }

    def _weight(self) -> str:
        if self.pan.overload or self.pan.underload:
            return "S +" if self.pan.overload else "S -"
        shown = self._model.panel.values
        return f"S {'S' if shown['stable'] else 'D'} {shown['weight']:10.2f} g"

    def _zero(self, command: str) -> str:
        self._model.zero()
        return f"{command} {self._state()}"

    def _tare(self, command: str) -> str:
        return f"{command} {self._state()} {self._model.tare():10.2f} g"

    def _state(self) -> str:
        return "S" if self.pan.is_stable else "D"

    def _clear_tare(self) -> str:
        self.pan.tare_g = 0.0
        self._model.show_net()
        return "TAC A"

    def _reset(self) -> str:
        self._clear_tare()
        return f'I4 A "{SERIAL_NUMBER}"'

    @property
    def pan(self) -> Pan:
        """The pan."""
        return self._model.pan

    def dialect(self) -> SicsDialect:
        """Return the wire language for one new connection."""
        return SicsDialect(self._commands)

    def upset(self, condition: str, present: bool) -> None:
        """Refuse: nothing feeds a balance that could fail."""
        raise SimulatorError(f"{self.name}: a balance has no {condition!r} to lose")

    def truth(self) -> dict[str, object]:
        """Return the true state, for tests only."""
        return {**super().truth(), "load_g": self.pan.load_g, "tare_g": self.pan.tare_g}


def build(name: str, options: Options, rng: np.random.Generator) -> Balance:
    """Build it; it has no options."""
    return Balance(name, BalanceModel(rng))
