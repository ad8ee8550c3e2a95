"""What pages load and we did not write: Plotly, out of its own wheel."""

from __future__ import annotations

import asyncio
import gzip
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from fastapi import APIRouter, Request
from starlette.responses import Response

__all__ = ["router"]

router = APIRouter(include_in_schema=False)
_preparing = asyncio.Lock()


@router.get("/assets/plotly.min.js")
async def plotly(request: Request) -> Response:
    """The charting library; it changes only with the installed package."""
    zipped = "gzip" in request.headers.get("accept-encoding", "")
    tag = f'"plotly-{version("plotly")}{"-gzip" if zipped else ""}"'
    headers = {"cache-control": "max-age=604800", "etag": tag, "vary": "accept-encoding"}
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    if zipped:
        headers["content-encoding"] = "gzip"
    async with _preparing:
        content = await asyncio.to_thread(_zipped if zipped else _plain)
    return Response(content, media_type="text/javascript", headers=headers)


@cache
def _zipped() -> bytes:
    """Compress once: 4 MB would hold up the loop that polls the instruments for each browser that asks."""
    return gzip.compress(_plain(), 6, mtime=0)


def _plain() -> bytes:
    spec = find_spec("plotly")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("plotly is not installed; install cultureops with its dependencies")
    return (Path(spec.origin).parent / "package_data" / "plotly.min.js").read_bytes()
