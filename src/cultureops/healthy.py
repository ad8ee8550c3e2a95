"""Whether the pages of a running lab answer and it keeps what it is told: the health check of its container.

``python -m cultureops.healthy SITE.toml`` ends with 0 or 1. It imports nothing of a lab, so that asking twice a minute
costs little.
"""

from __future__ import annotations

import http.client
import ssl
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

__all__ = ["main", "problem"]

TIMEOUT_S: Final = 4.0
_HERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}


def problem(site_file: Path) -> str | None:
    """Return in one line why the lab of a site file is not well, None where it is."""
    try:
        web: dict[str, Any] = tomllib.loads(site_file.read_text(encoding="utf-8")).get("web", {})
        host, port = str(web.get("host", "127.0.0.1")), int(web.get("port", 8080))
    except (OSError, ValueError, TypeError, AttributeError) as error:
        return f"{site_file} can't be read: {error}"
    try:
        answer = _ask(_HERE.get(host, host), port, over_tls="tls_certificate" in web)
    except (OSError, http.client.HTTPException) as error:
        return f"{host}:{port} does not answer: {error}"
    return (
        None if answer == (200, b"ok") else f"{host}:{port} says {answer[0]}: {answer[1][:80].decode(errors='replace')}"
    )


def _ask(host: str, port: int, *, over_tls: bool) -> tuple[int, bytes]:
    connection: http.client.HTTPConnection
    if over_tls:
        itself = ssl.create_default_context()  # nothing secret is said, and the certificate names no loopback
        itself.check_hostname, itself.verify_mode = False, ssl.CERT_NONE
        connection = http.client.HTTPSConnection(host, port, timeout=TIMEOUT_S, context=itself)
    else:
        connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", "/healthz", headers={"host": f"127.0.0.1:{port}"})
        answer = connection.getresponse()
        return answer.status, answer.read(200)
    finally:
        connection.close()


def main(arguments: Sequence[str]) -> int:
    """Say on standard error what is wrong; returns the exit code."""
    if len(arguments) != 1:
        print("usage: python -m cultureops.healthy SITE.toml", file=sys.stderr)
        return 2
    if (said := problem(Path(arguments[0]))) is not None:
        print(said, file=sys.stderr)
    return int(said is not None)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
