"""A timeline answers as a plain fold over what had happened by then would, in whatever order it was told."""

from hypothesis import given
from hypothesis import strategies as st

from cultureops.field import Details
from cultureops.timeline import Happening, Timeline

TOLD = st.lists(st.integers(0, 6), max_size=12).flatmap(lambda times: st.permutations(list(enumerate(times, 1))))


@given(TOLD, st.integers(-1, 7))
def test_it_is_the_fold_by_time_and_then_by_position(told: list[tuple[int, int]], at: int) -> None:
    timeline: Timeline[tuple[int, ...]] = Timeline((), lambda state, happened: (*state, happened.position))
    for position, time in told:
        timeline.add(Happening(time, position, Details(), ""))
    by_time = sorted((time, position) for position, time in told)
    assert timeline.at(at) == tuple(position for time, position in by_time if time <= at)
