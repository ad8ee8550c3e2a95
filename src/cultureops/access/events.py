"""The vocabulary of access: what is recorded of accounts, in the stream of each account or in ``access``.

Passwords, their hashes and salts, second factors, tokens and links never stand in an event: it names the id under which
the file of secrets holds them, and what no event names does not count.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

from cultureops.access.name import folded
from cultureops.ledger.event import Actor, NewEvent, Source

__all__ = ["ACCESS", "PREFIX", "SYSTEM", "AccessEvent", "account_stream", "new_event", "username_claim"]

PREFIX: Final = "account:"
ACCESS: Final = "access"
"""The stream of what belongs to no account: policy, reviews, attempts with names that nobody has."""
SYSTEM: Final = Actor("cultureops", "system")


class AccessEvent(StrEnum):
    """The types of event; each carries who, in which role, and why."""

    ACCOUNT_CREATED = "account_created"
    INVITED = "invited"
    PASSWORD_SET = "password_set"
    IDENTITY_VERIFIED = "identity_verified"
    SIGNING_ENABLED = "signing_enabled"
    SECOND_FACTOR_ADDED = "second_factor_added"
    SECOND_FACTOR_REMOVED = "second_factor_removed"
    ROLE_GRANTED = "role_granted"
    ROLE_REVOKED = "role_revoked"
    LOCKED = "locked"
    UNLOCKED = "unlocked"
    DISABLED = "disabled"
    REINSTATED = "reinstated"
    SIGNED_IN = "signed_in"
    AUTHENTICATED = "authenticated"
    SIGN_IN_REFUSED = "sign_in_refused"
    SIGNATURE_REFUSED = "signature_refused"
    SIGNED_OUT = "signed_out"
    SESSION_ENDED = "session_ended"
    TOKEN_ISSUED = "token_issued"
    TOKEN_REVOKED = "token_revoked"
    TOKEN_FIRST_USED = "token_first_used"
    FIRST_LINK_MADE = "first_link_made"
    RECOVERED = "access_recovered"
    SOURCE_SLOWED = "source_slowed"
    CHANGE_REFUSED = "access_change_refused"
    ACCESS_REVIEWED = "access_reviewed"
    POLICY_CHANGED = "access_policy_changed"


def account_stream(username: str) -> str:
    """Return the stream of an account."""
    return PREFIX + username


def username_claim(username: str) -> str:
    """Return the name that an account claims in the ledger for good, so that no other ever reads like it."""
    return PREFIX + folded(username)


def new_event(
    kind: AccessEvent,
    data: Mapping[str, Any],
    actor: Actor,
    reason: str = "",
    claims: tuple[str, ...] = (),
) -> NewEvent:
    """Return an event of access as the ledger takes it."""
    source = Source.SYSTEM if actor == SYSTEM else Source.HUMAN
    return NewEvent(kind.value, data, actor, source, reason=reason, claims=claims)
