"""The alarm rules that a lab watched by over time: those of the site file that was in force at each start.

The ledger keeps each text of the site file; a lab runs on what was in force when it was started.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from cultureops.acquisition import MeasuredChannel
from cultureops.alarms import Rule
from cultureops.alarms.rule import RulesInForce
from cultureops.clock import Instant
from cultureops.config import parse
from cultureops.errors import ConfigError
from cultureops.ledger.event import Event
from cultureops.ledger.generation import STARTED
from cultureops.ledger.generation import STREAM as NODE
from cultureops.ledger.store import Ledger
from cultureops.site_approval import STREAM, text_in_force
from cultureops.site_rules import rules_in

__all__ = ["RuleHistory"]


class RuleHistory:
    """What ``of`` found is kept: another text comes into force by a start of the lab only."""

    def __init__(self, ledger: Ledger, channels: Mapping[str, MeasuredChannel], present: Sequence[Rule]) -> None:
        self._ledger, self._channels, self._present = ledger, channels, tuple(present)
        self._found: tuple[RulesInForce, ...] | None = None

    async def of(self) -> tuple[RulesInForce, ...]:
        """Return the rules in force by time, the present ones last; raises StorageError."""
        if self._found is None:
            self._found = await asyncio.to_thread(self._read)
        return self._found

    def _read(self) -> tuple[RulesInForce, ...]:
        texts, starts = self._ledger.read(STREAM), self._ledger.read(NODE)
        runs = _runs(texts, [event for event in starts if event.type == STARTED])
        former = (RulesInForce(since, self._rules(text)) for since, text in runs[:-1])
        return (*former, RulesInForce(runs[-1][0] if runs else None, self._present))

    def _rules(self, text: str) -> tuple[Rule, ...] | None:
        try:
            return rules_in(parse(text, "former site file"), self._channels)
        except ConfigError:
            return None


def _runs(texts: Sequence[Event], starts: Sequence[Event]) -> list[tuple[Instant | None, str]]:
    """Return from when on the lab ran on which text; starts on an unchanged text are no change."""
    runs: list[tuple[Instant | None, str]] = []
    for start in starts:
        known = text_in_force([event for event in texts if event.position < start.position])
        if known is not None and (not runs or runs[-1][1] != known.text):
            runs.append((start.occurred_at if runs else None, known.text))
    return runs
