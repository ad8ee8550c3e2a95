"""Ask one device for its values, once per call, whatever state it is in.

Drivers never retry, stamp or log outages; this does, once, for all of them. A failure is a set of BAD readings with
the reason. After ``MISSES_BEFORE_BACK_OFF`` failures in a row the device is tried ever less often (in lab time), so
that a dead device costs its neighbours on a shared line at most one deadline per try; in between its readings repeat
why there is no value.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from cultureops.clock import Clock, Instant
from cultureops.device.channel import Channel, ChannelId, channel_id
from cultureops.device.driver import Driver, Identity
from cultureops.device.reading import COMMUNICATION_REASONS, Reading, Reason, Sample, bad_reading, judge
from cultureops.errors import DeviceFault, DriverTimeout, NotConnected, ProtocolError

__all__ = ["LinkEvent", "LinkState", "Poller"]

MISSES_BEFORE_BACK_OFF: Final = 3
LONGEST_BACK_OFF_PERIODS: Final = 8


class LinkState(StrEnum):
    """What became of the link to a device."""

    IDENTIFIED = "identified"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class LinkEvent:
    """The link to a device came up or was lost: said once for each change, not once for each poll."""

    device: str
    state: LinkState
    at: Instant
    identity: Identity | None
    reason: Reason
    detail: str


class Poller:
    """The one who asks one device."""

    def __init__(
        self,
        device: str,
        driver: Driver,
        clock: Clock,
        period_ms: int,
        on_link_event: Callable[[LinkEvent], None],
    ) -> None:
        self.device = device
        self.period_ms = period_ms
        self.channels: dict[ChannelId, Channel] = {channel_id(device, row.name): row for row in driver.channels}
        self.misses = 0
        self.reason = Reason.NOT_CONNECTED
        self.detail = ""
        self._ids = {row.name: channel_id(device, row.name) for row in driver.channels}
        self._driver = driver
        self._clock = clock
        self._on_link_event = on_link_event
        self._connected = False
        self._identity: Identity | None = None
        self._is_up: bool | None = None  # None: nothing was said of this device yet
        self._next_try: Instant = 0

    async def poll_once(self, now: Instant) -> tuple[Reading, ...]:
        """Return one reading for each channel, stamped ``now`` (source) and the time of the answer (received)."""
        if now < self._next_try:
            return self._all_bad(now, now)
        try:
            if not self._connected:
                await self._connect()
            samples = await self._driver.read()
        except Exception as error:  # a driver's own bug must not silence its neighbours on the line
            await self._lost(now, _reason_of(error), str(error))
            return self._all_bad(now, self._clock.now())
        readings = self._judged(samples, now, self._clock.now())
        if all(reading.reason in COMMUNICATION_REASONS for reading in readings):
            await self._lost(now, readings[0].reason, "no channel was delivered")
        else:
            self._answered(now)
        return readings

    async def close(self) -> None:
        """Let go of the device."""
        self._connected = False
        await self._driver.disconnect()

    async def _connect(self) -> None:
        await self._driver.connect()
        self._identity = await self._driver.identify()
        self._connected = True

    def _answered(self, now: Instant) -> None:
        self.misses, self.reason, self.detail = 0, Reason.NONE, ""
        if not self._is_up:
            self._is_up = True
            self._on_link_event(LinkEvent(self.device, LinkState.IDENTIFIED, now, self._identity, Reason.NONE, ""))

    async def _lost(self, now: Instant, reason: Reason, detail: str) -> None:
        self.misses += 1
        self.reason, self.detail = reason, detail
        if reason is Reason.DEVICE_FAULT:
            return
        if self.misses >= MISSES_BEFORE_BACK_OFF:
            periods = min(2 ** (self.misses - MISSES_BEFORE_BACK_OFF), LONGEST_BACK_OFF_PERIODS)
            self._next_try = now + periods * self.period_ms
        if self._is_up is not False:
            self._is_up = False
            self._on_link_event(LinkEvent(self.device, LinkState.LOST, now, None, reason, detail))
        await self.close()

    def _judged(self, samples: Sequence[Sample], source_time: Instant, received_time: Instant) -> tuple[Reading, ...]:
        delivered = {sample.name: sample for sample in samples}
        return tuple(
            judge(
                self._ids[row.name],
                row,
                delivered.get(row.name) or Sample(row.name, None, Reason.NOT_DELIVERED),
                source_time,
                received_time,
            )
            for row in self.channels.values()
        )

    def _all_bad(self, source_time: Instant, received_time: Instant) -> tuple[Reading, ...]:
        return tuple(bad_reading(identity, self.reason, source_time, received_time) for identity in self.channels)


def _reason_of(error: Exception) -> Reason:
    """Return the reason code of a failed poll."""
    match error:
        case DriverTimeout():
            return Reason.TIMEOUT
        case ProtocolError():
            return Reason.PROTOCOL_ERROR
        case DeviceFault():
            return Reason.DEVICE_FAULT
        case NotConnected() | OSError():
            return Reason.NOT_CONNECTED
        case _:
            return Reason.DRIVER_ERROR
