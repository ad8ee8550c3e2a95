"""The state table: every pair is defined, and is what ISA-18.2 draws."""

import itertools

import pytest

from cultureops.alarms.state import Input, State, step

_RELEASES = {
    Input.RELEASE_ACTIVE: State.UNACK,
    Input.RELEASE_QUIET: State.NORMAL,
    Input.RELEASE_LATCHED: State.LATCH_UNACK,
}
PAIRS = list(itertools.product(State, Input))


@pytest.mark.parametrize(("state", "occurrence"), PAIRS)
def test_every_pair_leads_to_a_state(state: State, occurrence: Input) -> None:
    assert step(state, occurrence) in State


@pytest.mark.parametrize("latching", [False, True])
@pytest.mark.parametrize(("state", "occurrence"), PAIRS)
def test_each_input_has_its_effect_whatever_the_state(state: State, occurrence: Input, latching: bool) -> None:
    after = step(state, occurrence, latching=latching)
    if state.is_suppressed and occurrence in (Input.CONDITION_TRUE, Input.CONDITION_CLEARED, Input.ACKNOWLEDGE):
        assert after is state
    elif state.is_suppressed:
        assert after.is_suppressed == (occurrence not in _RELEASES)
    match occurrence:
        case Input.CONDITION_TRUE:
            assert after.is_active or state.is_suppressed
        case Input.CONDITION_CLEARED:
            assert not after.is_active
            assert after.wants_acknowledgement == state.wants_acknowledgement
        case Input.ACKNOWLEDGE:
            assert not after.wants_acknowledgement
            assert after.is_active == state.is_active
        case Input.SHELVE:
            assert after is (State.OUT_OF_SERVICE if state is State.OUT_OF_SERVICE else State.SHELVED)
        case Input.TAKE_OUT:
            assert after is State.OUT_OF_SERVICE
        case Input.SUPPRESS:
            assert after is (State.SUPPRESSED_BY_DESIGN if state is State.NORMAL else state)
        case Input.RESET:
            assert after is (State.NORMAL if state is State.LATCH_ACK else state)
        case Input.REALARM:
            assert after is (State.UNACK if state is State.ACK else state)
        case _:
            assert after is (_RELEASES[occurrence] if state.is_suppressed else state)
    assert step(after, occurrence, latching=latching) is after


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


@pytest.mark.parametrize(
    ("path", "end"),
    [
        ("tc", "LATCH_UNACK"),
        ("tca", "LATCH_ACK"),
        ("tac", "LATCH_ACK"),
        ("tcr", "LATCH_UNACK"),
        ("tacr", "NORMAL"),
        ("tar", "ACK"),
        ("tact", "UNACK"),
    ],
)
def test_a_latched_alarm_stays_until_it_is_acknowledged_and_reset(path: str, end: str) -> None:
    inputs = {"t": Input.CONDITION_TRUE, "c": Input.CONDITION_CLEARED, "a": Input.ACKNOWLEDGE, "r": Input.RESET}
    state = State.NORMAL
    for letter in path:
        state = step(state, inputs[letter], latching=True)
    assert state == end
