"""The ``[influxdb]`` section of a site file."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from cultureops.config import Table
from cultureops.telemetry.read_settings import ReadSettings, read_from

__all__ = ["MirrorSettings", "mirror_from"]


@dataclass(frozen=True, slots=True)
class MirrorSettings:
    """Where readings are mirrored to, and how.

    ``period_s`` is the real time [s] between two looks for new readings, ``timeout_s`` what one call may take;
    ``resend_window_s`` is how long [s] a server may still forget what it confirmed; 0 for one that never does.
    """

    url: str
    org: str
    bucket: str
    token: str | None = field(default=None, repr=False)
    ca_file: str | None = None
    resend_window_s: float = 0.0
    timeout_s: float = 10.0
    period_s: float = 1.0
    read: ReadSettings | None = None

    @property
    def target(self) -> str:
        """Name the bucket that a cursor belongs to."""
        return f"{self.url} {self.org} {self.bucket}"


def mirror_from(table: Table | None) -> MirrorSettings | None:
    """Read the section, None where there is none; raises ConfigError with file and line."""
    if table is None:
        return None
    url, bucket, token, ca_file = _url(table), _bucket(table), _token(table), _ca_file(table)
    settings = MirrorSettings(
        url=url,
        org=table.text("org", "-"),
        bucket=bucket,
        token=token,
        ca_file=ca_file,
        resend_window_s=table.number("resend_window_s", 0.0, minimum=0, maximum=3600),
        timeout_s=table.number("timeout_s", 10.0, minimum=0.1, maximum=300),
        period_s=table.number("period_s", 1.0, minimum=0.1, maximum=3600),
        read=read_from(table.optional_table("read"), url, bucket, token, ca_file),
    )
    table.done()
    return settings


def _url(table: Table) -> str:
    url = table.text("url")
    try:
        parts = urlsplit(url)
        is_whole = parts.scheme in ("http", "https") and parts.hostname and not parts.query and not parts.fragment
        parts.port  # noqa: B018 - raises for what is no port
    except ValueError:
        is_whole = False
    if not is_whole:
        raise table.error(f"{url!r} is no address of a server; write e.g. http://192.0.2.7:8086", "url")
    if parts.username or parts.password:
        raise table.error("must not hold a password; put the token into token_file", "url")
    return url.rstrip("/")


def _bucket(table: Table) -> str:
    bucket = table.text("bucket")
    if not bucket.strip():
        raise table.error("is empty; name the bucket", "bucket")
    return bucket


def _token(table: Table) -> str | None:
    name = table.text("token_file", "")
    if not name:
        return None
    try:
        token = Path(name).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise table.error(f"{name} can't be read: {error}; it holds the token alone", "token_file") from None
    if not token or not token.isprintable() or not token.isascii():
        raise table.error(f"{name} holds no token; expected one line of ASCII text", "token_file")
    return token


def _ca_file(table: Table) -> str | None:
    name = table.text("ca_file", "")
    if name and not Path(name).is_file():
        raise table.error(
            f"{name}: no such file; name the certificates (PEM) that the server's is checked by", "ca_file"
        )
    return name or None
