"""Alarms by ISA-18.2: rules, states, the engine that steps them, and what the ledger keeps of them."""

from cultureops.alarms.alarm import Act, AlarmView, Shelf, StoredAlarm, Transition, What
from cultureops.alarms.engine import Engine
from cultureops.alarms.events import alarm_event, replay
from cultureops.alarms.permission import AlarmError
from cultureops.alarms.rule import (
    AlarmClass,
    BatchRef,
    ChamberId,
    ChamberInfo,
    Exposure,
    Kind,
    Level,
    Priority,
    Rule,
    Suppressor,
    WhenEmpty,
)
from cultureops.alarms.rule_rows import rules_from
from cultureops.alarms.state import Input, State, step
from cultureops.alarms.text import describe

__all__ = [
    "Act",
    "AlarmClass",
    "AlarmError",
    "AlarmView",
    "BatchRef",
    "ChamberId",
    "ChamberInfo",
    "Engine",
    "Exposure",
    "Input",
    "Kind",
    "Level",
    "Priority",
    "Rule",
    "Shelf",
    "State",
    "StoredAlarm",
    "Suppressor",
    "Transition",
    "What",
    "WhenEmpty",
    "alarm_event",
    "describe",
    "replay",
    "rules_from",
    "step",
]
