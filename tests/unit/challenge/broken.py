"""Ways to break the alarm engine that a challenge must find; each takes the test's own patch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from cultureops.alarms.alarm import Alarm, Transition
from cultureops.alarms.guard import Guard, LimitGuard
from cultureops.alarms.rule import Rule
from cultureops.alarms.state import State
from cultureops.alarms.suppression import Window

__all__ = ["Breaking", "bad_restarts", "door_for_ever", "only_in", "raises_once", "shifted"]

Breaking = Callable[[pytest.MonkeyPatch], None]


def door_for_ever(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Window, "holds", lambda self, now: self.began is not None)


def raises_once(patch: pytest.MonkeyPatch) -> None:
    honest = Alarm.begin

    def begin(self: Alarm, at: int, since: int, value: float | None, cause: str) -> Transition:
        if self.returned_at is None:
            return honest(self, at, since, value, cause)
        self.is_active = True
        return self._noted(at, cause, since)

    patch.setattr(Alarm, "begin", begin)


def bad_restarts(patch: pytest.MonkeyPatch) -> None:
    honest = LimitGuard.take

    def take(self: LimitGuard, channel: str, value: float | None, at: int, found: list[Transition]) -> None:
        honest(self, channel, value, at, found)
        if value is None and channel == self.rule.channel:
            self.watch.since = None

    patch.setattr(LimitGuard, "take", take)


def only_in(state: State) -> Breaking:
    """Let what time ends be forgotten in one state: a shelving that never ends, a re-alarm that never comes."""

    def patched(patch: pytest.MonkeyPatch) -> None:
        honest = Guard.settle_times

        def settle_times(self: Guard, now: int, found: list[Transition]) -> None:
            if self.alarm.state is not state:
                honest(self, now, found)

        patch.setattr(Guard, "settle_times", settle_times)

    return patched


def shifted(share: float) -> Breaking:
    def patched(patch: pytest.MonkeyPatch) -> None:
        honest = LimitGuard.__init__

        def init(self: LimitGuard, one: Rule, *args: Any) -> None:
            honest(self, one, *args)
            self.watch.bound += share * abs(one.limit or 0.0)

        patch.setattr(LimitGuard, "__init__", init)

    return patched
