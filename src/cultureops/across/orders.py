"""What people at the hub have asked of gateways' alarms, and what has not been answered yet: a fold of the ledger."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from cultureops.alarms.command import COMMAND, REFUSED, AlarmCommand, read_command
from cultureops.alarms.followed import ORIGIN
from cultureops.alarms.gateway import Gateway
from cultureops.alarms.permission import AlarmError
from cultureops.alarms.recordable import SYSTEM
from cultureops.clock import Clock
from cultureops.field import printable
from cultureops.ledger.event import Event, NewEvent, Source
from cultureops.ledger.store import Ledger
from cultureops.sync.hello import Order

__all__ = ["Orders", "refusal_in"]

_LONGEST_ANSWER = 500


@dataclass(slots=True)
class _Asked:
    event: Event
    gateway: Gateway
    is_checked: bool = False


class Orders:
    """Orders wait here from their event to the answering one, which came up with the gateway's log.

    ``owner`` returns the gateway that watches for a rule; ``check`` raises AlarmError for an order that would be
    refused as the alarm stands here.
    """

    def __init__(
        self,
        ledger: Ledger,
        clock: Clock,
        owner: Callable[[str], Gateway | None],
        check: Callable[[AlarmCommand], None],
    ) -> None:
        self._ledger, self._clock, self._owner, self._check = ledger, clock, owner, check
        self._asked: dict[str, _Asked] = {}
        self._awaited: dict[str, asyncio.Future[Event]] = {}

    def apply(self, event: Event) -> None:
        """Take one more event of the hub's ledger, in order."""
        if event.type == COMMAND:
            gateway = self._owner(str(event.data.get("rule_id")))
            if gateway is not None:
                self._asked[event.event_id] = _Asked(event, gateway)
            return
        if event.stream.startswith("alarm:") and (command_id := str(event.data.get("command_id") or "")):
            asked = self._asked.get(command_id)
            if asked is not None and event.data.get(ORIGIN) not in (None, asked.gateway.name):
                return  # no gateway answers for another
            self._asked.pop(command_id, None)
            answer = self._awaited.get(command_id)
            if answer is not None and not answer.done():
                answer.set_result(event)

    async def settle(self) -> None:
        """Refuse what can be refused here already; raises StorageError when the ledger can't take that."""
        for event_id, asked in tuple(self._asked.items()):
            if asked.is_checked:
                continue
            try:
                self._check(read_command(asked.event.data, event_id))
            except AlarmError as refusal:
                data = {"command_id": event_id, "message": printable(str(refusal))[:_LONGEST_ANSWER]}
                answer = NewEvent(REFUSED, data, SYSTEM, Source.SYSTEM, self._clock.now())
                await self._ledger.append(asked.event.stream, [answer], None)
            asked.is_checked = True

    def of(self, gateway: str) -> tuple[Order, ...]:
        """Return what a gateway is to carry out or refuse, in the order in which it was asked, in its own names."""
        return tuple(
            Order(event_id, {**asked.event.data, "rule_id": asked.gateway.there(str(asked.event.data["rule_id"]))})
            for event_id, asked in self._asked.items()
            if asked.is_checked and asked.gateway.name == gateway
        )

    def waiting(self, rule_id: str) -> str:
        """Say what has been asked of an alarm and is not answered; empty for nothing."""
        asked = [one for one in self._asked.values() if one.event.data.get("rule_id") == rule_id]
        if not asked:
            return ""
        order, actor = str(asked[-1].event.data.get("order")).replace("_", " "), asked[-1].event.actor.id
        return f"{order} by {actor} waits for gateway {asked[-1].gateway.name}"

    @contextmanager
    def answering(self, event_id: str) -> Iterator[asyncio.Future[Event]]:
        """Give a future of the event that will answer an order."""
        answer = self._awaited[event_id] = asyncio.get_running_loop().create_future()
        try:
            yield answer
        finally:
            del self._awaited[event_id]
            answer.cancel()


def refusal_in(event: Event) -> str | None:
    """Return why an answer refuses; None for one that says what was done."""
    return str(event.data.get("message")) if event.type == REFUSED else None
