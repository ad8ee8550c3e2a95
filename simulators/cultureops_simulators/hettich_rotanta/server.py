"""A Hettich ROTANTA 460 Robotic on RS-232: telegrams of enquiry and select with an XOR block check.

Telegrams, parameters and their bits as far as they are printed: Hettich AH5680-01EN (manualshive 2127795) p6-12, 44,
53, 58, 62. The key stands in lock 2; selects are refused (NAK) until the power-on bit was cleared by enquiry 00685.
Known selects: 00526=0070 closes the hatch, 00523=nn04 recalls a program, 00633=0002 starts. Unknown enquiries and
other centrifuges' telegrams get no answer. The type and the rotor are those of the manual's example.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from cultureops_simulators.device import Device
from cultureops_simulators.hettich_rotanta.model import RotantaModel, Rotor
from cultureops_simulators.instrument import Options, SimulatorError

__all__ = ["Rotanta", "RotantaDialect", "build"]

CENTRIFUGE_TYPE: Final = 0xC800
ROTOR_NUMBER: Final = 9
POSITIONS: Final = 6
KEY_LOCK: Final = 2
_LONGEST_TELEGRAM: Final = 20
_TELEGRAM: Final = re.compile(rb"\x04(.)(?:([0-9]{5})\x05|\x02(([0-9]{5})=([0-9A-F]{4})\x03)(.))", re.DOTALL)


def _block_check(text: bytes) -> int:
    check = 0
    for byte in text:
        check ^= byte
    return check


class RotantaDialect:
    """One line: whole telegrams to its address are answered, everything else is skipped."""

    def __init__(
        self, address: str, reads: Mapping[bytes, Callable[[], int]], select: Callable[[bytes, int], bool]
    ) -> None:
        self._address, self._reads, self._select = address.encode("ascii"), reads, select
        self._buffer = b""

    def receive(self, data: bytes) -> bytes:
        """Answer every whole telegram; what never becomes one is forgotten."""
        self._buffer += data
        answers, used = [], 0
        for telegram in _TELEGRAM.finditer(self._buffer):
            used = telegram.end()
            if telegram[1] == self._address:
                answers.append(self._answer(telegram))
        self._buffer = self._buffer[used:][-_LONGEST_TELEGRAM:]
        return b"".join(answers)

    def _answer(self, telegram: re.Match[bytes]) -> bytes:
        if telegram[2] is not None:
            read = self._reads.get(telegram[2])
            return b"" if read is None else self._value(telegram[2], read())
        good = _block_check(telegram[3]) == telegram[6][0] and self._select(telegram[4], int(telegram[5], 16))
        return self._address + (b"\x06" if good else b"\x15")

    def _value(self, code: bytes, word: int) -> bytes:
        text = code + b"=%04X\x03" % word
        return self._address + b"\x02" + text + bytes([_block_check(text)])


class Rotanta(Device[RotantaModel]):
    """A robotic centrifuge."""

    def __init__(self, name: str, model: RotantaModel, address: str) -> None:
        super().__init__(name, model)
        self._address = address
        self._power_on = True
        self._reads: dict[bytes, Callable[[], int]] = {
            b"00524": lambda: POSITIONS << 8 | self.rotor.position,
            b"00528": self._hatch,
            b"00537": lambda: CENTRIFUGE_TYPE,
            b"00634": self._state_1,
            b"00635": lambda: 0x0200 | ROTOR_NUMBER << 4 | KEY_LOCK,
            b"00685": self._clear_power_on,
        }

    def spin(self) -> None:
        """Start a run by hand; raises SimulatorError when the hatch is open or the rotor turns."""
        if not self.rotor.start():
            raise SimulatorError(f"{self.name}: the hatch is open, the rotor turns, or there are no mains")

    def _hatch(self) -> int:
        rotor = self.rotor
        if rotor.hatch_is_shut:
            return 0x1800
        if rotor.hatch_opens:
            return 0x2000 if rotor.hatch_open >= 1.0 else 0x0400
        return 0x2500 if rotor.hatch_open > 0.5 else 0x0500

    def _state_1(self) -> int:
        modified, self.rotor.is_modified = self.rotor.is_modified, False
        standstill = bool(self._model.panel.values["standstill"])
        return self.rotor.program << 8 | modified << 7 | 0x60 | standstill << 1

    def _clear_power_on(self) -> int:
        self._power_on = False
        return 0

    def _select(self, code: bytes, word: int) -> bool:
        if self._power_on:
            return False
        match code, word:
            case b"00526", 0x0070:
                self.rotor.close_hatch()
                return True
            case b"00633", 0x0002:
                return self.rotor.start()
            case b"00523", _ if word & 0xFF == 0x04 and word >> 8:
                self.rotor.program = word >> 8
                return True
        return False

    @property
    def rotor(self) -> Rotor:
        """Rotor and hatch."""
        return self._model.rotor

    def dialect(self) -> RotantaDialect:
        """Return the wire language for one new connection."""
        return RotantaDialect(self._address, self._reads, self._select)

    def upset(self, condition: str, present: bool) -> None:
        """Fail or restore the ``mains``: the rotor runs down, and the power-on bit is set again."""
        if condition != "mains":
            raise SimulatorError(f"{self.name}: a centrifuge can only lose its mains, not {condition!r}")
        self.rotor.power_ok = not present
        self._power_on = True
        self.rotor.is_modified = True

    def truth(self) -> dict[str, object]:
        """Return the true state, for tests only."""
        rotor = self.rotor
        return {**super().truth(), "rpm": rotor.rpm, "hatch_open": rotor.hatch_open}


def build(name: str, options: Options, rng: np.random.Generator) -> Rotanta:
    """Build it; option ``address``: A to Z or ], T where not given. Raises SimulatorError."""
    address = str(options.get("address", "T"))
    if not re.fullmatch(r"[A-Z\]]", address):
        raise SimulatorError(f"{name}: address must be one character, A to Z or ], got {address!r}")
    return Rotanta(name, RotantaModel(rng), address)
