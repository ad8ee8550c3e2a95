"""A Thermo Cytomat on RS-232: ``ch:``, ``ll:``, ``mv:``, ``se:`` and ``rs:`` commands, CR or CR LF in, CR out.

Commands, registers and refusals: PyLabRobot 0.2.2 (storage/cytomat) and open-cytomat 0.1.3; the vendor's description is
not public. Commands that only one of them has and that our facts do not list (turning the swap station, reading
barcodes back, motor steps, stacker pitches) do not exist here. The four digits of ``ch:ts`` follow PyLabRobot's list of
sensors, first sensor in the highest of 15 bits.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

import numpy as np

from cultureops_simulators.incubator import Incubator
from cultureops_simulators.instrument import Options, SimulatorError
from cultureops_simulators.thermo_cytomat.handler import (
    BAD_PARAMETERS,
    BUSY,
    SHAKER_NOT_ACTIVE,
    Action,
    Handler,
    Refused,
    Target,
)
from cultureops_simulators.thermo_cytomat.model import CytomatModel, Shaker

__all__ = ["Cytomat", "CytomatDialect", "build"]

UNKNOWN_COMMAND, WRONG_STRUCTURE = 0x02, 0x03
MOST_SLOTS: Final = 999
DEFAULT_SLOTS, DEFAULT_PLATES = 42, 8
_LONGEST_LINE: Final = 100
_LINE: Final = re.compile(r"([a-z]{2}:[a-z][a-z0-9+-])((?: [0-9a-f.]+)*)")
_FIRST_SHAKER: Final = 20


class CytomatDialect:
    """One serial line; answers come at once, movements take their time."""

    def __init__(self, carry_out: Callable[[str, list[str]], str]) -> None:
        self._carry_out = carry_out
        self._buffer = b""

    def receive(self, data: bytes) -> bytes:
        """Answer every whole line; a line that never ends is forgotten."""
        *lines, rest = (self._buffer + data).split(b"\r")
        self._buffer = rest if len(rest) <= _LONGEST_LINE else b""
        return b"".join(self._answer(line.lstrip(b"\n")) for line in lines)

    def _answer(self, line: bytes) -> bytes:
        match = _LINE.fullmatch(line.decode("ascii", errors="replace").strip())
        try:
            if match is None:
                raise Refused(WRONG_STRUCTURE)
            answer = self._carry_out(match[1], match[2].split())
        except Refused as refused:
            answer = f"er {refused.code:02X}"
        return answer.encode("ascii") + b"\r"


def _number(text: str, pattern: str = r"\d{3}") -> int:
    if not re.fullmatch(pattern, text):
        raise Refused(BAD_PARAMETERS)
    return int(text)


class Cytomat(Incubator[CytomatModel]):
    """An automated incubator."""

    def __init__(self, name: str, model: CytomatModel) -> None:
        super().__init__(name, model)
        handler = model.handler
        self._checks: dict[str, Callable[[], str]] = {
            "bs": lambda: f"{self._overview():02X}",
            "be": lambda: f"{handler.error:02X}",
            "bw": lambda: f"{handler.warning:02X}",
            "ba": lambda: f"{handler.action[0] << 5 | handler.action[1]:02X}",
            "sw": lambda: f"1{handler.station_occupied:d}0",
            "ts": lambda: f"{self._sensors():04X}",
            "it": lambda: self._loop("temperature"),
            "ic": lambda: self._loop("co2"),
            "ih": lambda: self._loop("humidity"),
            "io": lambda: self._loop("o2"),
        }
        self._plain: dict[str, Callable[[], None]] = {
            "ll:in": lambda: handler.initialise(model.chamber.door_is_open),
            "ll:wp": handler.wait_position,
            "mv:wt": handler.wait_to_transfer,
            "mv:tw": handler.transfer_to_wait,
            "mv:wh": handler.wait_to_exposed,
            "mv:hw": handler.exposed_to_wait,
            "ll:vi": self._initialise_shakers,
        }
        self._with_slot: dict[str, Callable[[int], None]] = {
            "mv:ts": handler.transfer_to_storage,
            "mv:st": handler.storage_to_transfer,
            "mv:sw": handler.storage_to_wait,
            "mv:ws": handler.wait_to_storage,
            "mv:hs": handler.exposed_to_storage,
            "mv:sh": handler.storage_to_exposed,
            "ll:h+": lambda slot: handler.axis(Action.HEIGHT_ABOVE, slot),
            "ll:h-": lambda slot: handler.axis(Action.HEIGHT_BELOW, slot),
            "ll:dp": lambda slot: handler.axis(Action.ROTATE, slot),
            "ll:xp": lambda slot: handler.axis(Action.TURN_CAROUSEL, slot),
        }
        self._one_or_two: dict[str, Callable[[bool], None]] = {"ll:gp": handler.gate, "ll:sp": handler.shovel}
        self._setpoints: dict[str, Callable[[float], None]] = {"ll:it": self._set_temperature, "ll:ic": self._set_co2}

    def _carry_out(self, command: str, arguments: list[str]) -> str:
        kind, _, word = command.partition(":")
        if kind == "ch":
            return f"{word} {self._check(word, arguments)}"
        if command == "rs:be":
            self._model.handler.error = self._model.handler.warning = 0
        else:
            if self._model.handler.is_busy:
                raise Refused(BUSY)
            self._act(command, arguments)
        return f"ok {self._overview():02X}"

    def _check(self, word: str, arguments: list[str]) -> str:
        if word == "pb" and len(arguments) == 1:
            return f"{self._shaker(arguments[0]).frequency:04}"
        check = self._checks.get(word)
        if check is None:
            raise Refused(UNKNOWN_COMMAND)
        if arguments:
            raise Refused(BAD_PARAMETERS)
        return check()

    def _act(self, command: str, arguments: list[str]) -> None:
        match arguments:
            case [] if command in self._plain:
                self._plain[command]()
            case [slot] if command in self._with_slot:
                self._with_slot[command](_number(slot))
            case ["001" | "002" as choice] if command in self._one_or_two:
                self._one_or_two[command](choice == "002")
            case [value] if command in self._setpoints:
                if not re.fullmatch(r"\d{2}\.\d", value):
                    raise Refused(BAD_PARAMETERS)
                self._setpoints[command](float(value))
            case [] if command == "mv:sc":
                self._model.handler.scan(1, self._model.handler.n_slots)
            case [first, last] if command in ("mv:sc", "mv:sn"):
                self._model.handler.scan(_number(first), _number(last))
            case [] | ["001" | "002"] if command in ("ll:va", "ll:vd"):
                self._shake(command == "ll:va", arguments)
            case [shaker, frequency] if command == "se:pb":
                self._shaker(shaker).frequency = _number(frequency, r"\d{4}")
            case _ if self._is_known(command):
                raise Refused(BAD_PARAMETERS)
            case _:
                raise Refused(UNKNOWN_COMMAND)

    def _is_known(self, command: str) -> bool:
        tables = (self._plain, self._with_slot, self._one_or_two, self._setpoints)
        return any(command in table for table in tables) or command in ("mv:sc", "mv:sn", "ll:va", "ll:vd", "se:pb")

    def _overview(self) -> int:
        handler, bits = self._model.handler, 0
        for is_set in (
            handler.station_occupied,
            self.chamber.door_is_open,
            handler.gate_open,
            handler.shovel_occupied,
            bool(handler.error),
            bool(handler.warning),
            handler.is_ready,
            handler.is_busy,
        ):
            bits = bits << 1 | is_set
        return bits

    def _sensors(self) -> int:
        handler, bits = self._model.handler, 0
        target = handler.action[0]
        for is_set in (
            target is Target.INIT,
            target is Target.INIT,
            not handler.shovel_extended,
            handler.shovel_extended,
            handler.shovel_occupied,
            handler.gate_open,
            not handler.gate_open,
            handler.station_occupied,
            True,
            False,
            self.chamber.door_is_open,
            not handler.is_busy,
            target is Target.STACKER,
            target is Target.STATION,
            False,
        ):
            bits = bits << 1 | is_set
        return bits

    def _loop(self, channel: str) -> str:
        shown = self.panel.values
        return f"{shown[f'{channel}_setpoint']:+05.1f} {shown[channel]:+05.1f}"

    def _set_temperature(self, celsius: float) -> None:
        self.chamber.temperature_setpoint_c = celsius
        self.panel.values["temperature_setpoint"] = celsius

    def _set_co2(self, percent: float) -> None:
        self.chamber.co2_setpoint_pct = percent
        self.panel.values["co2_setpoint"] = percent

    def _shaker(self, number: str) -> Shaker:
        place = _number(number, r"\d{2}") - _FIRST_SHAKER
        if place not in (0, 1):
            raise Refused(BAD_PARAMETERS)
        return self._model.shakers[place]

    def _initialise_shakers(self) -> None:
        for shaker in self._model.shakers:
            shaker.is_initialised, shaker.is_on = True, False

    def _shake(self, is_to_run: bool, which: list[str]) -> None:
        shakers = self._model.shakers if not which else (self._model.shakers[int(which[0]) - 1],)
        if not all(shaker.is_initialised for shaker in shakers):
            raise Refused(SHAKER_NOT_ACTIVE)
        for shaker in shakers:
            shaker.is_on = is_to_run

    @property
    def handler(self) -> Handler:
        """The plate handler, for a person who puts a plate on the transfer station."""
        return self._model.handler

    def dialect(self) -> CytomatDialect:
        """Return the wire language for one new connection."""
        return CytomatDialect(self._carry_out)

    def truth(self) -> dict[str, object]:
        """Return the true state, for tests only."""
        handler = self.handler
        return {
            **super().truth(),
            "plates": sorted(handler.plates),
            "station_occupied": handler.station_occupied,
            "shovel_occupied": handler.shovel_occupied,
            "gate_open": handler.gate_open,
            "busy": handler.is_busy,
            "shaking": [shaker.is_on for shaker in self._model.shakers],
        }


def build(name: str, options: Options, rng: np.random.Generator) -> Cytomat:
    """Build it; options ``slots`` (1..999), ``plates``: how many of the first slots are full. Raises SimulatorError."""
    slots = _count(name, options, "slots", DEFAULT_SLOTS, 1, MOST_SLOTS)
    plates = _count(name, options, "plates", min(DEFAULT_PLATES, slots), 0, slots)
    return Cytomat(name, CytomatModel(rng, slots, plates))


def _count(name: str, options: Options, key: str, default: int, least: int, most: int) -> int:
    text = str(options.get(key, default))
    if not re.fullmatch(r"[0-9]{1,3}", text) or not least <= int(text) <= most:
        raise SimulatorError(f"{name}: {key} must be {least}..{most}, got {text!r}")
    return int(text)
