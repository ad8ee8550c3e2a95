"""A lab in which every name and text that people may choose tries to be something else: a script, a formula, a path."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from tests.stock import put_on_shelf
from tests.web.addresses import LOT
from tests.web.conftest import SITE, Served, serving, start_batch
from tests.web.people import PASSWORD

from cultureops.access import Identity, Role
from cultureops.access.desk import AccessDesk
from cultureops.batch import commands as do
from cultureops.batch.commands import Command
from cultureops.ledger.event import Actor
from cultureops.nodes import Across
from cultureops.web.gateways import GatewayView

__all__ = ["ALL", "LONG", "RAN", "REFUSED", "USER", "open_hostile"]

RAN: Final = "hasRun"
"""What a script of ours sets on the window: where it is set, a text was obeyed."""
SCRIPT: Final = f"<script>window.{RAN}=1</script>"
ELEMENT: Final = f"<img src=x onerror=window.{RAN}=1>"
HANDLER: Final = f'" autofocus onfocus="window.{RAN}=1" onmouseover=\'window.{RAN}=1\''
ALL: Final = f"=cmd|' /C calc'!A0 {SCRIPT}{ELEMENT}{HANDLER} {{{{7*7}}}} ../../etc/passwd 🧫"
"""At most 200 characters: as long as a name may be."""
LONG: Final = f"{ALL}{'x' * (2_000 - len(ALL))}"
REFUSED: Final = ("x" * 10_000, "\u202egnp.exe", "a\u200bb", "a\x00b", "a\x1b[2J", "\ufeff", "👩\u200d🔬", " ", "")
"""What no name may be: too long, or with characters that terminals, bidi algorithms and spreadsheets obey."""
USER: Final = ELEMENT
CHAMBER: Final = ELEMENT


@asynccontextmanager
async def open_hostile(folder: Path, people: Path) -> AsyncIterator[Served]:
    """Open the lab of ``served`` with hostile names wherever they are taken; its ids stay where addresses need them."""
    async with serving(_site(), folder, people, Across(gateways=_gateways)) as served:
        await start_batch(served)
        await _hire(served.lab.access)
        await put_on_shelf(served.lab.ledger, served.clock.now(), LOT)
        who = Actor(USER, "OP")
        await served.do(do.Note(text=LONG), actor=who)
        await served.do(
            do.ChangeMedium(vessels="B-1-P0", volume_ml=300.0, medium_lot=LOT, removed_nonadherent=True), actor=who
        )
        await served.do(do.ObserveConfluence(vessels="B-1-P0", confluence_pct=20.0, method="visual", n_fields=3))
        await served.do(
            do.OpenDeviation(deviation_id="D-1", severity="major", subject=ALL, description=LONG),
            actor=Actor("quality-1", "QA"),
        )
        await _corrected(served, who)
        await served.read("co2", 3.0)
        yield served


def _gateways() -> tuple[GatewayView, ...]:
    """A gateway that says hostile things of itself; its name and its certificate the hub has chosen."""
    return (
        GatewayView(
            name="room_1", site_name=ALL, chambers=("incubator_2",), heard_at=None, away_since=0, program=ALL,
            events_waiting=10**12, readings_waiting=None, behind_s=1e9, clock_ahead_ms=-(10**12),
            clock_uncertainty_ms=10**9, log_size=0, head_size=1, head_signed_at=0, head_key_id=ALL, orders_waiting=1,
            certificate_ends=0, problems=(LONG, ALL),
        ),
    )  # fmt: skip


async def _hire(access: AccessDesk) -> None:
    admin = Identity("admin-1", "Admin One", frozenset({Role.ADMINISTRATOR}), "password")
    quality = Identity("quality-1", "Quality One", frozenset({Role.QUALITY_ASSURANCE}), "password")
    await access.accept(await access.create(USER, ALL, (Role.OPERATOR,), admin, LONG), PASSWORD)
    await access.verify_identity(USER, ALL, quality)


async def _corrected(served: Served, who: Actor) -> None:
    event = next(one for one in served.lab.ledger.read("batch:B-1") if one.type == "noted")
    correct = Command("B-1", do.Correct(event_id=event.event_id, field="text", value=ALL), reason=LONG)
    await served.lab.execute(correct, who)


def _site() -> str:
    """Return a site file whose titles and texts are hostile, with one more chamber whose id is too."""
    quoted, chamber = json.dumps(ALL, ensure_ascii=False), json.dumps(CHAMBER)
    text = SITE.replace('"Test lab"', quoted)
    for words in ('"The medium turns alkaline."', '"Check the gas."'):
        text = text.replace(words, quoted)
    text = text.replace('id = "incubator_2"\n', f'id = "incubator_2"\ntitle = {quoted}\n')
    return f"""{text}
[[chamber]]
id = {chamber}
class = "incubator"
[[device]]
id = "device_3"
chamber = {chamber}
driver = "modbus"
link = "modbus+tcp://127.0.0.1:2"
options = {{ profile = "cultureops_virtual_incubator" }}
"""
