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
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

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
_NAMES_SECRET: Final = re.compile(
    r"(?ix) (?:^|[_-]) (?:pass(?:word|wd|phrase|code)?|pwd|secret|token|credential|authorization|bearer|psk|auth"
    r"|(?:api|access|private|auth|account|shared|secret)[_-]?key) s? $"
)
"""How the name of an entry ends that holds a secret itself; that of a file of secrets ends in ``_file``."""
_MARK: Final = re.compile(r"\*\*\*[0-9a-f]{16}\*\*\*")
_LONG_ENOUGH: Final = 4
"""Characters from which on a secret is hidden wherever it stands; shorter ones stand in words as well."""
_PINGED_AT: Final = "heartbeat.url"
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
            secret = found["secret"]
            return f"{found['before']}{quote}{secret if _MARK.fullmatch(secret) else self._mark(secret)}{quote}"

        for secret in sorted({found for _, found in _secrets(_parsed(text))}, key=len, reverse=True):
            if len(secret) >= _LONG_ENOUGH:
                text = text.replace(secret, self._mark(secret))
        for pattern in (_SECRET_KEY, _PINGED, _IN_URL):
            text = pattern.sub(hide, text)
        return text

    def fit_for_ledger(self, text: str) -> str:
        """Return a text without its secrets; raises ConfigError, naming the entry, where one can't be taken out."""
        redacted = self.redacted(text)
        try:
            left = [name for name, secret in _secrets(tomllib.loads(redacted)) if not _MARK.fullmatch(secret)]
        except tomllib.TOMLDecodeError:
            left = [name for name, _ in _secrets(_parsed(text))] or ["an entry"]
        if left:
            raise ConfigError(
                f"site file: {left[0]} holds a secret in a form that can't be hidden from the ledger; write it as one "
                "plain string in quotes, or into a file of its own that the site file names"
            )
        return redacted

    def _mark(self, secret: str) -> str:
        return f"***{self.commitment(secret)[:16]}***"

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


def _parsed(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return {}


def _secrets(value: object, name: str = "", *, is_secret: bool = False) -> Iterator[tuple[str, str]]:
    """Return the secrets among the values of a parsed file, each with the name of its entry."""
    if isinstance(value, dict):
        for key, item in value.items():
            path = f"{name}.{key}" if name else key
            is_named = path == _PINGED_AT or _NAMES_SECRET.search(key) is not None
            yield from _secrets(item, path, is_secret=is_secret or is_named)
    elif isinstance(value, list):
        for item in value:
            yield from _secrets(item, name, is_secret=is_secret)
    elif is_secret and isinstance(value, str) and value:
        yield name, value
    elif isinstance(value, str) and "://" in value:
        yield from ((name, secret) for secret in _secrets_of_address(value))


def _secrets_of_address(address: str) -> Iterator[str]:
    """Return the password of an address, and what its question calls a secret."""
    rest = address.partition("://")[2]
    place = re.split(r"[/?#]", rest, maxsplit=1)[0]
    password = place.rpartition("@")[0].partition(":")[2]
    if password:
        yield password
    for part in re.split(r"[?&;#]", rest)[1:]:
        key, _, secret = part.partition("=")
        if secret and _NAMES_SECRET.search(key):
            yield secret


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
