import pytest
from hypothesis import given
from hypothesis import strategies as st

from cultureops.analysis.storage_clock import Interval, time_out_of_storage
from cultureops.clock import MINUTE_MS

NOON = 1_767_614_400_000
HOLD_S = 60 * 60.0


def at(minute: float) -> int:
    return NOON + round(minute * MINUTE_MS)


def test_intervals_add_up() -> None:
    """Out of the incubator 12 min for a count, 25 min for a medium change, 3 min to the shipper."""
    out = [Interval(at(0), at(12)), Interval(at(100), at(125)), Interval(at(300), at(303))]
    found = time_out_of_storage(out, HOLD_S, at(400))
    assert (found.total_s, found.unknown_s, found.left_s) == (40 * 60, 0, 20 * 60)
    assert found.is_within and found.runs_out_at is None


def test_the_clock_runs_while_the_product_is_out() -> None:
    out = [Interval(at(0), at(12)), Interval(at(100), None)]
    found = time_out_of_storage(out, HOLD_S, at(130))
    assert (found.total_s, found.is_within, found.runs_out_at) == (42 * 60, True, at(148))
    late = time_out_of_storage(out, HOLD_S, at(150))
    assert (late.total_s, late.is_within, late.left_s, late.runs_out_at) == (62 * 60, False, -120, at(148))


def test_an_unknown_interval_counts_in_full() -> None:
    """The shipper's logger failed for 50 of 80 minutes: whether it was cold nobody knows."""
    out = [Interval(at(0), at(15)), Interval(at(20), at(70), known=False)]
    found = time_out_of_storage(out, HOLD_S, at(90))
    assert (found.total_s, found.unknown_s, found.is_within) == (65 * 60, 50 * 60, False)


def test_a_limit_is_kept_when_it_is_just_reached() -> None:
    assert time_out_of_storage([Interval(at(0), at(60))], HOLD_S, at(60)).is_within
    assert not time_out_of_storage([Interval(at(0), at(60) + 1)], HOLD_S, at(61)).is_within


def test_what_overlaps_counts_once_and_a_doubt_stays() -> None:
    """Two vessels of one batch were out at the same time; for one of them the return was never recorded."""
    out = [Interval(at(10), at(30), known=False), Interval(at(0), at(20)), Interval(at(12), at(15))]
    found = time_out_of_storage(out, HOLD_S, at(40))
    assert (found.total_s, found.unknown_s) == (30 * 60, 20 * 60)


def test_never_out_is_within_any_limit() -> None:
    found = time_out_of_storage([], 0, NOON)
    assert (found.total_s, found.is_within, found.runs_out_at) == (0, True, None)


@pytest.mark.parametrize(
    ("intervals", "limit_s", "message"),
    [
        ([Interval(at(5), at(4))], HOLD_S, "after its end; correct the record"),
        ([Interval(at(41), None)], HOLD_S, "after now; correct the record"),
        ([], -1.0, "a limit of -1.0 s is none"),
        ([], float("nan"), "a limit of nan s is none"),
    ],
)
def test_nonsense_is_refused(intervals: list[Interval], limit_s: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        time_out_of_storage(intervals, limit_s, at(40))


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 30), st.booleans()), max_size=8))
def test_minute_by_minute_gives_the_same(rows: list[tuple[int, int, bool]]) -> None:
    out = [Interval(at(start), at(start + length), known) for start, length, known in rows]
    minutes = {minute for start, length, _ in rows for minute in range(start, start + length)}
    doubtful = {minute for start, length, known in rows if not known for minute in range(start, start + length)}
    found = time_out_of_storage(out, HOLD_S, at(100))
    assert (found.total_s, found.unknown_s) == (len(minutes) * 60, len(doubtful) * 60)
    assert found.is_within == (len(minutes) <= 60)
