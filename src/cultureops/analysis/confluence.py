"""Confluence: the share of the area that adherent cells cover, from a phase-contrast image, and how far to trust it.

Each module holds one step: ``confluence_scene`` prepares the picture, ``confluence_background`` learns from it what
bare plastic looks like, ``confluence_cover`` finds the covered area, and this one judges the outcome.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from cultureops.analysis.confluence_background import Background, background, blur
from cultureops.analysis.confluence_cover import BEST, GENEROUS, STRICT, covered, texture
from cultureops.analysis.confluence_scene import BoolImage, Scene, enlarge, scene

__all__ = ["METHOD", "MIN_SIDE_PX", "Confluence", "confluence", "observation"]

METHOD: Final = "local-contrast-1"
MIN_SIDE_PX: Final = 64
OUTLINE_PCT: Final = 2.0  # points by which two people's outlines of the same cells differ

# Beyond these the figure may be far off; the docs page says how each was found.
MIN_CONTRAST: Final = 4.0  # times the noise that the strongest structures must have
MIN_CONTRAST_SPARSE: Final = 5.0  # the same, of the few strongest spots of a nearly empty dish
SPARSE_PCT: Final = 10.0
MAX_INTERVAL_PCT: Final = 35.0
MAX_HALO_PCT: Final = 25.0
MAX_HALO_WITHOUT_PLASTIC_PCT: Final = 15.0
MAX_CONTRAST_OF_SPREAD_CELLS_PCT: Final = 10.0
LITTLE_PLASTIC: Final = 0.05
MIN_LOW_WITHOUT_PLASTIC_PCT: Final = 80.0
MAX_WHITENESS_OF_CELLS: Final = 0.7
COMPRESSED_PEAK_PCT: Final = 1.2
COMPRESSED_RANGE: Final = 8.0
MAX_SATURATED: Final = 0.05
MAX_GRAIN_PCT: Final = 1.5
MAX_EXCLUDED_PCT: Final = 50.0
HALO_WIDTH_PX: Final = 1.5  # grains are finer than halos
BRIGHT_PCT: Final = 3.0

Parameter: TypeAlias = float | int | str


@dataclass(frozen=True, slots=True)
class Confluence:
    """Percent of the area that cells cover, within ``low_pct`` to ``high_pct`` (each 0 to 100).

    ``unsure`` says that the figure may be far off, ``reason`` why: it is no evidence for a passage. ``mask`` (h, w) is
    True where cells are, ``excluded`` where the image shows no culture (a dark rim, a scale bar), or None.
    """

    confluence_pct: float
    low_pct: float
    high_pct: float
    unsure: bool
    reason: str
    mask: BoolImage
    excluded: BoolImage | None
    method: str
    parameters: Mapping[str, Parameter]


def confluence(pixels: npt.NDArray[np.generic]) -> Confluence:
    """Return the confluence of a phase-contrast image of shape (h, w) or (h, w, channels), grey or colour, any depth.

    Raises ValueError for less than 64 pixels a side, another shape, or values that are not finite. Source: local
    contrast after Jaccard et al. 2014, Biotechnol. Bioeng. 111:504; thresholds relative to the image's own noise.
    """
    if pixels.ndim not in (2, 3) or min(pixels.shape[:2]) < MIN_SIDE_PX:
        raise ValueError(f"confluence needs an image of at least {MIN_SIDE_PX} pixels a side, not {pixels.shape}")
    shape = (pixels.shape[0], pixels.shape[1])
    view = scene(pixels)
    if view is None:
        reason = "nothing to judge: uniform, or black and white only"
        return Confluence(0.0, 0.0, 100.0, True, reason, np.zeros(shape, np.bool_), None, METHOD, PARAMETERS)
    plain = background(view)
    reading = _read(view, plain, by_peak=plain.genuine or _compressed(plain))
    reason, low, high = _doubt(view, plain, reading)
    excluded = None if view.valid.all() else ~enlarge(view.valid, view.binning, shape)
    return Confluence(
        confluence_pct=reading.pct,
        low_pct=min(low, reading.pct),
        high_pct=max(high, reading.pct),
        unsure=bool(reason),
        reason=reason,
        mask=enlarge(reading.mask, view.binning, shape),
        excluded=excluded,
        method=METHOD,
        parameters=PARAMETERS,
    )


def observation(found: Confluence, image_sha256: str) -> dict[str, object]:
    """Return what a batch event keeps of an image's confluence, ready for JSON."""
    return {
        "confluence_pct": round(found.confluence_pct, 1),
        "low": round(found.low_pct, 1),
        "high": round(found.high_pct, 1),
        "unsure": found.unsure,
        "reason": found.reason,
        "image_sha256": image_sha256,
        "method": found.method,
        "parameters": dict(found.parameters),
    }


