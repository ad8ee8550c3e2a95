"""What people are told of alarms that a gateway could tell only afterwards: what stands now, and what is past, once.

Pure: transitions and time in, transitions out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from cultureops.alarms.alarm import Transition, What
from cultureops.alarms.state import State
from cultureops.clock import DAY_MS, MINUTE_MS, SECOND_MS, Instant, iso

__all__ = ["UNTOLD_MS", "Hindsight", "Past", "Untold"]

LATE_MS: Final = MINUTE_MS
"""An older transition was not told when it happened [OWN]."""
QUIET_MS: Final = 2 * SECOND_MS
LONGEST_MS: Final = 30 * SECOND_MS
"""Late ones come in a bunch: they are looked at when none has come for a moment, at the latest after this [OWN]."""

UNTOLD_MS: Final = DAY_MS
"""What is older than this when a hub starts again is told nobody as news [OWN]; it stands on record."""


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


class Untold:
    """What a stop of the hub kept from being told: a fold of its ledger, in order."""

    def __init__(self) -> None:
        self._stories: dict[str, list[Transition]] = {}

    def take(self, said: Transition, recorded_at: Instant) -> None:
        """Take a transition of a gateway's alarm that the hub recorded then."""
        if said.from_state is not State.NORMAL:
            if (story := self._stories.get(said.rule.id)) is not None:
                story.append(said)
        elif recorded_at - said.at > LATE_MS:
            self._stories[said.rule.id] = [said]
        else:
            self._stories.pop(said.rule.id, None)

    def told(self, rule_id: str, raised_at: str) -> None:
        """Hear that people were told of an activation [ISO 8601]."""
        if any(iso(one.raised_at) == raised_at for one in self._stories.get(rule_id, ())):
            del self._stories[rule_id]

    def past(self) -> list[Past]:
        """Return what is over and was told nobody; what stands is gone on with wherever alarms stand."""
        over = (story for story in self._stories.values() if story[-1].to_state is State.NORMAL)
        return [past for story in over if (past := _past(story)) is not None]


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
