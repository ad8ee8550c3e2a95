"""The vault of secrets: password hashes, second factors, tokens and one-time links, encrypted, beside the ledger.

A secret counts only while an event of the ledger names its id, so what is written here takes effect with that event,
and an old copy of the vault brings no old password back. Values are encrypted (AES-256-GCM) under ``keys/access.key``
and bound to id, kind and owner: a row can't be given to somebody else. The rows stand where the ledger stands, in a
file or in its database; the key stays in the data folder of each node, and never goes where the rows are.
"""

from __future__ import annotations

import os
import secrets
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from sqlalchemy import text

from cultureops.access.secrets_file import SECRETS_FILE, SecretsFile
from cultureops.errors import AccessError, StorageError
from cultureops.ledger.pointer import pointed

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ["KEY_FILE", "SECRETS_FILE", "SecretRows", "Vault", "make_vault", "open_vault", "replace_secrets", "rows_of"]

KEY_FILE: Final = "keys/access.key"
_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_PUT: Final = text(
    "INSERT INTO secrets (id, kind, owner, value, counter) VALUES (:id, :kind, :owner, :value, :counter) "
    "ON CONFLICT (id) DO UPDATE SET kind = excluded.kind, owner = excluded.owner, value = excluded.value, "
    "counter = excluded.counter"
)
_GET: Final = text("SELECT value FROM secrets WHERE id = :id")
_COUNTER: Final = text("SELECT counter FROM secrets WHERE id = :id")
# One statement: two nodes with one code race for the row, and the database lets one of them have it.
_ADVANCE: Final = text("UPDATE secrets SET counter = :counter WHERE id = :id AND counter < :counter")
_REMOVE: Final = text("DELETE FROM secrets WHERE id = :id")
_CLEAR: Final = text("DELETE FROM secrets")
_IDS: Final = text("SELECT id FROM secrets WHERE kind = :kind ORDER BY id")
_ALL: Final = text("SELECT id, kind, owner, value, counter FROM secrets ORDER BY id")


class _Sealed(NamedTuple):
    """A row as it is stored; ``value`` is encrypted."""

    id: str
    kind: str
    owner: str
    value: bytes
    counter: int


class SecretRows(Protocol):
    """Where the rows of a vault are kept: a table ``secrets (id, kind, owner, value, counter)``."""

    @property
    def name(self) -> str:
        """The place, as messages call it."""

    @property
    def remedy(self) -> str:
        """What to do when its rows can't be used."""

    def is_there(self) -> bool:
        """Whether somebody's secrets are there; raises StorageError where that can't be seen."""

    def prepare(self) -> None:
        """Make what is missing; raises AccessError or StorageError."""

    def begin(self) -> AbstractContextManager[Connection]:
        """Give a transaction that is durable when it ends; raises StorageError."""


class Vault:
    """The secrets of one ledger; methods block for some milliseconds and belong into a thread."""

    def __init__(self, rows: SecretRows, key: bytes) -> None:
        self._rows = rows
        self._key = key

    def put(self, secret_id: str, kind: str, owner: str, value: bytes, counter: int = 0) -> None:
        """Keep a secret under an id, in place of what stood there; durable when it returns."""
        sealed = _Sealed(secret_id, kind, owner, self._seal(secret_id, kind, owner, value), counter)
        with self._rows.begin() as connection:
            connection.execute(_PUT, sealed._asdict())

    def get(self, secret_id: str, kind: str, owner: str) -> bytes | None:
        """Return a secret; None where there is none. Raises AccessError where it was changed or is another's."""
        with self._rows.begin() as connection:
            row = connection.execute(_GET, {"id": secret_id}).fetchone()
        return None if row is None else self._unseal(secret_id, kind, owner, row[0])

    def counter(self, secret_id: str) -> int:
        """Return the counter of a secret: the last step used of a TOTP, or an authenticator's sign count."""
        with self._rows.begin() as connection:
            row = connection.execute(_COUNTER, {"id": secret_id}).fetchone()
        return 0 if row is None else int(row[0])

    def advance(self, secret_id: str, counter: int) -> bool:
        """Move a counter on; False where it is already as far, so that no code is ever taken twice, by any node."""
        with self._rows.begin() as connection:
            return connection.execute(_ADVANCE, {"id": secret_id, "counter": counter}).rowcount == 1

    def remove(self, *secret_ids: str) -> None:
        """Forget secrets that count no more."""
        with self._rows.begin() as connection:
            for secret_id in secret_ids:
                connection.execute(_REMOVE, {"id": secret_id})

    def ids(self, kind: str) -> tuple[str, ...]:
        """Return the ids of all secrets of a kind."""
        with self._rows.begin() as connection:
            return tuple(row[0] for row in connection.execute(_IDS, {"kind": kind}))

    def _seal(self, secret_id: str, kind: str, owner: str, value: bytes) -> bytes:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + AESGCM(self._key).encrypt(nonce, value, _bound_to(secret_id, kind, owner))

    def _unseal(self, secret_id: str, kind: str, owner: str, sealed: bytes) -> bytes:
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        try:
            nonce, rest = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
            return AESGCM(self._key).decrypt(nonce, rest, _bound_to(secret_id, kind, owner))
        except (InvalidTag, ValueError, TypeError):
            raise AccessError(
                f"{self._rows.name}: what is kept of {owner or 'the first link'} was changed, or {KEY_FILE} is another "
                "vault's; restore both from the backup, or see `cultureops access recover --help`"
            ) from None


