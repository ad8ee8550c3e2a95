"""Least squares for growth curves: what the points determine, and what they leave open.

Times are scaled to 0..1 from the first observation to the last one, values to a largest one of 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from cultureops.analysis import growth_curve as curve
from cultureops.analysis.growth_curve import Model, Numbers

__all__ = ["Impossible", "Points", "SlopeUnseen", "Solution", "determined", "t_quantile"]

CONFIDENCE: Final = 0.95
EXACT: Final = 1e-9
"""Residuals below this share of the largest value are rounding, not noise."""
SINGULAR: Final = 1e8
"""A condition number of the Jacobian, its columns of one length, from which on the covariance means nothing."""

SHORT: Final = 60
LONG: Final = 1000
"""Steps of a descent: to tell a good start from a bad one, and to the end."""


class Impossible(Exception):
    """Why a curve can't be fitted."""


class SlopeUnseen(Impossible):
    """A plateau is seen, which rules the exponential out, but not the way up to it."""


@dataclass(frozen=True)
class Points:
    """Observations by time, scaled; ``start`` and ``span`` are in the unit of the times, ``top`` in that of values."""

    t: Numbers
    y: Numbers
    start: float
    span: float
    top: float

    @staticmethod
    def of(t: Numbers, y: Numbers, needed: int) -> Points:
        """Scale observations; raise Impossible where fewer than ``needed`` times or no growth can be seen in them."""
        if not (np.isfinite(t).all() and np.isfinite(y).all()):
            raise Impossible("a time or value is not a finite number")
        distinct = len(np.unique(t))
        if distinct < needed:
            raise Impossible(f"too few points: {distinct} different times, {needed} are needed")
        if (y < 0).any():
            raise Impossible(f"the value {y.min():g} is negative, which no amount of cells is")
        if np.ptp(y) <= EXACT * y.max():
            raise Impossible("no growth: all values are the same")
        order = np.argsort(t, kind="stable")
        t, y = t[order], y[order]
        span, top = float(t[-1]) - float(t[0]), float(y.max())
        if not (1e-100 < span < 1e100 and 1e-100 < top < 1e100):
            raise Impossible("times or values are too large or too small to calculate with")
        return Points((t - t[0]) / span, y / top, float(t[0]), span, top)

    @property
    def n(self) -> int:
        """Observations."""
        return len(self.t)

    def rest(self, residuals: Numbers) -> float:
        """Return the sum of squares, that of rounding at least."""
        return max(float(residuals @ residuals), self.n * EXACT**2)

    @property
    def constant_rest(self) -> float:
        """What the mean leaves."""
        return self.rest(self.y - self.y.mean())

    def step_rest(self, *, plateau: bool) -> float:
        """Return what the steepest curve leaves: nothing at first, then one time with any value, then a plateau.

        A curve without plateau ends with the time that may have any value.
        """
        times = np.unique(self.t)
        rests = []
        for time in times if plateau else times[-1:]:
            before, after = self.y[self.t < time], self.y[self.t > time]
            level = after.mean() if len(after) else 0.0
            rests.append(float(before @ before + (after - level) @ (after - level)))
        return max(min(rests), self.n * EXACT**2)


@dataclass(frozen=True)
class Solution:
    """The least-squares ``theta`` of a model, and the sum of squares ``rest`` that it leaves."""

    model: Model
    theta: Numbers
    jacobian: Numbers
    rest: float

    @property
    def free(self) -> int:
        """Degrees of freedom."""
        return len(self.jacobian) - len(self.theta)

    @property
    def variance(self) -> float:
        """Of one observation."""
        return self.rest / self.free

    @property
    def aicc(self) -> float:
        """Akaike's criterion for small samples; needs three observations more than parameters."""
        n, q = len(self.jacobian), len(self.theta) + 1
        return n * math.log(self.rest / n) + 2 * q + 2 * q * (q + 1) / (n - q - 1)

    @property
    def covariance(self) -> Numbers:
        """Of ``theta``; raises Impossible when it is singular."""
        lengths = np.linalg.norm(self.jacobian, axis=0)
        if not (lengths > 0).all():
            raise Impossible("not identifiable: the covariance is singular")
        _, sizes, axes = np.linalg.svd(self.jacobian / lengths, full_matrices=False)
        if sizes[0] > SINGULAR * sizes[-1]:
            raise Impossible("not identifiable: the covariance is singular")
        return np.asarray(self.variance * (axes.T / sizes**2) @ axes / np.outer(lengths, lengths))


