"""Cells in vials: frozen, thawed and washed, with what is lost on the way as ``culture.toml`` declares it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from cultureops_simulators.culture import Suspension
from cultureops_simulators.distribution import draw

__all__ = ["Vials", "freeze", "thaw", "wash"]


@dataclass(frozen=True, slots=True)
class Vials:
    """``n_vials`` alike, each with ``content``."""

    n_vials: int
    content: Suspension

    def without(self, n_vials: int) -> Vials:
        """Return those that stay when ``n_vials`` are taken."""
        return replace(self, n_vials=self.n_vials - n_vials)


def freeze(
    suspension: Suspension, taken_ml: float, n_vials: int, ml_per_vial: float, rng: np.random.Generator
) -> Vials:
    """Spin down ``taken_ml`` of a suspension, take the cells up in cryo medium and fill ``n_vials``."""
    share = draw("freezing", "recovered_share", rng) * taken_ml / (n_vials * ml_per_vial)
    content = Suspension(suspension.total_cells_per_ml * share, suspension.viable_cells_per_ml * share, ml_per_vial)
    return Vials(n_vials, content)


def thaw(vials: Vials, n_vials: int, rng: np.random.Generator) -> Suspension:
    """Thaw ``n_vials`` into one suspension: some cells stay behind, some of the others have not survived."""
    recovered = draw("thawing", "recovered_share", rng)
    surviving = draw("thawing", "surviving_share", rng)
    content = vials.content
    return Suspension(
        content.total_cells_per_ml * recovered,
        content.viable_cells_per_ml * recovered * surviving,
        content.volume_ml * n_vials,
    )


def wash(suspension: Suspension, left_ml: float, rng: np.random.Generator) -> Suspension:
    """Dilute, spin down and take off until ``left_ml`` are left; dead cells are lost more often than viable ones."""
    concentration = suspension.volume_ml / left_ml
    viable = suspension.viable_cells_per_ml * draw("washing", "recovered_share", rng) * concentration
    dead_per_ml = suspension.total_cells_per_ml - suspension.viable_cells_per_ml
    dead = dead_per_ml * draw("washing", "dead_recovered_share", rng) * concentration
    return Suspension(viable + dead, viable, left_ml)
