"""Signatures of people: what was shown, what it means, who signed, and how that is bound to one event for good.

A signature stands inside the event that it signs (``data["signatures"]``), so that it can't be excised or carried over
(21 CFR 11.70). It names the record exactly as it was shown (stream, version, chain hash there) and the decision itself;
its id is claimed in the ledger, so that the store refuses a second use.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

import rfc8785

from cultureops.access.roles import Role
from cultureops.clock import Instant, iso, parse_iso
from cultureops.errors import CultureOpsError, SignatureInvalid
from cultureops.ledger.event import Event, JsonValue, NewEvent, recorded_data
from cultureops.ledger.head import GENESIS

__all__ = [
    "CLAIM",
    "SIGNATURES",
    "Meaning",
    "Shown",
    "Signature",
    "check_signatures",
    "content_sha256",
    "details_sha256",
    "shown",
    "signatures_in",
    "signed",
]

SIGNATURES: Final = "signatures"
"""The key of an event's data under which its signatures stand."""
CLAIM: Final = "signature:"


class Meaning(StrEnum):
    """What a signature says (21 CFR 11.50(a)(3))."""

    AUTHORED = "authored"
    WITNESSED = "witnessed"
    REVIEWED = "reviewed"
    APPROVED = "approved"
    RELEASED = "released"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Shown:
    """Exactly what a person was shown and asked to sign.

    ``version`` and ``stream_hash`` are those of the stream's last event (0 and the genesis hash where it has none),
    ``step`` is the command's name, ``details_sha256`` covers its fields, its reason and its time.
    """

    stream: str
    version: int
    stream_hash: str
    step: str
    details_sha256: str

    @property
    def sha256(self) -> str:
        """The hash [hex] that stands for all of it, also on paper."""
        return _sha256(self.data())

    def data(self) -> dict[str, JsonValue]:
        """Return it as JSON values."""
        return {
            "stream": self.stream,
            "version": self.version,
            "stream_hash": self.stream_hash,
            "step": self.step,
            "details_sha256": self.details_sha256,
        }


def shown(stream: str, history: Sequence[Event], step: str, details: str) -> Shown:
    """Return what is signed of a stream as it stands; ``details`` is what ``details_sha256`` returned."""
    last = history[-1] if history else None
    return Shown(
        stream, 0 if last is None else last.version, GENESIS.hex() if last is None else last.hash, step, details
    )


def details_sha256(details: Mapping[str, Any], reason: str, occurred_at: Instant | None) -> str:
    """Return the hash [hex] of a command: its fields as JSON values, its reason, when it is said to have happened."""
    return _sha256({"details": details, "reason": reason, "at": None if occurred_at is None else iso(occurred_at)})


@dataclass(frozen=True, slots=True)
class Signature:
    """One person's signature; ``zone`` is the site's, in which ``signed_at`` [ms UTC] is shown.

    ``method`` says how the person proved to be themselves at this signature, ``content_sha256`` is empty until the
    signed event is known.
    """

    id: str
    username: str
    printed_name: str
    role: Role
    meaning: Meaning
    signed_at: Instant
    zone: str
    method: str
    shown: Shown
    session_id: str = ""
    content_sha256: str = ""

    def data(self) -> dict[str, JsonValue]:
        """Return it as JSON values, as it stands in the event."""
        return {
            "id": self.id,
            "username": self.username,
            "printed_name": self.printed_name,
            "role": self.role.value,
            "meaning": self.meaning.value,
            "signed_at": iso(self.signed_at),
            "zone": self.zone,
            "method": self.method,
            "session_id": self.session_id,
            "shown": self.shown.data(),
            "shown_sha256": self.shown.sha256,
            "content_sha256": self.content_sha256,
        }


def signed(new: NewEvent, stream: str, signatures: Sequence[Signature]) -> NewEvent:
    """Return an event that carries signatures, each bound to its content and claimed for once; unchanged without."""
    if not signatures:
        return new
    content = _content_sha256(stream, new.type, new.data, new.reason)
    bound = [replace(signature, content_sha256=content).data() for signature in signatures]
    claims = tuple(CLAIM + signature.id for signature in signatures)
    return replace(new, data={**new.data, SIGNATURES: bound}, claims=(*new.claims, *claims))


def signatures_in(event: Event) -> tuple[Signature, ...]:
    """Return the signatures that an event carries, checked for nothing but their form; raises SignatureInvalid."""
    found = event.data.get(SIGNATURES, ())
    if not isinstance(found, Sequence) or isinstance(found, str):
        raise SignatureInvalid(f"{_where(event)}: its signatures are not a list; keep the ledger as evidence")
    return tuple(_read(event, one) for one in found)


def check_signatures(event: Event, history: Sequence[Event]) -> tuple[Signature, ...]:
    """Return an event's signatures once each fits the event, its stream and what was shown; raises SignatureInvalid.

    ``history`` are the stream's events by version, at least up to this one. That the event itself is as it was written
    is for the chain to show.
    """
    found = signatures_in(event)
    content = content_sha256(event)
    for signature in found:
        seen = signature.shown
        if signature.content_sha256 != content:
            raise SignatureInvalid(f"{_where(event)}: the signature of {signature.username} is of another content")
        if seen.stream != event.stream or seen.version >= event.version:
            raise SignatureInvalid(f"{_where(event)}: the signature of {signature.username} is of another record")
        before = history[seen.version - 1].hash if seen.version else GENESIS.hex()
        if seen.version and history[seen.version - 1].version != seen.version:
            raise SignatureInvalid(f"{_where(event)}: version {seen.version}, which was signed, is missing")
        if before != seen.stream_hash:
            raise SignatureInvalid(f"{_where(event)}: {signature.username} was shown another record")
        if CLAIM + signature.id not in event.claims:
            raise SignatureInvalid(f"{_where(event)}: the signature of {signature.username} was used twice")
    return found


def content_sha256(event: Event) -> str:
    """Return the hash [hex] of what an event says, its signatures left out."""
    return _content_sha256(event.stream, event.type, recorded_data(event), event.reason)


def _content_sha256(stream: str, kind: str, data: Mapping[str, Any], reason: str) -> str:
    plain = {name: value for name, value in data.items() if name != SIGNATURES}
    return _sha256({"stream": stream, "type": kind, "data": plain, "reason": reason})


def _read(event: Event, data: object) -> Signature:
    try:
        assert isinstance(data, Mapping)
        fields = dict(data)
        seen = Shown(**fields.pop("shown"))
        if fields.pop("shown_sha256") != seen.sha256:
            raise SignatureInvalid(f"{_where(event)}: a signature's own hashes contradict each other")
        fields |= {"role": Role(fields["role"]), "meaning": Meaning(fields["meaning"])}
        return Signature(**fields | {"signed_at": parse_iso(fields["signed_at"]), "shown": seen})
    except (AssertionError, TypeError, ValueError, KeyError) as error:
        raise SignatureInvalid(f"{_where(event)}: holds what is no signature: {error}") from None
    except CultureOpsError as error:
        raise SignatureInvalid(f"{_where(event)}: {error}" if _where(event) not in str(error) else str(error)) from None


def _where(event: Event) -> str:
    return f"{event.stream}, position {event.position}"


def _sha256(value: Mapping[str, Any]) -> str:
    return hashlib.sha256(rfc8785.dumps(dict(value))).hexdigest()
