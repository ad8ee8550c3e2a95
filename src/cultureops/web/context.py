"""What the pages may see and do: handed in by the composition root, so that routes reach for nothing else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol
from zoneinfo import ZoneInfo

from cultureops.access.desk import AccessDesk
from cultureops.access.signature import Signature
from cultureops.acquisition.live import LiveFeed
from cultureops.acquisition.supervisor import MeasuredChannel
from cultureops.alarms import AlarmView
from cultureops.alarms.activation import Activations
from cultureops.alarms.alarms import Alarms
from cultureops.alarms.command import AlarmCommand
from cultureops.alarms.kpi import AlarmKpi
from cultureops.alarms.rule import RulesInForce
from cultureops.batch.alarm_told import EndangeredBatch
from cultureops.batch.batch import Batch
from cultureops.batch.case import Plan
from cultureops.batch.commands import Command, Identified
from cultureops.batch.facts import Facts, TelemetryGap
from cultureops.batch.field import Details
from cultureops.batch.gauge import ProcessLimits
from cultureops.batch.register import BatchRegister
from cultureops.batch.shelf import RecipeShelf
from cultureops.clock import Clock, Instant
from cultureops.device.channel import ChannelId
from cultureops.device.driver import Identity
from cultureops.device.reading import Reason
from cultureops.dossier import Dossier
from cultureops.equipment import Chamber, EquipmentRegister
from cultureops.histogram import Histogram
from cultureops.ledger.event import Actor
from cultureops.ledger.store import Ledger
from cultureops.material import LotRegister
from cultureops.notify.settings import NotifySettings
from cultureops.pack.shelf import PackShelf
from cultureops.telemetry.store import TelemetryStore
from cultureops.web.batch.micrograph import Micrographs
from cultureops.web.bench import Bench
from cultureops.web.board.sparkline import Sparklines
from cultureops.web.gateways import GatewayView, HubView
from cultureops.web.settings import WebSettings
from cultureops.web.upkeep.desk import Upkeep

__all__ = ["AlarmLinks", "DeviceLink", "Execute", "Pace", "Rehearse", "WebContext"]


class Execute(Protocol):
    """Carries out a command on a batch; raises AccessError or BatchError when it is refused."""

    def __call__(
        self, command: Command, actor: Actor, witness: Actor | None = None, signatures: Sequence[Signature] = ()
    ) -> Awaitable[Batch]:
        """Return the batch after it."""
        ...


class Rehearse(Protocol):
    """Decides on a command without recording anything; raises BatchError when it would be refused."""

    def __call__(self, command: Command, actor: Actor) -> Awaitable[Plan]:
        """Return what it would record, with remarks and doubts."""
        ...


class Pace(Protocol):
    """How fast lab time runs in a demo; absent in a running lab."""

    lab_seconds_per_second: float
    paused: bool

    def progress(self) -> tuple[Instant, Instant] | None:
        """Return (now, until) while lab time is fast-forwarded, else None."""
        ...


class DeviceLink(Protocol):
    """How the link to one device stands: ``misses`` polls in a row failed for ``reason``, said closer in ``detail``.

    ``misses`` is None where a gateway asks the device: how often it did in vain is known there.
    """

    device: str
    period_ms: int

    @property
    def answers(self) -> bool:
        """Whether it answered when it was asked last."""
        ...

    @property
    def misses(self) -> int | None:
        """Polls in a row without an answer."""
        ...

    @property
    def reason(self) -> Reason:
        """Why it does not answer."""
        ...

    @property
    def detail(self) -> str:
        """The reason, said closer."""
        ...

    @property
    def identity(self) -> Identity | None:
        """Who answered when the link came up last; None before it did."""
        ...


class AlarmLinks(Protocol):
    """One-time links that acknowledge an alarm; both raise CultureOpsError for a link that is not good."""

    def shown(self, token: str) -> tuple[str, AlarmView]:
        """Return for whom a link was made, and the alarm; uses nothing up."""
        ...

    async def used(self, token: str, reason: str) -> AlarmView | None:
        """Acknowledge once; return the alarm as it stands, None when it is back to normal."""
        ...


@dataclass(frozen=True, slots=True)
class WebContext:
    """Everything a page needs."""

    site_name: str
    zone: ZoneInfo
    simulated: bool
    clock: Clock
    chambers: Mapping[str, Chamber]
    channels: Mapping[ChannelId, MeasuredChannel]
    store: TelemetryStore
    engine: Alarms
    """The alarms of this lab, and of its gateways where it is a hub."""
    ledger: Ledger
    batches: BatchRegister
    recipes: RecipeShelf
    feed: LiveFeed
    sparklines: Sparklines
    """The last hours of each measured channel, drawn once for all who look."""
    access: AccessDesk
    execute: Execute
    gaps: Callable[[Batch], Awaitable[Sequence[TelemetryGap]]]
    """Where the chambers in which a batch stood gave no value, while it stood there."""
    facts: Callable[[Batch], Awaitable[Facts]]
    """What a release decided now would look at."""
    settings: WebSettings
    command: Callable[[AlarmCommand], Awaitable[AlarmView | None]]
    """Carry out what a person asks of an alarm: the alarm as it stands, None when it is back to normal.

    Raises CultureOpsError when it can't be done.
    """
    endangered: Callable[[AlarmView, Instant], Awaitable[tuple[EndangeredBatch, ...]]]
    links: AlarmLinks
    public_url: str | None
    """Where people reach the links in messages; None where only this machine's own pages are reached."""
    equipment: EquipmentRegister
    lots: LotRegister
    devices: Mapping[str, DeviceLink]
    """The devices that are asked for values."""
    activations: Activations
    """Every stretch in which an alarm's condition was there."""
    rules_in_force: Callable[[], Awaitable[Sequence[RulesInForce]]]
    """The site file's alarm rules over time, the present ones last."""
    performance: Callable[[Instant, Instant], AlarmKpi]
    upkeep: Upkeep
    """Carries out what people decide on equipment, lots, recipes and the site file."""
    notify: NotifySettings | None
    """Who is told of alarms; None where the site file says nothing of it."""
    health: Callable[[], Mapping[str, object]]
    identify: Callable[[Batch, type[Details], Identified, Sequence[str], Actor], Awaitable[None]]
    """Judge what was scanned before a step that names these containers; raises GateFailed, which is on record then."""
    rehearse: Rehearse
    """What a step would record, asked before anybody records it."""
    micrographs: Micrographs | None = None
    """The images of cells that people upload; None where images are not read."""
    process_limits: ProcessLimits = field(default_factory=ProcessLimits)
    """When the clocks of batches warn."""
    pace: Pace | None = None
    bench: Bench | None = None
    """The hands' side of a demo by hand; None everywhere else."""
    dossier: Callable[[str], Awaitable[Dossier]] | None = None
    """All there is to know of a batch, for its record; None where records are not printed."""
    delays: Mapping[str, Histogram] = field(default_factory=dict)
    """How late things happen [s], by what it is of, for whoever collects measures."""
    gateways: Callable[[], Sequence[GatewayView]] | None = None
    """How the gateways stand; None where there are none."""
    hub: Callable[[], HubView] | None = None
    """How the hub of this gateway stands; None everywhere else."""
    packs: PackShelf | None = None
    """Where audit packs are made and fetched; None where nobody makes any."""
