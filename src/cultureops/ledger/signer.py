"""When a head is signed, and with which key."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import structlog

from cultureops.clock import MINUTE_MS, Instant
from cultureops.errors import SignatureInvalid, Unreadable
from cultureops.ledger.event import Event
from cultureops.ledger.examine import MOST_UNSIGNED, SIGNATURES
from cultureops.ledger.key_chain import STREAM, KeyChain
from cultureops.ledger.keys import KeyFolder, SigningKey
from cultureops.ledger.signed_head import SignedHead

__all__ = ["SIGN_EVERY_MS", "Signer", "SignerStatus"]

log = structlog.get_logger(__name__)

SIGN_EVERY_MS: Final = MINUTE_MS


@dataclass(frozen=True, slots=True)
class SignerStatus:
    """How heads are signed: the key's id, the newest head, events behind it, and what is wrong; None where it is well.

    ``unsigned_since`` is the lab time [ms UTC] of the first event behind the newest head.
    """

    key_id: str | None
    newest: SignedHead | None
    unsigned: int
    unsigned_since: Instant | None
    problem: str | None


class Signer:
    """Follows the ledger's keys and says when a head is due; belongs to the one thread that writes."""

    def __init__(self, keys: KeyFolder | None) -> None:
        self.folder = keys
        self.chain = KeyChain()
        self.newest: SignedHead | None = None
        self._key: SigningKey | None = None
        self._problem: str | None = None
        self._position = 0
        self._people_signed_at = 0
        self._unsigned_since: Instant | None = None

    @property
    def key(self) -> SigningKey | None:
        """The key to sign with, None where there is none at hand; read anew when another has taken its place."""
        current = self.chain.current
        if self.folder is None or current is None:
            return None
        if self._key is None or self._key.public != current:
            self._key = self._load(self.folder, current.id)
        return self._key

    def key_after(self, events: Iterable[Event]) -> SigningKey | None:
        """Return the key that signs once these events stand at the end: one that they introduce takes over."""
        grown = self.chain.copy()
        for event in events:
            if event.stream == STREAM:
                grown.apply(event)
        if self.folder is None or grown.current is None or grown.current == self.chain.current:
            return self.key
        return self.folder.load(grown.current.id)

    def take(self, events: Iterable[Event]) -> None:
        """Hear of events in the order of their positions."""
        for event in events:
            self._position = event.position
            self._unsigned_since = event.recorded_at if self._unsigned_since is None else self._unsigned_since
            if SIGNATURES in event.data:
                self._people_signed_at = event.position
            if event.stream == STREAM:
                self.read_keys([event])

    def read_keys(self, events: Iterable[Event]) -> None:
        """Take events of the ledger's own stream; a false key is not believed."""
        for event in events:
            try:
                self.chain.apply(event)
            except SignatureInvalid as error:
                log.error("a key of the ledger is not believed", position=event.position, error=str(error))

    def signed(self, newest: SignedHead | None) -> None:
        """Hear of the newest head in the file."""
        if newest is not None and newest != self.newest:
            self.newest = newest
            self._unsigned_since = None if newest.size >= self._position else self._unsigned_since

    def begin(self, position: int, now: Instant) -> None:
        """Begin at the end of a ledger that was opened."""
        self._position = position
        if position > self._signed_until:
            self._unsigned_since = now

    def is_due(self, events: Iterable[Event], position: int, now: Instant) -> bool:
        """Whether a head is to be signed once these events stand at the end, up to ``position``."""
        if position == self._signed_until:
            return False
        return (
            self.newest is None
            or position - self.newest.size >= MOST_UNSIGNED
            or abs(now - self.newest.signed_at) >= SIGN_EVERY_MS
            or self._people_signed_at > self.newest.size
            or any(SIGNATURES in event.data or event.stream == STREAM for event in events)
        )

    @property
    def _signed_until(self) -> int:
        return 0 if self.newest is None else self.newest.size

    def status(self) -> SignerStatus:
        """Say how it stands; from any thread."""
        current = self.chain.current
        return SignerStatus(
            None if current is None else current.id,
            self.newest,
            self._position - self._signed_until,
            self._unsigned_since,
            self._problem,
        )

    def _load(self, folder: KeyFolder, key_id: str) -> SigningKey | None:
        try:
            key = folder.load(key_id)
        except Unreadable as error:
            problem: str | None = str(error)
            key = None
        else:
            problem = None if key is not None else (
                f"{folder.file(key_id)}: the ledger's key is missing, no head can be signed; put it back, or introduce "
                "a new one: `cultureops ledger introduce-key`"
            )  # fmt: skip
        if problem is not None and problem != self._problem:
            log.error("the ledger's heads can't be signed", error=problem)
        self._problem = problem
        return key
