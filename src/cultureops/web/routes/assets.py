"""What pages load and we did not write: Plotly, out of its own wheel."""

from __future__ import annotations

from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from fastapi import APIRouter
from starlette.responses import FileResponse, Response

__all__ = ["router"]

router = APIRouter(include_in_schema=False)


@router.get("/assets/plotly.min.js")
async def plotly() -> Response:
    """The charting library; it changes only with the installed package."""
    headers = {"cache-control": "max-age=86400", "etag": f'"plotly-{version("plotly")}"'}
    return FileResponse(_plotly_file(), media_type="text/javascript", headers=headers)


@cache
def _plotly_file() -> Path:
    spec = find_spec("plotly")
    assert spec is not None and spec.origin is not None
    return Path(spec.origin).parent / "package_data" / "plotly.min.js"
