"""Reading a micrograph: whatever the file holds, either pixels or one line that says why not."""

from __future__ import annotations

import hashlib
import io
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from cultureops.analysis.confluence import MIN_SIDE_PX
from cultureops.errors import CultureOpsError

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["MAX_BYTES", "MAX_PIXELS", "decode_image", "read_image", "read_image_and_hash"]

FORMATS: Final = ("TIFF", "PNG", "JPEG", "BMP")
MAX_BYTES: Final = 256 * 2**20
MAX_PIXELS: Final = 50_000_000
PLAIN_MODES: Final = frozenset({"L", "I", "F", "I;16", "I;16B", "I;16L", "LA", "RGB", "RGBA"})


def read_image(path: Path) -> npt.NDArray[np.generic]:
    """Return the pixels, (h, w) or (h, w, channels), of a TIFF, PNG, JPEG or BMP of 8, 16 or 32 bit.

    Raises CultureOpsError for a file that can't be read, is no such image, is larger than 50 million pixels or
    smaller than 64 a side, or holds several pictures.
    """
    return read_image_and_hash(path)[0]


def read_image_and_hash(path: Path) -> tuple[npt.NDArray[np.generic], str]:
    """Return the pixels and the SHA-256 of the very bytes they came from; raises as ``read_image``."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise CultureOpsError(f"{path}: larger than {MAX_BYTES // 2**20} MiB; export a single picture")
        data = path.read_bytes()
    except (OSError, ValueError) as error:
        raise CultureOpsError(f"{path}: {getattr(error, 'strerror', None) or error}; name an image file") from None
    if not data:
        raise CultureOpsError(f"{path}: the file is empty; copy it again")
    return decode_image(str(path), data), hashlib.sha256(data).hexdigest()


def decode_image(name: str, data: bytes, max_pixels: int = MAX_PIXELS) -> npt.NDArray[np.generic]:
    """Return the pixels of an image file's bytes, ``name`` being what messages call it; raises as ``read_image``.

    What is too large, too small or several pictures is refused before any pixel is decoded.
    """
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of odd tags; what matters is refused below
        try:
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                width, height = image.size
                _check(name, width, height, max_pixels)
                if _holds_several(image):
                    raise CultureOpsError(f"{name}: holds several pictures; export the one to judge")
                image.seek(0)
                return np.array(image if image.mode in PLAIN_MODES else image.convert("RGB"))
        except CultureOpsError:
            raise
        except Image.DecompressionBombError:
            raise CultureOpsError(f"{name}: more than {max_pixels:,} pixels; export it smaller") from None
        except Exception as error:  # a broken file makes the decoders raise anything
            cause = str(error).splitlines()[0] if str(error) and "BytesIO" not in str(error) else "unknown content"
            raise CultureOpsError(f"{name}: no readable TIFF, PNG, JPEG or BMP image ({cause})") from None


def _check(name: str, width: int, height: int, max_pixels: int) -> None:
    if width * height > max_pixels:
        raise CultureOpsError(f"{name}: {width} x {height} is more than {max_pixels:,} pixels; export it smaller")
    if min(width, height) < MIN_SIDE_PX:
        raise CultureOpsError(f"{name}: {width} x {height} pixels; at least {MIN_SIDE_PX} a side are needed")


def _holds_several(image: Image) -> bool:
    """Whether a second picture follows the first; how many more, nobody counts: a file may claim a million."""
    try:
        image.seek(1)
    except EOFError:
        return False
    return True
