"""Growth curves fitted to measured points, or an honest "cannot fit".

Unweighted least squares. Intervals are 95 % by the t distribution from the covariance of ln n0, ln r and ln k (of the
exponential: of ln n0 and r). That approximation holds only where the interval is closed; so a saturating curve is
refused unless both limits of its profile likelihood are rejected at the same level: no plateau, and a step (Bates and
Watts 1988, Nonlinear Regression Analysis, ch. 6). Between models AICc decides (Burnham and Anderson 2002).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np

from cultureops.analysis import growth_curve as curve
from cultureops.analysis.growth_curve import Model, Numbers
from cultureops.analysis.growth_solution import Impossible, Points, SlopeUnseen, Solution, determined, t_quantile

__all__ = ["CannotFit", "GrowthFit", "Interval", "fit_growth"]

CHOICE_NEEDS: Final = 4
"""Different times from which on a model can be chosen."""
AICC_NEEDS: Final = 6
"""Points from which on AICc is defined for every model; below, the plateau decides."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A parameter and the ends of its 95 % confidence interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class GrowthFit:
    """A fitted curve; times in the unit of the observations, values and k in theirs, n0 at their time zero.

    ``t_mid`` is when half of k is reached (None for the exponential), ``auc`` the area below the curve from the first
    to the last observation, ``n`` the number of observations. The Gompertz' doubling time is that at the first one.
    """

    model: Model
    parameters: Mapping[str, Interval]
    doubling_time: float
    t_mid: float | None
    auc: float
    r2: float
    n: int


@dataclass(frozen=True, slots=True)
class CannotFit:
    """No curve, and why."""

    reason: str


def fit_growth(times: Sequence[float], values: Sequence[float], model: Model | None = None) -> GrowthFit | CannotFit:
    """Fit one model, or the one that describes the observations best when none is named.

    ``times`` and ``values`` (from zero up) are of one length, in any order; several values at one time are replicates.
    Returns CannotFit for too few points, values that aren't numbers, no growth, a plateau or a slope that the
    points don't show, and a covariance that is singular. Raises ValueError for unequal lengths or an unknown model.
    """
    if len(times) != len(values):
        raise ValueError(f"a fit needs as many values as times, not {len(values)} and {len(times)}")
    if model is not None and model not in curve.MODELS:
        raise ValueError(f"{model!r} is no growth model; known: {', '.join(curve.MODELS)}")
    needed = CHOICE_NEEDS if model is None else len(curve.names(model)) + 1
    try:
        points = Points.of(np.asarray(times, float), np.asarray(values, float), needed)
        return _report(points, _best(points) if model is None else determined(points, model))
    except Impossible as error:
        return CannotFit(str(error))


def _best(points: Points) -> Solution:
    found: list[Solution] = []
    reasons = []
    for model in curve.MODELS:
        try:
            found.append(determined(points, model))
        except Impossible as error:
            reasons.append(f"{model}: {error}")
            if isinstance(error, SlopeUnseen):
                found = [solution for solution in found if solution.model != "exponential"]
    if not found:
        raise Impossible("no model fits; " + "; ".join(reasons))
    if points.n >= AICC_NEEDS:
        return min(found, key=lambda solution: solution.aicc)
    saturating = [solution for solution in found if solution.model != "exponential"]
    return min(saturating or found, key=lambda solution: solution.rest)


def _report(points: Points, solution: Solution) -> GrowthFit:
    model, theta = solution.model, solution.theta
    middle = curve.mid_time(model, theta)
    return GrowthFit(
        model=model,
        parameters=MappingProxyType(_intervals(points, solution)),
        doubling_time=curve.doubling_time(model, theta) * points.span,
        t_mid=None if middle is None else points.start + middle * points.span,
        auc=curve.area(model, theta, 0.0, 1.0) * points.span * points.top,
        r2=1 - solution.rest / points.constant_rest,
        n=points.n,
    )


def _intervals(points: Points, solution: Solution) -> dict[str, Interval]:
    """Return the parameters in the units of the observations; n0 is carried from the first time to time zero."""
    model, theta, covariance = solution.model, solution.theta, solution.covariance
    zero = -points.start / points.span

    def log_n0(of: Numbers) -> float:
        return curve.log_start(model, of, zero)

    step = 1e-6
    gradient = [(log_n0(theta + one) - log_n0(theta - one)) / (2 * step) for one in np.eye(len(theta)) * step]
    variances = [gradient @ covariance @ gradient, *np.diag(covariance)[1:]]
    middles = np.array([log_n0(theta), *theta[1:]])
    reach = t_quantile(solution.free) * np.sqrt(variances)
    found = {}
    for name, ends in zip(curve.names(model), np.array([middles, middles - reach, middles + reach]).T, strict=True):
        plain = ends if (model, name) == ("exponential", "r") else np.exp(np.clip(ends, -745.0, 705.0))
        scaled = plain / points.span if name == "r" else plain * points.top
        if not np.isfinite(scaled).all() or scaled[0] <= 0:
            raise Impossible(f"not identifiable: {name} is beyond what a number holds")
        found[name] = Interval(*map(float, scaled))
    return found
