"""A Chart MVE TEC 3000 as reached through a serial device server: ASCII lines, CR LF.

Commands: easymanua chart/mve-616 p155, manualshive 1104699 p75. Only these are public; level, lid and the other
setpoints have no published spelling and do not exist here. Commands that set something, and unknown ones, get no reply.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from cultureops_simulators.device import Device
from cultureops_simulators.instrument import Options, SimulatorError
from cultureops_simulators.mve_tec3000.model import ControllerModel
from cultureops_simulators.tank import Tank

__all__ = ["MveDialect", "Tec3000", "build"]

IDENTITY: Final = "TEC3000-SIMULATOR, Software ver. 1.00"
FILL_MINUTES: Final = range(30, 241)
_LONGEST_LINE: Final = 200
_LINE: Final = re.compile(r"(?:(\d{3}) ?)?(.+)")


class MveDialect:
    """One line to the controller; an id prefix other than its own is meant for another controller."""

    def __init__(
        self,
        device_id: int,
        queries: Mapping[str, Callable[[], str]],
        sets: Mapping[str, Callable[[str], None]],
    ) -> None:
        self._device_id, self._queries, self._sets = device_id, queries, sets
        self._buffer = b""

    def receive(self, data: bytes) -> bytes:
        """Answer every whole line that is a known query; a line that never ends is forgotten."""
        *lines, rest = (self._buffer + data).split(b"\n")
        self._buffer = rest if len(rest) <= _LONGEST_LINE else b""
        return b"".join(map(self._answer, lines))

    def _answer(self, line: bytes) -> bytes:
        match = _LINE.fullmatch(line.decode("ascii", errors="replace").strip())
        if match is None or (match[1] is not None and int(match[1]) != self._device_id):
            return b""
        query = self._queries.get(match[2])
        if query is not None:
            return query().encode("ascii") + b"\r\n"
        command, _, argument = match[2].partition(" ")
        change = self._sets.get(command)
        if change is not None:
            change(argument)
        return b""


class Tec3000(Device[ControllerModel]):
    """The controller of a liquid nitrogen store."""

    def __init__(self, name: str, model: ControllerModel, device_id: int) -> None:
        super().__init__(name, model)
        self._device_id = device_id
        shown = self._shown
        self._queries: dict[str, Callable[[], str]] = {
            "*IDN?": lambda: IDENTITY,
            "TEMPA?": lambda: f"{shown('temp_a'):.2f}",
            "FILL?": lambda: f"{shown('fill'):.0f}",
            "FILLM?": lambda: "1",
            "FILT?": lambda: f"{model.tank.most_fill_s / 60.0:03.0f}",
            "FILTIM?": lambda: f"{shown('fill_time'):03.0f}",
            "FILAS?": lambda: f"{shown('fill_alarm'):.0f}",
            "BPFIL?": lambda: f"{shown('bypass'):.0f}",
            "ALMS?": lambda: f"{model.audible_alarm:d}",
        }
        self._sets: dict[str, Callable[[str], None]] = {
            "ALMS": self._set_audible_alarm,
            "FILL": self._set_fill,
            "FILT": self._set_fill_minutes,
        }

    def _shown(self, channel: str) -> float:
        return self._model.panel.values[channel]

    def _set_audible_alarm(self, argument: str) -> None:
        if argument in ("0", "1"):
            self._model.audible_alarm = argument == "1"

    def _set_fill(self, argument: str) -> None:
        if argument == "1":
            self.tank.start_fill()
        elif argument == "0":
            self.tank.stop_fill()

    def _set_fill_minutes(self, argument: str) -> None:
        if re.fullmatch(r"\d{1,3}", argument) and int(argument) in FILL_MINUTES:
            self.tank.most_fill_s = int(argument) * 60.0

    @property
    def tank(self) -> Tank:
        """The nitrogen store."""
        return self._model.tank

    def dialect(self) -> MveDialect:
        """Return the wire language for one new connection."""
        return MveDialect(self._device_id, self._queries, self._sets)

    def upset(self, condition: str, present: bool) -> None:
        """Fail or restore the nitrogen supply (``ln2_supply``)."""
        if condition != "ln2_supply":
            raise SimulatorError(f"{self.name}: an MVE can only lose its ln2_supply, not {condition!r}")
        self.tank.supply_ok = not present

    def truth(self) -> dict[str, object]:
        """Return the true state, for tests only."""
        tank = self.tank
        return {
            **super().truth(),
            "temp_a_c": tank.temp_a_c,
            "level_pct": tank.level_pct,
            "filling": tank.is_filling,
            "lid_open": tank.lid_is_open,
        }


def build(name: str, options: Options, rng: np.random.Generator) -> Tec3000:
    """Build it; option ``device_id``: 1..999, the prefix it listens to besides none. Raises SimulatorError."""
    text = str(options.get("device_id", 1))
    if not re.fullmatch(r"\d{1,3}", text) or int(text) == 0:
        raise SimulatorError(f"{name}: device_id must be 1..999, got {text!r}")
    return Tec3000(name, ControllerModel(rng), int(text))
