"""A head that the ledger's key has signed: proof of the whole record up to one event, wherever it is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from cultureops.clock import Instant, iso, parse_iso
from cultureops.errors import ConfigError, SignatureInvalid, StorageError
from cultureops.ledger.event import JsonValue
from cultureops.ledger.head import Head, PrintedHead
from cultureops.ledger.keys import PublicKey, SigningKey

__all__ = ["DOMAIN", "SignedHead", "sign_head"]

DOMAIN: Final = b"cultureops signed head 1\x00"
"""Begins what is signed, so that no signature on a head is one on anything else."""


@dataclass(frozen=True, slots=True)
class SignedHead:
    """The state of one node's ledger at ``size`` events: Merkle root and chain hash there (hex), and who vouches.

    ``signed_at`` is lab time [ms UTC], ``key_id`` and ``signature`` are hex; ``origin`` names the node.
    """

    size: int
    root: str
    signed_at: Instant
    key_id: str
    signature: str
    chain_hash: str
    origin: str

    @property
    def head(self) -> Head:
        """Position and chain hash alone."""
        return Head(self.size, self.chain_hash)

    @property
    def printed(self) -> PrintedHead:
        """The short form for paper, which a person can type."""
        return PrintedHead.of(self.size, bytes.fromhex(self.root))

    def message(self) -> bytes:
        """Return what is signed: domain, size and time [u64 big-endian], root, chain hash, key id [8 bytes], origin."""
        numbers = self.size.to_bytes(8, "big") + self.signed_at.to_bytes(8, "big")
        hashes = b"".join(bytes.fromhex(text) for text in (self.root, self.chain_hash, self.key_id))
        return DOMAIN + numbers + hashes + self.origin.encode()

    def check(self, key: PublicKey) -> None:
        """Raise SignatureInvalid unless this key has signed exactly this head."""
        if key.id != self.key_id:
            raise SignatureInvalid(f"the head of position {self.size} names key {self.key_id}, not {key.id}")
        try:
            key.check(self.message(), bytes.fromhex(self.signature))
        except SignatureInvalid:
            raise SignatureInvalid(f"the head of position {self.size} was not signed by key {self.key_id}") from None

    def data(self) -> dict[str, JsonValue]:
        """Return it as JSON values."""
        return {
            "origin": self.origin,
            "size": self.size,
            "root": self.root,
            "chain_hash": self.chain_hash,
            "signed_at": iso(self.signed_at),
            "key_id": self.key_id,
            "signature": self.signature,
        }

    @classmethod
    def read(cls, data: Mapping[str, object]) -> SignedHead:
        """Read what ``data`` returned; raises StorageError for anything else."""
        try:
            return cls.checked(
                data["size"],
                data["root"],
                parse_iso(_text(data["signed_at"])),
                data["key_id"],
                data["signature"],
                data["chain_hash"],
                data["origin"],
            )
        except (KeyError, ValueError, TypeError, ConfigError) as error:
            raise StorageError(f"not a signed head: {type(error).__name__}: {error}") from None

    @classmethod
    def checked(
        cls,
        size: object,
        root: object,
        signed_at: object,
        key_id: object,
        signature: object,
        chain_hash: object,
        origin: object,
    ) -> SignedHead:
        """Make one of values believed in nothing; raises ValueError where they can't be a head's."""
        for number in (size, signed_at):
            if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number < 1 << 53:
                raise ValueError(f"{number!r} is no whole number")
        assert isinstance(size, int) and isinstance(signed_at, int)
        texts = [_text(text) for text in (root, key_id, signature, chain_hash)]
        for text, length in zip(texts, (32, 8, 64, 32), strict=True):
            if len(bytes.fromhex(text)) != length or text != text.lower():
                raise ValueError(f"{text[:20]!r} is not {length} bytes in hex")
        return cls(size, texts[0], signed_at, texts[1], texts[2], texts[3], _text(origin))


def sign_head(
    key: SigningKey, size: int, root: bytes, chain_hash: bytes, signed_at: Instant, origin: str
) -> SignedHead:
    """Sign the state of a ledger."""
    head = SignedHead(size, root.hex(), signed_at, key.public.id, "", chain_hash.hex(), origin)
    return replace(head, signature=key.sign(head.message()).hex())


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{type(value).__name__} where text is expected")
    value.encode()  # raises ValueError for half a character
    return value
