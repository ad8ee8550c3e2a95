"""The alarm states of ISA-18.2 / IEC 62682 as one table: pure, total, and all there is to know about them."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

__all__ = ["ANNOUNCED", "SUPPRESSED", "Input", "State", "step"]


class State(StrEnum):
    """Where an alarm stands: is the condition there, has somebody acknowledged it, is it suppressed.

    A latched alarm keeps standing after its condition is gone, until somebody resets it. A suppressed one goes on being
    evaluated and recorded, and is not announced.
    """

    NORMAL = "NORMAL"
    UNACK = "UNACK"
    ACK = "ACK"
    RTN_UNACK = "RTN_UNACK"
    LATCH_UNACK = "LATCH_UNACK"
    LATCH_ACK = "LATCH_ACK"
    SHELVED = "SHELVED"
    SUPPRESSED_BY_DESIGN = "SUPPRESSED_BY_DESIGN"
    OUT_OF_SERVICE = "OUT_OF_SERVICE"

    @property
    def is_active(self) -> bool:
        """Whether the state says that the condition is there; that of a suppressed alarm says nothing of it."""
        return self in _ACTIVE

    @property
    def wants_acknowledgement(self) -> bool:
        """Whether somebody has still to say that they saw it."""
        return self in _UNACKNOWLEDGED

    @property
    def text(self) -> str:
        """What a person reads."""
        return _TEXTS[self]

    @property
    def is_suppressed(self) -> bool:
        """Whether it is evaluated without being announced."""
        return self in SUPPRESSED


class Input(StrEnum):
    """What can happen to an alarm.

    The end of a suppression is one of three: with its condition there, without, or without it but latched meanwhile.
    """

    CONDITION_TRUE = "condition_true"
    CONDITION_CLEARED = "condition_cleared"
    ACKNOWLEDGE = "acknowledge"
    RESET = "reset"
    REALARM = "realarm"
    SHELVE = "shelve"
    SUPPRESS = "suppress"
    TAKE_OUT = "take_out"
    RELEASE_ACTIVE = "release_active"
    RELEASE_QUIET = "release_quiet"
    RELEASE_LATCHED = "release_latched"


_TEXTS: Final = {
    State.NORMAL: "normal",
    State.UNACK: "unacknowledged",
    State.ACK: "acknowledged",
    State.RTN_UNACK: "returned, unacknowledged",
    State.LATCH_UNACK: "latched, unacknowledged",
    State.LATCH_ACK: "latched, acknowledged",
    State.SHELVED: "shelved",
    State.SUPPRESSED_BY_DESIGN: "suppressed by design",
    State.OUT_OF_SERVICE: "out of service",
}
_ACTIVE: Final = frozenset({State.UNACK, State.ACK})
_UNACKNOWLEDGED: Final = frozenset({State.UNACK, State.RTN_UNACK, State.LATCH_UNACK})
SUPPRESSED: Final = frozenset({State.SHELVED, State.SUPPRESSED_BY_DESIGN, State.OUT_OF_SERVICE})
ANNOUNCED: Final = frozenset(State) - SUPPRESSED - {State.NORMAL}

_UNLATCHED: Final[dict[tuple[State, Input], State]] = {
    (State.NORMAL, Input.CONDITION_TRUE): State.UNACK,
    (State.UNACK, Input.CONDITION_CLEARED): State.RTN_UNACK,
    (State.UNACK, Input.ACKNOWLEDGE): State.ACK,
    (State.ACK, Input.CONDITION_CLEARED): State.NORMAL,
    (State.ACK, Input.REALARM): State.UNACK,
    (State.RTN_UNACK, Input.CONDITION_TRUE): State.UNACK,
    (State.RTN_UNACK, Input.ACKNOWLEDGE): State.NORMAL,
    (State.LATCH_UNACK, Input.CONDITION_TRUE): State.UNACK,
    (State.LATCH_UNACK, Input.ACKNOWLEDGE): State.LATCH_ACK,
    (State.LATCH_ACK, Input.CONDITION_TRUE): State.UNACK,
    (State.LATCH_ACK, Input.RESET): State.NORMAL,
    # What has been announced is not hidden by an open door: suppression by design keeps an alarm from being raised.
    (State.NORMAL, Input.SUPPRESS): State.SUPPRESSED_BY_DESIGN,
    **{(state, Input.SHELVE): State.SHELVED for state in State if state is not State.OUT_OF_SERVICE},
    **{(state, Input.TAKE_OUT): State.OUT_OF_SERVICE for state in State},
    **{(state, Input.RELEASE_ACTIVE): State.UNACK for state in SUPPRESSED},
    **{(state, Input.RELEASE_QUIET): State.NORMAL for state in SUPPRESSED},
    **{(state, Input.RELEASE_LATCHED): State.LATCH_UNACK for state in SUPPRESSED},
}
"""What an input changes; a pair that is not here changes nothing."""

_LATCHED: Final = _UNLATCHED | {
    (State.UNACK, Input.CONDITION_CLEARED): State.LATCH_UNACK,
    (State.ACK, Input.CONDITION_CLEARED): State.LATCH_ACK,
}


def step(state: State, occurrence: Input, *, latching: bool = False) -> State:
    """Return the state after the input; defined for every pair.

    Source: ISA-18.2 / IEC 62682 state model with the transitions of OPC 10000-9. Beside it, ours: suppression by design
    takes hold of a NORMAL alarm only.
    """
    return (_LATCHED if latching else _UNLATCHED).get((state, occurrence), state)
