"""Where the pages are and how they are carried: ``[web]`` of the site file."""

from __future__ import annotations

import hashlib
import hmac
import ssl
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cultureops.config import Table
from cultureops.errors import ConfigError

__all__ = ["LOOPBACK", "MetricsSettings", "Tls", "WebSettings", "web_from"]

LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
LEAST_TOKEN: Final = 32
"""Nobody is slowed down who guesses such a token; 32 characters of hexadecimal are 128 bits [OWN]."""


@dataclass(frozen=True, slots=True)
class Tls:
    """The certificate (with its chain) and the private key of the pages, both PEM files."""

    certificate: Path
    key: Path

    def context(self) -> ssl.SSLContext:
        """Load both; raises ConfigError for files that can't be, or for a key that everybody may read.

        TLS 1.2 is the oldest version spoken (RFC 8996 retires those before).
        """
        try:
            if self.key.stat().st_mode & stat.S_IROTH:
                raise ConfigError(f"{self.key}: everybody on this machine may read the key; chmod 600 it")
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            context.load_cert_chain(self.certificate, self.key, password="")
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(
                f"{self.certificate}, {self.key}: no certificate and unencrypted key in PEM: {error}"
            ) from None
        return context


@dataclass(frozen=True, slots=True)
class MetricsSettings:
    """Who may read ``/metrics``: whoever shows the token, of which only a digest is kept; without one, this machine."""

    token_sha256: bytes | None = field(default=None, repr=False)

    def admits(self, source: str, token: str) -> bool:
        """Whether somebody who asks from an address with this token (or none, empty) may read."""
        if self.token_sha256 is None:
            return source in LOOPBACK
        return hmac.compare_digest(hashlib.sha256(token.encode()).digest(), self.token_sha256)


@dataclass(frozen=True, slots=True)
class WebSettings:
    """The address that is listened at, and the names by which browsers may ask for the pages.

    ``metrics`` is None where measures are not shown.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    names: tuple[str, ...] = ()
    tls: Tls | None = None
    metrics: MetricsSettings | None = None


def web_from(table: Table | None, folder: Path) -> WebSettings:
    """Read ``[web]``; without TLS this machine alone is served. Raises ConfigError with file and line."""
    if table is None:
        return WebSettings()
    host, tls = table.text("host", "127.0.0.1"), _tls_from(table, folder)
    if tls is None and host not in LOOPBACK:
        raise table.error(
            "log-ins and signatures don't cross a network in the clear; give tls_certificate and tls_key, or use "
            "127.0.0.1",
            "host",
        )
    names = table.texts("names")
    if host not in LOOPBACK and not names:
        raise table.error("list the names by which browsers reach the pages, as the certificate has them", "names")
    for name in names:
        if not name or name != name.lower() or any(char in name for char in "/:@?#* "):
            raise table.error(f"{name[:60]!r} is no host name; write it small, without scheme and port", "names")
    port = table.integer("port", 8080, minimum=0, maximum=65535)
    metrics = _metrics_from(table, folder)
    table.done()
    return WebSettings(host, port, names, tls, metrics)


def _metrics_from(table: Table, folder: Path) -> MetricsSettings | None:
    is_shown, name = table.flag("metrics", False), table.text("metrics_token_file", "")
    if not name:
        return MetricsSettings() if is_shown else None
    if not is_shown:
        raise table.error("stands without metrics = true; add it, or leave the token out", "metrics_token_file")
    try:
        token = (folder / name).read_text(encoding="ascii").strip()
    except (OSError, ValueError) as error:
        raise table.error(f"{name} can't be read: {error}; it holds the token alone", "metrics_token_file") from None
    if len(token) < LEAST_TOKEN or not token.isprintable() or " " in token:
        raise table.error(
            f"{name} holds no token of {LEAST_TOKEN} characters or more; make one: openssl rand -hex 32",
            "metrics_token_file",
        )
    return MetricsSettings(hashlib.sha256(token.encode()).digest())


def _tls_from(table: Table, folder: Path) -> Tls | None:
    if not table.has("tls_certificate") and not table.has("tls_key"):
        return None
    return Tls(folder / table.text("tls_certificate"), folder / table.text("tls_key"))
