"""Secrets in a site file: the ledger keeps commitments to them, the data folder the whole text for its owner alone.

Most secrets stand in files of their own, which a site file names. What stands in it all the same (a password of an
instrument's link, a token in an address) must not enter the ledger, which is shown to many and can't forget.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
from pathlib import Path
from typing import Final

from cultureops.errors import ConfigError
from cultureops.ledger.keys import KEYS_FOLDER

__all__ = ["SiteKey"]

_KEY_FILE: Final = "site.key"
_WHOLE_FILE: Final = "site.toml"
_SECRET_KEY: Final = re.compile(
    r"""(?ix) (?P<before> \b[\w-]*(?:password|passphrase|secret|token|api_?key|credential)s? \s*=\s* )
        (?P<quote>["']) (?P<secret>[^"']+) (?P=quote)"""
)
_IN_URL: Final = re.compile(
    r"""(?ix) (?P<before> ://[^/\s"'@:]*: | [?&](?:password|secret|token|key|api_?key|auth)= )
        (?P<secret> (?<=:)[^/\s"'@]+(?=@) | (?<==)[^&\s"'#]+ )"""
)
_PINGED: Final = re.compile(r"""(?imsx) (?P<before> ^\s*\[heartbeat\] (?:(?!^\s*\[).)*? ^\s*url\s*=\s*["'])
        (?P<secret>[^"']+)""")  # fmt: skip


class SiteKey:
    """The key of a data folder's commitments, and the whole text that is in force, for their owner alone; blocks."""

    def __init__(self, data_dir: Path) -> None:
        self.folder = data_dir / KEYS_FOLDER
        self._key: bytes | None = None

    def commitment(self, text: str) -> str:
        """Return the keyed hash [hex] that stands for a text."""
        return hmac.new(self._made(), text.encode(), hashlib.sha256).hexdigest()

    def redacted(self, text: str) -> str:
        """Return a text with each secret in it replaced by a commitment."""

        def hide(found: re.Match[str]) -> str:
            quote = found.groupdict().get("quote") or ""
            return f"{found['before']}{quote}***{self.commitment(found['secret'])[:16]}***{quote}"

        for pattern in (_SECRET_KEY, _PINGED, _IN_URL):
            text = pattern.sub(hide, text)
        return text

    def keep(self, text: str) -> None:
        """Keep the whole text that is in force."""
        _write(self.folder / _WHOLE_FILE, text.encode())

    def kept(self) -> str | None:
        """Return the whole text that was kept, None where there is none."""
        try:
            return (self.folder / _WHOLE_FILE).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return None

    def _made(self) -> bytes:
        if self._key is None:
            file = self.folder / _KEY_FILE
            try:
                self._key = bytes.fromhex(file.read_text(encoding="ascii").strip())
            except FileNotFoundError:
                self._key = secrets.token_bytes(32)
                _write(file, self._key.hex().encode() + b"\n")
            except (OSError, ValueError) as error:
                raise ConfigError(f"{file}: can't be read: {error}; put it back from a backup") from None
        return self._key


def _write(file: Path, data: bytes) -> None:
    """Write a file for its owner alone, whole or not at all."""
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = file.with_name(f".{file.name}.{os.getpid()}.{secrets.token_hex(4)}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
            opened.write(data)
            opened.flush()
            os.fsync(opened.fileno())
        draft.replace(file)
    except OSError as error:
        raise ConfigError(f"{file}: can't be written: {error.strerror}; the data folder must be writable") from None
