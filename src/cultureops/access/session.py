"""The secrets of log-ins: new at each log-in, kept as their SHA-256 only, ended by disuse and by age. Pure.

They live in memory: a restart of cultureops ends all sessions. That a session exists at all, the ledger says; when the
ledger ends one (signed out, disabled, locked, another role), its secret is worth nothing at once.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

__all__ = ["Ended", "Sessions", "digest", "new_secret"]

SECRET_BYTES: Final = 32
"""256 bits; OWASP ASVS 5.0 7.2.3 asks for 128."""


def new_secret() -> str:
    """Return a secret of 256 random bits, as text for a cookie or a header."""
    return secrets.token_urlsafe(SECRET_BYTES)


def digest(secret: str) -> bytes:
    """Return what is kept of a secret."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).digest()


@dataclass(frozen=True, slots=True)
class Ended:
    """A session that ran out: ``cause`` is ``idle`` or ``too long``."""

    session_id: str
    cause: str


@dataclass(slots=True)
class _Open:
    secret_sha256: bytes
    started_s: float
    touched_s: float


class Sessions:
    """Open log-ins by public id; times are real seconds [s], limits are the site's and no user's."""

    def __init__(self, idle_s: float, most_s: float) -> None:
        self._idle_s, self._most_s = idle_s, most_s
        self._open: dict[str, _Open] = {}

    def begin(self, session_id: str, now_s: float) -> str:
        """Begin a session and return its secret, which is told once."""
        secret = new_secret()
        self._open[session_id] = _Open(digest(secret), now_s, now_s)
        return f"{session_id}.{secret}"

    def touch(self, text: str, now_s: float, *, is_deed: bool = True) -> str | Ended | None:
        """Return the id of the session that a secret is of; Ended when it ran out, None else.

        ``is_deed``: a person does something, which counts as use; what a page fetches by itself does not.
        """
        session_id, _, secret = text.partition(".")
        found = self._open.get(session_id)
        if found is None or not hmac.compare_digest(found.secret_sha256, digest(secret)):
            return None
        if (cause := self._over(found, now_s)) is not None:
            return Ended(session_id, cause)
        if is_deed:
            found.touched_s = now_s
        return session_id

    def run_out(self, now_s: float) -> tuple[Ended, ...]:
        """Return the sessions that have run out."""
        causes = ((session_id, self._over(one, now_s)) for session_id, one in self._open.items())
        return tuple(Ended(session_id, cause) for session_id, cause in causes if cause is not None)

    def idle_for_s(self, session_id: str, now_s: float) -> float | None:
        """Return for how long a session was not used [s]; None when it is not open here."""
        found = self._open.get(session_id)
        return None if found is None else now_s - found.touched_s

    def end(self, session_id: str) -> None:
        """Forget a session."""
        self._open.pop(session_id, None)

    def keep_only(self, session_ids: Collection[str]) -> None:
        """Forget all sessions but some."""
        for session_id in self._open.keys() - set(session_ids):
            del self._open[session_id]

    def __contains__(self, session_id: str) -> bool:
        return session_id in self._open

    def _over(self, one: _Open, now_s: float) -> str | None:
        if now_s - one.started_s >= self._most_s:
            return "too long"
        return "idle" if now_s - one.touched_s >= self._idle_s else None
