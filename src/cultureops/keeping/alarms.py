"""What the commands `alarms list, history, acknowledge, shelve, ...` do and print.

A command on an alarm is an event that the running lab answers within a second: only it knows how the alarm stands.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cultureops.access.roles import PEOPLE
from cultureops.alarms import AlarmError, StoredAlarm, replay
from cultureops.alarms.alarm import Act
from cultureops.alarms.command import COMMAND, MOST_MINUTES, REFUSED, STALE_MS, AlarmCommand, Order
from cultureops.alarms.events import ALARM_EVENT_TYPES, StandingAlarms, alarm_stream
from cultureops.clock import MINUTE_MS, Instant, SystemClock, iso
from cultureops.errors import ConfigError, StorageError
from cultureops.keeping.entry import Entry, entering, history, ledger_of, print_grid, print_json, when
from cultureops.keeping.proof import ALARMS, Secret, proven, recognised
from cultureops.ledger.event import Event, NewEvent, Source
from cultureops.ledger.store import Ledger

__all__ = ["Asked", "command_alarm", "list_alarms", "show_history"]

ANSWER_EVERY_S: Final = 0.1
NEWEST_SHOWN: Final = 50
_DONE: Final = {
    Order.ACKNOWLEDGE: "acknowledged",
    Order.RESET: "reset",
    Order.SHELVE: "shelved",
    Order.TAKE_OUT: "taken out of service",
    Order.RELEASE: "released from its suppression",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of an alarm beside its name: a second person and proof, how long [min], how long to wait [s]."""

    witness: str = ""
    minutes: float = 0.0
    one_shot: bool = False
    wait_s: float = 5.0
    witness_password_file: Path | None = None

    @property
    def witness_secret(self) -> Secret:
        """Where the proof comes from that it is the second person."""
        return Secret(self.witness_password_file, "--witness-password-file")


def list_alarms(data_dir: Path, *, as_json: bool) -> None:
    """Print every alarm that is not back to normal, those that want somebody first."""

    async def read() -> tuple[StandingAlarms, list[int]]:
        async with ledger_of(data_dir, SystemClock()) as ledger:
            events = (event for stream in ledger.streams("alarm:") for event in _newest(ledger, stream))
            standing, unreadable = StandingAlarms(), list[int]()
            for event in sorted(events, key=lambda event: event.position):
                try:
                    standing.apply(event)
                except StorageError:
                    unreadable.append(event.position)
            return standing, unreadable

    standing, unreadable = asyncio.run(read())
    if unreadable:
        where = ", ".join(map(str, unreadable[:10]))
        print(
            f"cultureops: {len(unreadable)} events can't be read and are left out, positions {where}", file=sys.stderr
        )
    alarms, newest = standing.alarms, standing.said
    alarms = tuple(sorted(alarms, key=lambda alarm: (not alarm.state.wants_acknowledgement, alarm.raised_at)))
    if as_json:
        print_json([_as_json(alarm, newest(alarm.rule_id)) for alarm in alarms])
        return
    rows = [
        (
            alarm.rule_id,
            alarm.state.text,
            str(newest(alarm.rule_id)["priority"]),
            iso(alarm.raised_at),
            _who(alarm),
            str(newest(alarm.rule_id)["text"]),
        )
        for alarm in alarms
    ]
    print_grid(("alarm", "state", "priority", "raised", "who", "what"), rows, "no alarm stands")


def _newest(ledger: Ledger, stream: str) -> tuple[Event, ...]:
    """Return what tells how an alarm stands: its events from its last time NORMAL on."""
    return tuple(event for event in ledger.read(stream) if event.type in ALARM_EVENT_TYPES)


def _who(alarm: StoredAlarm) -> str:
    if alarm.shelf is not None:
        until = "" if alarm.shelf.until is None else f" until {iso(alarm.shelf.until)}"
        return f"{alarm.shelf.act.actor_id}{until}"
    return alarm.acknowledged_by or ""


def _as_json(alarm: StoredAlarm, data: Mapping[str, Any]) -> dict[str, Any]:
    shelf = alarm.shelf
    return {
        "rule_id": alarm.rule_id,
        "state": alarm.state.value,
        "is_active": alarm.is_active,
        "priority": data["priority"],
        "gmp_critical": data["gmp_critical"],
        "since": iso(alarm.since),
        "raised_at": iso(alarm.raised_at),
        "returned_at": when(alarm.returned_at),
        "value": alarm.value,
        "unit": data["unit"],
        "acknowledged_by": alarm.acknowledged_by,
        "acknowledged_at": when(alarm.acknowledged_at),
        "shelved_by": None if shelf is None else shelf.act.actor_id,
        "shelved_until": None if shelf is None else when(shelf.until),
        "batch_ids": data["batch_ids"],
        "text": data["text"],
    }


