"""Our own styles and scripts, under an address that changes with them: a browser asks for each once and never again.

``/static/board.js`` is the file as it is now, asked for anew each time; ``/static/v0123456789abcdef/board.js`` is that
one version of all of them and may be kept for a year. Scripts import each other by relative names (``./plot.js``), so
that they stay within one version.
"""

from __future__ import annotations

import re
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Final

from fastapi.staticfiles import StaticFiles
from starlette.responses import Response
from starlette.types import Scope

__all__ = ["VersionedFiles", "versioned_address"]

FOLDER: Final = Path(__file__).parent / "static"
FOR_A_YEAR: Final = "max-age=31536000, immutable"
_VERSIONED: Final = re.compile(r"(v[0-9a-f]{16})/(.+)", re.DOTALL)


@cache
def versioned_address() -> str:
    """Return under which address the files stand, without a slash at its end: ``/static/v`` and 16 hex digits."""
    digest = sha256()
    for file in sorted(path for path in FOLDER.rglob("*") if path.is_file()):
        digest.update(f"{file.relative_to(FOLDER).as_posix()}\0".encode() + sha256(file.read_bytes()).digest())
    return f"/static/v{digest.hexdigest()[:16]}"


class VersionedFiles(StaticFiles):
    """Serves the files with and without a version; only the present version may be kept."""

    def __init__(self) -> None:
        super().__init__(directory=FOLDER)

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Return a file; a page of before an update still gets one, the present one."""
        asked = _VERSIONED.fullmatch(path)
        if asked is None:
            return await super().get_response(path, scope)
        answer = await super().get_response(asked[2], scope)
        if answer.status_code in (200, 304) and versioned_address().endswith(asked[1]):
            answer.headers["cache-control"] = FOR_A_YEAR
        return answer
