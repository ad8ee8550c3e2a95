"""Which pixels adherent cells cover, once it is known how flat bare plastic is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from cultureops.analysis.confluence_background import FINE_PX, blur, local_deviation
from cultureops.analysis.confluence_scene import BoolImage, FloatImage, Scene

__all__ = ["BEST", "GENEROUS", "STRICT", "Limits", "Texture", "covered", "texture"]

HALO_NOISE: Final = 1.0  # brighter than plastic by this many times the noise, which the smoothing divides by 3.5
HALO_PX: Final = 10  # no halo is followed further
CLIP: Final = 2.5  # times the noise: no edge counts for more, so that none shines far beyond itself
CREST_PX: Final = 7  # side of the square in which an edge's crest is looked for


@dataclass(frozen=True, slots=True)
class Limits:
    """How sharply is judged.

    Texture begins at ``level`` times the noise of plastic, gathered over a window of ``smooth_px``. A cell ends at
    ``foot`` (0 to 1) of its edge's crest, at most ``reach_px`` within the texture, and ``rim_px`` outside of the crest
    of its halo (10 or more: halos are left alone). Spots below ``debris_px2`` are no cells, holes below ``hole_px2`` no
    gaps.
    """

    level: float
    foot: float
    smooth_px: float = 2.0
    reach_px: int = 7
    rim_px: int = 2
    debris_px2: int = 80
    hole_px2: int = 150


BEST: Final = Limits(level=1.4, foot=0.4)
STRICT: Final = Limits(level=1.6, foot=0.5, rim_px=1, hole_px2=40)
GENEROUS: Final = Limits(level=1.25, foot=0.3, rim_px=HALO_PX, hole_px2=400)


@dataclass(frozen=True, slots=True)
class Texture:
    """In %: fine local contrast, its crest nearby, the noise of plastic, the brightness above plastic."""

    fine: FloatImage
    crest: FloatImage
    noise: float
    brightness: FloatImage


def texture(view: Scene, noise: float, floor: float, level: float) -> Texture:
    """Return the fine local contrast of a scene; ``noise`` [%] is that of bare plastic in a window of 1 px."""
    from scipy import ndimage

    fine = np.hypot(local_deviation(view.contrast, FINE_PX), floor)
    return Texture(
        fine, ndimage.maximum_filter(fine, CREST_PX), noise, blur(view.contrast, FINE_PX) - np.float32(level)
    )


def covered(seen: Texture, valid: BoolImage, limits: Limits) -> BoolImage:
    """Return the pixels that cells cover.

    Texture: local contrast (Jaccard et al. 2014), clipped at a multiple of the noise and gathered over some pixels, is
    above the noise. Smear: a window sees an edge before it gets there, so that plastic is given back while the contrast
    is below a share of the edge's crest. Halo: plastic grows uphill onto the bright halo up to its crest, against the
    gradient as in the paper; a rim as wide as the optics blur stays with the cell.
    """
    from scipy import ndimage

    energy = np.sqrt(blur(np.minimum(seen.fine, CLIP * seen.noise) ** 2, limits.smooth_px))
    found = energy > limits.level * seen.noise
    depth = ndimage.distance_transform_cdt(found, "chessboard")
    slope = (depth <= limits.reach_px) & (seen.fine < limits.foot * seen.crest)
    plastic = ndimage.binary_propagation(~found, mask=~found | slope)
    plastic |= _halo(seen, plastic, limits)
    cells = ndimage.binary_opening(~plastic, np.ones((2, 2))) & valid
    cells &= _at_least(cells, limits.debris_px2)
    cells |= ~_at_least(~cells, limits.hole_px2)
    return np.asarray(cells & valid)


def _halo(seen: Texture, plastic: BoolImage, limits: Limits) -> BoolImage:
    """Walk from plastic uphill onto the bright halo, up to its crest, and leave the rim that belongs to the cell."""
    from scipy import ndimage

    if limits.rim_px >= HALO_PX:
        return plastic
    bright = (seen.brightness > HALO_NOISE * seen.noise) & ~plastic
    reached = plastic
    for _ in range(HALO_PX):
        below = _lowest_around(np.where(reached, seen.brightness, np.float32(np.inf)))
        grown = reached | (bright & (below < seen.brightness))
        if (grown == reached).all():
            break
        reached = grown
    reached = ndimage.binary_erosion(reached, np.ones((3, 3)), iterations=limits.rim_px, border_value=1)
    return np.asarray(reached | plastic)


def _lowest_around(values: FloatImage) -> FloatImage:
    """The smallest of each pixel and its eight neighbours."""
    padded = np.pad(values, 1, constant_values=np.inf)
    rows = np.minimum(np.minimum(padded[:-2], padded[1:-1]), padded[2:])
    return np.asarray(np.minimum(np.minimum(rows[:, :-2], rows[:, 1:-1]), rows[:, 2:]))


def _at_least(mask: BoolImage, area_px2: int) -> BoolImage:
    from scipy import ndimage

    labels, _ = ndimage.label(mask)
    large = np.bincount(labels.ravel()) >= area_px2
    large[0] = False
    return np.asarray(large[labels])
