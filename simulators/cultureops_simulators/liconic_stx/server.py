"""A LiCONiC STX on RS-232: the host link of its Keyence KV controller, CR in, CR LF out.

``CR``/``CC`` and ``CQ``/``CF`` open and close the dialogue; within it ``RD``, ``WR``, ``ST`` and ``RS``; E0 unknown
relay or memory, E1 unknown command or no dialogue, E4 write protected. Memories and relays: PyLabRobot 0.2.2
(storage/liconic) and open-liconic-stx 0.1.0. What only one of them has beyond moving plates (barcode reader, second
transfer sensor, alarms of water and gas) does not exist here. A break on the line cannot be seen through a terminal.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

import numpy as np

from cultureops_simulators.incubator import Incubator
from cultureops_simulators.instrument import Options, SimulatorError
from cultureops_simulators.liconic_stx.handler import Handler
from cultureops_simulators.liconic_stx.model import StxModel

__all__ = ["LiconicStx", "StxDialect", "build"]

UNKNOWN_ADDRESS, BAD_COMMAND, WRITE_PROTECTED = "E0", "E1", "E4"
CASSETTE, LEVEL, PITCH, POSITIONS, SHAKER_SPEED, ERROR = 0, 5, 23, 25, 39, 200
MOST_WORD: Final = 0xFFFF
DEFAULT_CASSETTES, DEFAULT_LEVELS, DEFAULT_PLATES = 2, 22, 6
_LONGEST_LINE: Final = 100


class StxDialect:
    """One serial line; nothing but ``CR`` is understood before the dialogue is open."""

    def __init__(self, carry_out: Callable[[str], str]) -> None:
        self._carry_out = carry_out
        self._buffer = b""
        self._in_dialogue = False

    def receive(self, data: bytes) -> bytes:
        """Answer every whole line; a line that never ends is forgotten."""
        *lines, rest = (self._buffer + data).split(b"\r")
        self._buffer = rest if len(rest) <= _LONGEST_LINE else b""
        return b"".join(self._answer(line.decode("ascii", errors="replace")).encode() + b"\r\n" for line in lines)

    def _answer(self, line: str) -> str:
        if line == "CR":
            self._in_dialogue = True
            return "CC"
        if not self._in_dialogue:
            return BAD_COMMAND
        if line == "CQ":
            self._in_dialogue = False
            return "CF"
        return self._carry_out(line)


class LiconicStx(Incubator[StxModel]):
    """An automated incubator."""

    def __init__(self, name: str, model: StxModel) -> None:
        super().__init__(name, model)
        self._kept = {CASSETTE: 0, LEVEL: 0, PITCH: 0, POSITIONS: model.handler.n_levels, SHAKER_SPEED: 0}
        chamber, handler, shown = model.chamber, model.handler, self._shown
        self._memories: dict[int, Callable[[], int]] = {
            ERROR: lambda: handler.error,
            890: lambda: round(chamber.temperature_setpoint_c * 10),
            893: lambda: round(model.humidity_setpoint_pct * 10),
            894: lambda: round(chamber.co2_setpoint_pct * 100),
            895: lambda: round(model.gas_1_setpoint_pct * 100),
            982: lambda: round(shown("temperature") * 10),
            983: lambda: round(shown("humidity") * 10),
            984: lambda: round(shown("co2") * 100),
            985: lambda: round(shown("gas_1") * 100),
        }
        self._setpoints: dict[int, Callable[[int], None]] = {
            890: lambda word: setattr(chamber, "temperature_setpoint_c", word / 10),
            893: lambda word: setattr(model, "humidity_setpoint_pct", word / 10),
            894: lambda word: setattr(chamber, "co2_setpoint_pct", word / 100),
            895: lambda word: setattr(model, "gas_1_setpoint_pct", word / 100),
        }
        self._states: dict[int, Callable[[], bool]] = {
            1812: lambda: handler.shovel_occupied,
            1813: lambda: handler.station_occupied,
            1814: lambda: bool(handler.error),
            1912: lambda: handler.is_swapped,
            1913: lambda: handler.is_shaking,
            1914: lambda: handler.plate_ready,
            1915: lambda: handler.is_ready,
        }
        self._orders: dict[int, Callable[[], None]] = {
            1801: handler.activate,
            1900: handler.initialise,
            1901: lambda: handler.move_gate(True),
            1902: lambda: handler.move_gate(False),
            1903: handler.end_access,
            1904: lambda: handler.import_plate(self._place(), self._kept[POSITIONS]),
            1905: lambda: handler.export_plate(self._place(), self._kept[POSITIONS]),
            1906: handler.shovel_to_station,
            1907: handler.station_to_shovel,
            1908: lambda: handler.pick(self._place(), self._kept[POSITIONS]),
            1909: lambda: handler.put(self._place(), self._kept[POSITIONS]),
        }
        self._switches: dict[int, Callable[[bool], None]] = {
            1912: lambda is_on: setattr(handler, "is_swapped", is_on),
            1913: lambda is_on: setattr(handler, "is_shaking", is_on),
        }

    def _shown(self, channel: str) -> float:
        return self._model.panel.values[channel]

    def _place(self) -> tuple[int, int]:
        return self._kept[CASSETTE], self._kept[LEVEL]

    def _carry_out(self, line: str) -> str:
        if match := re.fullmatch(r"RD DM([0-9]{1,5})", line):
            return self._read_memory(int(match[1]))
        if match := re.fullmatch(r"WR DM([0-9]{1,5}) ([0-9]{1,5})", line):
            return self._write_memory(int(match[1]), int(match[2]))
        if match := re.fullmatch(r"RD ([0-9]{1,5})", line):
            return self._read_relay(int(match[1]))
        if match := re.fullmatch(r"(ST|RS) ([0-9]{1,5})", line):
            return self._switch(int(match[2]), match[1] == "ST")
        return BAD_COMMAND

    def _read_memory(self, address: int) -> str:
        if address in self._kept:
            return f"{self._kept[address]:05}"
        if address in self._memories:
            return f"{self._memories[address]() & MOST_WORD:05}"
        return UNKNOWN_ADDRESS

    def _write_memory(self, address: int, word: int) -> str:
        if word > MOST_WORD:
            return BAD_COMMAND
        if address in self._kept:
            self._kept[address] = word
        elif address in self._setpoints:
            self._setpoints[address](word)
        else:
            return WRITE_PROTECTED if address in self._memories else UNKNOWN_ADDRESS
        return "OK"

    def _read_relay(self, address: int) -> str:
        if address in self._states:
            return f"{self._states[address]():d}"
        return "0" if address in self._orders else UNKNOWN_ADDRESS

    def _switch(self, address: int, is_on: bool) -> str:
        if address in self._switches:
            self._switches[address](is_on)
        elif address in self._orders:
            if is_on:
                self._orders[address]()
        else:
            return WRITE_PROTECTED if address in self._states else UNKNOWN_ADDRESS
        return "OK"

    @property
    def handler(self) -> Handler:
        """The plate handler, for a person who puts a plate on the transfer station."""
        return self._model.handler

    def dialect(self) -> StxDialect:
        """Return the wire language for one new connection."""
        return StxDialect(self._carry_out)

    def truth(self) -> dict[str, object]:
        """Return the true state, for tests only."""
        handler = self.handler
        return {
            **super().truth(),
            "plates": [list(place) for place in sorted(handler.plates)],
            "station_occupied": handler.station_occupied,
            "shovel_occupied": handler.shovel_occupied,
            "gate_open": handler.gate_open,
            "busy": handler.is_busy,
            "shaking": handler.is_shaking,
        }


def build(name: str, options: Options, rng: np.random.Generator) -> LiconicStx:
    """Build it; options ``cassettes``, ``levels`` of each, ``plates``: how many of the first places are full.

    Raises SimulatorError.
    """
    cassettes = _count(name, options, "cassettes", DEFAULT_CASSETTES, 1, 99)
    levels = _count(name, options, "levels", DEFAULT_LEVELS, 1, 99)
    places = cassettes * levels
    plates = _count(name, options, "plates", min(DEFAULT_PLATES, places), 0, places)
    return LiconicStx(name, StxModel(rng, cassettes, levels, plates))


def _count(name: str, options: Options, key: str, default: int, least: int, most: int) -> int:
    text = str(options.get(key, default))
    if not re.fullmatch(r"[0-9]{1,4}", text) or not least <= int(text) <= most:
        raise SimulatorError(f"{name}: {key} must be {least}..{most}, got {text!r}")
    return int(text)
