"""The people of a lab under test, and how they come in: accounts as people make them, with the cheapest hash."""

import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
from tests.signing import approve_recipe

from cultureops.access import Identity, Role
from cultureops.access.desk import AccessDesk, open_access
from cultureops.access.policy import Policy
from cultureops.batch.recipe import find_recipe
from cultureops.clock import Clock, SystemEntropy
from cultureops.ledger.store import SqlLedger
from cultureops.recording import LEDGER_FILE

__all__ = ["PASSWORD", "POLICY", "ROLES", "Browser", "cookies_of", "copy_people", "make_people", "people_in"]

PASSWORD = "a quiet morning by the lake"
POLICY = Policy(site="Test lab", zone="Europe/Berlin", argon2_memory_kib=8, argon2_passes=1)
ROLES: Mapping[str, tuple[Role, ...]] = {
    "operator-1": (Role.OPERATOR,),
    "operator-2": (Role.OPERATOR,),
    "reviewer-1": (Role.REVIEWER,),
    "control-1": (Role.QUALITY_CONTROL,),
    "quality-1": (Role.QUALITY_ASSURANCE,),
    "qualified-1": (Role.QUALIFIED_PERSON,),
    "storage-1": (Role.STORAGE,),
    "clinic-1": (Role.CLINIC,),
    "equipment-1": (Role.EQUIPMENT,),
}


async def make_people(access: AccessDesk) -> None:
    """Make the first administrator by the one-time link, then everybody else by invitation, and check who they are."""
    link = await access.first_link()
    assert link is not None
    await access.accept(link, PASSWORD, username="admin-1", printed_name="Admin One")
    admin = Identity("admin-1", "Admin One", frozenset({Role.ADMINISTRATOR}), "password")
    for name, roles in ROLES.items():
        role, number = name.split("-")
        printed = f"{role.title()} {'One' if number == '1' else 'Two'}"
        await access.accept(await access.create(name, printed, roles, admin, "new at the site"), PASSWORD)
    await access.verify_identity("qualified-1", "passport seen", admin)
    checker = Identity("qualified-1", "Qualified One", frozenset({Role.QUALIFIED_PERSON}), "password")
    for name in ROLES.keys() - {"qualified-1"}:
        await access.verify_identity(name, "passport seen", checker)


async def people_in(folder: Path, clock: Clock) -> None:
    """Lay out a data folder in which the people have their accounts and the recipe of new batches is approved."""
    ledger = SqlLedger.open(folder / LEDGER_FILE, clock, SystemEntropy())
    try:
        await make_people(await open_access(folder, ledger, POLICY, clock, SystemEntropy()))
        await approve_recipe(ledger, find_recipe("tavakol_afshari_2021"), clock.now())
    finally:
        await ledger.close()


def copy_people(made: Path, folder: Path) -> None:
    """Take the people into another data folder."""
    shutil.copytree(made, folder, dirs_exist_ok=True)


class Browser(httpx.AsyncClient):
    """A browser without scripts: it keeps cookies, and sends each form with the token of the page it is on."""

    csrf = ""

    async def log_in(self, username: str, password: str = PASSWORD, **more: str) -> httpx.Response:
        """Fill in the form of the log-in."""
        await self.look("/log-in")
        answer = await self.post("/log-in", data={"username": username, "password": password, **more})
        if answer.status_code == 303:
            await self.look("/account")
        return answer

    async def look(self, path: str) -> httpx.Response:
        """Open a page and take the token of its forms."""
        answer = await self.get(path)
        self.learn(answer.text)
        return answer

    def learn(self, page: str) -> None:
        """Take the token that the forms of a page carry."""
        if (found := re.search(r'name="csrf" value="([0-9a-f]{64})"', page)) is not None:
            self.csrf = found[1]

    async def post(self, url: Any, *, data: Any = None, content: Any = None, **more: Any) -> httpx.Response:
        """Send a form of the page, with the token of it; ``content`` is sent as it is."""
        if content is None:
            data = {"csrf": self.csrf, **(data or {})}
        return await super().post(url, data=data, content=content, **more)


async def cookies_of(url: str, username: str) -> list[Any]:
    """Return the cookies of somebody who has logged in, as a scripted browser takes them."""
    async with Browser(base_url=url, timeout=20) as browser:
        await browser.log_in(username)
        return [{"name": name, "value": value, "url": url} for name, value in browser.cookies.items()]
