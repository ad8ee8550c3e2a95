"""Every address of the application, with an example of each page and who looks at it: for tests that walk over all.

A new page without an example here fails ``test_every_address_is_known``: no page can be forgotten by the walks.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from fastapi import FastAPI
from fastapi.routing import APIRoute

__all__ = ["LOT", "NO_PAGES", "PAGES", "Example", "all_routes", "read_by_get"]


LOT: Final = "=1+1 <script>window.hasRun=1</script>"
"""What a hostile lab calls a lot."""


@dataclass(frozen=True)
class Example:
    """An address that can be opened in the lab of ``served`` (batch B-1, incubator_1), and whose it is."""

    address: str
    person: str | None = "operator-1"


PAGES: Final[Mapping[str, tuple[Example, ...]]] = {
    "/": (Example("/"),),
    "/access-review": (Example("/access-review", "quality-1"),),
    "/account": (Example("/account"),),
    "/accounts": (Example("/accounts", "admin-1"),),
    "/accounts/{username}": (Example("/accounts/operator-1", "admin-1"),),
    "/alarms": (Example("/alarms"),),
    "/alarms/history": (Example("/alarms/history"),),
    "/alarms/link/{token}": (Example("/alarms/link/abc.def", None),),
    "/alarms/one": (Example("/alarms/one?rule=incubator_1/co2/low"),),
    "/alarms/performance": (Example("/alarms/performance"),),
    "/api": (Example("/api"),),
    "/audit": (Example("/audit"),),
    "/batches/new": (Example("/batches/new"),),
    "/batches/{batch_id}": (Example("/batches/B-1"),),
    "/batches/{batch_id}/audit": (Example("/batches/B-1/audit"),),
    "/batches/{batch_id}/box": (Example("/batches/B-1/box"),),
    "/batches/{batch_id}/deviations/{deviation_id}": (Example("/batches/B-1/deviations/D-1", "quality-1"),),
    "/batches/{batch_id}/do": (Example("/batches/B-1/do"),),
    "/batches/{batch_id}/do/{step}": (Example("/batches/B-1/do/ObserveConfluence"), Example("/batches/B-1/do/Passage")),
    "/batches/{batch_id}/environment": (Example("/batches/B-1/environment"),),
    "/batches/{batch_id}/images": (Example("/batches/B-1/images"),),
    "/batches/{batch_id}/images/{sha256}": (Example("/batches/B-1/images/0"),),
    "/batches/{batch_id}/papers": (Example("/batches/B-1/papers"),),
    "/batches/{batch_id}/review": (Example("/batches/B-1/review", "quality-1"),),
    "/batches/{batch_id}/sign/{step}": (Example("/batches/B-1/sign/Reject", "quality-1"),),
    "/bench": (Example("/bench"),),
    "/chambers/{chamber_id}": (Example("/chambers/incubator_1"),),
    "/chambers/{chamber_id}/values": (Example("/chambers/incubator_1/values"),),
    "/deviations": (Example("/deviations", "quality-1"),),
    "/due": (Example("/due"),),
    "/devices": (Example("/devices", "equipment-1"),),
    "/equipment": (Example("/equipment", "equipment-1"),),
    "/equipment/{equipment_id:path}": (Example("/equipment/incubator_1", "equipment-1"),),
    "/equipment/{subject_id:path}/do/{step}": (Example("/equipment/incubator_1/do/0", "equipment-1"),),
    "/gateways": (Example("/gateways"),),
    "/health": (Example("/health"),),
    "/lots": (Example("/lots"),),
    "/lots/{lot_id:path}": (Example("/lots/L1"), Example(f"/lots/{quote(LOT, safe='')}")),
    "/lots/{subject_id:path}/do/{step}": (Example("/lots/L1/do/0", "quality-1"),),
    "/log-in": (Example("/log-in", None),),
    "/quality": (Example("/quality", "quality-1"),),
    "/recipes": (Example("/recipes", "quality-1"),),
    "/recipes/{name}": (Example("/recipes/tavakol_afshari_2021", "quality-1"),),
    "/roster": (Example("/roster", "quality-1"),),
    "/scan": (Example("/scan"), Example("/scan?code=%3Cscript%3Ewindow.hasRun=1%3C/script%3E")),
    "/site": (Example("/site", "quality-1"),),
    "/set-up/{token}": (Example("/set-up/none", None),),
}
NO_PAGES: Final = frozenset(
    {
        *("/assets/plotly.min.js", "/display/{token}", "/healthz", "/metrics", "/session", "/stream"),
        *("/board/alarms", "/board/batches", "/board/sparks"),
        *("/alarms/performance.csv", "/audit/export.{kind}", "/chambers/{chamber_id}/values.csv"),
        *("/batches/{batch_id}/record.json", "/batches/{batch_id}/record.pdf", "/batches/{batch_id}/forms.pdf"),
        *("/batches/{batch_id}/labels/{kind}", "/batches/{batch_id}/packs/{name}"),
        *(f"/batches/{{batch_id}}/images/{{sha256}}/{kind}" for kind in ("picture.jpg", "mask.png", "original")),
        "/batches/{batch_id}/do/{step}/standing",
    }
)
"""What a browser is given as a file, as data or as the way to a page; all of /api is data too."""


def all_routes(rows: Any) -> list[APIRoute]:
    """Return the routes of an application or a router, those of included routers too."""
    gathered: list[APIRoute] = []
    for row in rows:
        inner = getattr(row, "original_router", None) or getattr(row, "router", None)
        gathered += [row] if isinstance(row, APIRoute) else all_routes(inner.routes) if inner is not None else []
    return gathered


def read_by_get(app: FastAPI) -> set[str]:
    """Return the addresses that can be looked at, as the routes write them, without the data under /api."""
    found = {route.path for route in all_routes(app.routes) if "GET" in route.methods}
    return {path for path in found if not path.startswith("/api/")}
