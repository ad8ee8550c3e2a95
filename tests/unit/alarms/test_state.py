"""The state table: every pair is defined, and is what ISA-18.2 draws."""

import itertools

import pytest

from cultureops.alarms.state import Input, State, step

PAIRS = list(itertools.product(State, Input))


@pytest.mark.parametrize(("state", "occurrence"), PAIRS)
def test_every_pair_leads_to_a_state(state: State, occurrence: Input) -> None:
    assert step(state, occurrence) in State


@pytest.mark.parametrize(("state", "occurrence"), PAIRS)
def test_each_input_has_its_effect_whatever_the_state(state: State, occurrence: Input) -> None:
    after = step(state, occurrence)
    match occurrence:
        case Input.CONDITION_TRUE:
            assert after.is_active
        case Input.CONDITION_CLEARED:
            assert not after.is_active
            assert after.wants_acknowledgement == state.wants_acknowledgement
        case Input.ACKNOWLEDGE:
            assert not after.wants_acknowledgement
            assert after.is_active == state.is_active
    assert step(after, occurrence) is after


@pytest.mark.parametrize(
    ("path", "end"),
    [
        ("t", "UNACK"),
        ("ta", "ACK"),
        ("tc", "RTN_UNACK"),
        ("tac", "NORMAL"),
        ("tca", "NORMAL"),
        ("tct", "UNACK"),
        ("tat", "ACK"),
        ("a", "NORMAL"),
        ("c", "NORMAL"),
    ],
)
def test_paths_of_the_published_diagram(path: str, end: str) -> None:
    inputs = {"t": Input.CONDITION_TRUE, "c": Input.CONDITION_CLEARED, "a": Input.ACKNOWLEDGE}
    state = State.NORMAL
    for letter in path:
        state = step(state, inputs[letter])
    assert state == end
