"""The gateway's side: who stands in its chambers by what the hub says, and what people at the hub ask of its alarms."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import structlog

from cultureops.alarms.command import COMMAND, REFUSED, read_command
from cultureops.alarms.events import alarm_stream
from cultureops.alarms.permission import AlarmError
from cultureops.alarms.recordable import NAMELESS, SYSTEM, recordable
from cultureops.batch.guests import Guests
from cultureops.clock import MINUTE_MS, Clock, Instant, iso, parse_iso
from cultureops.durable_file import replace_file
from cultureops.errors import ConfigError
from cultureops.field import printable
from cultureops.ledger.event import Actor, Event, NewEvent, Source
from cultureops.ledger.store import Ledger
from cultureops.sync.hello import Order, Standing

__all__ = ["STANDING_FILE", "Outpost", "read_guests"]

log = structlog.get_logger(__name__)

STANDING_FILE: Final = "standing.json"
KEPT_EVERY_MS: Final = MINUTE_MS
"""How old the file may be that says the same as before: it tells how old the knowledge is after a stop."""
MOST_BATCHES: Final = 10_000


def read_guests(data_dir: Path) -> Guests:
    """Return who stands in the chambers as kept here last; a file that can't be read leaves it unknown."""
    guests = Guests()
    try:
        kept = json.loads((data_dir / STANDING_FILE).read_bytes())
        chambers = {str(name): tuple(map(str, names)) for name, names in kept["chambers"].items()}
        guests.take(chambers, parse_iso(kept["heard_at"]))
    except FileNotFoundError:
        pass
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ConfigError) as error:
        log.error("who stands in the chambers is not known until the hub says it", file=STANDING_FILE, error=str(error))
    return guests


class Outpost:
    """What comes down from the hub; ``guests`` is what the gateway's alarms name batches by."""

    def __init__(self, guests: Guests, chambers: Sequence[str], data_dir: Path, clock: Clock, ledger: Ledger) -> None:
        self._guests, self._chambers = guests, frozenset(chambers)
        self._file = data_dir / STANDING_FILE
        self._clock, self._ledger = clock, ledger
        self._standing: Mapping[str, tuple[str, ...]] | None = None
        self._unkept: tuple[Mapping[str, tuple[str, ...]], Instant] | None = None
        self._kept_at: Instant | None = None
        self._known: set[str] = set()
        self._lock = asyncio.Lock()

    def on_standing(self, standing: Standing) -> None:
        """Take who stands where; chambers of other gateways are none of this one's business."""
        now = self._clock.now()
        chambers = {name: names[:MOST_BATCHES] for name, names in standing.chambers.items() if name in self._chambers}
        self._guests.take(chambers, now)
        is_old = self._kept_at is None or not 0 <= now - self._kept_at < KEPT_EVERY_MS
        if chambers != self._standing or is_old:
            self._standing, self._unkept = chambers, (chambers, now)

    def apply(self, event: Event) -> None:
        """Take one more event of the gateway's ledger: orders that it holds are not taken again."""
        if event.type in (COMMAND, REFUSED) and (command_id := event.data.get("command_id")):
            self._known.add(str(command_id))

    async def on_orders(self, orders: Sequence[Order]) -> None:
        """Record the orders that are new, which the alarm desk carries out or refuses; raises StorageError."""
        async with self._lock:
            for order in orders:
                if order.id not in self._known:
                    await self._ledger.append_many([self._recorded(order)])

    def _recorded(self, order: Order) -> tuple[str, list[NewEvent], None]:
        now = self._clock.now()
        try:
            command = read_command(order.data, order.id)
        except AlarmError as error:
            message = printable(str(error))[:500]
            refused = NewEvent(
                REFUSED, {"command_id": order.id, "message": message}, SYSTEM, Source.SYSTEM, now
            )  # fmt: skip
            return NAMELESS, [refused], None
        actor = Actor(command.act.actor_id, command.act.role)
        data = {**command.data(), "command_id": order.id}
        asked = NewEvent(COMMAND, data, actor, Source.HUMAN, min(command.at, now), command.act.reason)
        stream, fit = recordable(alarm_stream(command.rule_id), asked)
        return stream, [fit], None

    async def settle(self) -> None:
        """Keep on the disk who stands where; what can't be kept is tried again, and costs nothing else."""
        if self._unkept is None:
            return
        (chambers, heard_at), self._unkept = self._unkept, None
        text = json.dumps({"heard_at": iso(heard_at), "chambers": chambers}, indent=1, sort_keys=True)
        try:
            await asyncio.to_thread(replace_file, self._file, text)
            self._kept_at = heard_at
        except OSError as error:
            log.error("who stands in the chambers can't be kept; tried again", error=str(error))
            self._unkept = self._unkept or (chambers, heard_at)
