"""A picture of the verdict: what was taken for cells, what was left out, and the figures."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from cultureops.analysis.confluence import Confluence

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["mask_picture", "overlay", "plain_picture"]

OUTLINE: Final = (255, 220, 0)
HATCH: Final = (230, 60, 60)
HATCH_PX: Final = 8
FONT_PX: Final = 14
LINE_PX: Final = 18
LETTER_PX: Final = 8
SCREEN_PX: Final = 1_400
"""The longer side of a picture for a page."""
TINT: Final = (255, 220, 0, 46)
EDGE: Final = (40, 30, 0)


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


def plain_picture(pixels: npt.NDArray[np.generic]) -> Image:
    """Return the image in grey at the size of a screen, made anew from its pixels."""
    from PIL import Image

    return _on_screen(Image.fromarray(_shown(pixels)))


def mask_picture(found: Confluence) -> Image:
    """Return a transparent picture of the same size to lay over it.

    What was taken for cells is outlined and tinted, what was left out is hatched.
    """
    from PIL import Image
    from scipy import ndimage

    mask = np.asarray(_on_screen(Image.fromarray(found.mask.astype(np.uint8) * 255))) > 127
    drawn = np.zeros((*mask.shape, 4), np.uint8)
    drawn[mask] = TINT
    inner = _outline(mask)
    drawn[ndimage.binary_dilation(inner) & ~inner] = (*EDGE, 255)
    drawn[inner] = (*OUTLINE, 255)
    if found.excluded is not None:
        excluded = np.asarray(_on_screen(Image.fromarray(found.excluded.astype(np.uint8) * 255))) > 127
        rows, columns = np.indices(mask.shape)
        drawn[excluded & ((rows + columns) % HATCH_PX < 2)] = (*HATCH, 255)
    return Image.fromarray(drawn)


def _on_screen(picture: Image) -> Image:
    from PIL import Image

    share = min(1.0, SCREEN_PX / max(picture.size))
    size = max(1, round(picture.width * share)), max(1, round(picture.height * share))
    return picture if share == 1.0 else picture.resize(size, Image.Resampling.BOX)


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
