"""Store and copy compared: what is the same has one hash, what is not is told by the hour; walks over selections."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cultureops.clock import DAY_MS, HOUR_MS, MINUTE_MS
from cultureops.telemetry.agreement import HourDifference, agreement
from cultureops.telemetry.points import Points, join
from cultureops.telemetry.selection import Selection

START = 1_767_600_000_000 // DAY_MS * DAY_MS


def points(*rows: tuple[int, float | None, int, int]) -> Points:
    """Readings from rows of minute, value, quality and reason."""
    at, value, quality, reason = zip(*rows, strict=True) if rows else ((), (), (), ())
    times = START + np.array(at, np.int64) * MINUTE_MS
    return Points(times, times, np.array(value, float), np.array(quality, np.uint8), np.array(reason, np.uint8))


ROWS = [(0, 37.0, 192, 0), (1, None, 0, 1), (59, 36.5, 64, 9), (60, 0.0, 192, 0), (200, 37.1, 192, 0)]


def test_the_same_is_the_same() -> None:
    found = agreement(points(*ROWS), points(*ROWS))
    assert found.holds and (found.here, found.there) == (5, 5) and found.sha256_here == found.sha256_there
    bits = np.array([0x7FF8000000000001], np.int64).view(float)  # another NaN, another zero: no difference
    other = points(*ROWS)
    other.value[1], other.value[3] = bits[0], -0.0
    left_standing = replace(other, value=np.where(other.bad, 36.0, other.value))
    assert agreement(points(*ROWS), other).holds and agreement(points(*ROWS), left_standing).holds
    assert agreement(points(), points()).holds


def test_every_difference_has_its_hour() -> None:
    copy = points(ROWS[0], (1, 5.0, 192, 0), (2, 1.0, 192, 0), ROWS[2], ROWS[2], ROWS[4])
    found = agreement(points(*ROWS), copy)
    assert found.hours == (HourDifference(START, 0, 1, 1, 1), HourDifference(START + HOUR_MS, 1, 0, 0, 0))
    assert (found.here, found.there) == (5, 6) and found.sha256_here != found.sha256_there
    only_twice = agreement(points(*ROWS), join([points(*ROWS[:1]), points(*ROWS)]))
    assert only_twice.hours == (HourDifference(START, 0, 0, 0, 1),)
    nothing = agreement(points(*ROWS), points())
    assert sum(hour.missing for hour in nothing.hours) == 5 and not nothing.holds
    assert sum(hour.surplus for hour in agreement(points(), points(*ROWS)).hours) == 5


def test_of_several_readings_of_an_instant() -> None:
    """The last to arrive counts, except where a server promises nothing about which it keeps."""
    kept = points((0, 1.0, 192, 0), (0, 2.0, 192, 0), (5, 3.0, 192, 0))
    first, last = points((0, 1.0, 192, 0), (5, 3.0, 192, 0)), points((0, 2.0, 192, 0), (5, 3.0, 192, 0))
    neither = points((0, 1.5, 192, 0), (5, 3.0, 192, 0))
    assert agreement(kept, last).holds and not agreement(kept, first).holds
    for copy, holds in ((first, True), (last, True), (neither, False), (points(), False)):
        assert agreement(kept, copy, any_of_instant=True, tolerance=1e-11).holds is holds
    assert agreement(kept, first, any_of_instant=True).here == 2


def test_a_tolerance_is_of_values_alone() -> None:
    kept = points((0, 36.123456789012345, 192, 0), (1, 0.0, 64, 9), (2, None, 0, 3))
    near = points((0, 36.1234567890, 192, 0), (1, 0.0, 64, 9), (2, None, 0, 3))
    assert agreement(kept, near, tolerance=1e-11).holds and not agreement(kept, near).holds
    far = replace(near, value=near.value + 1e-8)
    other = replace(near, quality=np.array([192, 192, 0], np.uint8))
    assert not agreement(kept, far, tolerance=1e-11).holds and not agreement(kept, other, tolerance=1e-11).holds


MINUTES = st.lists(st.integers(0, 300), unique=True, max_size=30).map(sorted)


@given(kept=MINUTES, found=MINUTES, twice=st.sets(st.integers(0, 300)), changed=st.sets(st.integers(0, 300)))
def test_counts_are_those_of_a_brute_force(
    kept: list[int], found: list[int], twice: set[int], changed: set[int]
) -> None:
    copy = [(minute, 2.0 if minute in changed else 1.0, 192, 0) for minute in found]
    copy = [row for row in copy for _ in range(2 if row[0] in twice else 1)]
    result = agreement(points(*((minute, 1.0, 192, 0) for minute in kept)), points(*copy))
    expected: dict[int, list[int]] = {}
    for minute in range(301):
        kinds = (
            minute in kept and minute not in found,
            minute not in kept and minute in found,
            minute in kept and minute in found and minute in changed,
            minute in found and minute in twice,
        )
        if any(kinds):
            row = expected.setdefault(START + minute // 60 * HOUR_MS, [0, 0, 0, 0])
            row[:] = [count + kind for count, kind in zip(row, kinds, strict=True)]
    told = {hour.from_ms: [hour.missing, hour.surplus, hour.changed, hour.doubled] for hour in result.hours}
    assert told == expected and result.holds == (not expected)


def test_a_selection_is_walked_day_by_day() -> None:
    noon = START + DAY_MS // 2
    chosen = Selection.of(
        {
            "b/t": [(noon, noon + DAY_MS), (noon + DAY_MS // 4, noon + DAY_MS // 2)],
            "a/t": [(START, START + 1), (noon, noon + 1), (noon, noon)],
            "c/t": [(5, 5)],
        }
    )
    day = START // DAY_MS
    assert chosen.spans == {"a/t": ((START, START + 1), (noon, noon + 1)), "b/t": ((noon, noon + DAY_MS),)}
    assert [(piece.channel, piece.day - day, piece.start - START, piece.end - START) for piece in chosen.pieces()] == [
        ("a/t", 0, 0, 1),
        ("a/t", 0, DAY_MS // 2, DAY_MS // 2 + 1),
        ("b/t", 0, DAY_MS // 2, DAY_MS),
        ("b/t", 1, DAY_MS, DAY_MS + DAY_MS // 2),
    ]
    assert chosen.within(noon, noon + 1).spans == {"a/t": ((noon, noon + 1),), "b/t": ((noon, noon + 1),)}
    assert not list(Selection.of({}).pieces())
