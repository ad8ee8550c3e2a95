"""Files to take home: under a name that no browser, shell or spreadsheet takes for anything but a name."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Final

from starlette.responses import Response, StreamingResponse

__all__ = ["attachment", "disposition", "file_name"]

LONGEST: Final = 100
_NOT_PLAIN: Final = re.compile(r"[^A-Za-z0-9._-]+")


def file_name(text: str, suffix: str) -> str:
    """Return a name of letters, digits, ``-``, ``_`` and ``.`` that begins with none of the last, and its suffix."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    kept = _NOT_PLAIN.sub("_", plain).strip("._-")[:LONGEST]
    return f"{kept or 'export'}{suffix}"


def disposition(name: str, *, is_inline: bool = False) -> str:
    """Return the header ``Content-Disposition`` for a file of any name (RFC 6266)."""
    stem, dot, ending = name.rpartition(".")
    plain = file_name(stem, f".{file_name(ending, '')}") if dot else file_name(name, "")
    return f'{"inline" if is_inline else "attachment"}; filename="{plain}"'


def attachment(body: bytes | Iterator[bytes], name: str, media_type: str) -> Response:
    """Return a file that is saved and never shown in the page's place."""
    headers = {"content-disposition": disposition(name), "content-type": media_type}
    if isinstance(body, bytes):
        return Response(body, headers=headers)
    return StreamingResponse(body, headers=headers)
