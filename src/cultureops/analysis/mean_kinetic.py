"""Mean kinetic temperature: the one temperature that would do a chemical as much harm as a whole trace."""

from __future__ import annotations

import math
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "ACTIVATION_KJ_PER_MOL",
    "GAS_CONSTANT_J_PER_MOL_K",
    "ZERO_C_IN_K",
    "checked_temperatures",
    "mean_kinetic_temperature_c",
    "reading_weights_ms",
]

Floats: TypeAlias = NDArray[np.float64]

ACTIVATION_KJ_PER_MOL: Final = 83.144
"""Activation energy of USP <1079.2>; with the gas constant below, 10,000 K exactly."""
GAS_CONSTANT_J_PER_MOL_K: Final = 8.3144
ZERO_C_IN_K: Final = 273.15


def mean_kinetic_temperature_c(
    values_c: ArrayLike, weights: ArrayLike | None = None, activation_kj_per_mol: float = ACTIVATION_KJ_PER_MOL
) -> float:
    """Return T_K = (dH/R) / -ln(sum(t_i exp(-dH / (R T_i))) / sum(t_i)) [°C].

    ``values_c`` above absolute zero, ``weights`` the time each one lasted (>= 0, not all zero; equal where None).
    Raises ValueError for other numbers or none. Source: USP <1079.2>; https://www.seeq.org/topic/699; vectors: 24, 26,
    28, 21 °C for 16, 5, 3, 24 h give 23.23 °C, and 18 h at 5 °C with 6 h at 14 °C give 8.285 °C.
    """
    kelvin = checked_temperatures(values_c) + ZERO_C_IN_K
    lasted = np.ones_like(kelvin) if weights is None else np.asarray(weights, np.float64)
    if lasted.shape != kelvin.shape or not np.all(np.isfinite(lasted)) or lasted.min() < 0 or lasted.sum() <= 0:
        raise ValueError("weights must be one number >= 0 for each temperature, and not all zero")
    theta = _positive("activation energy", activation_kj_per_mol) * 1000 / GAS_CONSTANT_J_PER_MOL_K
    exponents = -theta / kelvin
    highest = exponents.max()  # taken out, so that deep-frozen temperatures do not underflow
    share = float(np.sum(lasted * np.exp(exponents - highest)) / lasted.sum())
    return theta / -(math.log(share) + float(highest)) - ZERO_C_IN_K


def reading_weights_ms(times_ms: ArrayLike, gap_limit_ms: int) -> Floats:
    """Return how long each reading stands for [ms]: half of the way to each neighbour.

    At the ends, and where a gap begins, half of the median interval; so readings at equal intervals weigh the same.
    """
    times = np.asarray(times_ms, np.int64)
    intervals = np.diff(times).astype(np.float64)
    usual = float(np.median(intervals)) if intervals.size else 1.0
    halves = np.where(intervals > gap_limit_ms, usual, intervals) / 2
    return np.concatenate(([usual / 2], halves)) + np.concatenate((halves, [usual / 2]))


def checked_temperatures(values_c: ArrayLike) -> Floats:
    """Return temperatures [°C] as an array; raise ValueError for none, or one that is no number above absolute zero."""
    values = np.asarray(values_c, np.float64)
    if values.ndim != 1 or not values.size:
        raise ValueError("expected one temperature or more")
    if not np.all(np.isfinite(values)) or values.min() <= -ZERO_C_IN_K:
        raise ValueError(f"temperatures must be numbers above {-ZERO_C_IN_K} °C")
    return values


def _positive(name: str, number: float) -> float:
    if not math.isfinite(number) or number <= 0:
        raise ValueError(f"{name} must be a number above zero, not {number}")
    return number
