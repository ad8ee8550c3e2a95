"""What pages, gates and outlets ask of alarms, whoever watches for them: this lab's engine, a gateway, or both."""

from __future__ import annotations

from typing import Protocol

from cultureops.alarms.alarm import AlarmView
from cultureops.alarms.rule import Rule

__all__ = ["Alarms", "Joined"]


class Alarms(Protocol):
    """Alarms as they stand."""

    @property
    def rules(self) -> tuple[Rule, ...]:
        """Every rule, in the order in which they were added."""
        ...

    def view(self, rule_id: str) -> AlarmView | None:
        """Return an alarm as it stands, NORMAL or not; None where there is no such rule."""
        ...

    def active(self) -> tuple[AlarmView, ...]:
        """Return every alarm that is announced, in the order of the rules."""
        ...

    def suppressed(self) -> tuple[AlarmView, ...]:
        """Return every alarm that is shelved, suppressed by design or out of service, in the order of the rules."""
        ...


class Joined:
    """The alarms of several who watch, as those of one; the first that has a rule tells of it."""

    def __init__(self, *watchers: Alarms) -> None:
        self._watchers = watchers

    @property
    def rules(self) -> tuple[Rule, ...]:
        """See Alarms."""
        return tuple(rule for watcher in self._watchers for rule in watcher.rules)

    def view(self, rule_id: str) -> AlarmView | None:
        """See Alarms."""
        views = (watcher.view(rule_id) for watcher in self._watchers)
        return next((view for view in views if view is not None), None)

    def active(self) -> tuple[AlarmView, ...]:
        """See Alarms."""
        return tuple(view for watcher in self._watchers for view in watcher.active())

    def suppressed(self) -> tuple[AlarmView, ...]:
        """See Alarms."""
        return tuple(view for watcher in self._watchers for view in watcher.suppressed())
