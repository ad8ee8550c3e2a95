"""An opened pack, asked as the ledger that it came from: the same events byte for byte, the same head, no writing."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NoReturn

from cultureops.clock import Instant, parse_iso
from cultureops.errors import ChainBroken, ConfigError, StorageError, Unreadable
from cultureops.ledger.claims import Holder
from cultureops.ledger.event import Event, NewEvent, decode
from cultureops.ledger.head import Head
from cultureops.ledger.ledger import Group, Hook
from cultureops.ledger.signed_head import SignedHead
from cultureops.pack import verify_pack as verifier
from cultureops.pack.place import SITE

__all__ = ["PackLedger", "is_pack", "made_at", "site_text"]

_FORMAT: Final = f'"format": "{verifier.FORMAT}"'.encode()
_BEGINNING: Final = 4_096


def is_pack(folder: Path) -> bool:
    """Say whether a folder is an opened pack."""
    try:
        with (folder / verifier.MANIFEST).open("rb") as file:
            return _FORMAT in file.read(_BEGINNING) and (folder / verifier.EVENTS).is_file()
    except OSError:
        return False


def made_at(folder: Path) -> Instant:
    """Return when an opened pack was made [ms UTC]; raises Unreadable."""
    try:
        return parse_iso(str(json.loads(_read(folder, verifier.MANIFEST))["made_at"]))
    except (ValueError, KeyError, TypeError, ConfigError) as error:
        raise Unreadable(f"{folder / verifier.MANIFEST}: can't be read: {error}; open the pack again") from None


def site_text(folder: Path) -> bytes:
    """Return what an opened pack says of its site; raises Unreadable."""
    return _read(folder, SITE)


class PackLedger:
    """A ledger that has the events of one pack, and the gaps between them; see Ledger for what each call returns.

    ``head`` is that of the whole ledger at the time, of which every event here is proven to be a part.
    """

    def __init__(self, folder: Path, events: Sequence[Event], heads: Sequence[SignedHead]) -> None:
        self.on_append: list[Hook] = []
        self._folder = folder
        self._events = tuple(events)
        self._heads = tuple(heads)
        self._streams: dict[str, list[Event]] = {}
        self._held: dict[str, Holder] = {}
        for event in events:
            self._streams.setdefault(event.stream, []).append(event)
            for name in event.releases:
                self._held.pop(name, None)
            for name in event.claims:
                self._held[name] = Holder(event.stream, event.position)

    @classmethod
    def open(cls, folder: Path) -> PackLedger:
        """Verify an opened pack once more, all of it, and read its events; blocks.

        It was verified when it was opened, and may have been changed since. Raises ChainBroken, naming the first that
        is not as it was written, Unreadable for what can't be read.
        """
        try:
            pack = verifier.open_pack(str(folder))
            checked = verifier.check_pack(pack)
            if not checked.findings:
                proof = verifier.Proof(_read(folder, verifier.PROOF))
                records = verifier.read_records(checked, _read(folder, verifier.EVENTS), proof)
                heads = [SignedHead.read(head) for head in (*proof.heads, proof.head)]
        except (StorageError, verifier.Refused, *verifier.DAMAGES) as error:
            if isinstance(error, Unreadable):
                raise
            raise Unreadable(f"{folder}: can't be read as a pack: {error}; open the pack again") from None
        if checked.findings:
            first = checked.findings[0]
            kind = Unreadable if first.kind == verifier.UNREADABLE else ChainBroken
            raise kind(f"{folder}: {first}; keep the folder as evidence and open the pack again")
        events = [decode(record.canonical, proof.chain[record.position][1]) for record in records]
        return cls(folder, events, sorted(heads, key=lambda head: head.size))

    async def append(self, stream: str, events: Sequence[NewEvent], expected_version: int | None) -> tuple[Event, ...]:
        """Refuse."""
        self._refuse()

    async def append_many(self, groups: Sequence[Group]) -> tuple[Event, ...]:
        """Refuse."""
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise StorageError(f"{self._folder}: is an opened audit pack and is only read; write to the lab's data folder")

    async def catch_up(self) -> tuple[Event, ...]:
        """Return nothing: nobody appends."""
        return ()

    def holder(self, name: str) -> Holder | None:
        """Return who holds a name, as far as the pack's events say."""
        return self._held.get(name)

    def claimed(self, prefix: str = "") -> tuple[tuple[str, str], ...]:
        """Return the held names that start so, as far as the pack's events say."""
        return tuple(sorted((name, one.stream) for name, one in self._held.items() if name.startswith(prefix)))

    def read(self, stream: str, after_version: int = 0) -> tuple[Event, ...]:
        """Return those of a stream's events that the pack holds, by version."""
        return tuple(event for event in self._streams.get(stream, ()) if event.version > after_version)

    def read_all(self, after_position: int = 0, limit: int | None = None) -> Iterator[Event]:
        """Yield the pack's events by position."""
        rest = (event for event in self._events if event.position > after_position)
        for number, event in enumerate(rest):
            if limit is not None and number >= limit:
                return
            yield event

    def streams(self, prefix: str = "") -> tuple[str, ...]:
        """Return the names of the streams that the pack has events of, sorted."""
        return tuple(sorted(name for name in self._streams if name.startswith(prefix)))

    def version(self, stream: str) -> int:
        """Return the last version of a stream that the pack holds, 0 when it has none."""
        return self._streams[stream][-1].version if stream in self._streams else 0

    def head(self) -> Head:
        """Return the last position and hash of the ledger that the pack was made from."""
        return self._heads[-1].head

    def signed_heads(self, after_size: int = 0) -> tuple[SignedHead, ...]:
        """Return the signed heads that the pack holds."""
        return tuple(head for head in self._heads if head.size > after_size)

    async def sign_head(self) -> SignedHead | None:
        """Return the head that the pack was made under; nothing is signed anew."""
        return self._heads[-1]

    async def close(self) -> None:
        """Do nothing: no file is held open."""


def _read(folder: Path, name: str) -> bytes:
    try:
        return (folder / name).read_bytes()
    except OSError as error:
        raise Unreadable(f"{folder / name}: can't be read: {error.strerror or error}; open the pack again") from None
