"""What the pages may see and do: handed in by the composition root, so that routes reach for nothing else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol
from zoneinfo import ZoneInfo

from cultureops.access.desk import AccessDesk
from cultureops.access.signature import Signature
from cultureops.acquisition.live import LiveFeed
from cultureops.acquisition.supervisor import MeasuredChannel
from cultureops.alarms import AlarmView, Engine
from cultureops.alarms.command import AlarmCommand
from cultureops.alarms.kpi import AlarmKpi
from cultureops.batch.alarm_told import EndangeredBatch
from cultureops.batch.batch import Batch
from cultureops.batch.commands import Command
from cultureops.batch.facts import Facts, TelemetryGap
from cultureops.batch.register import BatchRegister
from cultureops.batch.shelf import RecipeShelf
from cultureops.clock import Clock, Instant
from cultureops.device.channel import ChannelId
from cultureops.dossier import Dossier
from cultureops.equipment import Chamber
from cultureops.ledger.event import Actor
from cultureops.ledger.store import Ledger
from cultureops.telemetry.store import TelemetryStore
from cultureops.web.settings import WebSettings

__all__ = ["AlarmLinks", "Execute", "Pace", "WebContext"]


class Execute(Protocol):
    """Carries out a command on a batch; raises AccessError or BatchError when it is refused."""

    def __call__(
        self, command: Command, actor: Actor, witness: Actor | None = None, signatures: Sequence[Signature] = ()
    ) -> Awaitable[Batch]:
        """Return the batch after it."""
        ...


class Pace(Protocol):
    """How fast lab time runs in a demo; absent in a running lab."""

    lab_seconds_per_second: float
    paused: bool

    def progress(self) -> tuple[Instant, Instant] | None:
        """Return (now, until) while lab time is fast-forwarded, else None."""
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
    engine: Engine
    ledger: Ledger
    batches: BatchRegister
    recipes: RecipeShelf
    feed: LiveFeed
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
    performance: Callable[[Instant, Instant], AlarmKpi]
    health: Callable[[], Mapping[str, object]]
    pace: Pace | None = None
    dossier: Callable[[str], Awaitable[Dossier]] | None = None
    """All there is to know of a batch, for its record; None where records are not printed."""
