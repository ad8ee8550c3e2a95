"""A Thermo Heracell on RS-232: ASCII frames with an XOR check sum.

Frame, check sum, error replies and addresses 0001-0012, 2140, 2300, 2301, 2400-2402: Thermo manuals manualshive 1104556
p170-171 (VIOS 160i/250i), 1104555 p127 (150i), easymanua heracell-240i p176-177. Temperature (2010) and CO2 (2020) are
second-hand: their payload comes from a third party's public client and the Fisher Isotemp analogue. The basic table
(2000, 2030, 2040) and setpoint writes are not public, so they do not exist here. Option ``check``: a VIOS CR's manual
(manualshive 1104558 p182-186) also names a CRC-8 with polynomial 0x07; its start value, 0 here, is an assumption.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final

import numpy as np

from cultureops_simulators.incubator import Incubator
from cultureops_simulators.instrument import Options, SimulatorError
from cultureops_simulators.labtime import start_option
from cultureops_simulators.thermo_heracell.log import LAST, Logbook, Pages
from cultureops_simulators.thermo_heracell.model import HeracellModel

__all__ = ["Heracell", "HeracellDialect", "build", "frame"]

BOARD_VERSION: Final = "SIM 1.00"
BAD_FRAME, UNKNOWN_ADDRESS = "?0", "?1"
_LONGEST_LINE: Final = 600
_FRAME: Final = re.compile(rb"([?!]):([0-9a-f]{4}):([0-9a-f]{2}):([^:\r]*(?::[^:\r]*)*):([0-9a-f]{2})")


def checksum(body: bytes) -> int:
    """Return the one's complement of the XOR of all bytes up to the check sum, its leading ``:`` included."""
    value = 0
    for byte in body:
        value ^= byte
    return value ^ 0xFF


def cyclic(body: bytes) -> int:
    """Return the CRC-8 of the same bytes, polynomial x^8 + x^2 + x + 1."""
    value = 0
    for byte in body:
        value ^= byte
        for _ in range(8):
            value = value * 2 % 256 ^ (7 if value > 127 else 0)
    return value


CHECKS: Final = {"xor": checksum, "crc8": cyclic}


def frame(mark: str, address: str, payload: str, check: Callable[[bytes], int] = checksum) -> bytes:
    """Return ``<mark>:aaaa:bb:payload:cc<CR>``; ``mark`` is ``?`` or ``!``."""
    body = f"{mark}:{address}:{len(payload):02x}:{payload}:".encode("ascii")
    return body + f"{check(body):02x}\r".encode("ascii")


class HeracellDialect:
    """One serial line: frames in, frames out; every broken line is answered by ``?0``."""

    def __init__(self, table: Mapping[str, Callable[[], str]], check: Callable[[bytes], int] = checksum) -> None:
        self._table = table
        self._check = check
        self._buffer = b""

    def receive(self, data: bytes) -> bytes:
        """Answer every whole line; a line that never ends is forgotten."""
        *lines, rest = (self._buffer + data).split(b"\r")
        self._buffer = rest if len(rest) <= _LONGEST_LINE else b""
        return b"".join(self._answer(line.lstrip(b"\n")) for line in lines if line.strip(b"\n"))

    def _answer(self, line: bytes) -> bytes:
        match = _FRAME.fullmatch(line)
        if match is None:
            return frame("!", "0000", BAD_FRAME, self._check)
        address = match[2].decode("ascii")
        if int(match[3], 16) != len(match[4]) or int(match[5], 16) != self._check(line[:-2]):
            return frame("!", address, BAD_FRAME, self._check)
        read = self._table.get(address) if match[1] == b"?" else None
        return frame("!", address, UNKNOWN_ADDRESS if read is None else read(), self._check)


class Heracell(Incubator[HeracellModel]):
    """A Heracell incubator, read-only."""

    def __init__(self, name: str, model: HeracellModel, start: datetime, check: str = "xor") -> None:
        super().__init__(name, model)
        self._check = CHECKS[check]
        self._start = start
        self._elapsed_s = 0.0
        self._table: dict[str, Callable[[], str]] = {
            "0001": lambda: BOARD_VERSION,
            "0010": lambda: f"{self._now():%d.%m.%y;%H:%M:%S}",
            "0011": lambda: f"{self._now():%d.%m.%y}",
            "0012": lambda: f"{self._now():%H:%M:%S}",
            "2010": lambda: self._loop("temperature"),
            "2020": lambda: self._loop("co2"),
            "2140": lambda: f"{model.gas_guard:02x}",
            "2300": lambda: self.logbook.error_list(0),
            "2301": lambda: self.logbook.error_list(1),
        }
        self.logbook = Logbook(model.chamber)
        self.logbook.start(self._now(), model.panel.values)

    def _now(self) -> datetime:
        return self._start + timedelta(seconds=self._elapsed_s)

    def _loop(self, channel: str) -> str:
        shown = self._model.panel.values
        actual = shown[channel]
        return ";".join(f"{value:+07.2f}" for value in (shown[f"{channel}_setpoint"], actual, actual, actual))

    def step(self, dt_s: float) -> None:
        """Let ``dt_s`` seconds pass."""
        self.logbook.notice(self._now(), self.panel.values)
        self._elapsed_s += dt_s
        super().step(dt_s)
        self.logbook.step(dt_s, self._now(), self.panel.values)

    def dialect(self) -> HeracellDialect:
        """Return the wire language for one new connection, which has its own place in the log."""
        pages = Pages(self.logbook, lambda: self.logbook.record(LAST, self._now(), self.panel.values))
        log = {"2400": pages.first, "2401": pages.next, "2402": pages.again}
        return HeracellDialect({**self._table, **log}, self._check)


def build(name: str, options: Options, rng: np.random.Generator) -> Heracell:
    """Build it; options ``start``: its clock at the first moment, ISO 8601; ``check``: xor or crc8.

    Raises SimulatorError.
    """
    check = str(options.get("check", "xor"))
    if check not in CHECKS:
        raise SimulatorError(f"{name}: check must be one of {', '.join(CHECKS)}, got {check!r}")
    return Heracell(name, HeracellModel(rng), start_option(name, options), check)
