"""The instruments that look into a chamber: who they are, how the links to them stand, whether they may be used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cultureops.acquisition.supervisor import MeasuredChannel
from cultureops.clock import HOUR_MS, Instant
from cultureops.device.reading import Quality
from cultureops.equipment import EquipmentState
from cultureops.web.context import DeviceLink, WebContext
from cultureops.web.templating import title

__all__ = ["Instrument", "instruments"]

STALE_POLLS: Final = 3
LOOK_BACK_MS: Final = HOUR_MS


@dataclass(frozen=True, slots=True)
class Instrument:
    """One instrument of a chamber.

    ``link`` is None for one that hands over results by itself. ``answered_at`` is its last reading of any channel with
    a value, ``silent_since`` where none of its channels has had one since then; None where that is not known or not so.
    ``unverified`` are the channels whose address or meaning is second-hand.
    """

    device: str
    link: DeviceLink | None
    state: EquipmentState | None
    is_out_of_calibration: bool
    is_simulated: bool
    answered_at: Instant | None
    silent_since: Instant | None
    is_late: bool
    unverified: tuple[str, ...]

    @property
    def standing(self) -> str:
        """How the link stands, in a word: ``answers``, ``late``, ``failing`` or ``not read yet``."""
        if self.link is not None and not self.link.answers:
            return "failing"
        if self.answered_at is None:
            return "not read yet" if self.silent_since is None else "failing"
        return "late" if self.is_late else "answers"


async def instruments(context: WebContext, rows: Sequence[MeasuredChannel], now: Instant) -> tuple[Instrument, ...]:
    """Return the instruments of a chamber's channels in the order of the site file."""
    latest = context.store.latest()
    gaps = await context.store.gaps(now - LOOK_BACK_MS, now + 1, [row.id for row in rows])
    lasting = {gap.channel: gap.from_ms for gap in gaps if gap.to_ms is None}
    found = []
    for device in dict.fromkeys(row.device for row in rows):
        own = [row for row in rows if row.device == device]
        read = [latest[row.id] for row in own if row.id in latest]
        answered = [reading.source_time for reading in read if reading.quality is not Quality.BAD]
        silent = [lasting[row.id] for row in own if row.id in lasting]
        answered_at = max(answered, default=None)
        found.append(
            Instrument(
                device=device,
                link=context.devices.get(device),
                state=context.equipment.fact(device, now),
                is_out_of_calibration=context.equipment.is_out_of_calibration(device, now),
                is_simulated=all(row.simulated for row in own),
                answered_at=answered_at,
                silent_since=max(silent) if read and not answered and silent else None,
                is_late=answered_at is not None and now - answered_at > STALE_POLLS * own[0].period_ms,
                unverified=tuple(title(row.channel.name) for row in own if not row.channel.verified),
            )
        )
    return tuple(found)
