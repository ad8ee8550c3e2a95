"""When a culture will reach a confluence, from a few sparse observations.

The covered share C [%] follows generalised logistic growth with contact inhibition (Richards 1959; Tsoularis and
Wallace 2002, Math Biosci 179:21), dC/dt = r C (1 - (C / 100)^s): slow down early (s < 1), as the logistic (s = 1), or
only when crowded (s > 1). Which of them a culture does is unknown, so that all are weighed by how well they
agree with the observations; this is what widens the interval as the target lies further ahead.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["Confluence", "Forecast", "forecast_confluence", "forecast_fan"]

MIN_OBSERVATIONS: Final = 3
SHAPES: Final = (0.4, 1.0, 2.5, 6.0)
"""Shapes of the slowing down that are weighed, equally likely beforehand: [OWN], from no source."""
DOUBLING_TIMES_H: Final = (8.0, 1000.0)
"""Doubling times that are weighed, evenly in their logarithm: [OWN], far wider than marrow cells need."""
MAX_LOGIT: Final = 8.0
"""The covered share at the middle of the observations is weighed evenly in its logit, up to this far from half."""
STEPS: Final = 61
ZOOMS: Final = 3
"""Grids, each over what the one before found to agree."""
NEGLIGIBLE: Final = 12.0
"""Log-likelihood below the best at which a culture is no longer worth a closer look."""

Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Confluence:
    """The covered share that was seen [%, 0..100] at a time [h], with its standard deviation [points, > 0]."""

    hours: float
    pct: float
    sd_pct: float

    def __post_init__(self) -> None:
        if not math.isfinite(self.hours):
            raise ValueError(f"an observation needs a time in hours, not {self.hours}")
        if not 0 <= self.pct <= 100:
            raise ValueError(f"confluence is 0 to 100 %, not {self.pct}")
        if not math.isfinite(self.sd_pct) or self.sd_pct <= 0:
            raise ValueError(f"the standard deviation of a confluence must be above zero, not {self.sd_pct}")


@dataclass(frozen=True, slots=True)
class Forecast:
    """When a target is reached [h, on the observations' clock], with the interval that holds it with ``level``.

    The time is the median. All are None where nothing can be said, and ``reason`` says why. A time before the last
    observation means that the target seems to have been passed.
    """

    target_pct: float
    level: float
    time_h: float | None
    low_h: float | None
    high_h: float | None
    reason: str = ""


def forecast_confluence(observations: Sequence[Confluence], target_pct: float = 80.0, level: float = 0.8) -> Forecast:
    """Return when ``target_pct`` (above 0, below 100) is reached, with the central interval of ``level`` (0..1).

    No forecast is made from fewer than 3 different times, or where no growth at all agrees with the observations at
    ``level``. Raises ValueError for a target or level outside of its range.
    """
    return forecast_fan(observations, (target_pct,), level)[0]


def forecast_fan(
    observations: Sequence[Confluence], targets_pct: Sequence[float], level: float = 0.8
) -> tuple[Forecast, ...]:
    """Return when each of several confluences is reached, in their order, by the same cultures; see above."""
    for target_pct in targets_pct:
        if not 0 < target_pct < 100:
            raise ValueError(f"a target is above 0 and below 100 %, not {target_pct}")
    if not 0 < level < 1:
        raise ValueError(f"a level is above 0 and below 1, e.g. 0.8, not {level}")

    def none(reason: str) -> tuple[Forecast, ...]:
        return tuple(Forecast(target_pct, level, None, None, None, reason) for target_pct in targets_pct)

    times = len({seen.hours for seen in observations})
    if times < MIN_OBSERVATIONS:
        return none(f"too few observations: {times} different times, {MIN_OBSERVATIONS} are needed")
    cultures = _Cultures.agreeing(observations)
    if not _grows(observations, cultures.best, level):
        return none("no growth: a constant confluence agrees with the observations")
    tail = (1 - level) / 2
    found = []
    for target_pct in targets_pct:
        low, middle, high = _quantiles(cultures.times_h(target_pct), cultures.weights, (tail, 0.5, 1 - tail))
        found.append(Forecast(target_pct, level, middle, low, high))
    return tuple(found)


@dataclass(frozen=True)
class _Cultures:
    """Cultures that agree with the observations, one in each place of arrays of one shape.

    ``rate`` per hour, ``logit`` of the covered share at ``middle_h``, ``weights`` with a sum of 1, ``best`` the chi2
    of the closest one.
    """

    middle_h: float
    shape: Numbers
    rate: Numbers
    logit: Numbers
    weights: Numbers
    best: float

    @staticmethod
    def agreeing(observations: Sequence[Confluence]) -> _Cultures:
        """Weigh cultures on a grid, then on a finer one over those that aren't negligible, and once more."""
        slowest, fastest = (math.log(math.log(2) / hours) for hours in reversed(DOUBLING_TIMES_H))
        bounds = ((slowest, fastest), (-MAX_LOGIT, MAX_LOGIT))
        for _ in range(ZOOMS):
            axes = [np.linspace(*ends, STEPS) for ends in bounds]
            shape, log_rate, logit = np.meshgrid(np.array(SHAPES), *axes, indexing="ij")
            middle = sum(seen.hours for seen in observations) / len(observations)
            chi2 = _chi2(observations, middle, shape, np.exp(log_rate), logit)
            near = chi2 <= chi2.min() + 2 * NEGLIGIBLE
            bounds = (_around(log_rate[near], axes[0]), _around(logit[near], axes[1]))
        weights = np.exp((chi2.min() - chi2) / 2)
        return _Cultures(middle, shape, np.exp(log_rate), logit, weights / weights.sum(), float(chi2.min()))

    def times_h(self, pct: float) -> Numbers:
        """Return when each culture covers ``pct``: C^-s - 1 falls as e^(-r s t)."""
        now = _log_shortfall(_log_share(self.logit), self.shape)
        then = _log_shortfall(np.full(1, math.log(pct / 100)), self.shape)
        return self.middle_h + (now - then) / (self.rate * self.shape)


def _chi2(
    observations: Sequence[Confluence], middle_h: float, shape: Numbers, rate: Numbers, logit: Numbers
) -> Numbers:
    shortfall = _log_shortfall(_log_share(logit), shape)
    total = np.zeros(shape.shape)
    for seen in observations:
        log_share = -np.logaddexp(0.0, shortfall - rate * shape * (seen.hours - middle_h)) / shape
        total += ((100 * np.exp(log_share) - seen.pct) / seen.sd_pct) ** 2
    return total


def _log_share(logit: Numbers) -> Numbers:
    return -np.logaddexp(0.0, -logit)


def _log_shortfall(log_share: Numbers, shape: Numbers) -> Numbers:
    """Return ln(C^-s - 1) for a share C of the full cover."""
    return np.log(np.expm1(-shape * log_share))


def _around(kept: Numbers, axis: Numbers) -> tuple[float, float]:
    """Return the ends of what was kept, and one step more on either side within the axis."""
    step = float(axis[1] - axis[0])
    return max(float(kept.min()) - step, float(axis[0])), min(float(kept.max()) + step, float(axis[-1]))


def _grows(observations: Sequence[Confluence], best: float, level: float) -> bool:
    """Whether growth agrees so much better than a constant that the rate's interval of ``level`` leaves zero out."""
    weights = np.array([seen.sd_pct**-2 for seen in observations])
    seen = np.array([one.pct for one in observations])
    constant = float(np.sum(weights * seen) / np.sum(weights))
    gain = float(np.sum(weights * (seen - constant) ** 2)) - best
    return gain > NormalDist().inv_cdf((1 + level) / 2) ** 2


def _quantiles(values: Numbers, weights: Numbers, shares: Sequence[float]) -> list[float]:
    order = np.argsort(values, axis=None)
    below = np.cumsum(weights.ravel()[order])
    places = np.minimum(np.searchsorted(below, np.array(shares) * below[-1]), len(order) - 1)
    return [float(value) for value in values.ravel()[order][places]]
