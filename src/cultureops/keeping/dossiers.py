"""Dossiers of batches from a data folder: read-only, beside a running lab or without one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cultureops.batch.batch import stream_of
from cultureops.clock import Clock, SystemClock
from cultureops.dossier import Dossier, Place, gather_dossier
from cultureops.ledger.chain import Tail
from cultureops.ledger.event import Event
from cultureops.ledger.head import Head
from cultureops.ledger.head_table import are_there, last_head
from cultureops.ledger.signed_head import SignedHead
from cultureops.ledger.verify import follow
from cultureops.ledger.whereabouts import Whereabouts, leaves_of, open_reader
from cultureops.pack.ledger import PackLedger, is_pack, made_at, site_text
from cultureops.pack.place import place_from
from cultureops.recording import SITE_FILE, TELEMETRY_FOLDER, existing_ledger_in
from cultureops.site import Site, equipment_register, read_site
from cultureops.telemetry.folder import reading_folder

if TYPE_CHECKING:
    from cultureops.lab import Lab

__all__ = ["FolderRecords", "dossier_of", "dossiers_in", "place_of"]

_OTHERS: Final = ("batch:", "telemetry", "refusals")
"""Streams that no dossier asks for, but for the batch's own."""


class FolderRecords:
    """The events of a ledger that a batch's dossier may ask for, read once, each hash followed on the way."""

    def __init__(self, ledger: Whereabouts, batch_id: str | None) -> None:
        """Read the ledger; blocks. Raises ChainBroken or Unreadable for a broken one, or none."""
        own, tail = None if batch_id is None else stream_of(batch_id), Tail(leaves_of(ledger))
        self._streams: dict[str, list[Event]] = {}
        with closing(open_reader(ledger)) as connection:
            for event in follow(connection, ledger, tail):
                if event.stream == own or not event.stream.startswith(_OTHERS):
                    self._streams.setdefault(event.stream, []).append(event)
            stored = last_head(connection) if are_there(connection) else None
        self.signed_head: SignedHead | None = None if stored is None else stored.head
        self._head = tail.head

    def read(self, stream: str, after_version: int = 0) -> tuple[Event, ...]:
        """Return a stream's events by version; empty when nobody knows it."""
        return tuple(self._streams.get(stream, ())[after_version:])

    def head(self) -> Head:
        """Return the last position and its hash."""
        return self._head


def place_of(site: Site) -> Place:
    """Return what a site file says to a dossier; raises ConfigError."""
    from cultureops.lab import Lab

    channels, _ = Lab.plan(site)
    simulated = frozenset(device.id for device in site.every_device if device.simulated)
    return Place(
        site.name,
        site.zone,
        site.every_chamber,
        tuple(channels.values()),
        partial(equipment_register, site),
        site.recipes,
        simulated,
    )


def dossiers_in(lab: Lab) -> Callable[[str], Awaitable[Dossier]]:
    """Return what gathers a batch's dossier inside a running lab, under a head that is signed for it."""
    place = place_of(lab.site)

    async def gather(batch_id: str) -> Dossier:
        signed_head = await lab.ledger.sign_head()
        return await gather_dossier(batch_id, lab.ledger, lab.store, place, lab.clock.now(), signed_head)

    return gather


async def dossier_of(data_dir: Path, batch_id: str, site: Path | None = None, clock: Clock | None = None) -> Dossier:
    """Gather a batch's dossier from a data folder; ``site`` is the site file, ``site.toml`` in the folder by default.

    Raises ConfigError for a folder or file that is not there, and as ``gather_dossier``.
    """
    if is_pack(data_dir):
        return await _from_pack(data_dir, batch_id)
    records = FolderRecords(existing_ledger_in(data_dir), batch_id)
    place = place_of(read_site(data_dir / SITE_FILE if site is None else site))
    now = (clock or SystemClock()).now()
    async with reading_folder(data_dir / TELEMETRY_FOLDER) as store:
        return await gather_dossier(batch_id, records, store, place, now, records.signed_head)


async def _from_pack(folder: Path, batch_id: str) -> Dossier:
    """Gather the dossier that an opened pack holds, as of when it was made."""
    ledger = PackLedger.open(folder)
    async with reading_folder(folder / TELEMETRY_FOLDER) as store:
        head, place = ledger.signed_heads()[-1], place_from(site_text(folder))
        return await gather_dossier(batch_id, ledger, store, place, made_at(folder), head)
