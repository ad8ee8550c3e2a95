"""An Incucyte whose metric is exported as text after each scan, in the regional settings of its PC.

Head and table as in danboehmler/IncucyteDRC, inst/extdata/example_data.txt. The file appears in one piece.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import numpy as np

from cultureops_simulators.faults import Panel
from cultureops_simulators.incucyte.model import WELLS, Plate
from cultureops_simulators.instrument import Dialect, Options, SimulatorError
from cultureops_simulators.labtime import start_option

__all__ = ["LOCALES", "Incucyte", "build"]

LOCALES: Final[dict[str, tuple[Callable[[datetime], str], str]]] = {
    "uk": (lambda at: f"{at:%d/%m/%Y %H:%M:%S}", "."),
    "de": (lambda at: f"{at:%d.%m.%Y %H:%M:%S}", ","),
    "us": (lambda at: f"{at.month}/{at.day}/{at.year} {at.hour % 12 or 12}:{at:%M:%S} {at:%p}", "."),
}
"""How a PC writes a time, and its decimal mark."""
_HEAD: Final = (
    "Label: Simulated plate",
    "Metric: Phase Object Confluence (Percent)",
    "Cell Type: MSC",
    "Passage: 1",
    "Notes: simulated",
    "Analysis Job: 1",
    "",
    "\t".join(("Date Time", "Elapsed", *WELLS)),
)


class Incucyte:
    """An imager that scans one plate."""

    wires: frozenset[str] = frozenset()

    def __init__(
        self, name: str, folder: Path, start: datetime, every_h: float, locale: str, rng: np.random.Generator
    ) -> None:
        self.name = name
        self.panel = Panel()
        self._target = folder / "confluence.txt"
        self._start = start
        self._every_s = every_h * 3600.0
        self._stamp, self._mark = LOCALES[locale]
        self._plate = Plate(rng)
        self._elapsed_s = 0.0
        self._rows: list[str] = []
        self._scan()

    def step(self, dt_s: float) -> None:
        """Let ``dt_s`` seconds pass; every scan that falls due is written."""
        end_s = self._elapsed_s + dt_s
        while (due_s := len(self._rows) * self._every_s) <= end_s:
            self._plate.step((due_s - self._elapsed_s) / 3600.0)
            self._elapsed_s = due_s
            self._scan()
        self._plate.step((end_s - self._elapsed_s) / 3600.0)
        self._elapsed_s = end_s

    def _scan(self) -> None:
        values = self.panel.show(self._plate.scan(), self._every_s if self._rows else 0.0)
        numbers = (self._elapsed_s / 3600.0, *(values[well] for well in WELLS))
        cells = (f"{number:.4f}".rstrip("0").rstrip(".").replace(".", self._mark) for number in numbers)
        self._rows.append("\t".join((self._stamp(self._start + timedelta(seconds=self._elapsed_s)), *cells)))
        beside = self._target.with_name(f".{self._target.name}.part")
        try:
            beside.write_text("\r\n".join((*_HEAD, *self._rows, "")), encoding="utf-8", newline="")
            os.replace(beside, self._target)
        except OSError as error:
            raise SimulatorError(f"{self.name}: cannot write {self._target}: {error.strerror}") from error

    def dialect(self) -> Dialect:
        """Refuse: it has no wire."""
        raise SimulatorError(f"{self.name}: an incucyte has no wire, it writes files")

    def upset(self, condition: str, present: bool) -> None:
        """Refuse: nothing stands behind an imager."""
        raise SimulatorError(f"{self.name}: an imager has no supply that could fail, got {condition!r}")

    def truth(self) -> dict[str, object]:
        """Return the true state, for tests only."""
        return {"covered_pct": self._plate.covered_pct, "scans": len(self._rows)}


def build(name: str, options: Options, rng: np.random.Generator) -> Incucyte:
    """Build it; options ``folder`` (made if absent), ``every_h``, ``locale``, ``start``, ``time_zone``."""
    folder, locale = options.get("folder"), str(options.get("locale", "uk"))
    if not isinstance(folder, str) or not folder:
        raise SimulatorError(f"{name}: option folder is missing; give the folder for its exports")
    if locale not in LOCALES:
        raise SimulatorError(f"{name}: locale must be one of {', '.join(LOCALES)}, got {locale!r}")
    try:
        every_h = float(str(options.get("every_h", 6)))
    except ValueError:
        every_h = 0.0
    if not 0.1 <= every_h <= 1000.0:
        raise SimulatorError(f"{name}: every_h must be hours from 0.1 to 1000, got {options.get('every_h')!r}")
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SimulatorError(f"{name}: folder {folder}: {error.strerror}") from error
    return Incucyte(name, Path(folder), start_option(name, options), every_h, locale, rng)
