"""The bench: what is done with harvested cells and vials, as acts of the person who works there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from cultureops_simulators import cryo
from cultureops_simulators import culture as biology
from cultureops_simulators.arguments import Arguments
from cultureops_simulators.cryo import Vials
from cultureops_simulators.culture import Culture, Suspension
from cultureops_simulators.distribution import draw
from cultureops_simulators.instrument import CountsCells, LogsTrips, Simulator, SimulatorError, SpinsDown

__all__ = ["Bench"]

ASPIRATES: Final = ("small_aspirate", "large_aspirate")
_MOST_ML: Final = 1e6


class Bench:
    """Suspensions and vials by the name of the culture they came from.

    ``hands`` draws what happens to the cells of one act on one culture: it gives the same for the same names only.
    """

    def __init__(
        self,
        devices: Mapping[str, Simulator],
        hands: np.random.Generator,
        rng_of: Callable[[str, str], np.random.Generator],
    ) -> None:
        self._devices = devices
        self._hands = hands
        self._rng_of = rng_of
        self._suspensions: dict[str, Suspension] = {}
        self._vials: dict[str, Vials] = {}
        self._washes: dict[str, int] = {}
        self.acts: Mapping[str, Callable[[Arguments], dict[str, object]]] = {
            "isolate": self._isolate,
            "resuspend": self._resuspend,
            "count": self._count,
            "freeze": self._freeze,
            "thaw": self._thaw,
            "wash": self._wash,
            "start_logger": self._start_logger,
            "read_logger": self._read_logger,
        }

    def __contains__(self, name: str) -> bool:
        return name in self._suspensions

    def truth(self) -> dict[str, object]:
        """Return the true state, for tests only."""
        return {
            "suspensions": {
                name: {
                    "volume_ml": one.volume_ml,
                    "viable_cells": one.viable_cells_per_ml * one.volume_ml,
                    "total_cells": one.total_cells_per_ml * one.volume_ml,
                }
                for name, one in self._suspensions.items()
            },
            "vials": {name: vials.n_vials for name, vials in self._vials.items()},
        }

    def harvest(self, name: str, culture: Culture, volume_ml: float) -> None:
        """Detach a culture into a suspension of its name."""
        self._suspensions[name] = biology.harvest(culture, volume_ml, self._hands)

    def discard(self, name: str) -> None:
        """Throw a suspension away, if there is one."""
        self._suspensions.pop(name, None)

    def _suspension(self, arguments: Arguments) -> tuple[str, Suspension]:
        name = arguments.text("culture")
        if name not in self._suspensions:
            raise SimulatorError(f"{arguments.where}: culture {name!r} has no suspension; harvest it first, or thaw it")
        return name, self._suspensions[name]

    def _isolate(self, arguments: Arguments) -> dict[str, object]:
        """Win mononuclear cells; what is seen is a count to three figures."""
        arguments.only("culture", "marrow_ml", "aspirate")
        name, aspirate = arguments.text("culture"), arguments.text("aspirate")
        if aspirate not in ASPIRATES:
            expected = ", ".join(ASPIRATES)
            raise SimulatorError(f"{arguments.where}: aspirate must be one of {expected}, got {aspirate!r}")
        rng, marrow_ml = self._rng_of("isolate", name), arguments.number("marrow_ml", most=_MOST_ML)
        cells = draw(aspirate, "cells_per_ml", rng) * marrow_ml
        return {"cells": int(float(f"{cells:.3g}")), "viability_pct": round(draw(aspirate, "viability_pct", rng), 1)}

    def _resuspend(self, arguments: Arguments) -> dict[str, object]:
        arguments.only("culture", "volume_ml")
        name, suspension = self._suspension(arguments)
        volume_ml = arguments.number("volume_ml", above=1e-3, most=_MOST_ML)
        self._suspensions[name] = biology.resuspend(suspension, volume_ml, self._hands)
        return {}

    def _count(self, arguments: Arguments) -> dict[str, object]:
        arguments.only("culture", "sample_id", "counter")
        counter = self._device(arguments, "counter")
        _, suspension = self._suspension(arguments)
        if not isinstance(counter, CountsCells):
            raise SimulatorError(f"{arguments.where}: counter {counter.name!r} is no cell counter")
        return {"file": str(counter.analyse(arguments.text("sample_id"), suspension))}

    def _freeze(self, arguments: Arguments) -> dict[str, object]:
        """Fill vials with a part of a suspension; the rest of it is gone."""
        arguments.only("culture", "taken_ml", "n_vials", "ml_per_vial")
        name, suspension = self._suspension(arguments)
        taken_ml = arguments.number("taken_ml", above=1e-3, most=_MOST_ML)
        if taken_ml > suspension.volume_ml * 1.000001:
            raise SimulatorError(f"{arguments.where}: taken_ml {taken_ml:g}, there are {suspension.volume_ml:g} mL")
        if name in self._vials:
            raise SimulatorError(f"{arguments.where}: culture {name!r} was frozen already")
        n_vials, ml_per_vial = arguments.whole("n_vials", 1, 1_000), arguments.number("ml_per_vial", most=100.0)
        self._vials[name] = cryo.freeze(suspension, taken_ml, n_vials, ml_per_vial, self._rng_of("freeze", name))
        del self._suspensions[name]
        return {}

    def _thaw(self, arguments: Arguments) -> dict[str, object]:
        arguments.only("culture", "n_vials")
        name, n_vials = arguments.text("culture"), arguments.whole("n_vials", 1, 1_000)
        vials = self._vials.get(name)
        if vials is None or vials.n_vials < n_vials:
            there = 0 if vials is None else vials.n_vials
            raise SimulatorError(f"{arguments.where}: {there} vials of culture {name!r} are frozen, not {n_vials}")
        if name in self._suspensions:
            raise SimulatorError(f"{arguments.where}: culture {name!r} has a suspension already")
        self._suspensions[name] = cryo.thaw(vials, n_vials, self._rng_of("thaw", name))
        self._vials[name] = vials.without(n_vials)
        return {}

    def _wash(self, arguments: Arguments) -> dict[str, object]:
        """Dilute, spin down and take off; where a centrifuge is named, its rotor turns."""
        arguments.only("culture", "added_ml", "left_ml", "centrifuge")
        name, suspension = self._suspension(arguments)
        there_ml = suspension.volume_ml + arguments.number("added_ml", most=_MOST_ML)
        left_ml = arguments.number("left_ml", above=1e-3, most=_MOST_ML)
        if left_ml > there_ml:
            raise SimulatorError(f"{arguments.where}: left_ml {left_ml:g}, there were {there_ml:g} mL")
        if "centrifuge" in arguments.fields:
            centrifuge = self._device(arguments, "centrifuge")
            if not isinstance(centrifuge, SpinsDown):
                raise SimulatorError(f"{arguments.where}: device {centrifuge.name!r} is no centrifuge")
            centrifuge.spin()
        self._washes[name] = self._washes.get(name, 0) + 1
        rng = self._rng_of(f"wash {self._washes[name]}", name)
        self._suspensions[name] = cryo.wash(suspension, left_ml, rng)
        return {}

    def _start_logger(self, arguments: Arguments) -> dict[str, object]:
        self._logger(arguments).begin()
        return {}

    def _read_logger(self, arguments: Arguments) -> dict[str, object]:
        return {"file": str(self._logger(arguments).read_out())}

    def _logger(self, arguments: Arguments) -> LogsTrips:
        arguments.only("device")
        logger = self._device(arguments, "device")
        if not isinstance(logger, LogsTrips):
            raise SimulatorError(f"{arguments.where}: device {logger.name!r} is no logger")
        return logger

    def _device(self, arguments: Arguments, key: str) -> Simulator:
        name = arguments.text(key)
        if name not in self._devices:
            raise SimulatorError(f"{arguments.where}: {key} {name!r} is not in the fleet ({', '.join(self._devices)})")
        return self._devices[name]
