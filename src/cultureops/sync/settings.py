"""The sections ``[hub]`` of a gateway's site file, and ``[gateways]`` and ``[[gateway]]`` of a hub's."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from cultureops.clock import Instant
from cultureops.config import Table
from cultureops.errors import ConfigError
from cultureops.sync.certificate import read_certificate

__all__ = ["GatewayRow", "GatewaysSettings", "HubSettings", "gateways_from", "hub_from"]

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
_NAME_FORM: Final = "1 to 32 small letters, digits, _ and -, beginning with a letter or digit"
_OWN: Final = "local"
"""The origin of a ledger that nobody has named: the hub's own, and that of a lab in one process."""


@dataclass(frozen=True, slots=True)
class HubSettings:
    """Where a gateway's hub is, and how the two know each other; all files are PEM.

    ``gateway`` is this gateway's name, ``ca_file`` what the hub's certificate is checked by; ``timeout_s`` is what one
    request may take, ``period_s`` the time between two looks for new readings, both real seconds.
    """

    gateway: str
    host: str
    port: int
    certificate: Path
    key: Path
    ca_file: Path
    timeout_s: float = 10.0
    period_s: float = 1.0

    @property
    def url(self) -> str:
        """Name the hub."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"https://{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class GatewayRow:
    """A gateway as its hub knows it: its name (the origin of its log), a copy of its site file, its certificate.

    ``certificate_sha256`` is that of the certificate's DER [hex], ``certificate_ends`` when it is no longer valid.
    """

    name: str
    site: Path
    certificate: Path
    certificate_sha256: str
    certificate_ends: Instant

    def site_sha256(self) -> str:
        """Return the SHA-256 [hex] of the copy of the site file; raises ConfigError where it can't be read."""
        try:
            return hashlib.sha256(self.site.read_bytes()).hexdigest()
        except OSError as error:
            raise ConfigError(
                f"{self.site}: can't be read: {error.strerror}; put a copy of {self.name}'s there"
            ) from None


@dataclass(frozen=True, slots=True)
class GatewaysSettings:
    """Where a hub listens for its gateways, with which certificate (PEM), and who they are."""

    host: str
    port: int
    certificate: Path
    key: Path
    rows: tuple[GatewayRow, ...]
    timeout_s: float = 10.0

    def row(self, name: str) -> GatewayRow:
        """Return the gateway of a name; raises KeyError."""
        for row in self.rows:
            if row.name == name:
                return row
        raise KeyError(name)


def hub_from(table: Table | None, folder: Path) -> HubSettings | None:
    """Read ``[hub]``, None where there is none; files count from ``folder``. Raises ConfigError with file and line."""
    if table is None:
        return None
    host, port = _address(table)
    settings = HubSettings(
        gateway=_name(table, "gateway"),
        host=host,
        port=port,
        certificate=folder / table.text("certificate"),
        key=folder / table.text("key"),
        ca_file=folder / table.text("ca_file"),
        timeout_s=table.number("timeout_s", 10.0, minimum=0.1, maximum=300),
        period_s=table.number("period_s", 1.0, minimum=0.05, maximum=60),
    )
    table.done()
    return settings


def gateways_from(table: Table | None, rows: Sequence[Table], folder: Path) -> GatewaysSettings | None:
    """Read ``[gateways]`` and its ``[[gateway]]`` rows, None where there are none; raises ConfigError."""
    if table is None:
        if rows:
            raise rows[0].error("stands without [gateways]; say there where the hub listens for its gateways")
        return None
    if not rows:
        raise table.error("stands without gateways; add a [[gateway]] for each")
    found: list[GatewayRow] = []
    for row in rows:
        gateway = _row(row, folder)
        for other in found:
            if gateway.name == other.name:
                raise row.error(
                    f"two gateways are called {gateway.name!r}; each has a log and a name of its own", "name"
                )
            if gateway.certificate_sha256 == other.certificate_sha256:
                raise row.error(f"is the one of {other.name!r}; each gateway has its own", "certificate")
        found.append(gateway)
    settings = GatewaysSettings(
        host=table.text("host", "0.0.0.0"),
        port=table.integer("port", 8444, minimum=0, maximum=65535),
        certificate=folder / table.text("certificate"),
        key=folder / table.text("key"),
        rows=tuple(found),
        timeout_s=table.number("timeout_s", 10.0, minimum=0.1, maximum=300),
    )
    table.done()
    return settings


def _row(table: Table, folder: Path) -> GatewayRow:
    name, certificate = _name(table, "name"), folder / table.text("certificate")
    try:
        found = read_certificate(certificate)
    except ConfigError as error:
        raise table.error(str(error), "certificate") from None
    site = folder / table.text("site")
    if not site.is_file():
        raise table.error(f"{site}: no such file; put a copy of the gateway's site file there", "site")
    table.done()
    return GatewayRow(name, site, certificate, found.sha256, found.ends)


def _name(table: Table, key: str) -> str:
    name = table.text(key)
    if not _NAME.fullmatch(name) or name == _OWN:
        raise table.error(f"{name[:40]!r} is no name of a gateway; expected {_NAME_FORM}, other than {_OWN!r}", key)
    return name


def _address(table: Table) -> tuple[str, int]:
    url = table.text("url")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
        is_plain = parts.scheme == "https" and not (
            parts.path.strip("/") or parts.query or parts.fragment or parts.username
        )
    except ValueError:
        host, port, is_plain = None, None, False
    if not host or not is_plain:
        raise table.error(f"{url!r} is no address of a hub; write e.g. https://hub.example:8444", "url")
    return host, 8444 if port is None else port
