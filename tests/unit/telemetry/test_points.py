"""Readings of one instant: what is dropped, what is kept beneath, what is shown."""

import math
import struct

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cultureops.device.reading import Quality, Reading, Reason
from cultureops.telemetry.points import Points, as_readings, is_shown, join, no_points, settle

Row = tuple[int, float | None, Quality, Reason, int]


@st.composite
def rows(draw: st.DrawFn) -> Row:
    value = draw(st.sampled_from([None, None, 0.0, -0.0, 1.5]))
    if value is None:
        return draw(st.integers(0, 4)), None, Quality.BAD, draw(st.sampled_from([Reason.TIMEOUT, Reason.SENTINEL])), 0
    quality = draw(st.sampled_from([Quality.GOOD, Quality.UNCERTAIN]))
    return draw(st.integers(0, 4)), value, quality, draw(st.sampled_from([Reason.NONE, Reason.UNVERIFIED])), 0


ROWS = st.lists(rows(), max_size=30).map(lambda found: [(*row[:4], 100 + at) for at, row in enumerate(found)])


def points_of(found: list[Row]) -> Points:
    return Points(
        np.array([row[0] for row in found], np.int64),
        np.array([row[4] for row in found], np.int64),
        np.array([math.nan if row[1] is None else row[1] for row in found], np.float64),
        np.array([row[2] for row in found], np.uint8),
        np.array([row[3] for row in found], np.uint8),
    )


def said(row: Row) -> tuple[bytes, Quality, Reason]:
    return struct.pack("<d", math.nan if row[1] is None else row[1]), row[2], row[3]


def brute_force(found: list[Row]) -> list[Row]:
    kept: dict[int, list[Row]] = {}
    for row in found:
        beside = kept.setdefault(row[0], [])
        if not beside or said(beside[-1]) != said(row):
            beside.append(row)
    return [row for at in sorted(kept) for row in kept[at]]


@given(ROWS)
def test_settling_is_the_brute_force(found: list[Row]) -> None:
    kept = brute_force(found)
    points = points_of(found)
    settled = points.at(settle(points))
    assert settled.received_ms.tolist() == [row[4] for row in kept]
    assert settled.value.tobytes() == points_of(kept).value.tobytes()
    shown = settled.at(is_shown(settled.source_ms))
    last = {row[0]: row[4] for row in kept}
    assert dict(zip(shown.source_ms.tolist(), shown.received_ms.tolist(), strict=True)) == last


@given(ROWS, st.lists(st.integers(0, 30), max_size=4))
def test_settling_by_and_by_is_settling_at_once(found: list[Row], cuts: list[int]) -> None:
    """What was settled comes first, what arrived since after it: that is how generations are sealed and read."""
    settled, begin = no_points(), 0
    for end in [*sorted(cut for cut in cuts if cut < len(found)), len(found)]:
        together = join([settled, points_of(found[begin:end])])
        settled, begin = together.at(settle(together)), end
    whole = points_of(found)
    whole = whole.at(settle(whole))
    for ours, theirs in zip(settled.columns(), whole.columns(), strict=True):
        assert ours.tobytes() == theirs.tobytes()


@given(ROWS)
def test_rows_become_readings_again(found: list[Row]) -> None:
    readings = list(as_readings(["a/t"] * len(found), points_of(found)))
    assert readings == [Reading("a/t", row[1], row[2], row[3], row[0], row[4]) for row in found]


def test_nothing_settles_to_nothing() -> None:
    assert settle(no_points()).size == is_shown(no_points().source_ms).size == join([]).size == 0


@given(ROWS, st.integers(-1, 5), st.integers(-1, 5))
def test_a_range_holds_its_start_and_not_its_end(found: list[Row], start: int, end: int) -> None:
    inside = points_of(found).between(start, end)
    assert inside.received_ms.tolist() == [row[4] for row in found if start <= row[0] < end]
