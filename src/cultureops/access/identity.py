"""Whom the access desk has recognised, and in which role they act."""

from __future__ import annotations

from dataclasses import dataclass

from cultureops.access.roles import Role
from cultureops.errors import AccessError
from cultureops.ledger.event import Actor

__all__ = ["Identity"]


@dataclass(frozen=True, slots=True)
class Identity:
    """A person, or a program with a token, as recognised at one moment; never kept longer than a request.

    ``method`` says by what (``password``, ``password+totp``, ``password+webauthn``, ``token``); ``session_id`` is the
    session's public id (never its secret), None outside of one; ``scopes`` are a token's, None for a person.
    """

    username: str
    printed_name: str
    roles: frozenset[Role]
    method: str
    session_id: str | None = None
    scopes: frozenset[str] | None = None

    def acting(self, role: str) -> Actor:
        """Return the actor of an event, in one of the roles that the account holds; raises AccessError for another."""
        if role not in self.roles:
            held = ", ".join(sorted(self.roles)) or "no role"
            raise AccessError(f"{self.username} holds {held}, not {role[:40]}; ask an administrator to grant it")
        return Actor(self.username, role)
