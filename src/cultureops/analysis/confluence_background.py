"""How bare plastic looks in this very image: whether there is any, and how flat it is.

Where no cell lies the camera sees noise alone: the local contrast there has one value, spread only by chance. In a
histogram of local contrast plastic is a narrow peak at the low end, while smooth cells have contrast of every strength
and so make a long slope. Where no plastic shows, the noise can still be told from the finest detail, which the optics
do not resolve: in the flattest places it makes up nearly all of the contrast if they are plastic, and half of it or
less if they are the inside of a cell.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from cultureops.analysis.confluence_scene import BoolImage, FloatImage, Scene

__all__ = ["FINE_PX", "Background", "background", "blur", "local_deviation"]

WINDOW_PX: Final = 3.0
FINE_PX: Final = 1.0
LOG_BIN: Final = 0.05
LOWEST_PCT: Final = 0.5  # percentile that stands for the flattest place
FLATTEST_PCT: Final = 2.0
PEAK_TOP: Final = 1.35  # times the peak: chance alone goes no further
FINE_SHARE: Final = 0.96  # of white noise within a window of 1 px: sqrt(1 - 1 / (4 pi))
PEAK_END: Final = 0.8  # a peak ends where the histogram has fallen to this share of it
NARROW: Final = 1.45  # from the flattest place to the peak; chance alone gives 1.2, rescaled images 1.4, cells 1.5 to 6


@dataclass(frozen=True, slots=True)
class Background:
    """What was found: contrasts in % of the illumination, within a Gaussian window of 3 px unless said otherwise.

    ``peak`` is the lowest peak of the histogram and ``spread`` its ratio to the flattest place; ``whiteness`` (0 to 1)
    is the share of the finest detail in the flattest places; ``share`` (0 to 1) that of the image as flat as the peak;
    ``typical`` and ``strongest`` are the median and the 98th percentile; ``floor`` is what rounding hides.
    ``level`` is the intensity of the flattest places and ``extreme`` the contrast that only 0.1 % exceed.
    ``noise_of_peak`` and ``noise_of_detail`` are the noise in a window of 1 px if the peak is plastic, and if only the
    finest detail is noise.
    """

    peak: float
    spread: float
    whiteness: float
    share: float
    typical: float
    strongest: float
    extreme: float
    level: float
    floor: float
    noise_of_peak: float
    noise_of_detail: float

    @property
    def genuine(self) -> bool:
        """Whether the peak is narrow enough to be noise on bare plastic."""
        return self.spread <= NARROW


def background(view: Scene) -> Background:
    """Return what the flattest parts of a scene tell of its bare plastic."""
    from scipy import ndimage

    kernel = np.outer([1, -2, 1], [1, -2, 1]).astype(np.float32) / 6  # Immerkær 1996: noise alone passes
    floor = view.grain
    broad = np.hypot(local_deviation(view.contrast, WINDOW_PX), floor)
    fine = np.sqrt(blur(ndimage.convolve(view.contrast, kernel) ** 2, WINDOW_PX) + floor**2)
    chosen = _inner(view.valid)
    near = np.hypot(local_deviation(view.contrast, FINE_PX), floor)
    broad_values, fine_values, near_values = (every[::2, ::2][chosen[::2, ::2]] for every in (broad, fine, near))
    lowest, flattest = np.percentile(broad_values, [LOWEST_PCT, FLATTEST_PCT])
    lowest = max(float(lowest), 1e-6)
    flat = broad_values <= flattest
    peak = _lowest_peak(np.log(np.maximum(broad_values, 1e-6)), float(np.log(lowest)))
    typical, strongest, extreme = np.percentile(broad_values, [50, 98, 99.9])
    flat_as_peak = broad_values < PEAK_TOP * peak
    smooth = blur(view.contrast, FINE_PX)[::2, ::2][chosen[::2, ::2]]
    return Background(
        peak=peak,
        spread=peak / lowest,
        whiteness=float(np.median(fine_values[flat] / np.maximum(broad_values[flat], 1e-6))),
        share=float(flat_as_peak.mean()),
        typical=float(typical),
        strongest=float(strongest),
        extreme=float(extreme),
        level=float(np.median(smooth[flat_as_peak])),
        floor=floor,
        noise_of_peak=float(np.median(near_values[flat_as_peak])),
        noise_of_detail=FINE_SHARE * float(np.median(fine_values[flat])),
    )


def blur(values: FloatImage, sigma_px: float) -> FloatImage:
    """Return the Gaussian mean; edges are mirrored."""
    from scipy import ndimage

    return np.asarray(ndimage.gaussian_filter(values, sigma_px, truncate=3))


def local_deviation(contrast: FloatImage, sigma_px: float) -> FloatImage:
    """Return the standard deviation in a Gaussian window: the local contrast of Jaccard et al. 2014, eq. 1.

    The illumination is already divided out, so that the local mean is 100 throughout.
    """
    centred = contrast - np.float32(100)
    return np.asarray(np.sqrt(np.maximum(blur(centred**2, sigma_px) - blur(centred, sigma_px) ** 2, 0)))


def _inner(valid: BoolImage) -> BoolImage:
    """Valid pixels whose window holds no excluded one."""
    from scipy import ndimage

    if valid.all():
        return valid
    inner = np.asarray(ndimage.binary_erosion(valid, iterations=round(3 * WINDOW_PX), border_value=1))
    return inner if inner.any() else valid


def _lowest_peak(logs: FloatImage, start: float) -> float:
    from scipy import ndimage

    edges = start + LOG_BIN * np.arange(-2, 120)
    counts = ndimage.gaussian_filter1d(np.histogram(logs, edges)[0].astype(float), 1.5, mode="constant")
    top = 0
    for here, count in enumerate(counts):
        if count > counts[top]:
            top = here
        elif 0 < count < PEAK_END * counts[top]:
            break
    return float(np.exp(edges[top] + LOG_BIN / 2))
