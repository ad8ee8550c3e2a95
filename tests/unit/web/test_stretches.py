"""Where a channel kept one value, a state was on, and nothing was read."""

import numpy as np

from cultureops.telemetry import Buckets
from cultureops.web.chamber.stretches import Stretch, held, unread, where

NAN = float("nan")


def buckets(*rows: tuple[float, float, int, int]) -> Buckets:
    """Stretches of 10 ms from 100 on, as (minimum, maximum, count, bad)."""
    low, high, count, bad = (np.array(column) for column in zip(*rows, strict=True))
    at = 100 + 10 * np.arange(len(rows))
    return Buckets(10, at, low.astype(float), high.astype(float), (low + high) / 2, count.astype(int), bad.astype(int))


NONE, FAILED = (NAN, NAN, 0, 0), (NAN, NAN, 0, 2)


def test_a_setpoint_is_held_until_it_changes_and_is_not_known_in_a_hole() -> None:
    rows = [(37, 37, 2, 0), (37, 37, 2, 0), (37, 38, 2, 0), (38, 38, 2, 0), NONE, (38, 38, 2, 0)]
    assert held(buckets(*rows)) == (Stretch(100, 120, 37.0), Stretch(120, 140, 38.0), Stretch(150, 160, 38.0))
    assert held(buckets(NONE, FAILED)) == ()
    assert held(buckets((37, 38, 2, 0))) == (), "what it changed to is not known yet"


def test_a_door_was_open_where_it_was_at_any_time_and_mains_failed_where_they_did() -> None:
    door = buckets((0, 0, 2, 0), (0, 1, 2, 0), (1, 1, 2, 0), FAILED, (1, 1, 1, 0), (0, 0, 2, 0))
    assert where(door, is_on=True) == (Stretch(110, 130, 1.0), Stretch(140, 150, 1.0))
    mains = buckets((1, 1, 2, 0), (0, 1, 2, 0), NONE, (1, 1, 2, 0))
    assert where(mains, is_on=False) == (Stretch(110, 120, 0.0),)


def test_nothing_was_read_between_readings_and_up_to_now_but_not_before_the_first() -> None:
    rows = [NONE, NONE, FAILED, NONE, NONE, (1.0, 1.0, 1, 0), NONE, NONE, NONE]
    assert unread(buckets(*rows), 185, 10) == (Stretch(130, 150), Stretch(160, 185))
    assert unread(buckets(*rows), 165, 10) == (Stretch(130, 150),), "the last poll may still be on its way"
    assert unread(buckets(NONE, NONE), 200, 10) == ()
