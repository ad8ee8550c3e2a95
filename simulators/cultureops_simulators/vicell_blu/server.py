"""A Beckman Coulter Vi-CELL BLU as labs without its network interface use it: a CSV export in a folder per analysis.

Column names, their order and the date form M/D/YYYY H:MM are those of the analyser's exports that the allotropy
project publishes. The file appears in one piece: it is written beside and renamed.
"""

from __future__ import annotations

import csv
import io
import os
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import numpy as np

from cultureops_simulators.culture import Suspension
from cultureops_simulators.faults import Panel
from cultureops_simulators.instrument import Dialect, Options, SimulatorError
from cultureops_simulators.labtime import start_option
from cultureops_simulators.vicell_blu.model import IMAGES, Count, count

__all__ = ["COLUMNS", "ViCellBlu", "build"]

COLUMNS: Final = (
    "Sample ID",
    "Cell count",
    "Viable cells",
    "Total (x10^6) cells/mL",
    "Viable (x10^6) cells/mL",
    "Viability (%)",
    "Average diameter (\u03bcm)",
    "Average viable diameter (\u03bcm)",
    "Average circularity",
    "Average viable circularity",
    "Average cells per image",
    "Average background intensity",
    "Bubble count",
    "Cluster count",
    "Images for analysis",
    "Cell type",
    "Minimum Diameter (\u03bcm)",
    "Maximum Diameter (\u03bcm)",
    "Images",
    "Cell sharpness",
    "Minimum circularity",
    "Decluster degree",
    "Aspiration cycles",
    "Viable spot brightness (%)",
    "Viable spot area (%)",
    "Mixing cycles",
    "Analysis date/time",
    "Reanalysis date/time",
    "Analysis by",
    "Reanalysis by",
    "Dilution",
    "Wash",
    "Tag",
)
_SAMPLE_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,79}")


def row(sample_id: str, at: datetime, result: Count) -> tuple[str, ...]:
    """Return the export's row for one analysis."""
    if result.cells == 0:
        raise SimulatorError(f"sample {sample_id}: no cell in {IMAGES} images; the suspension is too thin to count")
    viability = 100.0 * result.viable_cells / result.cells
    return (
        *(sample_id, f"{result.cells}", f"{result.viable_cells}"),
        *(
            f"{result.total_per_ml / 1e6:.2f}",
            f"{result.viable_per_ml / 1e6:.2f}",
            f"{viability:.2f}",
        ),
        *(f"{result.diameter_um:.2f}", f"{result.viable_diameter_um:.2f}"),
        *(f"{result.circularity:.2f}", f"{result.circularity:.2f}"),
        *(f"{result.cells // IMAGES}", f"{result.background}", "0", "0", f"{IMAGES}"),
        *(
            "Mammalian",
            "6",
            "30",
            f"{IMAGES}",
            "7",
            "0.1",
            "Medium",
            "3",
            "50",
            "5",
            "3",
        ),
        *(
            f"{at.month}/{at.day}/{at.year} {at.hour}:{at.minute:02d}",
            "",
            "Vi-CELL",
            "",
            "1",
            "Normal Wash",
            "",
        ),
    )


class ViCellBlu:
    """A cell counter that exports files."""

    wires: frozenset[str] = frozenset()

    def __init__(self, name: str, folder: Path, start: datetime, rng: np.random.Generator) -> None:
        self.name = name
        self.panel = Panel()
        self._folder = folder
        self._start = start
        self._elapsed_s = 0.0
        self._rng = rng
        self._files_written = 0

    def step(self, dt_s: float) -> None:
        """Let ``dt_s`` seconds pass."""
        self._elapsed_s += dt_s

    def analyse(self, sample_id: str, suspension: Suspension) -> Path:
        """Count a sample and export it; raises SimulatorError for a sample id that cannot name a file."""
        if not _SAMPLE_ID.fullmatch(sample_id):
            raise SimulatorError(f"sample_id {sample_id!r}: expected up to 80 letters, digits, '_', '.', '-'")
        at = self._start + timedelta(seconds=self._elapsed_s)
        values = row(sample_id, at, count(suspension, self._rng))
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator="\r\n").writerows((COLUMNS, values))
        self._files_written += 1
        target = self._folder / f"{sample_id}_{at:%Y%m%d_%H%M%S}_{self._files_written:03d}.csv"
        beside = target.with_name(f".{target.name}.part")
        try:
            beside.write_text(text.getvalue(), encoding="utf-8", newline="")
            os.replace(beside, target)
        except OSError as error:
            raise SimulatorError(f"{self.name}: cannot write {target}: {error.strerror}") from error
        return target

    def dialect(self) -> Dialect:
        """Refuse: it has no wire."""
        raise SimulatorError(f"{self.name}: a vicell_blu has no wire, it writes files")

    def upset(self, condition: str, present: bool) -> None:
        """Refuse: nothing stands behind a counter."""
        raise SimulatorError(f"{self.name}: a counter has no supply that could fail, got {condition!r}")

    def truth(self) -> dict[str, object]:
        """Return the true state, for tests only."""
        return {"files_written": self._files_written}


def build(name: str, options: Options, rng: np.random.Generator) -> ViCellBlu:
    """Build it; options ``folder`` (made if absent), ``start``, ``time_zone``. Raises SimulatorError."""
    folder = options.get("folder")
    if not isinstance(folder, str) or not folder:
        raise SimulatorError(f"{name}: option folder is missing; give the folder for its exports")
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SimulatorError(f"{name}: folder {folder}: {error.strerror}") from error
    return ViCellBlu(name, Path(folder), start_option(name, options), rng)
