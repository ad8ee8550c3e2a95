"""An analyser that sends each count as an ASTM E1394 message to whoever is connected. Its record layout is our own.

No cell counter's host specification is public: the layout follows the standard's general fields (specimen id O.3, test
R.3.4, value R.4, unit R.5, status R.9, time R.13) and is what the driver's example mapping describes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final
from weakref import WeakSet

import numpy as np

from cultureops_simulators.astm_counter.model import Count, count
from cultureops_simulators.astm_counter.sender import Outbox, Sender
from cultureops_simulators.culture import Suspension
from cultureops_simulators.faults import Panel
from cultureops_simulators.instrument import Options, SimulatorError
from cultureops_simulators.labtime import start_option

__all__ = ["AstmAnalyser", "build", "message"]

_SAMPLE_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,79}")
_STANDARD_SAMPLE: Final = Suspension(total_cells_per_ml=1.2e6, viable_cells_per_ml=1.14e6, volume_ml=5.0)
_STANDARD_ID: Final = "STANDARD-{number:03d}"


def message(sample_id: str, at: datetime, result: Count) -> Sequence[bytes]:
    """Return the records of one analysis, without their CR."""
    stamp = f"{at:%Y%m%d%H%M%S}"
    rows = (
        ("VIABILITY", f"{result.viability_pct:.2f}", "%"),
        ("VIABLE", f"{result.viable_per_ml}", "cells/mL"),
        ("TOTAL", f"{result.total_per_ml}", "cells/mL"),
        ("DIAMETER", f"{result.diameter_um:.1f}", "um"),
    )
    results = [
        f"R|{number}|^^^{test}|{value}|{unit}||||F||||{stamp}" for number, (test, value, unit) in enumerate(rows, 1)
    ]
    text = [f"H|\\^&|||SIMULATED-COUNTER^1|||||||P|1|{stamp}", "P|1", f"O|1|{sample_id}", *results, "L|1|N"]
    return [record.encode("ascii") for record in text]


class AstmAnalyser:
    """A cell counter that calls nobody, but speaks first to who connects."""

    wires: frozenset[str] = frozenset({"tcp", "pty"})

    def __init__(self, name: str, start: datetime, every_min: float, rng: np.random.Generator) -> None:
        self.name = name
        self.panel = Panel()
        self._start = start
        self._elapsed_s = 0.0
        self._every_s = every_min * 60.0
        self._next_s = 0.0
        self._rng = rng
        self._outbox = Outbox()
        self._senders: WeakSet[Sender] = WeakSet()
        self._analyses = 0

    def step(self, dt_s: float) -> None:
        """Let ``dt_s`` seconds pass; what is due is said to whoever is connected."""
        self._elapsed_s += dt_s
        while self._every_s and self._next_s <= self._elapsed_s:
            self._next_s += self._every_s
            self._send(_STANDARD_ID.format(number=self._analyses + 1), _STANDARD_SAMPLE)
        for sender in tuple(self._senders):
            sender.speak(dt_s)

    def analyse(self, sample_id: str, suspension: Suspension) -> Path:
        """Count a sample and send the result; returns its message's number, since there is no file."""
        if not _SAMPLE_ID.fullmatch(sample_id):
            raise SimulatorError(f"sample_id {sample_id!r}: expected up to 80 letters, digits, '_', '.', '-'")
        self._send(sample_id, suspension)
        for sender in tuple(self._senders):
            sender.speak(0.0)
        return Path(f"message-{self._analyses}")

    def _send(self, sample_id: str, suspension: Suspension) -> None:
        result = count(suspension, self._rng)
        if result is None:
            raise SimulatorError(f"sample {sample_id}: not one cell was seen; the suspension is too thin to count")
        self._outbox.append(message(sample_id, self._start + timedelta(seconds=self._elapsed_s), result))
        self._analyses += 1

    def dialect(self) -> Sender:
        """Return the sender of one new connection; the newest takes what waits."""
        self._senders.clear()
        sender = Sender(self._outbox)
        self._senders.add(sender)
        return sender

    def upset(self, condition: str, present: bool) -> None:
        """Refuse: nothing stands behind a counter."""
        raise SimulatorError(f"{self.name}: a counter has no supply that could fail, got {condition!r}")

    def truth(self) -> dict[str, object]:
        """Return the true state, for tests only."""
        return {"analyses": self._analyses, "unsent": len(self._outbox)}


def build(name: str, options: Options, rng: np.random.Generator) -> AstmAnalyser:
    """Build it; options ``start``, ``time_zone``, ``every_min`` (counts a standard so often; 0 never)."""
    text = str(options.get("every_min", 0))
    try:
        every_min = float(text)
    except ValueError:
        every_min = -1.0
    if not 0.0 <= every_min <= 1e6:
        raise SimulatorError(f"{name}: every_min must be minutes from 0 (never) to 1000000, got {text!r}")
    return AstmAnalyser(name, start_option(name, options), every_min, rng)
