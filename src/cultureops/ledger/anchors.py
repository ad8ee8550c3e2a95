"""Heads kept outside of the operator's reach: in files elsewhere, and under the time stamps of others.

Without them the record is a promise: whoever rules the data folder can put all of it back to an earlier day, heads too.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import structlog

from cultureops.clock import MINUTE_MS, Instant
from cultureops.errors import CultureOpsError, StorageError
from cultureops.ledger.anchor_file import append_head, newest_size
from cultureops.ledger.keys import PublicKey
from cultureops.ledger.settings import Authority, LedgerSettings
from cultureops.ledger.signed_head import SignedHead
from cultureops.ledger.signer import SignerStatus
from cultureops.ledger.time_stamp import time_stamp

__all__ = ["AnchorStatus", "Anchors", "HeadsStatus", "Signing"]

log = structlog.get_logger(__name__)

RETRY_MS: Final = MINUTE_MS
STAMP_EVERY_MS: Final = 60 * MINUTE_MS
"""An authority is asked once an hour at most: its stamps are for years, not for minutes [OWN]."""
_DEADLINE_S: Final = 15.0


class Signing(Protocol):
    """What anchors need of a ledger."""

    def signing(self) -> SignerStatus:
        """How heads are signed."""
        ...

    def public_key(self, key_id: str) -> PublicKey | None:
        """A key by its id."""
        ...

    def stamped_size(self, authority: str) -> int:
        """The newest head that an authority has stamped."""
        ...

    async def sign_head_if_due(self, now: Instant) -> None:
        """Sign a head when one is due."""
        ...

    async def add_stamp(self, size: int, authority: str, token: bytes) -> None:
        """Keep a time stamp beside its head."""
        ...


@dataclass(frozen=True, slots=True)
class AnchorStatus:
    """One anchor: where, the size of the newest head it has, since when it fails [ms UTC], and why; None if not."""

    where: str
    size: int
    failing_since: Instant | None
    problem: str | None


@dataclass(frozen=True, slots=True)
class HeadsStatus:
    """How heads are signed and kept; ``problem`` is the first thing that is wrong, None where all is well."""

    signing: SignerStatus
    anchors: tuple[AnchorStatus, ...]

    @property
    def problem(self) -> str | None:
        """Say in one line what is wrong."""
        return self.signing.problem or next((one.problem for one in self.anchors if one.problem is not None), None)

    def failing_s(self, now: Instant) -> float:
        """Return for how long heads have not been signed, or some anchor not kept up [s]; 0 where all is well."""
        since = [one.failing_since for one in self.anchors if one.failing_since is not None]
        if self.signing.problem is not None and self.signing.unsigned_since is not None:
            since.append(self.signing.unsigned_since)
        return max(0.0, (now - min(since)) / 1000) if since else 0.0


class _Anchor(ABC):
    """One place that heads are taken to, and how that goes."""

    def __init__(self, where: str, every_ms: int) -> None:
        self.where = where
        self._every_ms = every_ms
        self._size: int | None = None
        self._next_ms: Instant = 0
        self._failing_since: Instant | None = None
        self._problem: str | None = None

    def status(self) -> AnchorStatus:
        return AnchorStatus(self.where, self._size or 0, self._failing_since, self._problem)

    def is_due(self, newest: SignedHead, now: Instant) -> bool:
        return (self._size is None or self._size != newest.size) and now >= self._next_ms

    async def take(self, newest: SignedHead, key: PublicKey, now: Instant) -> None:
        """Take the newest head there, unless it is there already."""
        self._next_ms = now + RETRY_MS
        try:
            async with asyncio.timeout(_DEADLINE_S):
                if self._size is None:
                    self._size = await self.known_size()
                if newest.size < self._size:
                    raise StorageError(
                        f"{self.where}: has a head of {self._size} events, the ledger ends at {newest.size}: it was "
                        "rolled back; run `cultureops verify` with this anchor and find out what is missing"
                    )
                if newest.size > self._size:
                    await self.keep(newest, key)
        except TimeoutError:
            self._fail(f"{self.where}: no answer within {_DEADLINE_S:g} s", now)
        except CultureOpsError as error:
            self._fail(str(error), now)
        else:
            self._size, self._next_ms = newest.size, now + self._every_ms
            self._failing_since = self._problem = None

    def _fail(self, problem: str, now: Instant) -> None:
        if problem != self._problem:
            log.error("a head is not anchored; tried again", error=problem)
        self._failing_since, self._problem = self._failing_since or now, problem

    @abstractmethod
    async def known_size(self) -> int:
        """Return the size of the newest head that is there, 0 where there is none."""

    @abstractmethod
    async def keep(self, head: SignedHead, key: PublicKey) -> None:
        """Put a head there for good."""


class _FileAnchor(_Anchor):
    def __init__(self, path: Path) -> None:
        super().__init__(str(path), every_ms=0)
        self._path = path

    async def known_size(self) -> int:
        return await asyncio.to_thread(newest_size, self._path)

    async def keep(self, head: SignedHead, key: PublicKey) -> None:
        await asyncio.to_thread(append_head, self._path, head, key)


class _StampAnchor(_Anchor):
    def __init__(self, authority: Authority, ledger: Signing) -> None:
        super().__init__(authority.url, STAMP_EVERY_MS)
        self._authority = authority
        self._ledger = ledger

    async def known_size(self) -> int:
        return await asyncio.to_thread(self._ledger.stamped_size, self._authority.url)

    async def keep(self, head: SignedHead, key: PublicKey) -> None:
        token = await asyncio.to_thread(time_stamp, head, self._authority)
        await self._ledger.add_stamp(head.size, self._authority.url, token)


class Anchors:
    """Has heads signed when they are due and takes the newest to every anchor; ``settle`` about once a second.

    What can't be done is logged, told by ``status``, and tried again in a minute.
    """

    def __init__(self, ledger: Signing, settings: LedgerSettings) -> None:
        self._ledger = ledger
        self._anchors: list[_Anchor] = [_FileAnchor(path) for path in settings.files]
        self._anchors += [_StampAnchor(authority, ledger) for authority in settings.authorities]

    def status(self) -> HeadsStatus:
        """Say how heads are signed and kept."""
        return HeadsStatus(self._ledger.signing(), tuple(anchor.status() for anchor in self._anchors))

    async def settle(self, now: Instant) -> None:
        """Sign a head when one is due, and take the newest to the anchors that lack it; each has a deadline.

        Raises StorageError or ChainBroken when the ledger can't be written; an anchor that fails never raises.
        """
        await self._ledger.sign_head_if_due(now)
        newest = self._ledger.signing().newest
        key = None if newest is None else self._ledger.public_key(newest.key_id)
        if newest is None or key is None:
            return
        due = [anchor for anchor in self._anchors if anchor.is_due(newest, now)]
        await asyncio.gather(*(anchor.take(newest, key, now) for anchor in due))
