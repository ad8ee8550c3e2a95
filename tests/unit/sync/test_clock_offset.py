"""The bound on how far two clocks are apart holds whatever the ways of question and answer took."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cultureops.sync.clock_offset import ClockOffset, Exchange, clock_offset, narrower

START = 1_767_600_000_000
ways = st.integers(0, 60_000)


def exchange(ahead_ms: int, there_ms: int, thinking_ms: int, back_ms: int) -> Exchange:
    """What two clocks show, the gateway's ``ahead_ms`` ahead of the hub's."""
    received = START + there_ms
    answered = received + thinking_ms
    return Exchange(START + ahead_ms, received, answered, answered + back_ms + ahead_ms)


@given(st.integers(-(10**9), 10**9), ways, ways, ways)
def test_the_true_offset_is_within_the_bound(ahead_ms: int, there: int, thinking: int, back: int) -> None:
    found = clock_offset(exchange(ahead_ms, there, thinking, back))
    assert found is not None
    assert abs(found.offset_ms - ahead_ms) <= found.uncertainty_ms <= (there + back) / 2 + 2


@pytest.mark.parametrize(
    ("there", "back", "found"),
    [(10, 10, ClockOffset(7000, 11)), (0, 500, ClockOffset(7250, 251)), (500, 0, ClockOffset(6750, 251))],
)
def test_known_offsets(there: int, back: int, found: ClockOffset) -> None:
    assert clock_offset(exchange(7000, there, 40, back)) == found
    assert found.least_ms == abs(found.offset_ms) - found.uncertainty_ms


def test_a_clock_that_is_set_meanwhile_says_nothing() -> None:
    assert clock_offset(Exchange(START, START, START, START - 1)) is None
    assert clock_offset(Exchange(START, START + 5, START + 4, START + 60)) is None


def test_the_narrower_offset_is_believed_until_it_can_not_be_true() -> None:
    narrow, wide, far = ClockOffset(100, 5), ClockOffset(180, 90), ClockOffset(400, 90)
    assert narrower(None, wide) == wide
    assert narrower(narrow, wide) == narrow
    assert narrower(wide, narrow) == narrow
    assert narrower(narrow, far) == far
    assert far.differs(narrow, 200) and not far.differs(narrow, 205)
