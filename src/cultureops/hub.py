"""A hub: a lab that follows its gateways' logs and keeps their readings beside its own.

Whatever a gateway sends touches what is its own alone: its log, and channels of the devices that the hub's copy of its
site file names.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

import structlog

from cultureops.acquisition.remote import RemoteLinks
from cultureops.alarms.text import duration
from cultureops.clock import SECOND_MS, Clock, Entropy, Instant
from cultureops.device.channel import ChannelId
from cultureops.device.reading import Reading
from cultureops.errors import ChainBroken, ConfigError, StorageError
from cultureops.gateway_clocks import GatewayClocks
from cultureops.lab import Lab, open_lab
from cultureops.ledger.event import Event
from cultureops.ledger.head import Head
from cultureops.ledger.origins import HEAD_RECORDED, ORIGINS_FOLDER
from cultureops.ledger.signed_head import SignedHead
from cultureops.site import Site
from cultureops.site_approval import SiteWatch
from cultureops.sync import ClockOffset, GatewaysSettings, Hello, Receiving, Standing
from cultureops.sync.events import head_recorded, recorded_head, stream_of
from cultureops.telemetry import ChannelInfo
from cultureops.web.gateways import GatewayView

__all__ = ["Hub", "check_hub", "open_hub"]

log = structlog.get_logger(__name__)

MOST_UNKNOWN: Final = 1_000
"""Channels of a gateway's devices that its profile here does not name; more of them are not kept [OWN]."""
MOST_AT_ONCE: Final = 50_000
LAST_HEADS: Final = 1_000
SETTLE_EVERY_MS: Final = SECOND_MS


