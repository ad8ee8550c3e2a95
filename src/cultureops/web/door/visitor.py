"""Who asks for a page: what the door made of the cookie or the token that came with the request."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any, cast

from fastapi import HTTPException, Request

from cultureops.access import Identity
from cultureops.access.roles import PEOPLE, Role
from cultureops.errors import AccessError
from cultureops.ledger.event import Actor
from cultureops.web.context import WebContext

__all__ = ["NotInThisRole", "Visitor", "acting", "needing", "person_of", "proven", "visitor_of"]


class NotInThisRole(AccessError):
    """Somebody who is signed in asked for what none of their roles may do; it is recorded."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """One request's asker; ``identity`` is None for a stranger.

    ``secret`` is what the browser's cookie holds, ``credential`` that by which the identity was recognised, ``source``
    the address that asks, ``idle_left_s`` how long the session goes on if nobody does anything [s], None where it has
    no such end.
    """

    source: str
    identity: Identity | None = None
    secret: str = ""
    credential: str = ""
    is_program: bool = False
    is_display: bool = False
    idle_left_s: float | None = None

    def but(self, **fields: Any) -> Visitor:
        """Return this visitor with other values in some fields."""
        return replace(self, **fields)


def visitor_of(request: Request) -> Visitor:
    """Return who asks."""
    return cast(Visitor, request.state.visitor)


def person_of(request: Request) -> Identity:
    """Return the person who is signed in; refuses everybody else."""
    visitor = visitor_of(request)
    if visitor.identity is None or visitor.is_display or visitor.is_program:
        raise HTTPException(401, "log in first; a display or a program has no page of its own")
    return visitor.identity


def needing(request: Request, roles: Collection[Role]) -> Identity:
    """Return the person who is signed in; raises NotInThisRole where they hold none of these roles."""
    person = person_of(request)
    if not person.roles & frozenset(roles):
        held = ", ".join(sorted(person.roles)) or "no role"
        raise NotInThisRole(f"{person.username} holds {held}; this is for {', '.join(sorted(roles))}")
    return person


def acting(request: Request, role: str) -> Actor:
    """Return the person who is signed in, in the named role or their first; raises AccessError for one not held."""
    person = needing(request, PEOPLE)
    return person.acting(role or min(person.roles & PEOPLE))


async def proven(request: Request, password: str, code: str) -> Identity:
    """Return the person who is signed in, once they have proven to be themselves anew; raises AccessError."""
    person, access = person_of(request), cast(WebContext, request.app.state.context).access
    await access.authenticate(person.username, password, code, visitor_of(request).source, "account", person.session_id)
    return person
