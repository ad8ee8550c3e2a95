"""The ``[ledger]`` section of a site file: where its rows and keys are, and where its heads are kept besides."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from cultureops.config import Table
from cultureops.ledger.keys import KEYS_FOLDER, KeyFolder
from cultureops.ledger.postgres_settings import CONNECT_TIMEOUT_S, PORT, PostgresSettings, is_near

__all__ = ["Authority", "LedgerSettings", "ledger_from", "postgresql_from"]

_LONGEST_DEADLINE_S: Final = 60


@dataclass(frozen=True, slots=True)
class Authority:
    """A time-stamping authority (RFC 3161), its root certificate in PEM, and how long it may take to answer [s]."""

    url: str
    certificate: Path
    deadline_s: float = 10.0


@dataclass(frozen=True, slots=True)
class LedgerSettings:
    """Where the ledger's keys are (None: inside the data folder), and its anchors: files, and authorities.

    ``postgresql`` is the database that keeps its rows; None: a file in the data folder does.
    """

    keys: Path | None = None
    files: tuple[Path, ...] = ()
    authorities: tuple[Authority, ...] = ()
    postgresql: PostgresSettings | None = None

    def key_folder(self, data_dir: Path) -> KeyFolder:
        """Return the folder of the keys of a lab that keeps its data in ``data_dir``."""
        return KeyFolder(data_dir / KEYS_FOLDER if self.keys is None else self.keys)


def ledger_from(table: Table | None, site_dir: Path) -> LedgerSettings:
    """Read the section; paths are relative to the site file. Raises ConfigError with file and line."""
    if table is None:
        return LedgerSettings()
    keys = None
    if table.has("keys"):
        keys = site_dir / table.text("keys")
        if not keys.is_dir():
            raise table.error(f"{keys} is no folder; make it, or mount what it is on", "keys")
    files: list[Path] = []
    authorities: list[Authority] = []
    for row in table.tables("anchor"):
        if row.has("file") == row.has("tsa"):
            raise row.error("expected either file or tsa: a file to append heads to, or the address of an authority")
        if row.has("file"):
            files.append(_file(row, site_dir))
        else:
            authorities.append(_authority(row, site_dir))
        row.done()
    database = table.optional_table("postgresql")
    postgresql = None if database is None else postgresql_from(database, site_dir)
    table.done()
    return LedgerSettings(keys, tuple(files), tuple(authorities), postgresql)


def postgresql_from(table: Table, site_dir: Path) -> PostgresSettings:
    """Read ``[ledger.postgresql]``; paths are relative to the site file. Raises ConfigError with file and line.

    Another machine is reached by TLS alone, and has to prove its name against ``ca_file``.
    """
    host, database, user = (_one_line(table, key) for key in ("host", "database", "user"))
    files: dict[str, Path] = {}
    for key, what in (("password_file", "a file with the password"), ("ca_file", "the server's root certificate, PEM")):
        if table.has(key):
            files[key] = site_dir / table.text(key)
            if not files[key].is_file():
                raise table.error(f"{files[key]}: no such file; expected {what}", key)
    if "ca_file" not in files and not is_near(host):
        raise table.error(f"{host} is another machine; give ca_file, the certificate that signs the server's", "host")
    port = table.integer("port", PORT, minimum=1, maximum=65535)
    timeout_s = table.number("connect_timeout_s", CONNECT_TIMEOUT_S, minimum=0.1, maximum=_LONGEST_DEADLINE_S)
    table.done()
    return PostgresSettings(host, database, user, port, **files, connect_timeout_s=timeout_s)


def _one_line(table: Table, key: str) -> str:
    text = table.text(key)
    if not text.strip() or not text.isprintable():
        raise table.error(f"expected one line of text, not {text!r}", key)
    return text


def _file(row: Table, site_dir: Path) -> Path:
    path = site_dir / row.text("file")
    if path.is_dir():
        raise row.error(f"{path} is a folder; name a file in it", "file")
    return path


def _authority(row: Table, site_dir: Path) -> Authority:
    url = row.text("tsa")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise row.error("expected an address such as http://tsa.example/", "tsa")
    certificate = site_dir / row.text("certificate")
    if not certificate.is_file():
        raise row.error(
            f"{certificate}: no such file; give the certificate of the authority's root, in PEM", "certificate"
        )
    return Authority(url, certificate, row.number("deadline_s", 10.0, minimum=0.1, maximum=_LONGEST_DEADLINE_S))
