"""The ``[opentelemetry]`` section of a site file."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from cultureops.config import Table
from cultureops.tracing import TracingSettings

__all__ = ["tracing_from"]


def tracing_from(table: Table | None, folder: Path) -> TracingSettings | None:
    """Read the section, None where there is none; raises ConfigError with file and line."""
    if table is None:
        return None
    settings = TracingSettings(
        endpoint=_endpoint(table),
        service_name=table.text("service_name", "cultureops"),
        ratio=table.number("ratio", 1.0, minimum=0, maximum=1),
        timeout_s=table.number("timeout_s", 5.0, minimum=0.1, maximum=60),
        ca_file=_file(table, folder, "ca_file"),
        token=_token(table, folder),
    )
    table.done()
    return settings


def _endpoint(table: Table) -> str:
    endpoint = table.text("endpoint")
    try:
        parts = urlsplit(endpoint)
        is_whole = parts.scheme in ("http", "https") and parts.hostname and not parts.query and not parts.fragment
        parts.port  # noqa: B018 - raises for what is no port
    except ValueError:
        is_whole = False
    if not is_whole or parts.username or parts.password:
        raise table.error(
            f"{endpoint!r} is no address of a collector; write e.g. http://127.0.0.1:4318/v1/traces", "endpoint"
        )
    return endpoint


def _file(table: Table, folder: Path, key: str) -> Path | None:
    name = table.text(key, "")
    if name and not (folder / name).is_file():
        raise table.error(f"{name}: no such file", key)
    return folder / name if name else None


def _token(table: Table, folder: Path) -> str | None:
    if (file := _file(table, folder, "token_file")) is None:
        return None
    try:
        token = file.read_text(encoding="ascii").strip()
    except (OSError, ValueError) as error:
        raise table.error(f"{file} can't be read: {error}; it holds the token alone", "token_file") from None
    if not token or not token.isprintable():
        raise table.error(f"{file} holds no token; expected one line of ASCII text", "token_file")
    return token
