"""Growth curves as formulas: exponential, logistic and Gompertz, in logarithms of their parameters.

All are N(t) with N(0) = n0 and the rate r > 0 per unit of time (the exponential's may be negative):

- exponential: n0 e^(r t)
- logistic: k / (1 + (k / n0 - 1) e^(-r t)), as in Sprouffske and Wagner 2016 (growthcurver, BMC Bioinformatics 17:172)
- Gompertz: k e^(ln(n0 / k) e^(-r t))
"""

from __future__ import annotations

import math
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

__all__ = ["MODELS", "Model", "area", "doubling_time", "log_start", "mid_time", "names", "value"]

Model = Literal["exponential", "logistic", "gompertz"]
MODELS: Final[tuple[Model, ...]] = get_args(Model)

Numbers = NDArray[np.float64]
MAX_EXPONENT: Final = 700.0
"""e to this is the largest number that a double holds, nearly."""


def names(model: Model) -> tuple[str, ...]:
    """Return a model's parameters in the order of its ``theta``."""
    return ("n0", "r") if model == "exponential" else ("n0", "r", "k")


def value(model: Model, theta: Numbers, t: Numbers) -> Numbers:
    """Return N(t); ``theta`` = (ln n0, r) of the exponential, (ln n0, ln r, ln k) of the others."""
    if model == "exponential":
        return _exp(theta[0] + theta[1] * t)
    return _exp(_log_saturating(model, theta, t))


def log_start(model: Model, theta: Numbers, t: float) -> float:
    """Return ln N(t) at one time, also far before ``theta``'s own zero, where N itself may be too small to hold."""
    if model == "exponential":
        return float(theta[0] + theta[1] * t)
    return float(_log_saturating(model, theta, np.array([t]))[0])


def doubling_time(model: Model, theta: Numbers) -> float:
    """Return ln 2 over the specific growth rate: of the uncrowded culture, of the Gompertz that at ``theta``'s zero.

    A Gompertz culture never grows at a steady rate; its rate falls from the start.
    """
    if model == "exponential":
        return math.log(2) / float(theta[1])
    rate = float(_exp(theta[1:2])[0])
    return math.log(2) / (rate if model == "logistic" else rate * float(theta[2] - theta[0]))


def mid_time(model: Model, theta: Numbers) -> float | None:
    """Return the time at which half of the carrying capacity is reached; None for the exponential, which has none."""
    if model == "exponential":
        return None
    below, rate = float(theta[2] - theta[0]), math.exp(theta[1])
    if below <= 0:
        return None
    return _log_expm1(below) / rate if model == "logistic" else math.log(below / math.log(2)) / rate


def area(model: Model, theta: Numbers, start: float, end: float) -> float:
    """Return the area below the curve from ``start`` to ``end``, by formula."""
    if model == "exponential":
        edges = value(model, theta, np.array([start, end]))
        return float(edges[1] - edges[0]) / float(theta[1]) if theta[1] else float(edges[0]) * (end - start)
    from scipy.special import exp1

    rate, capacity, below = math.exp(theta[1]), math.exp(theta[2]), float(theta[2] - theta[0])
    if model == "logistic":
        over = _log_expm1(below)
        return capacity / rate * float(np.logaddexp(rate * end, over) - np.logaddexp(rate * start, over))
    return capacity / rate * float(exp1(below * math.exp(-rate * end)) - exp1(below * math.exp(-rate * start)))


def _log_saturating(model: Model, theta: Numbers, t: Numbers) -> Numbers:
    decay = -_exp(theta[1:2]) * t
    below, capacity = float(theta[2] - theta[0]), float(theta[2])
    if model == "gompertz":
        return np.asarray(capacity - below * _exp(decay))
    if below > 0:
        return np.asarray(capacity - np.logaddexp(0.0, _log_expm1(below) + decay))
    return np.asarray(capacity - np.log1p(np.maximum(np.expm1(below) * _exp(decay), -1 + 1e-12)))


def _log_expm1(x: float) -> float:
    """Return ln(e^x - 1) for x > 0 without overflow."""
    return x + math.log(-math.expm1(-x))


def _exp(x: Numbers) -> Numbers:
    return np.asarray(np.exp(np.clip(x, -MAX_EXPONENT, MAX_EXPONENT)))
