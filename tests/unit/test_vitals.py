"""Which sign of life of a running lab is missing, and what becomes of a fault of ours."""

import asyncio

import pytest
import structlog

from cultureops.self_check import Vitals


class Seconds:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def test_a_lab_that_ticks_and_hears_is_well() -> None:
    seconds = Seconds()
    vitals = Vitals(seconds, 60.0)
    for _ in range(1_000):
        seconds.now += 29
        vitals.tick()
        vitals.hear()
        assert vitals.wrong() is None
    seconds.now += 30
    assert vitals.wrong() is None
    seconds.now += 1
    assert vitals.wrong() == "alarms have stood still for 31 s"
    vitals.begin()
    assert vitals.wrong() is None


@pytest.mark.parametrize(("longest_s", "patience_s"), [(1.0, 120), (24.0, 120), (60.0, 300), (300.0, 1_500)])
def test_nothing_heard_for_five_of_the_longest_periods(longest_s: float, patience_s: int) -> None:
    seconds = Seconds()
    vitals = Vitals(seconds, longest_s)
    seconds.now += patience_s
    vitals.tick()
    assert vitals.wrong() is None
    seconds.now += 1
    vitals.tick()
    assert "no reading of any device" in (vitals.wrong() or "")
    vitals.hear()
    assert vitals.wrong() is None


def test_where_nothing_is_asked_nothing_is_missed() -> None:
    seconds = Seconds()
    vitals = Vitals(seconds, None)
    seconds.now += 1e6
    vitals.tick()
    assert vitals.wrong() is None


def test_a_fault_is_counted_and_told_for_a_minute_and_logged_once_with_its_traceback() -> None:
    seconds = Seconds()
    vitals = Vitals(seconds, None)
    with structlog.testing.capture_logs() as logs:
        for _ in range(50):
            with vitals.apart("the tick"):
                raise KeyError("x")
            seconds.now += 1
            vitals.tick()
    assert vitals.fault_count == 50 and len(logs) == 1 and logs[0]["exc_info"]
    assert vitals.fault == "the tick: KeyError: 'x'" and vitals.wrong() == "a fault in the tick: KeyError: 'x'"
    seconds.now += 59
    vitals.tick()
    assert vitals.fault is None and vitals.wrong() is None and vitals.fault_count == 50


def test_a_cancellation_is_no_fault() -> None:
    vitals = Vitals(Seconds(), None)
    with pytest.raises(asyncio.CancelledError), vitals.apart("the tick"):
        raise asyncio.CancelledError
    assert vitals.fault_count == 0


def test_an_attempt_at_the_record_that_hangs_grows_old() -> None:
    seconds = Seconds()
    vitals = Vitals(seconds, None)
    assert vitals.recording_s == 0
    with vitals.recording():
        seconds.now += 70
        assert vitals.recording_s == 70
    assert vitals.recording_s == 0
