"""The file of secrets: password hashes, second factors, tokens and one-time links, encrypted, beside the ledger.

A secret counts only while an event of the ledger names its id, so what is written here takes effect with that event,
and an old copy of this file brings no old password back. Values are encrypted (AES-256-GCM) under ``keys/access.key``
and bound to id, kind and owner: a row can't be given to somebody else. Each call opens the file and closes it; calls
are few, and may come from several threads and processes.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from cultureops.errors import AccessError, StorageError

__all__ = ["KEY_FILE", "SECRETS_FILE", "SecretsFile"]

SECRETS_FILE: Final = "access.sqlite"
KEY_FILE: Final = "keys/access.key"
SCHEMA_VERSION: Final = 1
_WAIT_S: Final = 5.0
_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_TABLE: Final = """CREATE TABLE secrets (
    id TEXT PRIMARY KEY, kind TEXT NOT NULL, owner TEXT NOT NULL, value BLOB NOT NULL, counter INTEGER NOT NULL
) STRICT"""


class SecretsFile:
    """The secrets of one data folder; methods block for some milliseconds and belong into a thread."""

    def __init__(self, path: Path, key: bytes) -> None:
        self.path = path
        self._key = key
        self._lock = threading.Lock()

    @classmethod
    def open(cls, data_dir: Path, *, is_expected: bool) -> SecretsFile:
        """Open the file of a data folder, or make it where none is expected yet; raises AccessError, StorageError.

        What is expected and lost is never replaced by an empty file: the message says how to recover.
        """
        path, key_file = data_dir / SECRETS_FILE, data_dir / KEY_FILE
        for file in (path, key_file):
            if is_expected and not file.is_file():
                raise AccessError(
                    f"{file}: is lost, nobody can be recognised; restore it from the backup (both {SECRETS_FILE} and "
                    f"{KEY_FILE}), or begin anew with `cultureops access recover --help`"
                )
        return cls.make(data_dir)

    @classmethod
    def make(cls, data_dir: Path) -> SecretsFile:
        """Open the file, making what is missing of file and key, readable by this account of the machine only."""
        path, key_file = data_dir / SECRETS_FILE, data_dir / KEY_FILE
        try:
            key_file.parent.mkdir(mode=0o700, exist_ok=True)
            if not key_file.exists():
                _write_new(key_file, secrets.token_bytes(_KEY_BYTES))
            key = key_file.read_bytes()
            if not path.exists():
                _write_new(path, b"")
            for file in (path, key_file):
                if file.stat().st_mode & 0o077:
                    file.chmod(0o600)
        except OSError as error:
            raise StorageError(f"{error.filename or path}: {error.strerror or error}; check disk and owner") from None
        if len(key) != _KEY_BYTES:
            raise AccessError(f"{key_file}: expected {_KEY_BYTES} bytes, not {len(key)}; restore it from the backup")
        opened = cls(path, key)
        with opened._connected() as connection:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version > SCHEMA_VERSION:
                raise AccessError(f"{path}: written by a newer cultureops (version {version}); install that one")
            if version == 0:
                connection.execute(_TABLE)
                connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        return opened

    def put(self, secret_id: str, kind: str, owner: str, value: bytes, counter: int = 0) -> None:
        """Keep a secret under an id, in place of what stood there; durable when it returns."""
        sealed = self._seal(secret_id, kind, owner, value)
        with self._connected() as connection:
            row = (secret_id, kind, owner, sealed, counter)
            connection.execute("INSERT OR REPLACE INTO secrets VALUES (?, ?, ?, ?, ?)", row)

    def get(self, secret_id: str, kind: str, owner: str) -> bytes | None:
        """Return a secret; None where there is none. Raises AccessError where it was changed or is another's."""
        with self._connected() as connection:
            row = connection.execute("SELECT value FROM secrets WHERE id = ?", (secret_id,)).fetchone()
        return None if row is None else self._unseal(secret_id, kind, owner, row[0])

    def counter(self, secret_id: str) -> int:
        """Return the counter of a secret: the last step used of a TOTP, or an authenticator's sign count."""
        with self._connected() as connection:
            row = connection.execute("SELECT counter FROM secrets WHERE id = ?", (secret_id,)).fetchone()
        return 0 if row is None else int(row[0])

    def advance(self, secret_id: str, counter: int) -> bool:
        """Move a counter on; False where it is already as far, so that no code is ever taken twice."""
        with self._connected() as connection:
            what = "UPDATE secrets SET counter = ? WHERE id = ? AND counter < ?"
            return connection.execute(what, (counter, secret_id, counter)).rowcount == 1

    def remove(self, *secret_ids: str) -> None:
        """Forget secrets that count no more."""
        with self._connected() as connection:
            connection.executemany("DELETE FROM secrets WHERE id = ?", [(one,) for one in secret_ids])

    def ids(self, kind: str) -> tuple[str, ...]:
        """Return the ids of all secrets of a kind."""
        with self._connected() as connection:
            return tuple(row[0] for row in connection.execute("SELECT id FROM secrets WHERE kind = ?", (kind,)))

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
        except (InvalidTag, ValueError):
            raise AccessError(
                f"{self.path}: what is kept of {owner or 'the first link'} was changed, or {KEY_FILE} is another "
                "file's; restore both from the backup, or see `cultureops access recover --help`"
            ) from None

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                connection = sqlite3.connect(self.path, _WAIT_S, isolation_level=None)
                try:
                    connection.execute("PRAGMA synchronous = FULL")
                    connection.execute("PRAGMA secure_delete = ON")
                    connection.execute("BEGIN IMMEDIATE")
                    yield connection
                    connection.execute("COMMIT")
                finally:
                    connection.close()
            except (sqlite3.Error, UnicodeDecodeError) as error:
                raise StorageError(
                    f"{self.path}: {error}; check disk and owner, or restore it together with {KEY_FILE}"
                ) from None


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
