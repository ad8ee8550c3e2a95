"""How alarms of each priority escalate. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from cultureops.alarms.rule import Priority
from cultureops.notify.roster import EVERYBODY

__all__ = ["CRITICAL", "DEFAULT", "EscalationLevel", "Policies", "Policy"]

CRITICAL: Final = "gmp_critical"


@dataclass(frozen=True, slots=True)
class EscalationLevel:
    """Who is called so long after an alarm was raised, and how often again until it is acknowledged (0: once)."""

    delay_s: float
    who: tuple[str, ...]
    repeat_every_s: float = 0.0

    @property
    def delay_ms(self) -> int:
        """The delay [ms]."""
        return round(self.delay_s * 1000)

    @property
    def repeat_every_ms(self) -> int:
        """The time between repeats [ms], 0 for none."""
        return round(self.repeat_every_s * 1000)


@dataclass(frozen=True, slots=True)
class Policy:
    """The levels of one kind of alarm, by delay; without any it is shown on the pages only."""

    name: str
    levels: tuple[EscalationLevel, ...]


@dataclass(frozen=True, slots=True)
class Policies:
    """One policy for GMP-critical alarms, and one for each priority."""

    critical: Policy
    by_priority: Mapping[Priority, Policy]

    def of(self, priority: Priority, *, gmp_critical: bool) -> Policy:
        """Return the policy of an alarm."""
        return self.critical if gmp_critical else self.by_priority[priority]


def _default() -> Policies:
    urgent = (EscalationLevel(0, (EVERYBODY,), 900),)
    return Policies(
        Policy(CRITICAL, (EscalationLevel(0, (EVERYBODY,), 300),)),
        {
            Priority.HIGH: Policy(Priority.HIGH, urgent),
            Priority.MEDIUM: Policy(Priority.MEDIUM, (EscalationLevel(0, (EVERYBODY,)),)),
            Priority.LOW: Policy(Priority.LOW, ()),
        },
    )


DEFAULT: Final = _default()
"""Of a site that names routes and people and no escalation [OWN]."""
