"""What an open door explains, for how long, and what it never hides."""

from dataclasses import replace

import pytest
from tests.unit.alarms.test_engine import CO2_LOW, T0, S

from cultureops.alarms import Act, Engine, State, Suppressor, Transition, What
from cultureops.device.reading import Quality, Reading, Reason, bad_reading

DOOR = "incubator_1/door"
RULE = replace(CO2_LOW, on_delay_s=60, off_delay_s=0, suppressors=(Suppressor(DOOR, 300, 900),))


def co2(value: float, at_s: int) -> Reading:
    return Reading("incubator_1/co2", value, Quality.GOOD, Reason.NONE, T0 + at_s * S, T0 + at_s * S)


def door(value: float | None, at_s: int) -> Reading:
    at = T0 + at_s * S
    if value is None:
        return bad_reading(DOOR, Reason.TIMEOUT, at, at)
    return Reading(DOOR, value, Quality.GOOD, Reason.NONE, at, at)


def fed(engine: Engine, *readings: Reading) -> list[Transition]:
    found: list[Transition] = []
    for reading in readings:
        found += engine.evaluate([reading])
        found += engine.tick(reading.source_time)
    return found


def state(engine: Engine) -> State:
    view = engine.view(RULE.id)
    assert view is not None
    return view.state


def test_a_short_opening_raises_nothing_and_leaves_nothing_to_record() -> None:
    engine = Engine([RULE])
    found = fed(engine, door(1, 0), co2(3, 10), door(0, 30), co2(3.5, 40), co2(5, 50))
    found += engine.tick(T0 + 330 * S)
    assert [change.what for change in found] == [What.SUPPRESSED, What.RELEASED]
    assert not any(change.is_noted for change in found)
    assert state(engine) is State.NORMAL


def test_what_is_masked_is_recorded_and_raised_when_the_window_is_over() -> None:
    engine = Engine([RULE])
    found = fed(engine, door(1, 0), co2(3, 10), co2(3, 80), door(0, 100))
    assert [change.what for change in found if change.is_noted] == [What.CONDITION]
    assert fed(engine, co2(3, 399)) == []
    (raised,) = fed(engine, co2(3, 400))
    assert (raised.what, raised.to_state, raised.since, raised.raised_at) == (
        What.RAISED, State.UNACK, T0 + 10 * S, T0 + 400 * S,
    )  # fmt: skip


def test_what_is_nearly_over_when_the_window_ends_is_not_raised() -> None:
    engine = Engine([RULE])
    fed(engine, door(1, 0), co2(3, 10), co2(3, 80), door(0, 100), co2(4.1, 390))
    assert fed(engine, co2(4.1, 500)) == [] and state(engine) is State.SUPPRESSED_BY_DESIGN
    over = fed(engine, co2(4.3, 510))
    assert [change.what for change in over] == [What.CONDITION, What.RELEASED]
    assert state(engine) is State.NORMAL


@pytest.mark.parametrize("again", [co2(3.9, 510), bad_reading("incubator_1/co2", Reason.TIMEOUT, T0 + 510 * S, T0)])
def test_but_it_is_as_soon_as_it_is_at_the_limit_again_or_nobody_knows(again: Reading) -> None:
    engine = Engine([RULE])
    fed(engine, door(1, 0), co2(3, 10), co2(3, 80), door(0, 100), co2(4.1, 390), co2(4.1, 500))
    fed(engine, again)
    assert state(engine) is State.UNACK


def test_a_door_that_stays_open_or_flaps_hides_nothing_for_longer_than_one_window() -> None:
    stays, flaps = Engine([RULE]), Engine([RULE])
    fed(stays, door(1, 0), *(co2(3, at) for at in range(0, 900, 10)))
    assert state(stays) is State.SUPPRESSED_BY_DESIGN
    fed(stays, co2(3, 900))
    assert state(stays) is State.UNACK
    for at in range(0, 1000, 10):
        fed(flaps, door(float(at // 60 % 2 == 0), at), co2(3, at))
    assert state(flaps) is State.UNACK


def test_an_open_door_hides_nothing_that_was_announced() -> None:
    engine = Engine([RULE])
    fed(engine, co2(3, 0), co2(3, 60))
    assert state(engine) is State.UNACK
    assert fed(engine, door(1, 70)) == []
    engine.acknowledge(RULE.id, T0 + 80 * S, Act("op-1", "seen"))
    fed(engine, co2(5, 90))
    assert state(engine) is State.SUPPRESSED_BY_DESIGN, "back to normal, and explained from here on"


def test_a_door_that_says_nothing_explains_nothing() -> None:
    engine = Engine([RULE])
    fed(engine, door(None, 0), co2(3, 0), co2(3, 60))
    assert state(engine) is State.UNACK
    engine = Engine([RULE])
    fed(engine, door(1, 0), co2(3, 10), door(None, 20), co2(3, 80), co2(3, 320))
    assert state(engine) is State.UNACK, "recovery runs from when the door was last known to be open"


def test_an_opening_that_is_over_does_not_shorten_the_next_one_after_a_restart() -> None:
    engine = Engine([RULE])
    engine.refill([door(1, 0), door(0, 30), door(1, 800), door(0, 830)])
    fed(engine, co2(3, 840), co2(3, 1000))
    assert state(engine) is State.SUPPRESSED_BY_DESIGN


def test_a_door_that_never_rests_explains_for_three_windows_and_no_longer() -> None:
    engine = Engine([RULE])
    announced = None
    for at in range(0, 7200, 30):
        value = 4.3 if at % 360 == 0 else 3.0  # one good value now and then, so that each flap begins anew
        fed(engine, door(float(at // 30 % 2 == 0), at), co2(value, at))
        if announced is None and state(engine) is State.UNACK:
            announced = at
    assert announced is not None and announced <= 3 * 900 + 120
