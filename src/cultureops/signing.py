"""Whether signatures fit the step that they are to carry: their persons, their meaning, and exactly what was shown."""

from __future__ import annotations

from collections.abc import Sequence

from cultureops.access.roles import PEOPLE
from cultureops.access.signature import Meaning, Shown, Signature
from cultureops.clock import MINUTE_MS, Instant, iso
from cultureops.errors import TransitionRefused
from cultureops.ledger.event import Actor

__all__ = ["FRESH_MS", "Wanted", "check_signed"]

FRESH_MS = 5 * MINUTE_MS
"""A signature is of now, like any entry that is not late."""

Wanted = tuple[Actor, Meaning]
"""Who has to sign, and what the signature is to say."""


def check_signed(
    what: str, wanted: Sequence[Wanted], signatures: Sequence[Signature], seen: Shown, now: Instant
) -> tuple[Signature, ...]:
    """Return the signatures of a step in the order in which they are wanted, each once.

    ``what`` names the subject, ``seen`` is what had to be shown: the stream as it stands at ``now`` [ms UTC], and this
    very command. Raises TransitionRefused for a signature that is missing, of another person, role, meaning, record or
    step, of another time, or that nobody asked for.
    """
    left = list(signatures)
    found: list[Signature] = []
    for actor, meaning in wanted:
        signature = next((one for one in left if one.username == actor.id), None)
        if signature is None:
            others = ", ".join(one.username for one in left)
            instead = f", not by {others}" if others else ""
            raise TransitionRefused(f"{what}: {seen.step} must be signed ({meaning}) by {actor.id}{instead}")
        if problem := _misfit(signature, actor, meaning, seen, now):
            raise TransitionRefused(f"{what}: {seen.step}: the signature of {actor.id} {problem}; sign it anew")
        left.remove(signature)
        found.append(signature)
    if left:
        raise TransitionRefused(f"{what}: {seen.step} is not for {left[0].username} to sign; leave the signature out")
    return tuple(found)


def _misfit(signature: Signature, actor: Actor, meaning: Meaning, seen: Shown, now: Instant) -> str:
    """Say why a person's signature does not fit, in the words that follow their name; empty where it does."""
    shown = signature.shown
    if signature.role != actor.role or signature.role not in PEOPLE:
        return f"is by {signature.role}, not by {actor.role}"
    if signature.meaning is not meaning:
        return f"says {signature.meaning}, not {meaning}"
    if not signature.printed_name.strip() or signature.method in ("", "token"):
        return "was not given by a person who proved to be themselves"
    if signature.content_sha256:
        return "is that of another record already"
    if not now - FRESH_MS <= signature.signed_at <= now:
        return f"is of {iso(signature.signed_at)}, not of now"
    if shown.stream != seen.stream:
        return f"is of {shown.stream}"
    if (shown.version, shown.stream_hash) != (seen.version, seen.stream_hash):
        return f"is of version {shown.version}; the record has changed since it was shown, read it again"
    if (shown.step, shown.details_sha256) != (seen.step, seen.details_sha256):
        return "is of another step, or of other fields, time or reason"
    return ""
