"""A Pioreactor's jobs at a broker: topics ``pioreactor/<unit>/<experiment>/<job>/<setting>``, JSON, retained.

Source: Pioreactor, core/pioreactor/background_jobs/leader/mqtt_to_db_streaming.py and structs.py @140d443 (topics and
fields), background_jobs/base.py (every setting retained; ``$state`` init, then ready; last will lost, retained, one
connection a job), bioreactor.py (the volume, a bare number). The real one publishes with quality of service 2. How
often each setting is said is this project's own choice, near to how the real one comes.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import numpy as np

from cultureops_simulators.faults import Panel
from cultureops_simulators.instrument import Dialect, Options, PublishingJob, SimulatorError
from cultureops_simulators.labtime import start_option
from cultureops_simulators.pioreactor.model import VialModel

__all__ = ["Pioreactor", "build"]

Tell = Callable[[str, str, bytes], None]

EVERY_S: Final = {
    "od_reading": 5.0,
    "growth_rate_calculating": 5.0,
    "temperature_automation": 10.0,
    "stirring": 23.0,
}
DOSING: Final = "dosing_automation"


class Pioreactor:
    """One unit in one experiment."""

    wires: frozenset[str] = frozenset({"mqtt"})

    def __init__(self, name: str, model: VialModel, here: str, start: datetime) -> None:
        self.name = name
        self._model = model
        self._here = here
        self._start = start
        self._elapsed_s = 0.0
        self._tell: Tell | None = None
        self._due_s = dict.fromkeys(EVERY_S, 0.0)
        self._volume_ml: float | None = None

    @property
    def jobs(self) -> tuple[PublishingJob, ...]:
        """The jobs, each with a connection of its own."""
        return tuple(
            PublishingJob(job, f"{job}-sub-{self.name}", f"{self._here}/{job}/$state") for job in (*EVERY_S, DOSING)
        )

    @property
    def panel(self) -> Panel:
        """What it shows."""
        return self._model.panel

    def listen(self, tell: Tell) -> None:
        """Hand over, from now on, what is published: job, topic, payload."""
        self._tell = tell

    def step(self, dt_s: float) -> None:
        """Let ``dt_s`` seconds pass and publish what is due, each once."""
        self._elapsed_s += dt_s
        self._model.step(dt_s)
        if self._tell is None:
            return
        for job, due_s in self._due_s.items():
            if self._elapsed_s >= due_s:
                self._due_s[job] = self._elapsed_s + EVERY_S[job]
                for setting, payload in self._payloads(job).items():
                    self._tell(job, f"{self._here}/{job}/{setting}", json.dumps(payload).encode())
        if self._volume_ml != self.panel.values["volume"]:
            self._volume_ml = self.panel.values["volume"]
            self._tell(DOSING, f"{self._here}/bioreactor/current_volume_ml", f"{self._volume_ml:g}".encode())

    def _payloads(self, job: str) -> dict[str, dict[str, object]]:
        shown = self.panel.values
        at = (self._start + timedelta(seconds=self._elapsed_s)).isoformat().replace("+00:00", "Z")
        match job:
            case "od_reading":
                od = shown["optical_density"]
                reading = {"calibrated": 0, "timestamp": at, "angle": "90", "od": od, "channel": "1"}
                return {"od1": {**reading, "ir_led_intensity": 80.0}}
            case "growth_rate_calculating":
                return {"growth_rate": {"growth_rate": shown["growth_rate"], "timestamp": at}}
            case "temperature_automation":
                return {"temperature": {"timestamp": at, "temperature": shown["temperature"]}}
            case _:
                return {"measured_rpm": {"measured_rpm": shown["agitation"], "timestamp": at}}

    def dialect(self) -> Dialect:
        """Refuse: nobody connects to it."""
        raise SimulatorError(f"{self.name}: a Pioreactor is not asked; listen at its broker")

    def upset(self, condition: str, present: bool) -> None:
        """Refuse: it has no supplies."""
        raise SimulatorError(f"{self.name}: a Pioreactor has no {condition!r}")

    def truth(self) -> dict[str, object]:
        """Return the true state, for tests only."""
        model = self._model
        return {
            "temperature_c": model.temperature_c,
            "optical_density": model.optical_density,
            "volume_ml": model.volume_ml,
            "shown": dict(self.panel.values),
        }


def build(name: str, options: Options, rng: np.random.Generator) -> Pioreactor:
    """Build it; options ``unit`` (its own name where not given), ``experiment``, ``start``. Raises SimulatorError."""
    unit, experiment = str(options.get("unit", name)), str(options.get("experiment", "training"))
    for part in (unit, experiment):
        if not part or set(part) & set("+#/"):
            raise SimulatorError(f"{name}: options unit and experiment must be names without + # and /, not {part!r}")
    start = start_option(name, {**options, "time_zone": "UTC"})
    return Pioreactor(name, VialModel(rng), f"pioreactor/{unit}/{experiment}", start)
