"""The pointer of a data folder whose ledger is not in it: a small file that names the database, and holds no secret."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from cultureops.durable_file import replace_file
from cultureops.errors import ConfigError, StorageError
from cultureops.ledger.postgres_settings import PostgresSettings

__all__ = ["POINTER_FILE", "point_to", "pointed"]

POINTER_FILE: Final = "ledger.json"
_ENGINE: Final = "postgresql"
_MOST_BYTES: Final = 65_536


def pointed(data_dir: Path) -> PostgresSettings | None:
    """Return the database that keeps the ledger of a data folder, None where the folder itself does.

    Raises ConfigError for a pointer that can't be read: a ledger elsewhere is never taken for none.
    """
    file = data_dir / POINTER_FILE
    try:
        with file.open("rb") as opened:
            said = json.loads(opened.read(_MOST_BYTES))
        (engine,) = said
        return PostgresSettings.from_data(said[engine]) if engine == _ENGINE else _unknown(engine)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ConfigError(
            f"{file}: does not say where the ledger is: {type(error).__name__}: {str(error)[:120]}; put the file back, "
            "or write it anew as docs/how-to/records-on-postgresql.md shows"
        ) from None


def point_to(data_dir: Path, settings: PostgresSettings) -> None:
    """Have a data folder say that its ledger is in a database; whole and durable when it returns, or as before.

    Raises StorageError when the folder can't be written.
    """
    file = data_dir / POINTER_FILE
    try:
        replace_file(file, json.dumps({_ENGINE: settings.data()}, indent=1) + "\n", mode=0o600)
    except OSError as error:
        raise StorageError(f"{file}: can't be written: {error.strerror or error}; check disk and owner") from None


def _unknown(engine: object) -> PostgresSettings:
    raise ValueError(f"{engine!r} is no store of ledgers known here; a newer cultureops may have written it")
