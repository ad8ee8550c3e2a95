"""The alarm states of ISA-18.2 / IEC 62682 as one table: pure, total, and all there is to know about them."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

__all__ = ["Input", "State", "step"]


class State(StrEnum):
    """Where an alarm stands: is the condition there, and has somebody acknowledged it."""

    NORMAL = "NORMAL"
    UNACK = "UNACK"
    ACK = "ACK"
    RTN_UNACK = "RTN_UNACK"
    # LATCH_UNACK and LATCH_ACK join here as further rows of the table. SHELVED, SUPPRESSED_BY_DESIGN and
    # OUT_OF_SERVICE lie beside it: a suppressed alarm goes on being stepped and is only not announced.

    @property
    def is_active(self) -> bool:
        """Whether the condition is there."""
        return self in _ACTIVE

    @property
    def wants_acknowledgement(self) -> bool:
        """Whether somebody has still to say that they saw it."""
        return self in _UNACKNOWLEDGED


class Input(StrEnum):
    """What can happen to an alarm."""

    CONDITION_TRUE = "condition_true"
    CONDITION_CLEARED = "condition_cleared"
    ACKNOWLEDGE = "acknowledge"


_ACTIVE: Final = frozenset({State.UNACK, State.ACK})
_UNACKNOWLEDGED: Final = frozenset({State.UNACK, State.RTN_UNACK})

_TABLE: Final[dict[tuple[State, Input], State]] = {
    (State.NORMAL, Input.CONDITION_TRUE): State.UNACK,
    (State.NORMAL, Input.CONDITION_CLEARED): State.NORMAL,
    (State.NORMAL, Input.ACKNOWLEDGE): State.NORMAL,
    (State.UNACK, Input.CONDITION_TRUE): State.UNACK,
    (State.UNACK, Input.CONDITION_CLEARED): State.RTN_UNACK,
    (State.UNACK, Input.ACKNOWLEDGE): State.ACK,
    (State.ACK, Input.CONDITION_TRUE): State.ACK,
    (State.ACK, Input.CONDITION_CLEARED): State.NORMAL,
    (State.ACK, Input.ACKNOWLEDGE): State.ACK,
    (State.RTN_UNACK, Input.CONDITION_TRUE): State.UNACK,
    (State.RTN_UNACK, Input.CONDITION_CLEARED): State.RTN_UNACK,
    (State.RTN_UNACK, Input.ACKNOWLEDGE): State.NORMAL,
}


def step(state: State, occurrence: Input) -> State:
    """Return the state after the input; defined for every pair.

    Source: ISA-18.2 / IEC 62682 state model, with the transitions of OPC 10000-9 for unlatched alarms.
    """
    return _TABLE[state, occurrence]
