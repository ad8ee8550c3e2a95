"""What a phase-contrast image shows: its local contrast, and what of it is no picture of the culture."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["BoolImage", "FloatImage", "Scene", "enlarge", "scene"]

FloatImage: TypeAlias = npt.NDArray[np.float32]
BoolImage: TypeAlias = npt.NDArray[np.bool_]

WORKING_PIXELS: Final = 1.0e6  # larger images are binned: beyond that pixels are finer than the optics resolve
FIELD_PX: Final = 40.0  # illumination varies over far more than a cell
FIELD_BIN: Final = 4
DARK: Final = 0.4  # of the image's level: a vignette's rim or a frame, not a cell
DARKEST: Final = 0.1  # of the level: no illumination falls further, whatever is extrapolated
FRAME_PX: Final = 5  # thinner dark structures are cells' own
BAR_LENGTH_PX: Final = 20
BAR_ASPECT: Final = 4.0
BAR_FILLED: Final = 0.9
MARGIN_PX: Final = 4
ROUNDING: Final = 0.4  # of a grey level: noise that rounding hides
COMPRESSION: Final = 1.0  # of a grey level: noise that compression took away
FLAT_SHARE: Final = 0.03  # noise leaves hardly a spot of 3 x 3 equal pixels
COLOURED: Final = 0.15  # of the range between channels: ink of an annotation in an otherwise grey image


@dataclass(frozen=True, slots=True)
class Scene:
    """A prepared image.

    ``contrast`` [%] is around 100: the difference from the illumination, relative to the square root of the local times
    the typical illumination, so that the noise of photons is even; excluded parts are 100. ``valid`` is False where
    pixels are excluded; ``binning`` says how many pixels a side went into one; ``grain`` [%] is the contrast that
    rounding to grey levels or compression may hide; ``saturated`` is the share of pixels at the ends of the range.
    """

    contrast: FloatImage
    valid: BoolImage
    binning: int
    grain: float
    saturated: float


def scene(pixels: npt.NDArray[np.generic]) -> Scene | None:
    """Return the local contrast of a picture of shape (h, w) or (h, w, channels), or None where it shows nothing.

    Alpha (a second or fourth channel) is ignored. Raises ValueError for other shapes and values that are not finite.
    """
    from scipy import ndimage

    grey, ink = _grey(pixels)
    step = _grey_step(pixels)
    low, high = float(grey.min()), float(grey.max())
    if high - low <= 2 * step:
        return None
    flat = ndimage.maximum_filter(grey, 3) == ndimage.minimum_filter(grey, 3)
    excluded = _frame(grey, flat, low, high) | _scale_bar(grey, low, high) | ink
    if excluded.any():
        excluded = ndimage.binary_dilation(excluded, iterations=MARGIN_PX)
    kept = grey[~excluded]
    if kept.size < 0.1 * grey.size:
        return None
    ends = _ends(pixels, low, high)
    saturated = float(((kept <= ends[0]) | (kept >= ends[1])).mean())
    binning = max(1, round(math.sqrt(grey.size / WORKING_PIXELS)))
    level = float(np.median(kept))
    valid = ~excluded if binning == 1 else _binned((~excluded).astype(np.float32), binning) > 0.999
    grey = np.where(excluded, level, grey).astype(np.float32)
    grey = grey if binning == 1 else _binned(grey, binning)
    field = _illumination(grey, valid)
    if level <= 0:
        return None
    field = np.maximum(field, np.float32(DARKEST * level))
    contrast = np.where(valid, 100.0 + 100.0 * (grey - field) / np.sqrt(field * level), 100.0).astype(np.float32)
    hidden = COMPRESSION if flat[~excluded].mean() > FLAT_SHARE else ROUNDING
    return Scene(contrast, valid, binning, 100.0 * hidden * step / level / binning, saturated)


def enlarge(mask: BoolImage, binning: int, shape: tuple[int, int]) -> BoolImage:
    """Return a mask of the working size in the size of the image it came from; cut-off rims repeat the last pixel."""
    if binning == 1:
        return mask
    rows = np.minimum(np.arange(shape[0]) // binning, mask.shape[0] - 1)
    columns = np.minimum(np.arange(shape[1]) // binning, mask.shape[1] - 1)
    return mask[np.ix_(rows, columns)]


def _grey(pixels: npt.NDArray[np.generic]) -> tuple[FloatImage, BoolImage]:
    values = pixels.astype(np.float32)
    if not np.isfinite(values).all():
        raise ValueError("an image has finite values only")
    if values.ndim == 2:
        return values, np.zeros(values.shape, dtype=np.bool_)
    if values.ndim != 3 or values.shape[2] not in (1, 2, 3, 4):
        raise ValueError(f"an image has the shape (h, w) or (h, w, 1 to 4), not {pixels.shape}")
    if values.shape[2] < 3:
        return values[..., 0], np.zeros(values.shape[:2], dtype=np.bool_)
    colours = values[..., :3]
    spread = colours.max(axis=2) - colours.min(axis=2)
    tint = float(np.median(spread))  # a tinted filter or lamp colours everything alike
    ink = spread - tint > COLOURED * max(float(np.ptp(colours)), 1.0)
    if ink.mean() > 0.1:
        ink = np.zeros_like(ink)
    return colours.mean(axis=2, dtype=np.float32), ink


def _grey_step(pixels: npt.NDArray[np.generic]) -> float:
    """The distance between neighbouring grey levels that occur."""
    if pixels.dtype.kind == "f":
        return 0.0
    levels = np.unique(pixels if pixels.ndim == 2 else pixels[..., 0])
    return float(np.min(np.diff(levels.astype(np.float64)))) if levels.size > 1 else 1.0


def _ends(pixels: npt.NDArray[np.generic], low: float, high: float) -> tuple[float, float]:
    if pixels.dtype == np.uint8:
        return 0.0, 255.0
    if pixels.dtype == np.uint16:
        return 0.0, 65535.0 if high > 4095 else 4095.0
    return low - 1.0, high + 1.0


def _binned(grey: FloatImage, by: int) -> FloatImage:
    height, width = grey.shape[0] // by * by, grey.shape[1] // by * by
    blocks = grey[:height, :width].reshape(height // by, by, width // by, by)
    return np.asarray(blocks.mean(axis=(1, 3), dtype=np.float32))


def _frame(grey: FloatImage, flat: BoolImage, low: float, high: float) -> BoolImage:
    """Dark rims, as of a round field of view, and uniform margins that touch the image's edge."""
    from scipy import ndimage

    level = float(np.percentile(grey, 75))
    odd = (grey < low + DARK * (level - low)) & (level - low > 0.3 * level)
    odd |= flat & ((grey >= high) | (grey <= low) | (np.abs(grey - level) > 0.4 * level))
    solid = ndimage.binary_opening(np.pad(odd, FRAME_PX, mode="edge"), np.ones((FRAME_PX, FRAME_PX)))
    solid = solid[FRAME_PX:-FRAME_PX, FRAME_PX:-FRAME_PX]
    labels, _ = ndimage.label(solid)
    edge = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    sizes = np.bincount(labels.ravel())
    touching = [label for label in np.unique(edge) if label and sizes[label] > 0.003 * grey.size]
    frame = np.isin(labels, touching)
    return ndimage.binary_dilation(frame, iterations=FRAME_PX) & odd if touching else frame


