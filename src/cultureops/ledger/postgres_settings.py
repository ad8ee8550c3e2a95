"""Which PostgreSQL database keeps a ledger, as who, and by what the server is known."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cultureops.errors import ConfigError

__all__ = ["CONNECT_TIMEOUT_S", "PORT", "PostgresSettings", "is_near"]

PORT: Final = 5432
CONNECT_TIMEOUT_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class PostgresSettings:
    """A database on a server: ``host`` is a name, an address or the folder of a socket.

    ``password_file`` (None: the server asks for none) is read at each connect and kept nowhere. With ``ca_file`` [PEM]
    the server must prove its name by TLS; without it ``host`` is this machine. ``connect_timeout_s`` [s] is for each.
    """

    host: str
    database: str
    user: str
    port: int = PORT
    password_file: Path | None = None
    ca_file: Path | None = None
    connect_timeout_s: float = CONNECT_TIMEOUT_S

    @property
    def name(self) -> str:
        """The database as messages call it; holds no secret."""
        return f"PostgreSQL {self.user}@{self.host}:{self.port}/{self.database}"

    def password(self) -> str | None:
        """Read the password from its file, without the end of the line; raises ConfigError."""
        if self.password_file is None:
            return None
        try:
            password = self.password_file.read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{self.password_file}: the password can't be read: {error}; mend the file") from None
        if not password or "\n" in password or "\0" in password:
            raise ConfigError(f"{self.password_file}: expected one line, the password of {self.user}")
        return password

    def is_same_database(self, other: PostgresSettings) -> bool:
        """Whether both mean one database, whoever comes and whatever proves it."""
        return (self.host, self.port, self.database) == (other.host, other.port, other.database)

    def data(self) -> dict[str, Any]:
        """Return the settings as JSON values; files by their full path, so that they hold from any folder."""
        files = {"password_file": self.password_file, "ca_file": self.ca_file}
        named = {key: str(path.absolute()) for key, path in files.items() if path is not None}
        rest = {"host": self.host, "port": self.port, "database": self.database, "user": self.user}
        return rest | named | {"connect_timeout_s": self.connect_timeout_s}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> PostgresSettings:
        """Return what ``data()`` wrote; raises KeyError, TypeError or ValueError for anything else."""
        host, database, user = (_text(data[key]) for key in ("host", "database", "user"))
        files = {key: Path(_text(data[key])) for key in ("password_file", "ca_file") if data.get(key) is not None}
        found = cls(
            host, database, user, int(data["port"]), **files, connect_timeout_s=float(data["connect_timeout_s"])
        )
        if found.ca_file is None and not is_near(host):
            raise ValueError(f"{host} is another machine, and no ca_file says how to know it")
        return found


def is_near(host: str) -> bool:
    """Whether what goes to a host stays on this machine: a socket's folder or a loopback address."""
    if host.startswith("/") or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"expected text, not {value!r}")
    return value
