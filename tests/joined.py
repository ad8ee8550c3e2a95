"""A hub and gateways of one test, joined by real TLS on loopback: real ledgers, real stores, what was received kept."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from cultureops.clock import Clock, SeededEntropy
from cultureops.device.channel import ChannelId
from cultureops.device.reading import Quality, Reading, Reason
from cultureops.ledger import Actor, Event, Head, KeyFolder, NewEvent, SignedHead, Source, SqlLedger
from cultureops.sync import (
    ClockOffset,
    Forwarding,
    GatewayRow,
    GatewaysSettings,
    Hello,
    HubSettings,
    Order,
    Receiving,
    Standing,
)
from cultureops.sync.certificate import make_certificate, read_certificate
from cultureops.telemetry import ChannelInfo, EmbeddedStore

START = 1_767_600_000_000
CHANNELS = {"inc_1/temperature": ChannelInfo("Cel"), "inc_1/co2": ChannelInfo("%", 1)}
SITE_SHA256 = "ab" * 32


def fact(number: int = 0, type: str = "counted") -> NewEvent:
    return NewEvent(type, {"number": number, "note": "°C and µm"}, Actor("op-1", "OP"), Source.HUMAN)


def readings(first: int, count: int, channel: str = "inc_1/temperature") -> list[Reading]:
    """Readings of one a second, each twentieth BAD."""
    return [
        Reading(channel, None, Quality.BAD, Reason.TIMEOUT, START + at * 1000, START + at * 1000 + 20)
        if at % 20 == 7
        else Reading(
            channel, 36.5 + at % 97 / 100, Quality.GOOD, Reason.NONE, START + at * 1000, START + at * 1000 + 12
        )
        for at in range(first, first + count)
    ]


def certify(folder: Path, *names: str, now: int) -> None:
    folder.mkdir(exist_ok=True)
    for name in names:
        make_certificate(name, folder, now, hosts=["localhost", "127.0.0.1"] if name == "hub" else ())


def gateways_settings(certificates: Path, *names: str, port: int = 0, timeout_s: float = 5.0) -> GatewaysSettings:
    rows = []
    for name in names:
        found = read_certificate(certificates / f"{name}.pem")
        rows.append(
            GatewayRow(name, Path("site.toml"), certificates / f"{name}.pem", found.sha256, found.ends)
        )  # fmt: skip
    return GatewaysSettings(
        "127.0.0.1", port, certificates / "hub.pem", certificates / "hub.key", tuple(rows), timeout_s
    )


def hub_settings(certificates: Path, name: str, port: int, timeout_s: float = 5.0) -> HubSettings:
    return HubSettings(
        name, "127.0.0.1", port, certificates / f"{name}.pem", certificates / f"{name}.key", certificates / "hub.pem",
        timeout_s, 0.05,
    )  # fmt: skip


@dataclass
class Hub:
    """What a hub's lab would do with what it receives, as plain lists."""

    settings: GatewaysSettings
    folder: Path
    clock: Clock
    events: dict[str, list[Event]] = field(default_factory=dict)
    readings: dict[str, list[Reading]] = field(default_factory=dict)
    channels: dict[ChannelId, ChannelInfo] = field(default_factory=dict)
    hellos: list[tuple[str, Hello, ClockOffset | None]] = field(default_factory=list)
    heads: list[SignedHead] = field(default_factory=list)
    orders: dict[str, list[Order]] = field(default_factory=dict)
    standing: Standing | None = None
    failing: Exception | None = None
    receiving: Receiving = field(init=False)

    async def open(self) -> None:
        self.receiving = Receiving(
            self.settings, self.folder / "origins", self.clock,
            keep_readings=self._keep, on_events=self._on_events, taken=self._taken,
            heads=lambda origin: [Head(one.size, one.chain_hash) for one in self.heads if one.origin == origin],
            standing=lambda _: self.standing or Standing(self.clock.now()),
            orders=lambda origin: self.orders.get(origin, []),
            on_hello=lambda origin, hello, offset: self.hellos.append((origin, hello, offset)),
            on_head=self._on_head,
        )  # fmt: skip
        await self.receiving.open()
        self.settings = replace(self.settings, port=self.receiving.port)

    async def close(self) -> None:
        await self.receiving.close()

    async def _keep(self, origin: str, kept: Sequence[Reading], infos: Mapping[ChannelId, ChannelInfo]) -> None:
        if self.failing:
            raise self.failing
        self.channels.update(infos)
        self.readings.setdefault(origin, []).extend(kept)

    async def _on_events(self, origin: str, events: Sequence[Event]) -> None:
        if self.failing:
            raise self.failing
        self.events.setdefault(origin, []).extend(events)

    async def _on_head(self, origin: str, head: SignedHead) -> None:
        self.heads.append(head)

    def _taken(self, origin: str) -> int:
        return len(self.events.get(origin, ()))


class Gateway:
    """One gateway's ledger and store, and what hands them to the hub."""

    def __init__(self, settings: HubSettings, folder: Path, clock: Clock) -> None:
        self.settings, self.folder, self.clock = settings, folder, clock
        self.name = settings.gateway
        self.standings: list[Standing] = []
        self.orders: list[Order] = []

    async def open(self) -> None:
        self.folder.mkdir(exist_ok=True)
        entropy = SeededEntropy(int.from_bytes(os.urandom(4)))
        keys = KeyFolder(self.folder / "keys")
        self.ledger = SqlLedger.open(self.folder / "ledger.sqlite", self.clock, entropy, self.name, keys)
        await self.ledger.introduce_key()
        self.store = EmbeddedStore.open(self.folder / "telemetry")
        self.store.declare(CHANNELS)
        self.connect(self.settings)

    def connect(self, settings: HubSettings) -> None:
        self.forwarding = Forwarding(
            settings, self.name, self.ledger, self.store, self.folder, self.clock,
            site_sha256=SITE_SHA256, on_standing=self.standings.append, on_orders=self._on_orders,
        )  # fmt: skip

    async def close(self) -> None:
        await self.forwarding.close()
        await self.store.close()
        await self.ledger.close()

    async def append(self, count: int = 1, stream: str = "batch:b1") -> None:
        await self.ledger.append(stream, [fact(number) for number in range(count)], None)

    async def read(self, first: int, count: int, channel: str = "inc_1/temperature") -> None:
        await self.store.append(readings(first, count, channel))

    async def _on_orders(self, orders: Sequence[Order]) -> None:
        self.orders += orders
