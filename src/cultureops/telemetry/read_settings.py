"""The ``[influxdb.read]`` table of a site file: how what the mirror wrote is read back."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

from cultureops.config import Table

__all__ = ["Language", "ReadSettings", "read_from"]


class Language(StrEnum):
    """What a server is asked in."""

    INFLUXQL = "influxql"
    VICTORIAMETRICS = "victoriametrics"


@dataclass(frozen=True, slots=True)
class ReadSettings:
    """Where mirrored readings are read back from, and how.

    ``silence_s`` is how long [s, real time] the server may say nothing, ``longest_s`` what one question may take.
    """

    url: str
    database: str
    language: Language = Language.INFLUXQL
    retention_policy: str = ""
    user: str = ""
    password: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    ca_file: str | None = None
    silence_s: float = 60.0
    longest_s: float = 600.0


def read_from(table: Table | None, url: str, bucket: str, token: str | None, ca_file: str | None) -> ReadSettings:
    """Read the table; what it leaves out is as for writing. Raises ConfigError with file and line."""
    if table is None:
        return ReadSettings(url, bucket, token=token, ca_file=ca_file)
    user, password = table.text("user", ""), _secret(table, "password_file")
    if bool(user) != (password is not None):
        raise table.error("user and password_file belong together; state both, or neither where a token is used")
    if ":" in user:
        raise table.error("must not hold a colon: what follows it would be read as the password", "user")
    own_token = _secret(table, "token_file")
    settings = ReadSettings(
        url=_url(table, url),
        database=_named(table, "database", bucket),
        language=Language(table.text("language", Language.INFLUXQL.value, choices=[one.value for one in Language])),
        retention_policy=table.text("retention_policy", ""),
        user=user,
        password=password,
        token=None if user else own_token or token,
        ca_file=_ca_file(table, ca_file),
        silence_s=table.number("silence_s", 60.0, minimum=0.1, maximum=3600),
        longest_s=table.number("longest_s", 600.0, minimum=1, maximum=86_400),
    )
    table.done()
    return settings


def _named(table: Table, key: str, default: str) -> str:
    name = table.text(key, default)
    if not name.strip():
        raise table.error("is empty; name the database", key)
    return name


def _url(table: Table, default: str) -> str:
    url = table.text("url", default)
    try:
        parts = urlsplit(url)
        is_whole = parts.scheme in ("http", "https") and parts.hostname and not parts.query and not parts.fragment
        is_whole = is_whole and not parts.username and not parts.password and parts.port != 0
    except ValueError:
        is_whole = False
    if not is_whole:
        raise table.error(f"{url!r} is no address of a server; write e.g. http://192.0.2.7:8086", "url")
    return url.rstrip("/")


def _secret(table: Table, key: str) -> str | None:
    name = table.text(key, "")
    if not name:
        return None
    try:
        secret = Path(name).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise table.error(f"{name} can't be read: {error}; it holds the secret alone", key) from None
    if not secret or not secret.isprintable():
        raise table.error(f"{name} holds no secret; expected one line of text", key)
    return secret


def _ca_file(table: Table, default: str | None) -> str | None:
    name = table.text("ca_file", "")
    if name and not Path(name).is_file():
        raise table.error(
            f"{name}: no such file; name the certificates (PEM) that the server's is checked by", "ca_file"
        )
    return name or default
