"""What an image's first bytes and its name say. Pure; no pixel is read here.

Names of exported TIFF files: ``well_B1_2_2022y05m08d_08h46m.tif`` (well B1, field 2, local time; BioImaging-NKI) and
``A172_Phase_C7_1_00d20h00m_4.tif`` (well C7, field 1, time since the first scan, part 4; LIVECell, Sartorius). In the
raw tree ``A1-1-Ph.tif`` (well, field, channel; Leiden-Cell-Observatory/OMERO_scripts, incucyte/README.md).
"""

from __future__ import annotations

import hashlib
import re
from datetime import datetime
from typing import Final

from cultureops.device.driver import ImageResult
from cultureops.errors import ProtocolError

__all__ = ["parse_image"]

_SIGNATURES: Final = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")
"""TIFF and BigTIFF of both byte orders, PNG, JPEG."""
_WELL: Final = r"(?P<well>[A-P](?:[1-9]|1[0-9]|2[0-4]))"
_EXPORTED: Final = re.compile(
    rf"(?:.+_)?{_WELL}_(?P<field>\d{{1,3}})_"
    r"(?:(?P<at>\d{4}y\d\dm\d\dd_\d\dh\d\dm)|(?P<days>\d\d)d(?P<hours>\d\d)h(?P<minutes>\d\d)m)(?:_\d{1,3})?",
    re.ASCII,
)
_RAW: Final = re.compile(rf"{_WELL}-(?P<field>\d{{1,3}})-(?:Ph|C1|C2)", re.ASCII)


def parse_image(contents: bytes, file: str) -> tuple[ImageResult, ...]:
    """Return one image; raise ProtocolError for what is no image file, and for a name with an impossible time."""
    if not contents.startswith(_SIGNATURES):
        raise ProtocolError(f"starts with {contents[:8]!r}; expected a TIFF, PNG or JPEG file")
    sha256 = hashlib.sha256(contents).hexdigest()
    stem = file.rpartition(".")[0]
    if found := _EXPORTED.fullmatch(stem):
        at, elapsed_h = found["at"], None
        if at is None:
            elapsed_h = _elapsed_h(found, file)
        return (ImageResult(found["well"], int(found["field"]), _local(at, file), elapsed_h, file, sha256),)
    if found := _RAW.fullmatch(stem):
        return (ImageResult(found["well"], int(found["field"]), "", None, file, sha256, ("time_missing",)),)
    return (ImageResult("", None, "", None, file, sha256, ("name_not_understood",)),)


def _local(at: str | None, file: str) -> str:
    if at is None:
        return ""
    try:
        return datetime.strptime(at, "%Yy%mm%dd_%Hh%Mm").isoformat(timespec="seconds")
    except ValueError:
        raise ProtocolError(f"{file}: {at!r} is no possible time") from None


def _elapsed_h(found: re.Match[str], file: str) -> float:
    days, hours, minutes = (int(found[name]) for name in ("days", "hours", "minutes"))
    if hours > 23 or minutes > 59:
        raise ProtocolError(f"{file}: {days} d {hours} h {minutes} min is no time that has passed")
    return days * 24 + hours + minutes / 60
