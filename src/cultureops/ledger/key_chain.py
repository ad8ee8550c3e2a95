"""Which key signs the heads of a ledger, folded from its own events, pure.

The first key is introduced by the program; each further one is signed by the one before it, or, where that was lost,
introduced by a person with a name and a reason, which stays visible for good.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import Final

from cultureops.errors import SignatureInvalid
from cultureops.ledger.event import Actor, Event, NewEvent, Source
from cultureops.ledger.keys import PublicKey, SigningKey

__all__ = ["INTRODUCED", "ROTATED", "STREAM", "KeyChain", "KeyEntry", "introduction", "rotation"]

STREAM: Final = "ledger"
INTRODUCED: Final = "key_introduced"
ROTATED: Final = "key_rotated"
_DOMAIN: Final = b"cultureops next key 1\x00"
_ALGORITHM: Final = "Ed25519"
_SYSTEM: Final = Actor("cultureops", "system")


@dataclass(frozen=True, slots=True)
class KeyEntry:
    """A key, the position from which on it signs, and how it came to that."""

    key: PublicKey
    position: int
    how: str
    actor: str
    reason: str


class KeyChain:
    """The keys of a ledger in their order."""

    def __init__(self) -> None:
        self.entries: list[KeyEntry] = []

    def copy(self) -> KeyChain:
        """Return one that grows on its own."""
        copied = KeyChain()
        copied.entries = list(self.entries)
        return copied

    @property
    def current(self) -> PublicKey | None:
        """The key that signs now, None before the first."""
        return self.entries[-1].key if self.entries else None

    def at(self, size: int) -> PublicKey | None:
        """Return the key that signs a ledger of so many events."""
        found = bisect_right(self.entries, size, key=lambda entry: entry.position)
        return self.entries[found - 1].key if found else None

    def apply(self, event: Event) -> None:
        """Take an event of the ledger's own stream; raises SignatureInvalid, and takes nothing, for a false one."""
        if event.stream != STREAM or event.type not in (INTRODUCED, ROTATED):
            return
        key = _key_of(event)
        if any(entry.key == key for entry in self.entries):
            raise SignatureInvalid(f"key {key.id} is introduced a second time")
        if event.type == ROTATED:
            self._check_rotation(event, key)
        elif self.entries and (event.actor.role == _SYSTEM.role or not event.reason.strip()):
            raise SignatureInvalid(f"key {key.id} takes the place of another without a person's name and reason")
        self.entries.append(KeyEntry(key, event.position, event.type, event.actor.id, event.reason))

    def _check_rotation(self, event: Event, key: PublicKey) -> None:
        before, signature = self.current, event.data.get("signature")
        if before is None or not isinstance(signature, str):
            raise SignatureInvalid(f"key {key.id} follows no other")
        try:
            before.check(_next_key(event.origin, before, key), bytes.fromhex(signature))
        except (SignatureInvalid, ValueError):
            raise SignatureInvalid(f"key {key.id} was not signed by key {before.id} before it") from None


def introduction(key: PublicKey, actor: Actor = _SYSTEM, reason: str = "") -> NewEvent:
    """Return the event of a key that nothing but its introducer vouches for."""
    source = Source.SYSTEM if actor == _SYSTEM else Source.HUMAN
    return NewEvent(INTRODUCED, _data(key), actor, source, reason=reason)


def rotation(old: SigningKey, new: PublicKey, origin: str, actor: Actor, reason: str) -> NewEvent:
    """Return the event of a key that the one before it vouches for."""
    signature = old.sign(_next_key(origin, old.public, new)).hex()
    data = _data(new) | {"previous_key_id": old.public.id, "signature": signature}
    return NewEvent(ROTATED, data, actor, Source.HUMAN, reason=reason)


def _data(key: PublicKey) -> dict[str, str]:
    return {"key_id": key.id, "public_key": key.raw.hex(), "algorithm": _ALGORITHM}


def _key_of(event: Event) -> PublicKey:
    try:
        key = PublicKey(bytes.fromhex(str(event.data["public_key"])))
    except (KeyError, ValueError):
        raise SignatureInvalid("the event holds no key") from None
    if event.data.get("key_id") != key.id or event.data.get("algorithm") != _ALGORITHM or len(key.raw) != 32:
        raise SignatureInvalid("the key's id or algorithm does not fit it")
    return key


def _next_key(origin: str, old: PublicKey, new: PublicKey) -> bytes:
    """Return what is signed at a rotation: domain, both public keys [32 bytes each], origin."""
    return _DOMAIN + old.raw + new.raw + origin.encode()
