"""What an instrument says after its calibration has ended is UNCERTAIN, each reading judged at its own time."""

import pytest
from tests.unit.acquisition.test_poller import CHANNELS, GOOD, ScriptedDriver

from cultureops.acquisition.poller import Poller
from cultureops.clock import Instant, SteppedClock
from cultureops.device.reading import COMMUNICATION_REASONS, Quality, Reason, Sample, judge
from cultureops.errors import DriverTimeout

END = 1_000


def poller_of(*script: Exception | tuple[Sample, ...]) -> Poller:
    def is_over(at: Instant) -> bool:
        return at >= END

    driver = ScriptedDriver(*script)
    return Poller("incubator_1", driver, SteppedClock(5_000), 1000, lambda _: None, is_out_of_calibration=is_over)


async def test_each_reading_is_judged_at_its_own_time() -> None:
    poller = poller_of(GOOD)
    before, _ = await poller.poll_once(END - 1)  # answered long after the end
    after, _ = await poller.poll_once(END)
    assert (before.quality, before.reason) == (Quality.GOOD, Reason.NONE)
    assert (after.value, after.quality, after.reason) == (37.0, Quality.UNCERTAIN, Reason.OUT_OF_CALIBRATION)


async def test_a_worse_reason_stays() -> None:
    readings = await poller_of(GOOD).poll_once(END)
    assert readings[1].reason is Reason.UNVERIFIED
    out_of_range = (Sample("temperature", 99.0), Sample("co2", None, Reason.SENTINEL))
    assert [r.reason for r in await poller_of(out_of_range).poll_once(END)] == [Reason.OUT_OF_RANGE, Reason.SENTINEL]
    readings = await poller_of(DriverTimeout("x")).poll_once(END)
    assert {(r.quality, r.reason) for r in readings} == {(Quality.BAD, Reason.TIMEOUT)}


async def test_it_is_no_loss_of_communication() -> None:
    poller = poller_of(GOOD)
    await poller.poll_once(END)
    assert poller.misses == 0 and Reason.OUT_OF_CALIBRATION not in COMMUNICATION_REASONS


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -21.0])
def test_no_value_becomes_uncertain_that_was_none(value: float) -> None:
    reading = judge("i/temperature", CHANNELS[0], Sample("temperature", value), 1, 1, out_of_calibration=True)
    assert reading.value is None and reading.quality is Quality.BAD


def test_the_stored_code_never_changes() -> None:
    assert (Reason.OUT_OF_CALIBRATION.value, Reason.OUT_OF_CALIBRATION.text) == (13, "calibration has ended")
    assert all(reason.text for reason in Reason if reason)
