"""People with accounts in a test's lab, and what they do there: commands signed where they must be.

Passwords cost time and are shown elsewhere: these accounts have none, and signatures are made as the desk would.
"""

from __future__ import annotations

from tests.signing import approve_recipe, signatures_for

from cultureops.access.events import SYSTEM, AccessEvent, account_stream, new_event, username_claim
from cultureops.batch.batch import Batch
from cultureops.batch.commands import Command, CreateBatch
from cultureops.batch.recipe import find_recipe
from cultureops.lab import Lab
from cultureops.ledger import Actor

__all__ = ["act", "employ"]


async def employ(lab: Lab, *actors: Actor) -> None:
    """Give people accounts in the roles in which they act, all in one; whoever has one keeps it."""
    roles: dict[str, set[str]] = {}
    for actor in actors:
        if actor.role not in ("DEV", "system"):
            roles.setdefault(actor.id, set()).add(actor.role)
    for name, held in roles.items():
        if lab.access.accounts.get(name) is not None:
            continue
        data = {"username": name, "printed_name": name.replace("-", " ").title(), "roles": sorted(held)}
        made = new_event(AccessEvent.ACCOUNT_CREATED, data, SYSTEM, claims=(username_claim(name),))
        secret = new_event(AccessEvent.PASSWORD_SET, {"secret_id": f"none-{name}", "by": "test"}, SYSTEM)
        checked = new_event(AccessEvent.IDENTITY_VERIFIED, {"how": "test"}, SYSTEM)
        await lab.ledger.append(account_stream(name), [made, secret, checked], 0)


async def act(lab: Lab, command: Command, actor: Actor, witness: Actor | None = None) -> Batch:
    """Carry out a command on a batch by people who work there, signed where it must be."""
    await employ(lab, *(person for person in (actor, witness) if person is not None))
    if isinstance(command.details, CreateBatch):
        await approve_recipe(lab.ledger, find_recipe(command.details.recipe), lab.clock.now())
    signatures = signatures_for(lab.batches.get(command.batch_id), command, actor, witness, lab.clock.now())
    return await lab.execute(command, actor, witness, signatures)
