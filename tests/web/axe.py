"""Asks axe-core about a page in a real browser: it is handed in from outside, the page's own policy stays as it is."""

from typing import Any, Final

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page

__all__ = ["GRAVE", "grave_findings"]

GRAVE: Final = ("serious", "critical")
OPTIONS: Final = {"resultTypes": ["violations"]}
_AXE: Final = Axe()


async def grave_findings(page: Page) -> list[str]:
    """Return what hinders people on the open page: rule, what is wrong and where; nothing where all is well."""
    found = (await _AXE.run(page, options=OPTIONS)).response["violations"]
    return [_written(one) for one in found if one["impact"] in GRAVE]


def _written(one: dict[str, Any]) -> str:
    where = "; ".join(f"{' '.join(node['target'])}: {node['html'][:120]}" for node in one["nodes"][:3])
    return f"{one['id']} ({one['impact']}, {len(one['nodes'])}): {one['help']} at {where}"
