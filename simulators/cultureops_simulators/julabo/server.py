"""A JULABO circulator on RS-232 or RS-485: lines ended by CR, answers by CR LF.

Commands and status messages: JULABO LC 6 user manual (azmanual 563283 p46, p49), SL heating circulators (563234 p82,
addresses on RS-485), MAGIO MX (manualshive 2030737 p91). The manuals print lower case; public clients write upper case
to real baths, so either is understood. ``out`` commands get no answer and are obeyed in remote mode
only; what was wrong with the last command stands in the next status. No external sensor is plugged in: that
``in_pv_02`` then shows dashes is our choice. Without mains there is silence.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from cultureops_simulators.device import Device
from cultureops_simulators.instrument import Options, SimulatorError
from cultureops_simulators.julabo.model import BathModel, WaterBath

__all__ = ["Julabo", "JulaboDialect", "build"]

VERSION: Final = "JULABO SIMULATOR 1.00"
NO_SENSOR: Final = "---.--"
_SETPOINTS_C: Final = (5.0, 95.0)
_LONGEST_LINE: Final = 200
_NUMBER: Final = re.compile(r"[+-]?\d{1,3}(\.\d{1,2})?")

INVALID: Final = "-08 INVALID COMMAND"
NOT_ALLOWED: Final = "-09 COMMAND NOT ALLOWED IN CURRENT OPERATING MODE"
TOO_SMALL: Final = "-10 VALUE TOO SMALL"
TOO_LARGE: Final = "-11 VALUE TOO LARGE"


class JulaboDialect:
    """One line to the bath; on RS-485 lines without its address are meant for another one."""

    def __init__(
        self, prefix: str, queries: Mapping[str, Callable[[], str]], obey: Callable[[str], None], on: Callable[[], bool]
    ) -> None:
        self._prefix, self._queries, self._obey, self._on = prefix, queries, obey, on
        self._buffer = b""

    def receive(self, data: bytes) -> bytes:
        """Answer every whole line that is a question; a line that never ends is forgotten."""
        *lines, rest = (self._buffer + data).split(b"\r")
        self._buffer = rest if len(rest) <= _LONGEST_LINE else b""
        return b"".join(map(self._answer, lines)) if self._on() else b""

    def _answer(self, line: bytes) -> bytes:
        text = line.decode("ascii", errors="replace").strip("\n ")
        if not text or not text.startswith(self._prefix):
            return b""
        command = text.removeprefix(self._prefix).lower()
        query = self._queries.get(command)
        if query is None:
            self._obey(command)
            return b""
        return f"{self._prefix}{query()}\r\n".encode("ascii")


class Julabo(Device[BathModel]):
    """A heated bath."""

    def __init__(self, name: str, model: BathModel, prefix: str, remote: bool) -> None:
        super().__init__(name, model)
        self._prefix = prefix
        self._remote = remote
        self._complaint = ""
        self._queries: dict[str, Callable[[], str]] = {
            "version": lambda: VERSION,
            "status": self._status,
            "in_pv_00": lambda: self._shown("temperature"),
            "in_pv_01": lambda: f"{model.panel.values['heating_power']:03.0f}",
            "in_pv_02": lambda: NO_SENSOR,
            "in_pv_03": lambda: self._shown("safety_temperature"),
            "in_sp_00": lambda: self._shown("temperature_setpoint"),
            "in_mode_05": lambda: f"{model.bath.is_on:d}",
        }

    def _shown(self, channel: str) -> str:
        return f"{self._model.panel.values[channel]:.2f}"

    def _status(self) -> str:
        complaint, self._complaint = self._complaint, ""
        number = 2 * self._remote + self.bath.is_on
        return complaint or ("00 MANUAL STOP", "01 MANUAL START", "02 REMOTE STOP", "03 REMOTE START")[number]

    def _obey(self, command: str) -> None:
        word, _, value = command.partition(" ")
        if word not in ("out_sp_00", "out_mode_05"):
            self._complaint = INVALID
        elif not self._remote:
            self._complaint = NOT_ALLOWED
        elif word == "out_mode_05":
            self._switch(value)
        else:
            self._set(value)

    def _switch(self, value: str) -> None:
        if value in ("0", "1"):
            self.bath.is_on = value == "1"
        else:
            self._complaint = INVALID

    def _set(self, value: str) -> None:
        if not _NUMBER.fullmatch(value):
            self._complaint = INVALID
        elif float(value) < _SETPOINTS_C[0]:
            self._complaint = TOO_SMALL
        elif float(value) > _SETPOINTS_C[1]:
            self._complaint = TOO_LARGE
        else:
            self.bath.setpoint_c = float(value)

    @property
    def bath(self) -> WaterBath:
        """The bath."""
        return self._model.bath

    def dialect(self) -> JulaboDialect:
        """Return the wire language for one new connection."""
        return JulaboDialect(self._prefix, self._queries, self._obey, lambda: self.bath.power_ok)

    def upset(self, condition: str, present: bool) -> None:
        """Fail or restore the ``mains``."""
        if condition != "mains":
            raise SimulatorError(f"{self.name}: a bath can only lose its mains, not {condition!r}")
        self.bath.power_ok = not present

    def truth(self) -> dict[str, object]:
        """Return the true state, for tests only."""
        bath = self.bath
        return {
            **super().truth(),
            "temperature_c": bath.temperature_c,
            "heating": bath.heating,
            "is_on": bath.is_on,
        }


def build(name: str, options: Options, rng: np.random.Generator) -> Julabo:
    """Build it; options ``address`` (three digits: RS-485), ``remote`` (yes or no). Raises SimulatorError."""
    address = str(options.get("address", ""))
    if address and not re.fullmatch(r"[0-9]{3}", address):
        raise SimulatorError(f"{name}: address must be three digits such as 032, got {address!r}")
    remote = str(options.get("remote", "no"))
    if remote not in ("yes", "no"):
        raise SimulatorError(f"{name}: remote must be yes or no, got {remote!r}")
    return Julabo(name, BathModel(rng), f"A{address}_" if address else "", remote == "yes")
