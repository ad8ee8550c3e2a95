"""One person's account as it stands; what is secret about it is elsewhere (``secrets_file.py``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from cultureops.access.roles import Role
from cultureops.clock import SECOND_MS, Instant
from cultureops.ledger.event import Actor

__all__ = ["Account", "AccountState", "Factor", "Invitation", "Lock", "Session", "Token", "Verification"]


class AccountState(StrEnum):
    """How an account stands; it is never deleted."""

    INVITED = "invited"
    ACTIVE = "active"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True)
class Invitation:
    """A one-time link for the person to set a password of their own, and who had it made."""

    id: str
    by: str
    at: Instant


@dataclass(frozen=True, slots=True)
class Verification:
    """Who checked that the account is this person's, and how (21 CFR 11.100(b))."""

    by: str
    at: Instant
    how: str


@dataclass(frozen=True, slots=True)
class Factor:
    """A second factor; ``kind`` is ``totp`` or ``webauthn``."""

    id: str
    kind: str
    title: str
    added_at: Instant


@dataclass(frozen=True, slots=True)
class Lock:
    """Guessing has locked the account: everywhere, or but for the sources from which it was used before."""

    at: Instant
    is_everywhere: bool
    source: str


@dataclass(frozen=True, slots=True)
class Session:
    """One log-in that has not ended; ``id`` is public, the secret in the person's cookie is not.

    ``asks_for`` says what must be set first (``second factor``, ``new password``); until then it holds no role.
    """

    id: str
    username: str
    source: str
    method: str
    started_at: Instant
    asks_for: str = ""


@dataclass(frozen=True, slots=True)
class Token:
    """A token for a program, as far as it is public."""

    id: str
    title: str
    scopes: frozenset[str]
    issued_at: Instant
    expires_at: Instant
    is_revoked: bool = False
    first_used_at: Instant | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """One person's account; times [ms UTC].

    ``password_id`` names what the file of secrets holds, empty while the person has set none. ``failures`` counts wrong
    passwords and codes in a row: from where the account was used before, and from elsewhere.
    """

    username: str
    printed_name: str
    roles: frozenset[Role]
    created_at: Instant
    created_by: str
    invitation: Invitation | None = None
    invited_by: str = ""
    password_id: str = ""
    password_set_at: Instant | None = None
    factors: tuple[Factor, ...] = ()
    verification: Verification | None = None
    is_signing_enabled: bool = False
    disabled_at: Instant | None = None
    lock: Lock | None = None
    failures: tuple[int, int] = (0, 0)
    known_sources: tuple[str, ...] = ()
    last_used_at: Instant | None = None
    sessions: Mapping[str, Session] = field(default_factory=dict)
    tokens: Mapping[str, Token] = field(default_factory=dict)

    @property
    def state(self) -> AccountState:
        """How it stands."""
        if self.disabled_at is not None:
            return AccountState.DISABLED
        return AccountState.ACTIVE if self.password_id else AccountState.INVITED

    @property
    def is_active(self) -> bool:
        """Whether it can be used at all."""
        return self.state is AccountState.ACTIVE

    @property
    def actor(self) -> Actor:
        """The person as the actor of what they do about their own account, in all roles held."""
        return Actor(self.username, "+".join(sorted(self.roles)) or "none")

    def is_locked(self, source: str, now: Instant, lasts_s: float) -> bool:
        """Whether guessing has locked it for a source; ``lasts_s`` 0: until an administrator unlocks it."""
        if self.lock is None or (lasts_s and now - self.lock.at >= lasts_s * SECOND_MS):
            return False
        return self.lock.is_everywhere or source not in self.known_sources

    @property
    def is_locked_everywhere(self) -> bool:
        """Whether guessing has locked it for every source."""
        return self.lock is not None and self.lock.is_everywhere

    def failures_at(self, source: str) -> int:
        """Return how often in a row a proof has failed there, or at sources like it."""
        return self.failures[0 if source in self.known_sources else 1]
