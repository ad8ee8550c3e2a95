"""The ledger's Ed25519 keys: private ones in a folder of their own, each readable by its owner alone.

A file is made once, under the key's id, and is durable before the ledger hears of it; when a key has been replaced, its
file is destroyed. Whoever has the folder can sign heads, so a site may keep it on a medium of its own.
"""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from cultureops.clock import Entropy
from cultureops.durable_file import sync_folder
from cultureops.errors import SignatureInvalid, StorageError, Unreadable

__all__ = ["KEYS_FOLDER", "KeyFolder", "PublicKey", "SigningKey"]

log = structlog.get_logger(__name__)

KEYS_FOLDER: Final = "keys"
"""Where the keys are, inside the data folder, unless the site file names another folder."""
_NAME: Final = "ledger-{}.pem"


@dataclass(frozen=True, slots=True)
class PublicKey:
    """The public half [32 bytes]; its id is the first 8 bytes of its SHA-256 (hex)."""

    raw: bytes

    @property
    def id(self) -> str:
        """The name of the key."""
        return hashlib.sha256(self.raw).hexdigest()[:16]

    def check(self, message: bytes, signature: bytes) -> None:
        """Raise SignatureInvalid unless this key's owner signed the message."""
        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, message)
        except (InvalidSignature, ValueError):
            raise SignatureInvalid(f"not signed by key {self.id}; keep it as evidence") from None


class SigningKey:
    """A private key and its public half."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.public = PublicKey(private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))

    def __repr__(self) -> str:
        """Name the key and tell nothing of it."""
        return f"SigningKey({self.public.id})"

    @classmethod
    def make(cls, entropy: Entropy) -> SigningKey:
        """Make a new key."""
        return cls(Ed25519PrivateKey.from_private_bytes(entropy.bits(256).to_bytes(32, "big")))

    def sign(self, message: bytes) -> bytes:
        """Return the signature [64 bytes]."""
        return self._private.sign(message)

    def pem(self) -> bytes:
        """Return it as it stands in its file (PKCS #8)."""
        return self._private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


class KeyFolder:
    """The folder that holds the private keys."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def file(self, key_id: str) -> Path:
        """Where a key's file is or would be."""
        return self.path / _NAME.format(key_id)

    def made(self) -> tuple[str, ...]:
        """Return the ids of the keys that lie here."""
        before, after = _NAME.split("{}")
        if not self.path.is_dir():
            return ()
        return tuple(sorted(file.name[len(before) : -len(after)] for file in self.path.glob(_NAME.format("*"))))

    def keep(self, key: SigningKey) -> None:
        """Write a new key so that it outlives a power cut; raises StorageError."""
        target = self.file(key.public.id)
        try:
            self.path.mkdir(mode=0o700, exist_ok=True)
            descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(key.pem())
                file.flush()
                os.fsync(file.fileno())
            sync_folder(self.path)
            sync_folder(self.path.parent)
        except OSError as error:
            raise StorageError(
                f"{target}: the ledger's key can't be kept: {error.strerror or error}; make {self.path} writable for "
                "the account of cultureops, or name another folder by [ledger] keys"
            ) from None

    def load(self, key_id: str) -> SigningKey | None:
        """Return a key, None where its file is not here; raises Unreadable for a file that does not hold it."""
        file = self.file(key_id)
        try:
            if stat.S_IMODE(file.stat().st_mode) & 0o077:
                log.warning("others may read the ledger's key; make the file 0600", key=str(file))
            private = load_pem_private_key(file.read_bytes(), None)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError) as error:
            raise Unreadable(f"{file}: can't be read: {_cause(error)}; {_MEND}") from None
        if not isinstance(private, Ed25519PrivateKey) or SigningKey(private).public.id != key_id:
            raise Unreadable(f"{file}: does not hold the key of its name; {_MEND}")
        return SigningKey(private)

    def destroy(self, key_id: str) -> None:
        """Remove a key that signs nothing any more; one that is not here is no matter."""
        try:
            self.file(key_id).unlink(missing_ok=True)
        except OSError as error:
            log.warning("a replaced key could not be removed; remove it", key=str(self.file(key_id)), error=str(error))


_MEND: Final = "put the file back from a backup, or introduce a new key: `cultureops ledger introduce-key`"


def _cause(error: Exception) -> str:
    return " ".join(str(getattr(error, "strerror", None) or error).split())[:120]
