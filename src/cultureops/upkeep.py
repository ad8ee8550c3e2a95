"""What people decide on equipment, lots, recipes and the site file while the lab runs: the thin shell behind pages."""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import Sequence
from functools import partial

from cultureops.access.signature import Signature
from cultureops.batch.approval import approve
from cultureops.batch.lot_stop import tell_batches
from cultureops.conduct import REFUSALS, Command
from cultureops.equipment.handler import execute as on_equipment
from cultureops.errors import AccessError, ConfigError, CultureOpsError
from cultureops.field import printable
from cultureops.lab import Lab
from cultureops.ledger.event import Actor, NewEvent, Source
from cultureops.material.handler import execute as on_lot
from cultureops.site_approval import RULE, STREAM, approve_site, approving_site, named_files, text_in_force
from cultureops.site_secrets import SiteKey
from cultureops.web.upkeep.desk import Kind, SiteFile

__all__ = ["Upkeep"]


class Upkeep:
    """Carries out commands on what a lab works with, by people who have an account in that role."""

    site_rule = RULE

    def __init__(self, lab: Lab) -> None:
        self._lab = lab

    async def keep(self, kind: Kind, command: Command, actor: Actor, signatures: Sequence[Signature] = ()) -> None:
        """Carry out one command; raises AccessError or BatchError when it is refused, which is on record then."""
        lab, ledger = self._lab, self._lab.ledger
        await ledger.catch_up()  # accounts are changed by other processes too
        try:
            lab.access.permit(actor)
        except AccessError as refusal:
            await self._record(command, actor, refusal)
            raise
        now = lab.clock.now()
        match kind:
            case Kind.EQUIPMENT:
                declared = lab.equipment.declared(command.subject_id)
                await on_equipment(ledger, declared, command, now, actor, signatures)
            case Kind.LOT:
                told = partial(tell_batches, ledger, command.subject_id)
                await on_lot(ledger, command, now, actor, told, signatures)
            case Kind.RECIPE:
                await approve(ledger, command, now, actor, signatures)
            case Kind.SITE:
                await self._approve_site(command, actor, signatures)

    async def site_file(self) -> SiteFile | None:
        """Return the site file as it is and as the lab runs on it, secrets hidden; None where no file is kept."""
        known, file = text_in_force(self._lab.ledger.read(STREAM)), self._lab.site.file
        if known is None or file is None:
            return None
        try:
            text = await asyncio.to_thread(partial(file.read_text, encoding="utf-8"))
            files = await asyncio.to_thread(named_files, file, text)
            now = [*self._key.redacted(text).splitlines(), *_with_hashes(files)]
        except (OSError, UnicodeDecodeError, ConfigError) as problem:
            return SiteFile(known.text, known.at, known.reason, known.signature, (), f"{file.name}: {problem}")
        before = [*known.text.splitlines(), *_with_hashes(files if known.files is None else known.files)]
        diff = tuple(difflib.unified_diff(before, now, "in force", file.name, lineterm="", n=3))
        return SiteFile(known.text, known.at, known.reason, known.signature, diff, "")

    async def approving_site(self, reason: str) -> Command:
        """Return the command that approves the site file as it is; raises ConfigError for one no lab could run on."""
        if (file := self._lab.site.file) is None:
            raise ConfigError("this lab keeps no site file under change control")
        return await asyncio.to_thread(approving_site, self._lab.data_dir, file, reason)

    async def _approve_site(self, command: Command, actor: Actor, signatures: Sequence[Signature]) -> None:
        file = self._lab.site.file
        assert file is not None, "who approves it has read it"
        text = await asyncio.to_thread(partial(file.read_text, encoding="utf-8"))
        known = await approve_site(self._lab.ledger, command, self._lab.clock.now(), actor, signatures)
        if self._key.commitment(text) == known.commitment:  # changed meanwhile, it waits for another approval
            await asyncio.to_thread(self._key.keep, text)

    @property
    def _key(self) -> SiteKey:
        return SiteKey(self._lab.data_dir)

    async def _record(self, command: Command, actor: Actor, refusal: CultureOpsError) -> None:
        data = {
            "command": type(command.details).__name__,
            "error": type(refusal).__name__,
            "message": printable(str(refusal))[:2_000],
        }
        event = NewEvent("command_refused", data, actor, Source.HUMAN, self._lab.clock.now())
        await self._lab.ledger.append(REFUSALS, [event], None)


def _with_hashes(files: Sequence[str]) -> list[str]:
    return [f"# names {one}" for one in files]
