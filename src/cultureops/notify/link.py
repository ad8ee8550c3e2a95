"""One-time links that acknowledge one activation of one alarm in one person's name.

A token is signed, not secret by itself: whoever holds the message may acknowledge once, which is what it is for.
That it is spent once only is held by a claim in the ledger, so across processes and restarts.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import hmac
import json
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cultureops.alarms.alarm import AlarmView
from cultureops.clock import Entropy, Instant, iso
from cultureops.errors import AccessError, ClaimTaken, StorageError
from cultureops.ledger.event import Actor, NewEvent, Source
from cultureops.ledger.ledger import Ledger
from cultureops.notify.records import STREAM

__all__ = ["KEY_FILE", "LinkRefused", "LinkTicket", "Links", "check_activation", "load_key"]

KEY_FILE: Final = "alarm_link.key"
_KEY_BYTES: Final = 32
_NONCE_BITS: Final = 64
_LONGEST_TOKEN: Final = 1_000


class LinkRefused(AccessError):
    """A link does not open what it is shown for; the message is one line for whoever clicked it."""


@dataclass(frozen=True, slots=True)
class LinkTicket:
    """What a link says: which activation of which alarm, who acknowledges it, until when, and its number."""

    rule_id: str
    raised_at: Instant
    person: str
    expires: Instant
    nonce: str


@dataclass(frozen=True, slots=True)
class Links:
    """Writes and reads the tokens of one site."""

    key: bytes = field(repr=False)
    entropy: Entropy

    def token(self, rule_id: str, raised_at: Instant, person: str, expires: Instant) -> str:
        """Return a token that differs each time, safe in a URL."""
        nonce = f"{self.entropy.bits(_NONCE_BITS):016x}"
        said = json.dumps([rule_id, raised_at, person, expires, nonce], separators=(",", ":")).encode()
        return f"{_text(said)}.{_text(self._seal(said))}"

    def read_token(self, token: str, now: Instant) -> LinkTicket:
        """Return what a token says; raises LinkRefused for one that is forged, damaged or expired."""
        said, ticket = self._opened(token)
        _, _, seal = token.partition(".")
        if not hmac.compare_digest(_text(self._seal(said)), seal):
            raise LinkRefused("this link was not made here or is damaged; acknowledge on the page of alarms")
        if now >= ticket.expires:
            raise LinkRefused(f"this link expired at {iso(ticket.expires)}; acknowledge on the page of alarms")
        return ticket

    async def spend(self, ledger: Ledger, ticket: LinkTicket, view: AlarmView | None, now: Instant) -> None:
        """Use a ticket up, before the alarm is acknowledged in its person's name.

        ``view`` is the alarm as it stands. Raises LinkRefused when it is not there any more or is another activation,
        or when the link has been used; StorageError when the ledger can't record the use: nothing is acknowledged then.
        """
        check_activation(ticket, view)
        used = NewEvent(
            "alarm_link_used",
            {"rule_id": ticket.rule_id, "raised_at": iso(ticket.raised_at), "person": ticket.person},
            Actor(ticket.person, "OP"),
            Source.HUMAN,
            now,
            claims=(f"alarm_link:{ticket.nonce}",),
        )
        try:
            await ledger.append(STREAM, [used], None)
        except ClaimTaken:
            raise LinkRefused("this link has been used; acknowledge on the page of alarms") from None

    def _seal(self, said: bytes) -> bytes:
        return hmac.new(self.key, b"cultureops alarm link\n" + said, hashlib.sha256).digest()

    def _opened(self, token: str) -> tuple[bytes, LinkTicket]:
        try:
            if len(token) > _LONGEST_TOKEN or not token.isascii():
                raise ValueError
            said = _bytes(token.partition(".")[0])
            rule_id, raised_at, person, expires, nonce = json.loads(said)
            if not all(isinstance(text, str) for text in (rule_id, person, nonce)):
                raise ValueError
            return said, LinkTicket(rule_id, int(raised_at), person, int(expires), nonce)
        except (ValueError, TypeError, OverflowError, RecursionError, binascii.Error):
            raise LinkRefused("this is no link of ours, or only a part of it; copy it whole") from None


def check_activation(ticket: LinkTicket, view: AlarmView | None) -> None:
    """Refuse a ticket for an activation that is not the present one, or that needs no acknowledgement any more."""
    if view is None or view.rule.id != ticket.rule_id or not view.state.wants_acknowledgement:
        by = "" if view is None or view.acknowledged_by is None else f" by {view.acknowledged_by}"
        raise LinkRefused(f"alarm {ticket.rule_id} was acknowledged{by} or is over; there is nothing to do")
    if view.raised_at != ticket.raised_at:
        raise LinkRefused(
            f"this link is for alarm {ticket.rule_id} as raised at {iso(ticket.raised_at)}; it was raised anew at "
            f"{iso(view.raised_at)}: look at it first, then use the newer link"
        )


def load_key(data_dir: Path) -> bytes:
    """Return the site's key, made at first use and readable by its owner alone; raises StorageError."""
    path = data_dir / KEY_FILE
    try:
        if not path.exists():
            _make_key(path)
        if path.stat().st_mode & 0o077:
            raise StorageError(f"{path}: others may read it; chmod 600 it, or remove it and links are made anew")
        key = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except (OSError, ValueError) as error:
        raise StorageError(f"{path}: holds no key: {error}; remove it and links are made anew") from None
    if len(key) != _KEY_BYTES:
        raise StorageError(f"{path}: holds no key of {_KEY_BYTES} bytes; remove it and links are made anew")
    return key


def _make_key(path: Path) -> None:
    """Write a key in one piece: of two processes that begin at once, one wins and both read the same."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(_KEY_BYTES) + "\n")
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        os.unlink(draft)


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