class Hub:
    """A lab, what it receives of its gateways, and how they stand."""

    def __init__(self, lab: Lab, settings: GatewaysSettings) -> None:
        self.lab, self.settings = lab, settings
        names = tuple(row.name for row in settings.rows)
        self.links = RemoteLinks(lab.channels.values(), self.is_away)
        self.clocks = GatewayClocks(lab.ledger, lab.clock, names)
        self._owner = {device.id: name for name, site in lab.site.gateway_sites.items() for device in site.devices}
        self._unknown: dict[str, set[ChannelId]] = {name: set() for name in names}
        self._left: dict[str, set[str]] = {name: set() for name in names}
        self._site_sha256 = {row.name: row.site_sha256() for row in settings.rows}
        self.receiving = Receiving(
            settings, lab.data_dir / ORIGINS_FOLDER, lab.clock, keep_readings=self._keep, on_events=self._on_events,
            taken=lab.across.taken, heads=self._recorded_heads, standing=self._standing, orders=lab.across.orders,
            on_hello=self._on_hello, on_head=self._on_head,
        )  # fmt: skip
        lab.across.watch(self.receiving.status)

    async def run(self) -> None:
        """Run the lab and listen for gateways, until cancelled."""
        async with asyncio.TaskGroup() as work:
            work.create_task(self.lab.run())
            work.create_task(self.receiving.run())
            work.create_task(self._record_clocks())

    def recall(self) -> None:
        """Take from the gateways' logs what stands in no other record: how the links to their devices were; blocks."""
        for row in self.settings.rows:
            for event in self.receiving.log(row.name).read_all():
                self.links.take(row.name, [event])

    def away_since(self, origin: str) -> Instant | None:
        """Return since when a gateway is out of reach; None while it is heard."""
        return self.lab.across.away().get(origin)

    def is_away(self, origin: str) -> bool:
        """Whether a gateway is out of reach."""
        return self.away_since(origin) is not None

    def gateways(self) -> tuple[GatewayView, ...]:
        """Say how each gateway stands, in the order of the site file."""
        return tuple(self._view(row.name) for row in self.settings.rows)

    async def settle(self) -> None:
        """Record what greetings brought; raises StorageError."""
        await self.clocks.settle()

    async def _record_clocks(self) -> None:
        while True:
            with self.lab.vitals.apart("the record of gateways' clocks"):
                try:
                    await self.settle()
                except (StorageError, ChainBroken) as error:
                    log.error("how far clocks are off could not be recorded; tried again", error=str(error))
            await self.lab.clock.sleep_until(self.lab.clock.now() + SETTLE_EVERY_MS)

    async def _keep(self, origin: str, readings: Sequence[Reading], infos: Mapping[ChannelId, ChannelInfo]) -> None:
        """Keep a gateway's readings; durable when it returns. Raises StorageError when they can't be."""
        kept = [reading for reading in readings if self._is_kept(origin, reading.channel)]
        unknown = {reading.channel for reading in kept} - self.lab.channels.keys()
        self.lab.store.declare({name: infos[name] for name in unknown if name in infos})
        for start in range(0, len(kept), MOST_AT_ONCE):
            await self.lab.recorder.keep(kept[start : start + MOST_AT_ONCE])

    def _is_kept(self, origin: str, channel: ChannelId) -> bool:
        row = self.lab.channels.get(channel)
        if row is not None:
            return row.origin == origin
        device = channel.partition("/")[0]
        if self._owner.get(device) != origin:
            if len(self._left[origin]) < MOST_UNKNOWN:
                self._left[origin].add(device[:64])
            return False
        known = self._unknown[origin]
        if channel not in known and len(known) < MOST_UNKNOWN:
            known.add(channel)
        return channel in known

    def _standing(self, origin: str) -> Standing:
        watch = self.lab.site_watch
        is_approved = watch is not None and not watch.differs
        return replace(
            self.lab.across.standing(origin), approved_site=self._site_sha256[origin] if is_approved else None
        )

    async def _on_events(self, origin: str, events: Sequence[Event]) -> None:
        self.links.take(origin, events)
        await self.lab.across.take(origin, events)

    def _on_hello(self, origin: str, hello: Hello, offset: ClockOffset | None) -> None:
        if offset is not None:
            self.clocks.take(origin, offset)

    async def _on_head(self, origin: str, head: SignedHead) -> None:
        await self.lab.ledger.append(stream_of(origin), [head_recorded(head)], None)

    def _recorded_heads(self, origin: str) -> list[Head]:
        """Return the last heads of a gateway's log that stand in the record here; blocks."""
        ledger, stream = self.lab.ledger, stream_of(origin)
        newest = ledger.read(stream, max(0, ledger.version(stream) - LAST_HEADS))
        heads = (recorded_head(event) for event in newest if event.type == HEAD_RECORDED)
        return [Head(head.size, head.chain_hash) for head in heads]

    def runs_other_site(self, origin: str) -> bool | None:
        """Whether a gateway runs on a site file other than the copy here; None before it said so."""
        status = self.receiving.status().get(origin)
        said = None if status is None else status.hello
        return None if said is None else said.site_sha256 != self._site_sha256[origin]

    def _problems(self, origin: str) -> tuple[str, ...]:
        said = self.receiving.status()[origin]
        offset, found = self.clocks.latest.get(origin), list[str]()
        if said.problem is not None:
            found.append(said.problem)
        if (unreadable := self.lab.across.problem(origin)) is not None:
            found.append(f"says of an alarm what can't be read: {unreadable}")
        if self.runs_other_site(origin):
            found.append("runs on a site file other than the copy here")
        if self._left[origin]:
            devices = ", ".join(sorted(self._left[origin])[:3])
            found.append(f"sends readings of {devices}, which its site file here does not name; they stay there")
        if offset is not None and offset.least_ms > 5 * SECOND_MS:
            found.append(f"its clock is off by at least {duration(offset.least_ms / SECOND_MS)}")
        return tuple(found)

    def _view(self, origin: str) -> GatewayView:
        said, site = self.receiving.status()[origin], self.lab.site.gateway_sites[origin]
        offset, head, now = self.clocks.latest.get(origin), said.newest_head, self.lab.clock.now()
        waiting_since = said.waiting_since
        if waiting_since is not None and offset is not None:
            waiting_since -= offset.offset_ms
        return GatewayView(
            name=origin,
            site_name=site.name,
            chambers=tuple(site.chambers),
            heard_at=said.heard_at,
            away_since=self.away_since(origin),
            program=None if said.hello is None else said.hello.program,
            events_waiting=said.events_waiting,
            readings_waiting=said.readings_waiting,
            behind_s=None if waiting_since is None else max(0.0, (now - waiting_since) / SECOND_MS),
            clock_ahead_ms=None if offset is None else offset.offset_ms,
            clock_uncertainty_ms=None if offset is None else offset.uncertainty_ms,
            log_size=said.held.position,
            head_size=None if head is None else head.size,
            head_signed_at=None if head is None else head.signed_at,
            head_key_id=None if head is None else head.key_id,
            orders_waiting=len(self.lab.across.orders(origin)),
            certificate_ends=said.certificate_ends,
            problems=self._problems(origin),
        )


def check_hub(site: Site) -> GatewaysSettings:
    """Return how a hub listens; raises ConfigError for a site file without ``[gateways]``."""
    if site.gateways is None:
        raise ConfigError(f"{site.file}: has no [gateways]; a lab by itself is started by `cultureops run`")
    return site.gateways


@asynccontextmanager
async def open_hub(
    site: Site,
    data_dir: Path,
    clock: Clock,
    entropy: Entropy,
    *,
    gather_s: float = 0.0,
    seals_apart: bool = False,
    site_watch: SiteWatch | None = None,
) -> AsyncIterator[Hub]:
    """Open a hub on its data folder; it listens for its gateways within the block.

    Raises as ``open_lab``, and ConfigError for a site file without ``[gateways]``.
    """
    settings = check_hub(site)
    async with open_lab(
        site, data_dir, clock, entropy, gather_s=gather_s, seals_apart=seals_apart, site_watch=site_watch
    ) as lab:
        hub = Hub(lab, settings)
        try:
            await hub.receiving.open()
            await asyncio.to_thread(hub.recall)
            yield hub
            await hub.settle()
        finally:
            await hub.receiving.close()
