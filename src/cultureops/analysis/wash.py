"""Washing cryoprotectant out of thawed cells: how much dimethyl sulfoxide (DMSO) a suspension still holds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

__all__ = [
    "DMSO_DENSITY_G_PER_ML",
    "NO_HOLD_UP",
    "Residual",
    "Wash",
    "WashVolumesDisagree",
    "pct_after_washes",
    "residual",
]

DMSO_DENSITY_G_PER_ML: Final = 1.10
"""Density of pure DMSO at 20 °C (1.1004 g/mL; 1.0955 at 25 °C: Gaylord Chemical, DMSO physical properties)."""
NO_HOLD_UP: Final = (
    "estimate by dilution alone: assumes that each wash mixes completely and that no DMSO is held up inside the cells; "
    "not a measurement"
)
_SAME_VOLUME: Final = 1e-6
"""Relative difference up to which two volumes are the same; they are written down, not measured twice."""


class WashVolumesDisagree(ValueError):
    """A wash is said to begin with another volume than was there."""


@dataclass(frozen=True, slots=True)
class Wash:
    """One wash [mL]: what there was, the diluent added, what the centrifuge left; each > 0."""

    vol_before_ml: float
    vol_added_ml: float
    vol_left_ml: float

    def __post_init__(self) -> None:
        """Refuse volumes that no wash can have."""
        for name in ("vol_before_ml", "vol_added_ml", "vol_left_ml"):
            _positive(name, getattr(self, name))
        if self.vol_left_ml > self.vol_before_ml + self.vol_added_ml:
            raise ValueError(
                f"a wash of {self.vol_before_ml:g} mL with {self.vol_added_ml:g} mL can't leave {self.vol_left_ml:g} mL"
            )

    @property
    def dilution(self) -> float:
        """The share of a solute's concentration that remains, below 1; what is taken off takes it off evenly."""
        return self.vol_before_ml / (self.vol_before_ml + self.vol_added_ml)


@dataclass(frozen=True, slots=True)
class Residual:
    """DMSO left in a suspension [% v/v] and [mg/mL], with what the figure rests on."""

    pct_v_v: float
    mg_per_ml: float
    assumption: str = NO_HOLD_UP

    def mg_in(self, volume_ml: float) -> float:
        """Return the DMSO in a volume of the suspension [mg]; ``volume_ml`` > 0, otherwise ValueError."""
        return self.mg_per_ml * _positive("volume", volume_ml)


def pct_after_washes(start_pct: float, thawed_ml: float, washes: Sequence[Wash]) -> tuple[float, ...]:
    """Return the DMSO after each wash [% v/v]: c_n = c_(n-1) * vol_before / (vol_before + vol_added).

    ``start_pct`` 0..100 in ``thawed_ml`` > 0. Raises WashVolumesDisagree unless the first wash begins with the thawed
    volume and each other one with what the last one left, ValueError for a percentage outside of its range.
    Source: dilution of a solute that stays in solution.
    """
    if not 0 <= start_pct <= 100:
        raise ValueError(f"DMSO must be 0 to 100 % v/v at the start, not {start_pct:g}")
    there, pct, after = _positive("thawed volume", thawed_ml), start_pct, list[float]()
    for number, wash in enumerate(washes, 1):
        if not math.isclose(wash.vol_before_ml, there, rel_tol=_SAME_VOLUME):
            source = "were thawed" if number == 1 else f"were left by wash {number - 1}"
            raise WashVolumesDisagree(
                f"wash {number} begins with {wash.vol_before_ml:g} mL, but {there:g} mL {source}; "
                "record the missing step or correct the volume"
            )
        pct *= wash.dilution
        there = wash.vol_left_ml
        after.append(pct)
    return tuple(after)


def residual(
    start_pct: float,
    thawed_ml: float,
    washes: Sequence[Wash],
    final_ml: float,
    density_g_per_ml: float = DMSO_DENSITY_G_PER_ML,
) -> Residual:
    """Return the DMSO after the washes and the resuspension to ``final_ml``, which dilutes by vol_left / final.

    Without a wash the thawed volume is brought to ``final_ml``. Raises WashVolumesDisagree as ``pct_after_washes``,
    and also where ``final_ml`` is less than what was there; ValueError for other numbers that can't be.
    """
    after = pct_after_washes(start_pct, thawed_ml, washes)
    there = washes[-1].vol_left_ml if washes else thawed_ml
    if _positive("final volume", final_ml) < there * (1 - _SAME_VOLUME):
        raise WashVolumesDisagree(
            f"resuspension ends with {final_ml:g} mL, but {there:g} mL were there; correct the volume"
        )
    pct = (after[-1] if after else start_pct) * there / final_ml
    return Residual(pct, pct / 100 * 1000 * _positive("density", density_g_per_ml))


def _positive(name: str, number: float) -> float:
    if not math.isfinite(number) or number <= 0:
        raise ValueError(f"{name} must be a number above zero, not {number}")
    return number
