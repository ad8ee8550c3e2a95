"""The accounts of the demo's people, made as a site makes them, and the signatures that they give at the real desk."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Final

from cultureops.access import Meaning, Role, Shown, Signature
from cultureops.access.desk import AccessDesk
from cultureops.demo.people import ADMINISTRATOR, EVERYBODY, QUALITY_ASSURANCE, printed_name
from cultureops.ledger.event import Actor

__all__ = ["Staff", "hire"]

HERE: Final = "demo"
"""Where the scripted people sit, as the record of log-ins has it."""
_LETTERS: Final = "abcdefghjkmnpqrstuvwxyz"
_GROUPS, _LONG = 5, 4


class Staff:
    """People who have accounts, and the one passphrase of them all, which is kept nowhere but here."""

    def __init__(self, desk: AccessDesk, passphrase: str) -> None:
        self._desk = desk
        self.passphrase = passphrase

    async def sign(self, shown: Shown, wanted: Sequence[tuple[Actor, Meaning]]) -> tuple[Signature, ...]:
        """Let each person sign what is shown, with the password again; raises AccessError."""
        signed: list[Signature] = []
        for person, meaning in wanted:
            offer = await self._desk.offer(person.id, person.role, meaning, shown)
            signed.append(await self._desk.sign(offer.id, self.passphrase, "", HERE))
        return tuple(signed)


async def hire(desk: AccessDesk) -> Staff:
    """Make the accounts of everybody in the demo on a desk where nobody has one yet.

    The administrator comes by the first link, the others by invitation. The administrator checks who the first of
    quality assurance is, who checks the others.
    """
    passphrase = "-".join("".join(secrets.choice(_LETTERS) for _ in range(_LONG)) for _ in range(_GROUPS))
    link = await desk.first_link()
    assert link is not None, "a demo begins with an empty folder"
    await desk.accept(
        link, passphrase, username=ADMINISTRATOR.id, printed_name=printed_name(ADMINISTRATOR), source=HERE
    )
    administrator = await desk.authenticate(ADMINISTRATOR.id, passphrase, "", HERE)
    for person in EVERYBODY:
        invitation = await desk.create(person.id, printed_name(person), [Role(person.role)], administrator)
        await desk.accept(invitation, passphrase, source=HERE)
    await desk.verify_identity(QUALITY_ASSURANCE.id, "staff card seen", administrator)
    verifier = await desk.authenticate(QUALITY_ASSURANCE.id, passphrase, "", HERE)
    for person in EVERYBODY:
        if person != QUALITY_ASSURANCE:
            await desk.verify_identity(person.id, "staff card seen", verifier)
    return Staff(desk, passphrase)
