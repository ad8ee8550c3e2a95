"""What people are told of alarms that a gateway could tell only afterwards: what stands now, and what is past, once.

Pure: transitions and time in, transitions out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from cultureops.alarms.alarm import Transition, What
from cultureops.alarms.state import State
from cultureops.clock import MINUTE_MS, SECOND_MS, Instant

__all__ = ["Hindsight", "Past"]

LATE_MS: Final = MINUTE_MS
"""An older transition was not told when it happened [OWN]."""
QUIET_MS: Final = 2 * SECOND_MS
LONGEST_MS: Final = 30 * SECOND_MS
"""Late ones come in a bunch: they are looked at when none has come for a moment, at the latest after this [OWN]."""


class Past(NamedTuple):
    """An activation that was over before anybody at the hub could hear of it: how it began, and how it ended."""

    raised: Transition
    ended: Transition


@dataclass(slots=True)
class _Bunch:
    first_at: Instant
    last_at: Instant
    transitions: list[Transition]


class Hindsight:
    """Holds back late transitions of a rule until it is clear how the alarm stands, everything behind them as well."""

    def __init__(self) -> None:
        self._bunches: dict[str, _Bunch] = {}

    def take(self, transitions: Sequence[Transition], now: Instant) -> list[Transition]:
        """Return what is to be told at once."""
        fresh: list[Transition] = []
        for one in transitions:
            bunch = self._bunches.get(one.rule.id)
            if bunch is not None:
                bunch.transitions.append(one)
                bunch.last_at = now
            elif now - one.at > LATE_MS:
                self._bunches[one.rule.id] = _Bunch(now, now, [one])
            else:
                fresh.append(one)
        return fresh

    def tick(self, now: Instant) -> tuple[list[Transition], list[Past]]:
        """Return what is to be told as it happened, for it matters now, and what is past."""
        live: list[Transition] = []
        past: list[Past] = []
        for rule_id, bunch in tuple(self._bunches.items()):
            if bunch.first_at <= now < min(bunch.last_at + QUIET_MS, bunch.first_at + LONGEST_MS):
                continue
            del self._bunches[rule_id]
            if (one := _past(bunch.transitions)) is None:
                live += bunch.transitions
            else:
                past.append(one)
        return live, past


def _past(transitions: Sequence[Transition]) -> Past | None:
    """Return the last activation when all of it lies behind, and nothing that was known before goes on into it.

    A GMP-critical alarm that nobody has acknowledged is not past, and neither is one that stands latched.
    """
    first, last = transitions[0], transitions[-1]
    raised = next((one for one in reversed(transitions) if one.what is What.RAISED), None)
    if first.from_state is not State.NORMAL or raised is None:
        return None
    is_over = last.to_state is State.NORMAL or (last.to_state is State.RTN_UNACK and not last.rule.gmp_critical)
    return Past(raised, last) if is_over else None
