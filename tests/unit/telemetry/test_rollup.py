"""Minute roll-ups say what a brute force over the readings says."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cultureops.clock import HOUR_MS, MINUTE_MS
from cultureops.errors import Unreadable
from cultureops.telemetry.rollup import HOUR_DTYPE, HourRollup, empty_hour, pack, roll_up, unpack

HOUR = 491_000 * HOUR_MS
POINTS = st.dictionaries(st.integers(0, HOUR_MS - 1), st.one_of(st.none(), st.floats(-1e6, 1e6)), max_size=80)


def arrays(points: dict[int, float | None]) -> tuple[np.ndarray, np.ndarray]:
    instants = sorted(points)
    values = [math.nan if (value := points[at]) is None else value for at in instants]
    return np.array(instants, np.int64) + HOUR, np.array(values, np.float64)


@given(POINTS)
def test_a_roll_up_is_the_brute_force(points: dict[int, float | None]) -> None:
    hour = roll_up(*arrays(points))
    for minute in range(60):
        inside = [points[at] for at in sorted(points) if at // MINUTE_MS == minute]
        good = [value for value in inside if value is not None]
        assert (hour["count"][minute], hour["bad"][minute]) == (len(good), len(inside) - len(good))
        assert hour["sum"][minute] == pytest.approx(sum(good), abs=1e-6)
        if good:
            assert (hour["minimum"][minute], hour["maximum"][minute]) == (min(good), max(good))
        else:
            assert np.isnan(hour["minimum"][minute]) and np.isnan(hour["maximum"][minute])


@given(POINTS)
def test_the_running_roll_up_is_the_one_of_all_readings(points: dict[int, float | None]) -> None:
    running = HourRollup.of((HOUR + at, points[at]) for at in sorted(points)).hour()
    whole = roll_up(*arrays(points))
    for name in HOUR_DTYPE.names or ():
        np.testing.assert_allclose(running[name], whole[name], rtol=0, atol=0 if name != "sum" else 1e-6)


@given(POINTS)
def test_a_roll_up_comes_back_exactly(points: dict[int, float | None]) -> None:
    hour = roll_up(*arrays(points))
    assert unpack(pack(hour)).tobytes() == hour.tobytes()


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\x02" + pack(empty_hour())[1:],
        pack(empty_hour())[:-3],
        b"\x01rubbish",
        b"\x01" + b"x\x9c\x03\x00\0\0\0\1",
    ],
)
def test_what_is_no_roll_up_is_unreadable(payload: bytes) -> None:
    with pytest.raises(Unreadable):
        unpack(payload)