def open_vault(data_dir: Path, *, is_expected: bool) -> Vault:
    """Open the vault of a data folder, or make it where none is expected yet; raises AccessError, StorageError.

    What is expected and lost is never replaced by an empty one: the message says how to recover.
    """
    rows, key_file = rows_of(data_dir), data_dir / KEY_FILE
    for name, is_there in ((rows.name, rows.is_there), (str(key_file), key_file.is_file)):
        if is_expected and not is_there():
            raise AccessError(
                f"{name}: is lost, nobody can be recognised; {rows.remedy}, or begin anew with `cultureops access "
                "recover --help`"
            )
    return make_vault(data_dir)


def make_vault(data_dir: Path) -> Vault:
    """Open the vault, making what is missing of rows and key, readable by this account of the machine only."""
    key = _key_in(data_dir / KEY_FILE)
    rows = rows_of(data_dir)
    rows.prepare()
    return Vault(rows, key)


def rows_of(data_dir: Path) -> SecretRows:
    """Return where the secrets of a data folder are kept: beside its ledger; raises ConfigError."""
    settings = pointed(data_dir)
    if settings is None:
        return SecretsFile(data_dir / SECRETS_FILE)
    from cultureops.access.secrets_table import SecretsTable  # a lab on files has no use for it

    return SecretsTable(settings)


def replace_secrets(source: SecretRows, target: SecretRows) -> int:
    """Make the rows of one place exactly those of another, as they are stored, and return how many; needs no key.

    One transaction on each side, so that the target has all of them or what it had. Raises StorageError.
    """
    target.prepare()
    with source.begin() as read, target.begin() as write:
        rows = [_Sealed(*row) for row in read.execute(_ALL)]
        write.execute(_CLEAR)
        for row in rows:
            write.execute(_PUT, row._asdict())
        if [_Sealed(*row) for row in write.execute(_ALL)] != rows:
            raise StorageError(f"{target.name}: gives back other secrets than were put in; nothing was kept")
    return len(rows)


def _key_in(file: Path) -> bytes:
    try:
        file.parent.mkdir(mode=0o700, exist_ok=True)
        if not file.exists():
            _write_new(file, secrets.token_bytes(_KEY_BYTES))
        key = file.read_bytes()
        if file.stat().st_mode & 0o077:
            file.chmod(0o600)
    except OSError as error:
        raise StorageError(f"{error.filename or file}: {error.strerror or error}; check disk and owner") from None
    if len(key) != _KEY_BYTES:
        raise AccessError(f"{file}: expected {_KEY_BYTES} bytes, not {len(key)}; restore it from the backup")
    return key


def _bound_to(secret_id: str, kind: str, owner: str) -> bytes:
    return "\0".join((kind, owner, secret_id)).encode()


def _write_new(path: Path, content: bytes) -> None:
    """Write a file that only this account of the machine may read; another process may have made it just now."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
