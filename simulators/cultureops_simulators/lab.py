"""A simulated lab: instruments and cultures that are stepped together, and the acts of the person working in it."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from cultureops_simulators import culture as biology
from cultureops_simulators.arguments import Arguments
from cultureops_simulators.bench import Bench
from cultureops_simulators.chamber import Chamber
from cultureops_simulators.culture import MEDIA, Culture, Donor
from cultureops_simulators.instrument import (
    FeelsCells,
    HoldsCultures,
    HoldsNitrogen,
    Simulator,
    SimulatorError,
)
from cultureops_simulators.tank import Tank

__all__ = ["Lab", "child_rng"]

EYE_SIGMA_PCT: Final = 2.5
MOST_OPEN_S: Final = 86_400.0


def child_rng(seed: int, *path: str) -> np.random.Generator:
    """Return a generator that depends on the seed and these names only, not on what else is drawn."""
    keys = tuple(zlib.crc32(part.encode()) for part in path)
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=keys))


class Lab:
    """All instruments in stepping order, and the cultures in their chambers."""

    def __init__(self, seed: int, devices: Mapping[str, Simulator]) -> None:
        self.devices = dict(devices)
        self.elapsed_s = 0.0
        self._seed = seed
        self._hands = child_rng(seed, "hands")
        self._chambers = {name: sim.chamber for name, sim in devices.items() if isinstance(sim, HoldsCultures)}
        self._liquids = {name: air for name, air in self._chambers.items() if isinstance(air, FeelsCells)}
        self._cultures: dict[str, Culture] = {}
        self._places: dict[str, str] = {}
        self._bench = Bench(self.devices, self._hands, lambda act, name: child_rng(seed, act, name))
        self._acts: dict[str, Callable[[Arguments], dict[str, object]]] = {
            "seed": self._seed_culture,
            "move": self._move,
            "feed": self._feed,
            "look": self._look,
            "harvest": self._harvest,
            "discard": self._discard,
            "door": self._open_door,
            "lid": self._open_lid,
            "fill": self._fill,
            **self._bench.acts,
        }

    def step(self, dt_s: float) -> None:
        """Let ``dt_s`` seconds pass for every instrument, then for every culture in the air it stands in."""
        for device in self.devices.values():
            device.step(dt_s)
        for name, culture in self._cultures.items():
            air = self._chambers[self._places[name]]
            self._cultures[name] = biology.grow(culture, air.temperature_c, air.co2_pct, dt_s / 3600.0)
        for name, liquid in self._liquids.items():
            liquid.hold(sum(self._cultures[culture].cells for culture, place in self._places.items() if place == name))
        self.elapsed_s += dt_s

    def act(self, act: str, arguments: Arguments) -> dict[str, object]:
        """Do what a person does and return what that person sees; raises SimulatorError."""
        carry_out = self._acts.get(act)
        if carry_out is None:
            raise SimulatorError(f"act {act!r}: expected one of {', '.join(self._acts)}")
        return carry_out(arguments)

    def device(self, name: str) -> Simulator:
        """Return an instrument; raises SimulatorError naming those there are."""
        if name not in self.devices:
            raise SimulatorError(f"device {name!r} is not in the fleet ({', '.join(self.devices)})")
        return self.devices[name]

    def truth(self) -> dict[str, object]:
        """Return the true state, for tests only."""
        cultures = {
            name: {
                "chamber": self._places[name],
                "passage": culture.passage,
                "age_h": culture.age_h,
                "confluence_pct": culture.confluence_pct,
                "cells": culture.cells,
                "viability_pct": culture.viability_pct,
                "stress_h": culture.stress_h,
            }
            for name, culture in self._cultures.items()
        }
        return {
            "devices": {name: device.truth() for name, device in self.devices.items()},
            "cultures": cultures,
            **self._bench.truth(),
        }

    def _culture_name(self, arguments: Arguments) -> str:
        name = arguments.text("culture")
        if name not in self._cultures:
            raise SimulatorError(f"{arguments.where}: culture {name!r} is not growing; seed it first")
        return name

    def _chamber_name(self, arguments: Arguments) -> str:
        name = arguments.text("chamber")
        if name not in self._chambers:
            expected = ", ".join(self._chambers) or "none in this fleet"
            raise SimulatorError(f"{arguments.where}: chamber {name!r} is no incubator or bioreactor ({expected})")
        return name

    def _tank(self, arguments: Arguments) -> Tank:
        name = arguments.text("device")
        device = self.device(name)
        if not isinstance(device, HoldsNitrogen):
            raise SimulatorError(f"{arguments.where}: device {name!r} is no cryostore")
        return device.tank

    def _donor(self, culture: str) -> Donor:
        return biology.draw_donor(child_rng(self._seed, "donor", culture.rpartition("-P")[0] or culture))

    def _seed_culture(self, arguments: Arguments) -> dict[str, object]:
        arguments.only("culture", "chamber", "cells", "n_vessels", "area_cm2", "passage", "medium")
        name = arguments.text("culture")
        if name in self._cultures or name in self._bench:
            raise SimulatorError(f"{arguments.where}: culture {name!r} exists already; discard it first")
        medium = arguments.text("medium") if "medium" in arguments.fields else MEDIA[0]
        if medium not in MEDIA:
            raise SimulatorError(f"{arguments.where}: medium must be one of {', '.join(MEDIA)}, got {medium!r}")
        chamber = self._chamber_name(arguments)
        culture = biology.seed(
            self._donor(name),
            arguments.whole("passage", 0, 50),
            arguments.number("cells", above=1.0, most=1e12),
            arguments.whole("n_vessels", 1, 10_000),
            arguments.number("area_cm2", above=0.01, most=1e6),
            medium,
        )
        if culture.cells_per_cm2 >= biology.CONFLUENT_CELLS_PER_CM2:
            raise SimulatorError(f"{arguments.where}: {culture.cells_per_cm2:.0f} adherent cells/cm2 do not find room")
        self._cultures[name], self._places[name] = culture, chamber
        return {}

    def _move(self, arguments: Arguments) -> dict[str, object]:
        arguments.only("culture", "chamber")
        self._places[self._culture_name(arguments)] = self._chamber_name(arguments)
        return {}

    def _feed(self, arguments: Arguments) -> dict[str, object]:
        arguments.only("culture")
        name = self._culture_name(arguments)
        self._cultures[name] = biology.feed(self._cultures[name])
        return {}

    def _look(self, arguments: Arguments) -> dict[str, object]:
        arguments.only("culture")
        culture = self._cultures[self._culture_name(arguments)]
        seen = culture.confluence_pct + EYE_SIGMA_PCT * float(self._hands.standard_normal())
        return {"confluence_pct": min(100, max(0, round(seen)))}

    def _harvest(self, arguments: Arguments) -> dict[str, object]:
        arguments.only("culture", "volume_ml")
        name, volume_ml = self._culture_name(arguments), arguments.number("volume_ml", above=1e-3, most=1e6)
        self._bench.harvest(name, self._cultures[name], volume_ml)
        del self._cultures[name], self._places[name]
        return {}

    def _discard(self, arguments: Arguments) -> dict[str, object]:
        arguments.only("culture")
        name = arguments.text("culture")
        if name not in self._cultures and name not in self._bench:
            raise SimulatorError(f"{arguments.where}: culture {name!r} is not there")
        self._cultures.pop(name, None)
        self._places.pop(name, None)
        self._bench.discard(name)
        return {}

    def _open_door(self, arguments: Arguments) -> dict[str, object]:
        arguments.only("chamber", "open_s")
        name = self._chamber_name(arguments)
        chamber = self._chambers[name]
        if not isinstance(chamber, Chamber):
            raise SimulatorError(f"{arguments.where}: chamber {name!r} has no door")
        chamber.open_door(arguments.number("open_s", most=MOST_OPEN_S))
        return {}

    def _open_lid(self, arguments: Arguments) -> dict[str, object]:
        arguments.only("device", "open_s")
        self._tank(arguments).open_lid(arguments.number("open_s", most=MOST_OPEN_S))
        return {}

    def _fill(self, arguments: Arguments) -> dict[str, object]:
        arguments.only("device")
        self._tank(arguments).start_fill()
        return {}
