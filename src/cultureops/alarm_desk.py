"""Where people act on alarms: from a page at once, from another process by an event that is answered here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Protocol

import structlog

from cultureops.access import Role
from cultureops.alarms import AlarmError, AlarmView, Engine, Transition
from cultureops.alarms.alarm import Act
from cultureops.alarms.alarms import Alarms
from cultureops.alarms.command import COMMAND, REFUSED, AlarmCommand, Order, carry_out, read_command
from cultureops.alarms.events import alarm_stream
from cultureops.alarms.journal import SYSTEM, AlarmJournal
from cultureops.alarms.permission import is_critical_now
from cultureops.batch.register import BatchRegister
from cultureops.clock import Clock, Instant
from cultureops.errors import StorageError
from cultureops.field import printable
from cultureops.ledger.event import Actor, Event, NewEvent, Source, draft
from cultureops.ledger.store import Ledger
from cultureops.notify.link import LinkRefused, Links, check_activation

__all__ = ["AlarmDesk", "LinkDesk"]

log = structlog.get_logger(__name__)

LONGEST_ANSWER: Final = 500


class Elsewhere(Protocol):
    """Alarms that others watch, and who has orders carried to them."""

    def is_followed(self, rule_id: str) -> bool:
        """Whether a rule is one of theirs."""
        ...

    async def carry_out(self, command: AlarmCommand) -> AlarmView | None:
        """Have a command carried out; see ``AlarmDesk.carry_out``."""
        ...


class AlarmDesk:
    """Carries out what people ask of alarms, in their names."""

    def __init__(
        self,
        engine: Engine,
        journal: AlarmJournal,
        ledger: Ledger,
        clock: Clock,
        batches: BatchRegister,
        on_transitions: Callable[[Sequence[Transition]], None],
        elsewhere: Elsewhere,
    ) -> None:
        self._elsewhere = elsewhere
        self._engine = engine
        self._journal = journal
        self._ledger = ledger
        self._clock = clock
        self._batches = batches
        self._on_transitions = on_transitions
        self._asked: dict[str, Event] = {}

    async def carry_out(self, command: AlarmCommand) -> AlarmView | None:
        """Carry out a command and have it recorded; raises CultureOpsError when it can't be.

        Returns the alarm as it stands, or None when it is back to normal.
        """
        if self._elsewhere.is_followed(command.rule_id):
            _check_recordable(command, self._clock.now())
            return await self._elsewhere.carry_out(command)
        self._obey(command)
        await self._journal.drain_orders()
        return next((view for view in self._engine.active() if view.rule.id == command.rule_id), None)

    def _obey(self, command: AlarmCommand) -> None:
        now = self._clock.now()
        _check_recordable(command, now)
        transition = carry_out(self._engine, command, now, is_critical=self._is_critical(command.rule_id, now))
        self._on_transitions((transition,))

    def take(self, event: Event) -> None:
        """Take an event of the ledger, in order: a command of another process waits until it is answered."""
        if event.type == COMMAND:
            if not self._elsewhere.is_followed(str(event.data.get("rule_id"))):
                self._asked[_command_id(event)] = event
        elif event.stream.startswith("alarm:"):
            self._asked.pop(str(event.data.get("command_id")), None)

    async def settle(self) -> None:
        """Answer the commands of other processes; raises StorageError when the ledger can't take an answer."""
        for command_id, event in tuple(self._asked.items()):
            try:
                self._obey(read_command(event.data, command_id))
            except AlarmError as refusal:
                await self._refuse(event, str(refusal))
            except Exception as error:  # whatever another process wrote, it must not hold up the record
                log.error("a command on an alarm can't be carried out", command=command_id, exc_info=error)
                await self._refuse(event, f"it can't be carried out: {type(error).__name__}; give it again")
            # What the engine took is in the journal's queue: a ledger that fails now must not have it taken twice.
            self._asked.pop(command_id, None)
        await self._journal.drain_orders()

    async def _refuse(self, event: Event, why: str) -> None:
        data = {"command_id": _command_id(event), "message": printable(why)[:LONGEST_ANSWER]}
        answer = NewEvent(REFUSED, data, SYSTEM, Source.SYSTEM, self._clock.now())
        await self._ledger.append(event.stream, [answer], None)

    def _is_critical(self, rule_id: str, now: Instant) -> bool:
        """Whether a live batch is at stake."""
        view = self._engine.view(rule_id)
        if view is None:
            return False
        return is_critical_now(view.rule, self._batches.exposed, now, is_known=self._batches.is_known(now))


def _command_id(event: Event) -> str:
    """Return what an answer is to name: the order's event, which for one that came down from a hub is the hub's."""
    return str(event.data.get("command_id") or event.event_id)


class LinkDesk:
    """Where one-time links are opened; ``links`` is None on a site that sends none."""

    def __init__(self, desk: AlarmDesk, alarms: Alarms, ledger: Ledger, clock: Clock, links: Links | None) -> None:
        self._desk = desk
        self._alarms = alarms
        self._ledger = ledger
        self._clock = clock
        self._links = links

    def shown(self, token: str) -> tuple[str, AlarmView]:
        """Return for whom a link was made, and the alarm; uses nothing up. Raises LinkRefused."""
        ticket = self._known().read_token(token, self._clock.now())
        view = self._alarms.view(ticket.rule_id)
        check_activation(ticket, view)
        assert view is not None
        return ticket.person, view

    async def used(self, token: str, reason: str) -> AlarmView | None:
        """Acknowledge in the name of whoever the link was sent to, once; raises CultureOpsError.

        Returns the alarm as it stands, or None when it is back to normal.
        """
        links, now = self._known(), self._clock.now()
        ticket = links.read_token(token, now)
        act = Act(ticket.person, reason, role=Role.OPERATOR)
        command = AlarmCommand(Order.ACKNOWLEDGE, ticket.rule_id, act, now, raised_at=ticket.raised_at)
        _check_recordable(command, now)
        await links.spend(self._ledger, ticket, self._alarms.view(ticket.rule_id), now)
        return await self._desk.carry_out(command)

    def _known(self) -> Links:
        if self._links is None:
            raise LinkRefused("this site sends no links; acknowledge on the page of alarms")
        return self._links


def _check_recordable(command: AlarmCommand, now: Instant) -> None:
    """Refuse what the ledger would refuse: a transition made of it would wait at the ledger for ever."""
    act = command.act
    said = NewEvent(
        COMMAND, command.data(), Actor(act.actor_id, act.role or Role.OPERATOR), Source.HUMAN, now, act.reason
    )
    try:
        draft(said, alarm_stream(command.rule_id), "none yet", now, "none yet")
    except StorageError as error:
        raise AlarmError(f"alarm {printable(command.rule_id)[:80]}: {printable(str(error))[:LONGEST_ANSWER]}") from None
