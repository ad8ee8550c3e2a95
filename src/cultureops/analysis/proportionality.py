"""Whether a counting method's figures are proportional to how far the suspension was diluted.

The experiment is that of ISO 20391-2:2019, whose text we have not seen; the calculation is that of NIST's COMET
(https://github.com/usnistgov/COMET, R/utils.R, public domain) under its default assumption that the variance of
a count is proportional to the dilution fraction. Proportional does not mean accurate: the standard's own
scope says that a dilution study gives no accuracy.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cultureops.analysis.counting import replicates

__all__ = ["DilutedSample", "Limits", "Proportionality", "Qualification", "proportionality", "qualify"]

MIN_FRACTIONS: Final = 4
MIN_SAMPLES: Final = 3
MIN_OBSERVATIONS: Final = 3
"""The smallest design that COMET accepts without a warning: 4 fractions of 3 samples of 3 observations."""


@dataclass(frozen=True, slots=True)
class DilutedSample:
    """One independently diluted sample and its repeated counts.

    ``target_fraction`` is the intended share of stock (0 < f <= 1), ``fraction`` what was measured, e.g. weighed, or
    again the target; ``densities`` one or more counts >= 0, all in one unit, e.g. cells/mL.
    """

    target_fraction: float
    fraction: float
    densities: tuple[float, ...]

    def __post_init__(self) -> None:
        if not 0 < self.target_fraction <= 1:
            raise ValueError(
                f"a dilution fraction is the share of stock, above 0 and up to 1, not {self.target_fraction:g}"
            )
        if not math.isfinite(self.fraction) or self.fraction <= 0:
            raise ValueError(f"a measured dilution fraction must be above 0, not {self.fraction:g}")
        replicates(self.densities)


@dataclass(frozen=True, slots=True)
class Proportionality:
    """The proportional model of one counting method.

    ``slope`` is the coefficient of proportionality (the density that the model says undiluted stock has, in the unit
    of the counts), ``r2`` its weighted R2 through the origin, ``n`` the samples, ``mean_cv_pct`` the mean over samples
    of the CV of repeated counts (None without any). The proportionality index is given in two of COMET's forms,
    sums over samples of the relative distance between a smooth curve and the proportional line, 0 being ideal:
    ``pi_squared`` (smoothed scaled sum of squared errors) and ``pi_absolute`` (of absolute errors).
    """

    slope: float
    r2: float
    n: int
    mean_cv_pct: float | None
    pi_squared: float
    pi_absolute: float


@dataclass(frozen=True, slots=True)
class Limits:
    """What a site asks of a counting method; None where it set no limit. There are no defaults on purpose."""

    min_r2: float | None = None
    max_cv_pct: float | None = None
    max_pi_squared: float | None = None
    max_pi_absolute: float | None = None

    def __post_init__(self) -> None:
        for name in self.__slots__:
            limit = getattr(self, name)
            if limit is not None and (not math.isfinite(limit) or limit < 0):
                raise ValueError(f"the limit {name} must be a number from zero up, not {limit}")

    @property
    def any_set(self) -> bool:
        """Whether there is a limit at all."""
        return (self.min_r2, self.max_cv_pct, self.max_pi_squared, self.max_pi_absolute) != (None,) * 4


@dataclass(frozen=True, slots=True)
class Qualification:
    """Whether a counting method qualifies: ``qualified`` is None where nobody set a limit, ``reasons`` say why not."""

    found: Proportionality | None
    qualified: bool | None
    reasons: tuple[str, ...]


def proportionality(samples: Sequence[DilutedSample]) -> Proportionality:
    """Fit density = slope x dilution fraction to the means of all samples, weighted by observations / fraction.

    The smooth curve of the proportionality index is a polynomial with one degree less than there are target fractions,
    weighted by 1 / fraction. Raises ValueError for fewer than two target fractions, or when no cell was counted.
    """
    import numpy as np

    fractions = len({sample.target_fraction for sample in samples})
    if fractions < 2:
        raise ValueError(f"proportionality needs two or more dilution fractions, not {fractions}")
    repeated = [replicates(sample.densities) for sample in samples]
    x = np.array([sample.fraction for sample in samples])
    y = np.array([counts.mean for counts in repeated])
    if not y.any():
        raise ValueError("no cell was counted in any sample")
    weights = np.array([counts.n for counts in repeated]) / x
    slope = float(np.sum(weights * x * y) / np.sum(weights * x * x))
    r2 = 1.0 - float(np.sum(weights * (y - slope * x) ** 2) / np.sum(weights * y * y))
    powers = np.vander(x, fractions)
    root = np.sqrt(1.0 / x)
    coefficients, *_ = np.linalg.lstsq(powers * root[:, None], y * root, rcond=None)
    bent = (powers @ coefficients - slope * x) / (slope * x)
    spreads = [counts.cv_pct for counts in repeated if counts.cv_pct is not None]
    return Proportionality(
        slope=slope,
        r2=r2,
        n=len(samples),
        mean_cv_pct=math.fsum(spreads) / len(spreads) if spreads else None,
        pi_squared=float(np.sum(bent**2)),
        pi_absolute=float(np.sum(np.abs(bent))),
    )


def qualify(samples: Sequence[DilutedSample], limits: Limits) -> Qualification:
    """Judge one counting method: by the size of its study and by the limits that are set. A limit itself is met."""
    try:
        found = proportionality(samples)
    except ValueError as error:
        return Qualification(None, False, (str(error),))
    reasons = (*_design_gaps(samples), *_exceeded(found, limits))
    if reasons:
        return Qualification(found, False, reasons)
    return Qualification(found, True, ()) if limits.any_set else Qualification(found, None, ("no limit set",))


def _design_gaps(samples: Sequence[DilutedSample]) -> tuple[str, ...]:
    enough = Counter(sample.target_fraction for sample in samples if len(sample.densities) >= MIN_OBSERVATIONS)
    full = sum(number >= MIN_SAMPLES for number in enough.values())
    if full >= MIN_FRACTIONS:
        return ()
    return (
        f"the design is too small: {full} dilution fractions have {MIN_SAMPLES} samples of {MIN_OBSERVATIONS} counts, "
        f"{MIN_FRACTIONS} are needed",
    )


def _exceeded(found: Proportionality, limits: Limits) -> list[str]:
    said = []
    if limits.min_r2 is not None and found.r2 < limits.min_r2:
        said.append(f"R2 {found.r2:.6f} is below the limit {limits.min_r2:g}")
    if limits.max_cv_pct is not None and found.mean_cv_pct is None:
        said.append("there is a limit for the CV, but no sample was counted twice")
    upper = (
        ("mean CV [%]", found.mean_cv_pct, limits.max_cv_pct),
        ("proportionality index (squared)", found.pi_squared, limits.max_pi_squared),
        ("proportionality index (absolute)", found.pi_absolute, limits.max_pi_absolute),
    )
    said += [
        f"{name} {value:.4g} is above the limit {limit:g}"
        for name, value, limit in upper
        if value is not None and limit is not None and value > limit
    ]
    return said
