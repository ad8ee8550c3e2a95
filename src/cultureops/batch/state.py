"""The states of a batch."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["State"]


class State(StrEnum):
    """Where a batch is, in the order of the process; ``step`` is the number that the store keeps.

    A frozen product passes from CRYO to WASHED between HARVESTED and RESUSPENDED, with LABELLING as a branch.
    """

    step: int

    def __new__(cls, name: str, step: int) -> State:
        """Give a state its number; a number once used keeps its meaning in what is stored."""
        state = str.__new__(cls, name)
        state._value_ = name
        state.step = step
        return state

    CREATED = "CREATED", 0
    RECEIVED = "RECEIVED", 1
    ISOLATED = "ISOLATED", 2
    CULTURE = "CULTURE", 3
    HARVESTED = "HARVESTED", 4
    CRYO = "CRYO", 14
    THAW_AUTHORISED = "THAW_AUTHORISED", 15
    IN_TRANSFER = "IN_TRANSFER", 16
    RECEIVED_LAB = "RECEIVED_LAB", 17
    THAWED = "THAWED", 18
    WASHED = "WASHED", 19
    LABELLING = "LABELLING", 20
    RESUSPENDED = "RESUSPENDED", 5
    FORMULATED = "FORMULATED", 6
    REVIEWED = "REVIEWED", 7
    RELEASED = "RELEASED", 8
    CONDITIONALLY_RELEASED = "CONDITIONALLY_RELEASED", 21
    SHIPPED = "SHIPPED", 9
    RECEIVED_AT_SITE = "RECEIVED_AT_SITE", 10
    ADMINISTERED = "ADMINISTERED", 11
    CLOSED = "CLOSED", 12
    HOLD = "HOLD", 22
    REJECTED = "REJECTED", 13
    RECALLED = "RECALLED", 23
    DESTROYED = "DESTROYED", 24
