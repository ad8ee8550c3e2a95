"""Alarms by ISA-18.2: rules, states, the engine that steps them, and what the ledger keeps of them."""

from cultureops.alarms.engine import AlarmError, AlarmView, Engine, StoredAlarm, Transition
from cultureops.alarms.events import alarm_event, replay
from cultureops.alarms.rule import (
    BatchRef,
    ChamberId,
    ChamberInfo,
    Exposure,
    Kind,
    Priority,
    Rule,
    rules_from,
)
from cultureops.alarms.state import Input, State, step
from cultureops.alarms.text import describe

__all__ = [
    "AlarmError",
    "AlarmView",
    "BatchRef",
    "ChamberId",
    "ChamberInfo",
    "Engine",
    "Exposure",
    "Input",
    "Kind",
    "Priority",
    "Rule",
    "State",
    "StoredAlarm",
    "Transition",
    "alarm_event",
    "describe",
    "replay",
    "rules_from",
    "step",
]
