"""Tokens for programs: a public id that the ledger knows and a secret that is shown once, with scopes and an end."""

from __future__ import annotations

import hmac
from typing import Final, NamedTuple

from cultureops.access.session import digest, new_secret

__all__ = ["FIRST_LINK", "INVITATION", "SCOPES", "TOKEN", "Handed", "hand_out", "matches", "read"]

SCOPES: Final = ("read", "alarms:act", "records:write")
"""Look at everything; acknowledge and shelve alarms; enter records. None of them ever signs or changes accounts."""

TOKEN: Final = "cot"
INVITATION: Final = "coi"
FIRST_LINK: Final = "cof"


class Handed(NamedTuple):
    """The parts of a handed-out text: what it is, its public id, its secret."""

    kind: str
    id: str
    secret: str


def hand_out(kind: str, public_id: str) -> tuple[str, bytes]:
    """Return a new text to be handed out once, and what is kept of it."""
    secret = new_secret()
    return f"{kind}.{public_id}.{secret}", digest(secret)


def read(text: str) -> Handed | None:
    """Take a handed-out text apart; None when it can't be one."""
    parts = text.strip().split(".")
    return Handed(*parts) if len(parts) == 3 and parts[0] in (TOKEN, INVITATION, FIRST_LINK) else None


def matches(handed: Handed, kept: bytes | None) -> bool:
    """Whether its secret is the one that is kept."""
    return hmac.compare_digest(digest(handed.secret), kept or b"\0" * 32)
