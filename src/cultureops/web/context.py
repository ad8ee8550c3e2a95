"""What the pages may see and do: handed in by the composition root, so that routes reach for nothing else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol
from zoneinfo import ZoneInfo

from cultureops.acquisition.live import LiveFeed
from cultureops.acquisition.supervisor import MeasuredChannel
from cultureops.alarms.engine import AlarmView, Engine
from cultureops.batch.register import BatchRegister
from cultureops.batch.shelf import RecipeShelf
from cultureops.clock import Clock, Instant
from cultureops.device.channel import ChannelId
from cultureops.equipment import Chamber
from cultureops.ledger.store import Ledger
from cultureops.telemetry.store import TelemetryStore

__all__ = ["Pace", "WebContext"]


class Pace(Protocol):
    """How fast lab time runs in a demo; absent in a running lab."""

    lab_seconds_per_second: float
    paused: bool

    def progress(self) -> tuple[Instant, Instant] | None:
        """Return (now, until) while lab time is fast-forwarded, else None."""
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
    acknowledge: Callable[[str, str, str], Awaitable[AlarmView | None]]
    """``acknowledge(rule_id, actor_id, reason)``: the alarm as it stands, None when it is back to normal.

    Raises CultureOpsError when there is nothing to acknowledge.
    """
    health: Callable[[], Mapping[str, object]]
    pace: Pace | None = None
