"""How a ledger that is in a database gets into a backup: as a file, row by row out of one snapshot, and its secrets."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from cultureops.access.secrets_file import SecretsFile
from cultureops.access.vault import replace_secrets, rows_of
from cultureops.backup.copying import sync_file, write_private
from cultureops.errors import StorageError
from cultureops.ledger.sqlite_file import SqliteFile
from cultureops.ledger.storage import FAILURES, Storage, cause
from cultureops.ledger.transfer import bring_rows
from cultureops.telemetry.file import leave_log_mode

__all__ = ["copy_ledger", "copy_secrets"]


def copy_ledger(source: Storage, target: Path) -> None:
    """Copy a ledger as it is at one moment into a new file, each chain hash followed on the way; durable then.

    Raises StorageError or Unreadable, ChainBroken for a chain that does not hold.
    """
    write_private(target, b"")
    engine = SqliteFile(target).writer()
    try:
        with closing(source.open_reader()) as read, engine.begin() as write:
            bring_rows(read, write)
    except FAILURES as error:
        raise StorageError(f"{source.name}: can't be copied: {cause(error)}; see that the server answers") from None
    finally:
        engine.dispose()
    _as_one_file(target)


def copy_secrets(data_dir: Path, target: Path) -> None:
    """Copy the secrets that stand beside a ledger in a database into a new file, sealed as they are; durable then."""
    write_private(target, b"")
    replace_secrets(rows_of(data_dir), SecretsFile(target))
    _as_one_file(target)


def _as_one_file(target: Path) -> None:
    if not leave_log_mode(target):
        raise StorageError(f"{target}: keeps its write-ahead log; is another program reading it?")
    sync_file(target)