@dataclass(frozen=True, slots=True)
class _Reading:
    mask: BoolImage
    pct: float
    low: float
    high: float
    halo: float


def _read(view: Scene, plain: Background, *, by_peak: bool) -> _Reading:
    noise = plain.noise_of_peak if by_peak else plain.noise_of_detail
    level = plain.level if by_peak else 100.0
    seen = texture(view, noise, plain.floor, level)
    strict, best, generous = (covered(seen, view.valid, limits) for limits in (STRICT, BEST, GENEROUS))
    return _Reading(
        mask=best,
        pct=_share(best, view),
        low=max(_share(strict, view) - OUTLINE_PCT, 0.0),
        high=min(_share(generous, view) + OUTLINE_PCT, 100.0),
        halo=_share(blur(view.contrast, HALO_WIDTH_PX) > level + max(BRIGHT_PCT, noise), view),
    )


def _doubt(view: Scene, plain: Background, reading: _Reading) -> tuple[str, float, float]:
    """Why the reading may be far off ("" when it is not), and the interval that then holds."""
    if view.saturated > MAX_SATURATED:
        return f"{view.saturated:.0%} of the pixels are black or white: wrong exposure", 0.0, 100.0
    if plain.floor > MAX_GRAIN_PCT:
        return "too few grey levels to tell cells from plastic: too dark", 0.0, 100.0
    if 100.0 - _share(view.valid, view, whole=True) > MAX_EXCLUDED_PCT:
        return "more than half of the image is a rim or an inscription", reading.low, reading.high
    sparse = reading.high < SPARSE_PCT
    strength = plain.extreme / MIN_CONTRAST_SPARSE if sparse else plain.strongest / MIN_CONTRAST
    if plain.genuine and strength < plain.peak:
        return "nothing stands out from the noise: empty, out of focus, or a sheet of smooth cells", 0.0, 100.0
    if not plain.genuine:
        return _doubt_without_plastic(view, plain, reading)
    rounded = plain.typical > MAX_CONTRAST_OF_SPREAD_CELLS_PCT and plain.share < LITTLE_PLASTIC
    if reading.halo > (MAX_HALO_WITHOUT_PLASTIC_PCT if rounded else MAX_HALO_PCT):
        return _halo(reading)
    if reading.high - reading.low > MAX_INTERVAL_PCT:
        faint = plain.strongest < 2 * MIN_CONTRAST * plain.peak
        high = 100.0 if faint else reading.high
        return "the answer depends on how the limits are set: faint cells or narrow gaps", reading.low, high
    return "", reading.low, reading.high


def _doubt_without_plastic(view: Scene, plain: Background, reading: _Reading) -> tuple[str, float, float]:
    other = _read(view, plain, by_peak=not _compressed(plain))
    low = min(reading.low, other.low)
    if _compressed(plain):
        return "the noise of the camera is gone, as after strong compression: faint cells cannot be told", low, 100.0
    if plain.typical > MAX_CONTRAST_OF_SPREAD_CELLS_PCT:
        return "no bare plastic and strong contrasts: rounded cells, whose halos may hide gaps", low, 100.0
    if reading.halo > MAX_HALO_WITHOUT_PLASTIC_PCT:
        return _halo(reading)
    if plain.whiteness > MAX_WHITENESS_OF_CELLS or reading.low < MIN_LOW_WITHOUT_PLASTIC_PCT:
        return "no bare plastic was found to compare with: a closed sheet, or a blurred image", low, 100.0
    return "", reading.low, reading.high


def _halo(reading: _Reading) -> tuple[str, float, float]:
    low = max(reading.low - reading.halo, 0.0)
    return f"bright halos cover {reading.halo:.0f} % and may hide gaps between the cells", low, reading.high


def _compressed(plain: Background) -> bool:
    return not plain.genuine and plain.peak < COMPRESSED_PEAK_PCT and plain.strongest > COMPRESSED_RANGE * plain.peak


def _share(mask: BoolImage, view: Scene, *, whole: bool = False) -> float:
    return 100.0 * int(np.count_nonzero(mask)) / (mask.size if whole else int(np.count_nonzero(view.valid)))


def _parameters() -> Mapping[str, Parameter]:
    limits = {"strict": STRICT, "best": BEST, "generous": GENEROUS}
    named = {f"{name}_{key}": value for name, each in limits.items() for key, value in asdict(each).items()}
    return MappingProxyType(
        {
            **named,
            "min_contrast": MIN_CONTRAST,
            "max_interval_pct": MAX_INTERVAL_PCT,
            "max_halo_pct": MAX_HALO_PCT,
            "max_halo_without_plastic_pct": MAX_HALO_WITHOUT_PLASTIC_PCT,
            "max_contrast_of_spread_cells_pct": MAX_CONTRAST_OF_SPREAD_CELLS_PCT,
        }
    )


PARAMETERS: Final = _parameters()
