"""The lab of a challenge: the site's twin, its simulators, and lab time that is stepped from one poll to the next."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, cast

from cultureops.access import Role
from cultureops.acquisition import MeasuredChannel
from cultureops.alarms.alarm import Act
from cultureops.alarms.command import AlarmCommand, Order
from cultureops.alarms.rule import WhenEmpty
from cultureops.alarms.state import State
from cultureops.alarms.suppression import occupied_reading
from cultureops.challenge.result import Change
from cultureops.clock import MINUTE_MS, Instant, SteppedClock, parse_iso
from cultureops.demo.fleet import Fleet
from cultureops.device.channel import ChannelId
from cultureops.device.reading import COMMUNICATION_REASONS, Reading
from cultureops.lab import Lab
from cultureops.ledger.event import Event
from cultureops.notify.notifier import Notifier
from cultureops.notify.records import SENT

__all__ = ["Bench"]

ACTOR: Final = "challenge"
WITNESS: Final = "challenge-2"
REASON: Final = "alarm challenge with simulated sources"
LONGEST_STEP_MS: Final = MINUTE_MS
_ALARM_STREAM: Final = "alarm:"
_TURNS: Final = 200


class Bench:
    """Steps simulators and lab together; what a channel is forced to show is forced here."""

    def __init__(self, lab: Lab, fleet: Fleet, notifier: Notifier | None = None) -> None:
        assert isinstance(lab.clock, SteppedClock)
        self.lab = lab
        self._clock = lab.clock
        self._fleet = fleet
        self._notifier = notifier
        self._forced: dict[str, dict[str, float]] = {}
        self._silent: set[str] = set()
        self._heard: list[Event] = []
        self._readings: dict[ChannelId, list[Reading]] = {}
        self._suppressed_when_empty = tuple(
            dict.fromkeys(rule.chamber for rule in lab.engine.rules if rule.when_empty is WhenEmpty.SUPPRESS)
        )
        self._messages: list[Event] = []
        lab.ledger.on_append.append(self._hear)

    def _hear(self, events: Sequence[Event]) -> None:
        for event in events:
            if event.stream.startswith(_ALARM_STREAM) and "to_state" in event.data:
                self._heard.append(event)
            elif event.type == SENT:
                self._messages.append(event)

    @property
    def now(self) -> Instant:
        """Lab time [ms UTC]."""
        return self._clock.now()

    @property
    def channels(self) -> Mapping[ChannelId, MeasuredChannel]:
        """The channels of the twins."""
        return self.lab.channels

    async def listen(self) -> tuple[dict[ChannelId, float], frozenset[str]]:
        """Return what each channel shows by itself, and the devices that answered no poll, asked three times each."""
        natural: dict[ChannelId, float] = {}
        devices = frozenset(row.device for row in self.channels.values())
        answered: set[str] = set()
        readings = await self.poll()
        until = self.now + 2 * max(row.period_ms for row in self.channels.values())
        while True:
            for reading in readings:
                if reading.reason not in COMMUNICATION_REASONS:
                    answered.add(self.channels[reading.channel].device)
                if reading.value is not None:
                    natural[reading.channel] = reading.value
            if answered >= devices or self.now >= until:
                return natural, devices - answered
            readings = await self.step(until)

    def standing(self) -> dict[str, State]:
        """Return every alarm that is not NORMAL."""
        engine = self.lab.engine
        return {view.rule.id: view.state for view in (*engine.active(), *engine.suppressed())}

    def history(self, channels: Iterable[ChannelId]) -> tuple[Reading, ...]:
        """Return all readings of these channels so far, oldest first."""
        found = [reading for channel in channels for reading in self._readings.get(channel, ())]
        return tuple(sorted(found, key=lambda reading: reading.source_time))

    async def show(self, values: Mapping[ChannelId, float], silent: Iterable[str]) -> None:
        """Force these channels, let all others go, and silence these devices alone."""
        wanted: dict[str, dict[str, float]] = {}
        for identity, value in values.items():
            device, _, name = identity.partition("/")
            wanted.setdefault(device, {})[name] = value
        quiet = set(silent)
        for device in sorted({*self._forced, *self._silent, *wanted, *quiet}):
            await self._set(device, wanted.get(device, {}), is_silent=device in quiet)
        self._forced, self._silent = wanted, quiet

    async def _set(self, device: str, values: Mapping[str, float], *, is_silent: bool) -> None:
        before = self._forced.get(device, {})
        released = before.keys() - values.keys() or (device in self._silent and not is_silent)
        if released:
            await self._fleet.clear(device)
            before = {}
        for name, value in values.items():
            if before.get(name) != value:
                await self._fleet.plant(device, "force", channel=name, value=value)
        if is_silent and (device not in self._silent or released):
            await self._fleet.plant(device, "silent")

    async def step(self, until: Instant) -> tuple[Reading, ...]:
        """Let lab time pass to the next poll, ``until`` at the latest, and return what was read then."""
        now = self.now
        due = min(bus.next_due(now) for bus in self.lab.acquisition.buses)
        target = max(min(due, until, now + LONGEST_STEP_MS), now + 1)
        await self._fleet.step((target - now) / 1000)
        self._clock.advance(target - now)
        return await self.poll()

    async def poll(self) -> tuple[Reading, ...]:
        """Read what is due now, and let alarms and ledger follow."""
        lab = self.lab
        readings = await lab.acquisition.poll_once(self.now)
        self._occupy()
        if readings:
            lab.recorder.accept(readings)
        lab.tick(self.now)
        await lab.settle()
        await self._tell_people()
        self._occupy()
        for reading in readings:
            self._readings.setdefault(reading.channel, []).append(reading)
        return readings

    def _occupy(self) -> None:
        """Let alarms of chambers that are told only while a batch stands there believe that one does."""
        if self._suppressed_when_empty:
            self.lab.engine.evaluate(
                [occupied_reading(name, self.now, is_occupied=True) for name in self._suppressed_when_empty]
            )

    async def acknowledge(self, rule_id: str) -> None:
        """Acknowledge an alarm as the challenge."""
        await self.lab.acknowledge(rule_id, ACTOR, REASON)

    async def reset(self, rule_id: str) -> None:
        """Reset a latched alarm as the challenge."""
        act = Act(ACTOR, REASON, role=Role.OPERATOR)
        await self.lab.alarming.desk.carry_out(AlarmCommand(Order.RESET, rule_id, act, self.now))

    async def shelve(self, rule_id: str, lasts_s: float) -> None:
        """Shelve an alarm for so long as the challenge, with a second one as witness."""
        act = Act(ACTOR, REASON, WITNESS, role=Role.OPERATOR)
        command = AlarmCommand(Order.SHELVE, rule_id, act, self.now, minutes=lasts_s / 60)
        await self.lab.alarming.desk.carry_out(command)

    async def _tell_people(self) -> None:
        """Let messages that are due be handed over now: lab time must not go on while one is under way."""
        if self._notifier is None:
            return
        for _ in range(_TURNS):
            if not self._notifier.status().waiting:
                break
            await asyncio.sleep(0)
        await self._notifier.drain()

    def told(self) -> tuple[tuple[str, Instant], ...]:
        """Return of which alarms somebody was told since the last call, and when."""
        heard, self._messages[:] = tuple(self._messages), ()
        return tuple(
            (str(rule_id), parse_iso(str(event.data["at"])))
            for event in heard
            for rule_id in cast(list[str], event.data["rule_ids"])
        )

    def changes(self) -> tuple[Change, ...]:
        """Return what the ledger was told of alarms since the last call."""
        heard, self._heard[:] = tuple(self._heard), ()
        return tuple(
            Change(
                rule_id=str(event.data["rule_id"]),
                chamber=str(event.data["chamber"]),
                from_state=State(str(event.data["from_state"])),
                to_state=State(str(event.data["to_state"])),
                seen_at=self.now,
                position=event.position,
            )
            for event in heard
        )