def show_history(data_dir: Path, rule_id: str | None, newest: int, *, as_json: bool) -> None:
    """Print the newest events of one alarm, or of all."""

    async def read() -> list[Event]:
        async with ledger_of(data_dir, SystemClock()) as ledger:
            streams = ledger.streams("alarm:") if rule_id is None else (alarm_stream(rule_id),)
            found = [event for stream in streams for event in ledger.read(stream)]
            return sorted(found, key=lambda event: event.position)[-newest:]

    events = asyncio.run(read())
    if rule_id is not None and not events:
        raise ConfigError(f"nothing was ever recorded of alarm {rule_id[:80]!r}; see `alarms history` without a name")
    if as_json:
        print_json(history(events))
        return
    rows = [
        (iso(event.occurred_at), event.type.removeprefix("alarm_"), str(event.data.get("text") or _told(event)))
        for event in events
    ]
    print_grid(("when", "what", "alarm"), rows, "no alarm was ever raised here")


def _told(event: Event) -> str:
    named = event.stream.removeprefix("alarm:")
    return f"{named}: {event.data.get('message') or event.data.get('order') or ''} {event.reason}".rstrip()


def command_alarm(data_dir: Path, order: Order, rule_id: str, entry: Entry, asked: Asked, *, as_json: bool) -> None:
    """Ask the running lab to carry out an order, and say what became of it.

    Raises ConfigError for what can't be asked, AlarmError when it is refused.
    """
    person, clock = entry.person(), SystemClock()
    if person.role not in PEOPLE:
        raise ConfigError(f"--role: {person.role} does nothing to an alarm; say in which role it is done")
    if not entry.reason.strip():
        raise ConfigError("--reason: an order on an alarm needs its reason")
    if order is Order.SHELVE and not 0 < asked.minutes <= MOST_MINUTES:
        raise ConfigError(f"--minutes: expected how long, above 0 and at most {MOST_MINUTES}, not {asked.minutes:g}")
    act = Act(person.id, entry.reason.strip(), asked.witness.strip(), person.role)

    async def ask() -> tuple[AlarmCommand, Event | None]:
        async with entering(data_dir, clock) as (ledger, desk):
            await proven(desk, person, entry.secret, ALARMS)
            if act.witness_id:
                desk.permit_witness(await recognised(desk, act.witness_id, asked.witness_secret))
            command = AlarmCommand(
                order, rule_id, act, clock.now(), asked.minutes, asked.one_shot, _seen(ledger, order, rule_id)
            )
            said = NewEvent(COMMAND, command.data(), person, Source.HUMAN, command.at, act.reason)
            (event,) = await ledger.append(alarm_stream(rule_id), [said], None)
            return command, await _answer(ledger, event, asked.wait_s)

    command, answer = asyncio.run(ask())
    if answer is not None and answer.type == REFUSED:
        raise AlarmError(str(answer.data["message"]))
    _say(command, answer, as_json=as_json)


def _seen(ledger: Ledger, order: Order, rule_id: str) -> Instant | None:
    """Return which activation an order speaks of; raise AlarmError for an alarm that the record shows as normal."""
    events = ledger.read(alarm_stream(rule_id))
    if not events and order in (Order.ACKNOWLEDGE, Order.RESET, Order.RELEASE):
        raise AlarmError(f"nothing was ever recorded of alarm {rule_id[:80]!r}; take an id from `alarms list`")
    standing = replay(events)
    if order not in (Order.ACKNOWLEDGE, Order.RESET):
        return None
    if not standing:
        raise AlarmError(f"alarm {rule_id} is normal; there is nothing to {order}")
    return standing[0].raised_at


async def _answer(ledger: Ledger, asked: Event, wait_s: float) -> Event | None:
    """Wait for the lab's answer to a command; None when none came in time."""
    give_up = time.monotonic() + wait_s
    while True:
        for event in ledger.read(asked.stream, asked.version):
            if event.data.get("command_id") == asked.event_id:
                return event
        if time.monotonic() >= give_up:
            return None
        await asyncio.sleep(ANSWER_EVERY_S)


def _say(command: AlarmCommand, answer: Event | None, *, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "rule_id": command.rule_id,
                "order": command.order.value,
                "is_done": answer is not None,
                "state": None if answer is None else answer.data["to_state"],
            }
        )
    elif answer is None:
        until = "" if command.order is Order.ACKNOWLEDGE else f", within {STALE_MS // MINUTE_MS} min"
        print(f"{command.rule_id}: recorded; no lab has answered, it is carried out as soon as one runs{until}")
    else:
        print(f"{command.rule_id}: {_DONE[command.order]}; {answer.data['text']}")
