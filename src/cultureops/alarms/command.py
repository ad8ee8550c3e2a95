"""What a person can ask of an alarm, from a page, a link or another process, and how it is carried out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from cultureops.alarms.alarm import Act, Transition
from cultureops.alarms.engine import Engine
from cultureops.alarms.permission import AlarmError
from cultureops.clock import MINUTE_MS, Instant, iso, parse_iso
from cultureops.errors import ConfigError
from cultureops.ledger.event import JsonValue

__all__ = ["COMMAND", "REFUSED", "AlarmCommand", "Order", "carry_out", "read_command"]

COMMAND: Final = "alarm_command"
"""The event by which another process asks the running lab."""
REFUSED: Final = "alarm_command_refused"
MOST_MINUTES: Final = 1440
"""No shelving is asked for longer; rules allow less."""
STALE_MS: Final = 15 * MINUTE_MS
"""An order of another process that no lab took for so long is not carried out any more; an acknowledgement, which names
the activation that was seen, is."""


class Order(StrEnum):
    """What is asked."""

    ACKNOWLEDGE = "acknowledge"
    RESET = "reset"
    SHELVE = "shelve"
    TAKE_OUT = "take_out"
    RELEASE = "release"

    @property
    def text(self) -> str:
        """What a person reads."""
        return self.value.replace("_", " ")


@dataclass(frozen=True, slots=True)
class AlarmCommand:
    """One order on one alarm.

    ``minutes`` is how long a shelving lasts from ``at`` [ms UTC], ``one_shot`` ends it with the condition.
    ``raised_at`` is the activation that the person saw [ms UTC]; None does not ask which one it is.
    """

    order: Order
    rule_id: str
    act: Act
    at: Instant
    minutes: float = 0.0
    one_shot: bool = False
    raised_at: Instant | None = None

    def data(self) -> dict[str, JsonValue]:
        """Write it as an event's data."""
        return {
            "order": self.order.value,
            "rule_id": self.rule_id,
            "actor_id": self.act.actor_id,
            "role": self.act.role,
            "reason": self.act.reason,
            "witness_id": self.act.witness_id,
            "at": iso(self.at),
            "minutes": self.minutes,
            "one_shot": self.one_shot,
            "raised_at": None if self.raised_at is None else iso(self.raised_at),
        }


def read_command(data: Mapping[str, JsonValue], command_id: str) -> AlarmCommand:
    """Read what another process recorded; raises AlarmError for what is no command."""
    try:
        raised_at, minutes = data.get("raised_at"), data.get("minutes", 0.0)
        if isinstance(minutes, bool) or not isinstance(minutes, int | float) or not 0 <= minutes <= MOST_MINUTES:
            raise ValueError(f"minutes: expected a number from 0 to {MOST_MINUTES}")
        at = parse_iso(str(data["at"]))
        if at < 0:
            raise ValueError("at: expected a time from 1970 on")
        return AlarmCommand(
            Order(str(data["order"])),
            str(data["rule_id"]),
            Act(
                str(data["actor_id"]),
                str(data["reason"]),
                str(data.get("witness_id") or ""),
                str(data.get("role") or ""),
                command_id,
            ),
            at,
            float(minutes),
            data.get("one_shot") is True,
            None if raised_at is None else parse_iso(str(raised_at)),
        )
    except (KeyError, ValueError, OverflowError, ConfigError) as error:
        raise AlarmError(f"command {command_id} on an alarm can't be read: {error}; give it again") from None


def carry_out(engine: Engine, command: AlarmCommand, now: Instant, *, is_critical: bool = False) -> Transition:
    """Carry out a command; raises AlarmError in one line when it can't be.

    ``is_critical``: a live batch is at stake, whatever the rule says of itself. A shelving is counted from when it was
    asked for; one that would be over by now is refused.
    """
    view = engine.view(command.rule_id)
    if view is not None and command.raised_at is not None and command.raised_at != view.raised_at:
        raise AlarmError(f"alarm {command.rule_id} was raised anew at {iso(view.raised_at)}; look at it again first")
    if now - command.at > STALE_MS and command.order is not Order.ACKNOWLEDGE:
        raise AlarmError(
            f"alarm {command.rule_id}: {command.order.text} was asked for at {iso(command.at)}, too long ago; ask again"
        )
    match command.order:
        case Order.ACKNOWLEDGE:
            return engine.acknowledge(command.rule_id, now, command.act)
        case Order.RESET:
            return engine.reset(command.rule_id, now, command.act)
        case Order.TAKE_OUT:
            return engine.take_out(command.rule_id, now, command.act, is_critical=is_critical)
        case Order.RELEASE:
            return engine.release(command.rule_id, now, command.act)
        case Order.SHELVE:
            if not 0 < command.minutes <= MOST_MINUTES:
                raise AlarmError(f"alarm {command.rule_id}: expected minutes from 0 to {MOST_MINUTES}")
            began = min(command.at, now)
            until = began + round(command.minutes * MINUTE_MS)
            if began < now >= until:
                raise AlarmError(
                    f"alarm {command.rule_id}: a shelving asked for at {iso(began)} is over by now; ask again"
                )
            return engine.shelve(
                command.rule_id, now, command.act, until, one_shot=command.one_shot, is_critical=is_critical
            )
