"""Which alarms are driven, how, and why others are not. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from cultureops.alarms.rule import Kind, Rule
from cultureops.challenge.room import NoRoom, Room
from cultureops.challenge.stimuli import STIMULI
from cultureops.challenge.stimulus import Excused, Stimulus, Why
from cultureops.device.channel import ChannelId

__all__ = ["plan"]


def plan(
    rule: Rule, room: Room, unforced: Mapping[ChannelId, str], untwinned: Mapping[str, str], own: str
) -> Stimulus | Excused:
    """Return how to drive a rule, or why it is not driven.

    ``unforced`` and ``untwinned`` say of channels and devices why they can't be forced or have no twin; ``own`` is the
    device that the program itself is in its own alarms.
    """
    if rule.batch is not None:
        return Excused(rule, Why.BY_INSPECTION, "it watches the clock of a batch's process, which no device shows")
    if rule.device == own:
        return Excused(rule, Why.BY_INSPECTION, "it watches the program and its machine, which no device shows")
    if (reason := untwinned.get(rule.device)) is not None:
        return Excused(rule, Why.NO_SIMULATOR, reason)
    for channel in rule.channels:
        if not room.knows(channel):
            return Excused(rule, Why.BY_INSPECTION, f"no device shows {channel}")
        if (reason := untwinned.get(channel.partition("/")[0])) is not None:
            return Excused(rule, Why.NO_SIMULATOR, reason)
        if (reason := unforced.get(channel)) is not None and rule.kind is not Kind.COMMUNICATION:
            return Excused(rule, Why.NOT_POSSIBLE, reason)
    if (stimulate := STIMULI.get(rule.kind)) is None:
        return Excused(rule, Why.NOT_POSSIBLE, f"no stimulus is known for rules of kind {rule.kind}")
    try:
        return stimulate(rule, room)
    except NoRoom as error:
        return Excused(rule, Why.NOT_POSSIBLE, str(error))
