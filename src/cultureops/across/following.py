"""The hub's side: follows its gateways' alarms, records what they mean here, and has people's orders carried down."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final

import structlog

from cultureops.acquisition import MeasuredChannel
from cultureops.across.hindsight import UNTOLD_MS, Hindsight, Untold
from cultureops.across.orders import Orders, refusal_in
from cultureops.across.relay import Relay, Relayed
from cultureops.alarms.activation import Activation
from cultureops.alarms.alarm import AlarmView, Transition
from cultureops.alarms.appending import Tell
from cultureops.alarms.command import COMMAND, REFUSED, AlarmCommand, carry_out
from cultureops.alarms.engine import Engine
from cultureops.alarms.events import ALARM_EVENT_TYPES, alarm_stream
from cultureops.alarms.followed import ORIGIN, Followed
from cultureops.alarms.gateway import Gateway
from cultureops.alarms.own import OwnLimits
from cultureops.alarms.own_gateway import GatewayState, gateway_readings, gateway_rules
from cultureops.alarms.permission import AlarmError, is_critical_now
from cultureops.alarms.recordable import SYSTEM
from cultureops.alarms.reported import reported
from cultureops.batch.register import BatchRegister
from cultureops.clock import SECOND_MS, Clock, Instant, SystemClock
from cultureops.device.channel import ChannelId
from cultureops.device.reading import Reading
from cultureops.environment import silence_ms
from cultureops.errors import StorageError
from cultureops.field import printable
from cultureops.ledger.event import Actor, Event, NewEvent, Source
from cultureops.ledger.store import Ledger
from cultureops.notify.records import SENT, told_in
from cultureops.sync.hello import Order, Standing
from cultureops.sync.receiving import OriginStatus

__all__ = ["ANSWER_WITHIN_S", "AWAY_AFTER_MS", "Following"]

log = structlog.get_logger(__name__)

ANSWER_WITHIN_S: Final = 2.0
"""How long whoever asks something of a gateway's alarm waits for its answer; it comes all the same later."""
AWAY_AFTER_MS: Final = 15 * SECOND_MS
"""A gateway that was not heard of for so long is shown as out of reach [OWN]; its alarm has a limit of its own."""
MOST_WAITING: Final = 2_000
_LONGEST_ANSWER: Final = 500


