"""The ``[ledger]`` section of a site file: where its keys are, and where its heads are kept besides."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from cultureops.config import Table
from cultureops.ledger.keys import KEYS_FOLDER, KeyFolder

__all__ = ["Authority", "LedgerSettings", "ledger_from"]

_LONGEST_DEADLINE_S: Final = 60


@dataclass(frozen=True, slots=True)
class Authority:
    """A time-stamping authority (RFC 3161), its root certificate in PEM, and how long it may take to answer [s]."""

    url: str
    certificate: Path
    deadline_s: float = 10.0


@dataclass(frozen=True, slots=True)
class LedgerSettings:
    """Where the ledger's keys are (None: inside the data folder), and its anchors: files, and authorities."""

    keys: Path | None = None
    files: tuple[Path, ...] = ()
    authorities: tuple[Authority, ...] = ()

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
    table.done()
    return LedgerSettings(keys, tuple(files), tuple(authorities))


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
