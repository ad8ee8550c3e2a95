"""Ask one device for its values, once per call, whatever state it is in.

Drivers never retry, stamp or log outages; this does, once, for all of them. A failure is a set of BAD readings with
the reason. After ``MISSES_BEFORE_BACK_OFF`` failures in a row the device is tried ever less often (in lab time), so
that a dead device costs its neighbours on a shared line at most one deadline per try; in between its readings repeat
why there is no value. A driver that does not come back from a call at all is cut off. Where a frame has few check bits
a leap is read again (see doubt.py).
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

import structlog

from cultureops.acquisition.doubt import MOST_CHECK_BITS, Doubt
from cultureops.clock import SECOND_MS, Clock, Instant
from cultureops.device.channel import Channel, ChannelId, channel_id
from cultureops.device.driver import Driver, Identity
from cultureops.device.reading import COMMUNICATION_REASONS, Reading, Reason, Sample, bad_reading, judge
from cultureops.errors import DeviceFault, DriverError, DriverTimeout, NotConnected, ProtocolError

__all__ = ["LinkEvent", "LinkState", "Poller", "reason_of"]

log = structlog.get_logger(__name__)

MISSES_BEFORE_BACK_OFF: Final = 3
LONGEST_BACK_OFF_MS: Final = 15 * SECOND_MS
"""But never less than a period."""
CALLS_TO_A_POLL: Final = 10
LEAST_PATIENCE_S: Final = 30.0
"""How long a whole poll may take in real time, connecting included: so many deadlines, but never less than this [OWN].

A driver keeps its own deadline for each answer; this is for the one that hangs.
"""


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
    """The one who asks one device.

    ``deadline_ms`` is the real time that a device takes which does not answer [ms]; a whole poll that takes many such
    is given up. ``max_rates`` are the fastest
    believable changes by channel name [unit per minute], where the site says more than the driver;
    ``is_out_of_calibration`` tells of a time [ms UTC] whether the device's calibration was over by then.
    """

    def __init__(
        self,
        device: str,
        driver: Driver,
        clock: Clock,
        period_ms: int,
        on_link_event: Callable[[LinkEvent], None],
        *,
        deadline_ms: int = 0,
        max_rates: Mapping[str, float] | None = None,
        is_out_of_calibration: Callable[[Instant], bool] = lambda _: False,
    ) -> None:
        rows = tuple(
            replace(row, max_rate_per_min=(max_rates or {}).get(row.name, row.max_rate_per_min))
            for row in driver.channels
        )
        self.device = device
        self.period_ms = period_ms
        self.deadline_ms = deadline_ms
        self.channels: dict[ChannelId, Channel] = {channel_id(device, row.name): row for row in rows}
        self.misses = 0
        self.reason = Reason.NOT_CONNECTED
        self.detail = ""
        self._ids = {row.name: channel_id(device, row.name) for row in rows}
        self._doubt = Doubt(rows) if driver.check_bits <= MOST_CHECK_BITS else None
        self._driver = driver
        self._clock = clock
        self._on_link_event = on_link_event
        self._is_out_of_calibration = is_out_of_calibration
        self._connected = False
        self._identity: Identity | None = None
        self._is_up: bool | None = None  # None: nothing was said of this device yet
        self._patience_s = max(CALLS_TO_A_POLL * deadline_ms / 1000, LEAST_PATIENCE_S)
        self._tried_at: Instant = 0
        self._next_try: Instant = 0

    @property
    def answers(self) -> bool:
        """Whether it answered when it was asked last."""
        return not self.misses

    @property
    def identity(self) -> Identity | None:
        """Who answered when the link came up last; None before it did."""
        return self._identity

    def may_stall(self, now: Instant) -> bool:
        """Whether asking now means trying a device that has long been silent."""
        return self.misses >= MISSES_BEFORE_BACK_OFF and not self._is_left_alone(now)

    async def poll_once(self, now: Instant) -> tuple[Reading, ...]:
        """Return one reading for each channel, stamped ``now`` (source) and the time of the answer (received)."""
        if self._is_left_alone(now):
            return self._all_bad(now, now)
        try:
            samples = await self._ask(now)
        except Exception as error:  # a driver's own bug must not silence its neighbours on the line
            await self._lost(now, reason_of(error), str(error))
            return self._all_bad(now, self._clock.now())
        readings = self._judged(samples, now, self._clock.now())
        if all(reading.reason in COMMUNICATION_REASONS for reading in readings):
            await self._lost(now, readings[0].reason, "no channel was delivered")
        else:
            self._answered(now)
        return readings

    def _is_left_alone(self, now: Instant) -> bool:
        """Whether it is too early to try again; a clock set back to before the last try makes it no later."""
        return self._tried_at <= now < self._next_try

    async def _ask(self, now: Instant) -> Sequence[Sample]:
        patience = asyncio.timeout(self._patience_s)
        try:
            async with patience:
                if not self._connected:
                    await self._connect()
                return await self._read(now)
        except TimeoutError:
            if not patience.expired():
                raise
            raise DriverTimeout(f"the driver did not come back within {self._patience_s:g} s; given up") from None

    async def _read(self, now: Instant) -> Sequence[Sample]:
        samples = await self._driver.read()
        if self._doubt is None:
            return samples
        if self._doubt.doubtful(samples, now):
            samples = self._doubt.settled(samples, await self._read_again(), now)
        self._doubt.believe(samples, now)
        return samples

    async def _read_again(self) -> Sequence[Sample]:
        try:
            return await self._driver.read()
        except DriverError:
            return ()  # it did answer before: what is doubtful of that stays so

    async def close(self) -> None:
        """Let go of the device; a driver that hangs at this too is left as it is."""
        self._connected = False
        try:
            async with asyncio.timeout(self._patience_s):
                await self._driver.disconnect()
        except TimeoutError:
            log.warning("a driver does not let go of its device", device=self.device)

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
            self._tried_at, self._next_try = now, now + self._back_off_ms()
        if self._is_up is not False:
            self._is_up = False
            self._on_link_event(LinkEvent(self.device, LinkState.LOST, now, None, reason, detail))
        await self.close()

    def _back_off_ms(self) -> int:
        """Return how long to leave the device alone; devices that were lost together do not come back together."""
        longest = max(self.period_ms, LONGEST_BACK_OFF_MS)
        whole = min(self.period_ms << min(self.misses - MISSES_BEFORE_BACK_OFF, 16), longest)
        share = zlib.crc32(f"{self.device} {self.misses}".encode()) / (1 << 32)
        return round(whole * (1 - share / 4))

    def _judged(self, samples: Sequence[Sample], source_time: Instant, received_time: Instant) -> tuple[Reading, ...]:
        delivered = {sample.name: sample for sample in samples}
        out_of_calibration = self._is_out_of_calibration(source_time)
        return tuple(
            judge(
                self._ids[row.name],
                row,
                delivered.get(row.name) or Sample(row.name, None, Reason.NOT_DELIVERED),
                source_time,
                received_time,
                out_of_calibration=out_of_calibration,
            )
            for row in self.channels.values()
        )

    def _all_bad(self, source_time: Instant, received_time: Instant) -> tuple[Reading, ...]:
        return tuple(bad_reading(identity, self.reason, source_time, received_time) for identity in self.channels)


def reason_of(error: Exception) -> Reason:
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