class Following:
    """Every alarm of every gateway as it stands, and what goes up and down for it; without gateways it does nothing.

    ``latest`` returns the newest reading of a channel in the hub's store, ``tell`` works out what transitions mean for
    batches, ``on_transitions`` hears of those that a gateway has told of.
    """

    def __init__(
        self,
        gateways: Iterable[Gateway],
        *,
        clock: Clock,
        ledger: Ledger,
        batches: BatchRegister,
        channels: Mapping[ChannelId, MeasuredChannel],
        latest: Callable[[], Mapping[ChannelId, Reading]],
        limits: OwnLimits,
        tell: Tell,
        on_transitions: Callable[[Sequence[Transition]], None],
    ) -> None:
        self._clock, self._ledger, self._batches = clock, ledger, batches
        self._channels, self._latest = channels, latest
        self._on_transitions = on_transitions
        self._status: Callable[[], Mapping[str, OriginStatus]] = dict
        self.answer_within_s = ANSWER_WITHIN_S if isinstance(clock, SystemClock) else 0.0
        self._began_at = clock.now()
        self._taken: dict[str, int] = {}
        self._unreadable: dict[str, str] = {}
        self.alarms = Followed(gateways, self._value, lambda rule_id: self._orders.waiting(rule_id), self.away)
        self._orders = Orders(ledger, clock, self.alarms.owner, self._check)
        self.hindsight, self.untold = Hindsight(), Untold()
        self.rules = tuple(rule for name in self.alarms.gateways for rule in gateway_rules(name, limits))
        self._relay = Relay(ledger, tell, self.awaited)

    def watch(self, status: Callable[[], Mapping[str, OriginStatus]]) -> None:
        """Say where it is known how the gateways stand; until then their silence is nobody's business."""
        self._status, self._began_at = status, self._clock.now()

    def away(self) -> Mapping[str, Instant]:
        """Return since when gateways are out of reach, by name [ms UTC]."""
        now, known = self._clock.now(), self._status()
        heard = {name: self._heard_at(status) for name, status in known.items()}
        return {name: at for name, at in heard.items() if self._silent_ms(at, now) > AWAY_AFTER_MS}

    def _heard_at(self, status: OriginStatus) -> Instant:
        return self._began_at if status.heard_at is None else status.heard_at

    @staticmethod
    def _silent_ms(heard_at: Instant, now: Instant) -> int:
        """Return for how long nothing was heard; a future that a clock set back has left behind is as long ago."""
        return abs(now - heard_at)

    def is_followed(self, rule_id: str) -> bool:
        """Whether a gateway watches for a rule."""
        return self.alarms.owner(rule_id) is not None

    def apply(self, event: Event) -> None:
        """Take one more event of the hub's ledger, in order."""
        self._relay.apply(event)
        self._orders.apply(event)

    def recall(self, event: Event) -> None:
        """Take an event of the ledger's past, in order, before ``apply`` does."""
        self.alarms.recall(event)
        if self._clock.now() - event.recorded_at > UNTOLD_MS:
            return
        if event.type == SENT:
            for rule_id, raised_at in told_in(event):
                self.untold.told(rule_id, raised_at)
        elif event.type in ALARM_EVENT_TYPES and (gateway := self.alarms.gateways.get(str(event.data.get(ORIGIN)))):
            there = {**event.data, "rule_id": gateway.there(str(event.data.get("rule_id")))}
            with suppress(StorageError):  # news at most: what stands on record is read above
                self.untold.take(reported(gateway, replace(event, data=there)), event.recorded_at)

    def taken(self, origin: str) -> int:
        """Return the last position of a gateway's log that needs not be told again."""
        return max(self._taken.get(origin, 0), self._relay.recorded(origin))

    async def take(self, origin: str, events: Sequence[Event]) -> None:
        """Take what a gateway's log says, in order; what was taken before is passed over.

        Raises StorageError when the hub's ledger can't keep up.
        """
        gateway, found = self.alarms.gateways[origin], list[Transition]()
        for event in events:
            if event.position > self.taken(origin):
                self._taken[origin] = event.position
                found += self._word(gateway, event)
        if found:
            self._on_transitions(found)
        while self._relay.waiting > MOST_WAITING and await self._relay.step(self._clock.now()):
            pass

    def _word(self, gateway: Gateway, event: Event) -> list[Transition]:
        now = self._clock.now()
        if event.type == REFUSED:
            data = {
                "command_id": printable(str(event.data.get("command_id")))[:100],
                "message": printable(str(event.data.get("message")))[:_LONGEST_ANSWER],
            }
            rule_id = gateway.here(printable(event.stream.removeprefix("alarm:"))[:150])
            self._relay.put(
                Relayed(gateway.name, event.position, rule_id, now, NewEvent(REFUSED, data, SYSTEM, Source.SYSTEM))
            )
            return []
        if event.type not in ALARM_EVENT_TYPES:
            return []
        try:
            transition = reported(gateway, event)
            self.alarms.take(gateway, transition)
        except StorageError as error:
            log.error("what a gateway says of an alarm can't be read", gateway=gateway.name, error=str(error))
            self._unreadable[gateway.name] = str(error)
            return []
        self._relay.put(Relayed(gateway.name, event.position, transition.rule.id, now, transition))
        return [transition]

    async def settle(self) -> None:
        """Take to the ledger what waits for it; raises StorageError and keeps the rest when it can't be taken."""
        await self._orders.settle()
        while await self._relay.step(self._clock.now()):
            pass

    @property
    def oldest_at(self) -> Instant | None:
        """Since when a gateway's word waits for the ledger [ms UTC]; None when none does."""
        return self._relay.oldest_at

    def problem(self, origin: str) -> str | None:
        """Say what of a gateway's alarms could not be read since the start; None where all could."""
        return self._unreadable.get(origin)

    def standing(self, origin: str) -> Standing:
        """Return which batches stand in a gateway's chambers now."""
        now = self._clock.now()
        return Standing(now, {name: self._batches.inside(name, now) for name in self.alarms.gateways[origin].chambers})

    def orders(self, origin: str) -> tuple[Order, ...]:
        """Return what a gateway is to carry out or to refuse, until its answer is on record here."""
        return self._orders.of(origin)

    async def carry_out(self, command: AlarmCommand) -> AlarmView | None:
        """Have a gateway carry out a command; raises CultureOpsError when it is refused, here or there.

        Returns the alarm as it stands, or None when it is back to normal. What the gateway has not answered in time
        stands in the alarm's view.
        """
        self._check(command)
        act, now = command.act, self._clock.now()
        asked = NewEvent(
            COMMAND, command.data(), Actor(act.actor_id, act.role), Source.HUMAN, now, act.reason
        )  # fmt: skip
        (event,) = await self._ledger.append(alarm_stream(command.rule_id), [asked], None)
        await self._orders.settle()
        await self._await_answer(event)
        return next((view for view in self.alarms.active() if view.rule.id == command.rule_id), None)

    async def _await_answer(self, asked: Event) -> None:
        """Wait for the answer to an order; raises AlarmError when it is a refusal."""
        with self._orders.answering(asked.event_id) as answer:
            behind = await asyncio.to_thread(self._ledger.read, asked.stream, asked.version)
            said = next((one for one in behind if one.data.get("command_id") == asked.event_id), None)
            if said is None:
                done, _ = await asyncio.wait({answer}, timeout=self.answer_within_s)
                said = answer.result() if done else None
        if said is not None and (refusal := refusal_in(said)) is not None:
            raise AlarmError(refusal)

    def _check(self, command: AlarmCommand) -> None:
        """Refuse what would be refused as the alarm stands here; raises AlarmError."""
        view = self.alarms.view(command.rule_id)
        if view is None:
            raise AlarmError(f"there is no alarm {command.rule_id!r}; take an id from the list of alarms")
        now = self._clock.now()
        trial, stored = Engine((view.rule,)), self.alarms.standing.get(command.rule_id)
        trial.restore(() if stored is None else (stored,))
        carry_out(trial, command, now, is_critical=is_critical_now(view.rule, self._batches.exposed, now))

    def readings(self, now: Instant) -> list[Reading]:
        """Say how the gateways stand."""
        known = self._status()
        return [
            reading
            for name, gateway in self.alarms.gateways.items()
            if name in known
            for reading in gateway_readings(name, self._state(gateway, known[name], now), now)
        ]

    def _state(self, gateway: Gateway, status: OriginStatus, now: Instant) -> GatewayState:
        site = None if status.hello is None or not gateway.site_sha256 else status.hello.site_sha256
        return GatewayState(
            silent_s=self._silent_ms(self._heard_at(status), now) / SECOND_MS,
            clock_off_s=None if status.offset is None else status.offset.least_ms / SECOND_MS,
            runs_other_site=None if site is None else site != gateway.site_sha256,
            forked=status.forked,
            has_problem=status.problem is not None or self.problem(gateway.name) is not None,
        )

    def awaited(self, activation: Activation, until: Instant) -> bool:
        """Whether readings of a gateway's alarm until an instant [ms UTC] have not all come."""
        row = None if activation.channel is None else self._channels.get(activation.channel)
        if row is None or not self.is_followed(activation.rule_id):
            return False
        newest = self._latest().get(row.id)
        return newest is None or newest.source_time + silence_ms(row.period_ms) < until

    def _value(self, channel: ChannelId) -> float | None:
        newest = self._latest().get(channel)
        return None if newest is None else newest.value
