"""A picture of the verdict: what was taken for cells, what was left out, and the figures."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from cultureops.analysis.confluence import Confluence

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["overlay"]

OUTLINE: Final = (255, 220, 0)
HATCH: Final = (230, 60, 60)
HATCH_PX: Final = 8
FONT_PX: Final = 14
LINE_PX: Final = 18
LETTER_PX: Final = 8


def overlay(pixels: npt.NDArray[np.generic], found: Confluence, caption: str = "") -> Image:
    """Return an RGB picture: the image with the covered area outlined and excluded area hatched, figures below it."""
    from PIL import Image, ImageDraw, ImageFont

    picture = np.repeat(_shown(pixels)[..., None], 3, axis=2)
    if found.excluded is not None:
        rows, columns = np.indices(found.mask.shape)
        picture[found.excluded & ((rows + columns) % HATCH_PX < 2)] = HATCH
    picture[_outline(found.mask)] = OUTLINE
    height, width = found.mask.shape
    text = [line for part in _figures(found, caption) for line in textwrap.wrap(part, max(width // LETTER_PX, 8))]
    canvas = Image.new("RGB", (width, height + LINE_PX * len(text) + 8))
    canvas.paste(Image.fromarray(picture))
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(FONT_PX)
    for number, line in enumerate(text):
        draw.text((6, height + 4 + LINE_PX * number), line, fill=(255, 255, 255), font=font)
    return canvas


def _figures(found: Confluence, caption: str) -> list[str]:
    figures = f"{found.confluence_pct:.1f} % covered ({found.low_pct:.0f} to {found.high_pct:.0f}), {found.method}"
    return [line for line in (caption, figures, f"UNSURE: {found.reason}" if found.unsure else "") if line]


def _outline(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    from scipy import ndimage

    return np.asarray(mask & ~ndimage.binary_erosion(mask, np.ones((3, 3)), border_value=1))


def _shown(pixels: npt.NDArray[np.generic]) -> npt.NDArray[np.uint8]:
    """Grey levels stretched to what a screen shows."""
    values = pixels.astype(np.float32)
    if values.ndim == 3:
        values = values[..., :3].mean(axis=2) if values.shape[2] >= 3 else values[..., 0]
    low, high = np.percentile(values, [0.2, 99.8])
    return np.asarray(np.clip(255 * (values - low) / max(float(high - low), 1e-6), 0, 255).astype(np.uint8))