def determined(points: Points, model: Model) -> Solution:
    """Return the least-squares solution; raise Impossible unless the points show growth and every parameter of it."""
    solution = _solved(points, model)
    if solution.free < 1:
        raise Impossible(f"too few points: {points.n} for {len(solution.theta)} parameters")
    if not np.isfinite(solution.theta).all() or not np.isfinite(solution.jacobian).all():
        raise Impossible("the least-squares solution is not finite")
    _check_growth(points, solution)
    _check_ends(points, solution)
    if solution.theta[1] <= t_quantile(solution.free) * math.sqrt(solution.covariance[1, 1]) and model == "exponential":
        raise Impossible("no growth: the rate's interval reaches zero")
    return solution


def t_quantile(degrees: int) -> float:
    """Return how many standard errors the two-sided 95 % interval reaches to either side."""
    from scipy.stats import t as t_distribution

    return float(t_distribution.ppf((1 + CONFIDENCE) / 2, degrees))


def _check_growth(points: Points, solution: Solution) -> None:
    from scipy.stats import f as f_distribution

    extra = len(solution.theta) - 1
    ratio = (points.constant_rest - solution.rest) / extra / solution.variance
    if ratio <= f_distribution.ppf(CONFIDENCE, extra, solution.free):
        raise Impossible("no growth: a constant describes the points as well")
    grows = solution.theta[1] > 0 if solution.model == "exponential" else solution.theta[2] > solution.theta[0]
    if not grows:
        raise Impossible("no growth: the values fall")


def _check_ends(points: Points, solution: Solution) -> None:
    """Refuse what the profile likelihood leaves open: k without end is an exponential, r without end is a step."""
    threshold = t_quantile(solution.free) ** 2 * solution.variance
    saturating = solution.model != "exponential"
    if saturating and _solved(points, "exponential").rest - solution.rest <= threshold:
        raise Impossible("not identifiable: no plateau is seen, so that the capacity's interval has no upper end")
    if points.step_rest(plateau=saturating) - solution.rest <= threshold:
        reason = "not identifiable: too few points lie on the slope, so that the rate's interval has no upper end"
        raise SlopeUnseen(reason) if saturating else Impossible(reason)


def _solved(points: Points, model: Model) -> Solution:
    """Return the best of several short descents, followed to its end."""
    from scipy.optimize import least_squares

    def residuals(theta: Numbers) -> Numbers:
        return curve.value(model, theta, points.t) - points.y

    def descent(start: Numbers, steps: int) -> Any:
        return least_squares(residuals, start, method="lm", x_scale="jac", xtol=1e-13, ftol=1e-13, max_nfev=steps)

    short = []
    for start in _starts(points, model):
        short.append(descent(start, SHORT))
        if 2 * float(short[-1].cost) <= points.n * EXACT**2:
            break
    best = descent(min(short, key=lambda result: float(result.cost)).x, LONG)
    return Solution(model, np.asarray(best.x), np.asarray(best.jac), points.rest(np.asarray(best.fun)))


def _starts(points: Points, model: Model) -> list[Numbers]:
    """Return where to descend from: straight lines through the points bent by a guessed capacity, and a few others."""
    t, y = points.t, np.clip(points.y, 1e-6, None)
    if model == "exponential":
        slope, height = _line(t, np.log(y), y)
        return [np.array([height, slope]), np.array([-1.0, 1.0]), np.array([-3.0, 3.0])]
    starts = []
    for capacity in (1.02, 1.5, 5.0):
        share = np.clip(y / capacity, 1e-6, 1 - 1e-6)
        bent = np.log(share / (1 - share)) if model == "logistic" else -np.log(-np.log(share))
        slope, height = _line(t, bent, np.abs(share * np.log(share)))
        below = np.logaddexp(0.0, -height) if model == "logistic" else math.exp(min(-height, 5.0))
        starts.append(np.array([math.log(capacity) - below, math.log(max(slope, 0.5)), math.log(capacity)]))
    return starts + [np.array([start, math.log(rate), 0.0]) for start in (-3.0, -10.0) for rate in (6.0, 30.0)]


def _line(x: Numbers, y: Numbers, weights: Numbers) -> tuple[float, float]:
    slope, height = np.polyfit(x, y, 1, w=weights)
    return float(slope), float(height)
