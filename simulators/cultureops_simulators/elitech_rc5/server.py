"""An Elitech RC-5+ logger and the report that its program makes when it is read out.

Cells as in a genuine report (firmware V4.8, October 2023): names in column A and D, values in B and E, then the table
``No. / Time / Temperature°C``. The genuine program writes BIFF8 (XLS); this one writes the same cells as XLSX.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import numpy as np

from cultureops_simulators.elitech_rc5.model import PACKED_C, Shipper
from cultureops_simulators.elitech_rc5.workbook import Cell, workbook
from cultureops_simulators.faults import Panel
from cultureops_simulators.instrument import Dialect, Options, SimulatorError
from cultureops_simulators.labtime import start_option

__all__ = ["ElitechRc5", "build", "report"]

SERIAL_NUMBER: Final = "EFS000000001"
_MOST_READINGS: Final = 32_000


def report(serial_number: str, interval_s: int, readings: list[tuple[datetime, float]]) -> list[list[Cell]]:
    """Return the rows of one report; times are the logger's local time, whose offset the report names."""
    first, last = readings[0][0], readings[-1][0]
    offset = first.strftime("%z")
    values = [value for _, value in readings]
    minutes, seconds = divmod(interval_s, 60)
    rows: list[list[Cell]] = [
        ["Data Report"],
        [f"File created on:{last:%Y-%m-%d %H:%M:%S}"],
        [],
        ["Device Information"],
        ["Device Model", "RC-5+", "", "Sensor Type", "Temperature(Internal)"],
        ["Serial Number", serial_number, "", "Firmware Version", "SIMULATED"],
        ["Trip Description"],
        ["Trip Number", "0000001"],
        ["Trip Description", "Simulated."],
        ["Config. info"],
        ["Start Mode", "Press Button ", "", "Logging Interval", f"{minutes // 60}:{minutes % 60}:{seconds}"],
        ["Time Zone", f"UTC {offset[:3]}:{offset[3:]}", "", "Stop Mode", "Button + Software"],
        [],
        ["Summary"],
        ["Maximum", f"{max(values):.1f}°C", "", "First Reading", f"{first:%Y-%m-%d %H:%M:%S}"],
        ["Minimum", f"{min(values):.1f}°C", "", "Last Reading", f"{last:%Y-%m-%d %H:%M:%S}(Stop by button)"],
        ["Average", f"{sum(values) / len(values):.1f}°C", "", "Current Readings", f"{len(values)}"],
        [],
        ["No.", "Time", "Temperature°C"],
    ]
    rows += [[str(number), f"{at:%Y-%m-%d %H:%M:%S}", value] for number, (at, value) in enumerate(readings, 1)]
    return rows


class ElitechRc5:
    """A logger in a shipper; read out after each trip."""

    wires: frozenset[str] = frozenset()

    def __init__(
        self,
        name: str,
        folder: Path,
        start: datetime,
        every_s: int,
        report_h: float,
        packed_c: float,
        rng: np.random.Generator,
    ) -> None:
        self.name = name
        self._shipper = Shipper(rng, packed_c)
        self._folder = folder
        self._start = start
        self._every_s = every_s
        self._report_s = report_h * 3600.0
        self._elapsed_s = 0.0
        self._logged_s = 0.0
        self._reports = 0
        self._readings: list[tuple[datetime, float]] = []

    @property
    def panel(self) -> Panel:
        """What it shows."""
        return self._shipper.panel

    def step(self, dt_s: float) -> None:
        """Let ``dt_s`` seconds pass."""
        end_s = self._elapsed_s + dt_s
        while self._logged_s + self._every_s <= end_s:
            self._logged_s += self._every_s
            self._shipper.step(float(self._every_s))
            at = (self._start + timedelta(seconds=self._logged_s)).replace(tzinfo=self._start.tzinfo)
            self._readings.append((at, self.panel.values["temperature"]))
            if self._logged_s % self._report_s < self._every_s or len(self._readings) >= _MOST_READINGS:
                self.read_out()
        self._elapsed_s = end_s

    def begin(self) -> None:
        """Begin a new trip in a shipper that was packed anew."""
        self._readings = []
        self._shipper.pack()

    def read_out(self) -> Path:
        """Write the report of the readings so far and begin anew; raises SimulatorError without any."""
        if not self._readings:
            raise SimulatorError(f"{self.name}: nothing was logged yet; let time pass")
        self._reports += 1
        target = self._folder / f"{SERIAL_NUMBER}_{self._reports:03d}.xlsx"
        beside = target.with_name(f".{target.name}.part")
        try:
            beside.write_bytes(workbook("List", report(SERIAL_NUMBER, self._every_s, self._readings)))
            os.replace(beside, target)
        except OSError as error:
            raise SimulatorError(f"{self.name}: cannot write {target}: {error.strerror}") from error
        self._readings = []
        return target

    def dialect(self) -> Dialect:
        """Refuse: it has no wire."""
        raise SimulatorError(f"{self.name}: an elitech_rc5 has no wire, it writes files")

    def upset(self, condition: str, present: bool) -> None:
        """Refuse: a shipper has no supply."""
        raise SimulatorError(f"{self.name}: a shipper has no supply that could fail, got {condition!r}")

    def truth(self) -> dict[str, object]:
        """Return the true state, for tests only."""
        return {"air_c": self._shipper.air_c, "reports": self._reports, "logged": len(self._readings)}


def build(name: str, options: Options, rng: np.random.Generator) -> ElitechRc5:
    """Build it; options ``folder`` (made if absent), ``every_s``, ``report_h``, ``packed_c``, ``time_zone``."""
    folder = options.get("folder")
    if not isinstance(folder, str) or not folder:
        raise SimulatorError(f"{name}: option folder is missing; give the folder for its reports")
    try:
        every_s, report_h = int(str(options.get("every_s", 60))), float(str(options.get("report_h", 24)))
        packed_c = float(str(options.get("packed_c", PACKED_C)))
    except ValueError:
        every_s, report_h, packed_c = 0, 0.0, PACKED_C
    if not 10 <= every_s <= 86_400 or not 0.01 <= report_h <= 10_000.0:
        raise SimulatorError(f"{name}: every_s must be whole seconds 10..86400 and report_h hours 0.01..10000")
    if not -90.0 <= packed_c <= 40.0:
        raise SimulatorError(f"{name}: packed_c must be -90..40 (a box of dry ice holds -78), got {packed_c:g}")
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SimulatorError(f"{name}: folder {folder}: {error.strerror}") from error
    return ElitechRc5(name, Path(folder), start_option(name, options), every_s, report_h, packed_c, rng)