def _scale_bar(grey: FloatImage, low: float, high: float) -> BoolImage:
    """A solid bar of the brightest or darkest value, with the text of the same value beside it."""
    from scipy import ndimage

    drawn = np.zeros(grey.shape, dtype=np.bool_)
    tolerance = 0.04 * (high - low)
    for ink in (grey >= high - tolerance, grey <= low + tolerance):
        labels, _ = ndimage.label(ink)
        for label, (rows, columns) in enumerate(ndimage.find_objects(labels), start=1):
            height, width = rows.stop - rows.start, columns.stop - columns.start
            if max(height, width) < max(BAR_LENGTH_PX, BAR_ASPECT * min(height, width)) or min(height, width) < 2:
                continue
            if (labels[rows, columns] == label).mean() < BAR_FILLED:
                continue
            reach = max(24, round(0.3 * max(height, width)))
            around = (
                slice(max(rows.start - reach, 0), rows.stop + reach),
                slice(max(columns.start - reach, 0), columns.stop + reach),
            )
            drawn[around] |= ndimage.binary_closing(ink[around], iterations=3)
    return drawn


def _illumination(grey: FloatImage, valid: BoolImage) -> FloatImage:
    """A quadratic vignette and, over many cells blurred, what is left of it; excluded pixels are left out."""
    from scipy import ndimage

    weight = _binned(valid.astype(np.float32), FIELD_BIN)
    small = _binned(np.where(valid, grey, 0).astype(np.float32), FIELD_BIN) / np.maximum(weight, 1e-3)
    vignette = _quadratic(small.astype(np.float32), weight > 0.5)
    sigma = FIELD_PX / FIELD_BIN
    rest = ndimage.gaussian_filter(weight * (small - vignette), sigma, truncate=3)
    rest /= np.maximum(ndimage.gaussian_filter(weight, sigma, truncate=3), 1e-3)
    rows = (np.arange(grey.shape[0]) + 0.5) / FIELD_BIN - 0.5
    columns = (np.arange(grey.shape[1]) + 0.5) / FIELD_BIN - 0.5
    return _bilinear(vignette + rest, rows, columns)


def _quadratic(values: FloatImage, chosen: BoolImage) -> FloatImage:
    """The quadratic surface nearest to the chosen values (least squares)."""
    y, x = (axis.astype(np.float32) / max(values.shape) - 0.5 for axis in np.indices(values.shape))
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1)
    if np.count_nonzero(chosen) < terms.shape[-1]:
        return np.full_like(values, values.mean())
    factors = np.linalg.lstsq(terms[chosen], values[chosen], rcond=None)[0]
    return np.asarray(terms @ factors, dtype=np.float32)


def _bilinear(small: FloatImage, rows: npt.NDArray[np.float64], columns: npt.NDArray[np.float64]) -> FloatImage:
    def along(values: FloatImage, at: npt.NDArray[np.float64]) -> FloatImage:
        at = np.clip(at, 0, values.shape[0] - 1)
        first = np.minimum(at.astype(np.intp), max(values.shape[0] - 2, 0))
        second = np.minimum(first + 1, values.shape[0] - 1)
        share = (at - first).astype(np.float32)[:, None]
        return np.asarray(values[first] * (1 - share) + values[second] * share)

    return along(along(small, rows).T, columns).T
