"""Who asks: a person in a browser or a program with a token, in one role of their account, and who stands by."""

from __future__ import annotations

from fastapi import HTTPException, Request
from pydantic import BaseModel, ConfigDict, Field

from cultureops.access import Identity
from cultureops.access.roles import PEOPLE, Role
from cultureops.errors import AccessError
from cultureops.ledger.event import Actor
from cultureops.web.door.visitor import visitor_of
from cultureops.web.templating import context_of

__all__ = ["SecondPerson", "actor_in", "second_person"]


class SecondPerson(BaseModel):
    """Who stood by, and the proof that they did; the role is their first that may, unless one is named."""

    model_config = ConfigDict(extra="forbid")

    username: str = Field(min_length=1, max_length=200)
    password: str = Field(min_length=1, max_length=1_000)
    code: str = Field("", max_length=8_000)
    role: Role | None = None


def actor_in(request: Request, role: Role | None, fitting: frozenset[Role] = PEOPLE) -> Actor:
    """Return who asks, in the named role or else in one that is ``fitting``; raises AccessError for one not held.

    Who holds none that fits acts in another: what they ask is refused further in, and that is on record.
    """
    visitor = visitor_of(request)
    if visitor.identity is None or visitor.is_display:
        raise HTTPException(401, "log in, or send a token: Authorization: Bearer ...")
    held = visitor.identity.roles
    return _acting(visitor.identity, role, fitting & PEOPLE if held & fitting & PEOPLE else PEOPLE, "handles records")


async def second_person(request: Request, proof: SecondPerson, roles: frozenset[Role]) -> Actor:
    """Return the second person once they have proven to be there; raises AccessError."""
    access, source = context_of(request).access, visitor_of(request).source
    person = await access.authenticate(proof.username.strip(), proof.password, proof.code, source, "witness")
    access.permit_witness(person)
    return _acting(person, proof.role, roles or PEOPLE, "may stand by here")


def _acting(identity: Identity, role: Role | None, roles: frozenset[Role], what: str) -> Actor:
    if role is not None:
        return identity.acting(role)
    if not identity.roles & roles:
        held = ", ".join(sorted(identity.roles)) or "no role"
        raise AccessError(f"{identity.username} holds {held}; who {what} holds one of {', '.join(sorted(roles))}")
    return identity.acting(min(identity.roles & roles))
