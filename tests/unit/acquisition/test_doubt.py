"""What a weakly guarded frame says against all likelihood is read again: confirmed it stands, else it is uncertain."""

from collections.abc import Sequence

import pytest

from cultureops.acquisition.poller import Poller
from cultureops.clock import SteppedClock
from cultureops.device.channel import Channel
from cultureops.device.driver import Identity
from cultureops.device.reading import Quality, Reading, Reason, Sample
from cultureops.errors import DriverTimeout

MINUTE = 60_000
CHANNEL = Channel("temperature", "Cel", valid_range=(-20.0, 80.0), max_rate_per_min=1.0, decimals=1)


class Answers:
    """A driver whose answers are given."""

    channels = (CHANNEL,)

    def __init__(self, check_bits: int, answers: Sequence[float | None]) -> None:
        self.check_bits = check_bits
        self.answers = list(answers)
        self.reads = 0

    async def connect(self) -> None: ...

    async def disconnect(self) -> None: ...

    async def identify(self) -> Identity:
        return Identity("us", "answers")

    async def read(self) -> Sequence[Sample]:
        self.reads += 1
        value = self.answers.pop(0)
        if value is None:
            raise DriverTimeout("no answer")
        return (Sample("temperature", value),)


async def polled(answers: Sequence[float | None], check_bits: int = 8, **options: object) -> tuple[Reading, Answers]:
    """Poll at minute 0 and 1; return the second reading and the driver."""
    driver = Answers(check_bits, answers)
    poller = Poller("bath", driver, SteppedClock(0), MINUTE, lambda _: None, **options)  # type: ignore[arg-type]
    await poller.poll_once(0)
    (reading,) = await poller.poll_once(MINUTE)
    return reading, driver


@pytest.mark.parametrize("check_bits", [0, 8])
async def test_a_leap_that_is_confirmed_stands(check_bits: int) -> None:
    reading, driver = await polled([37.0, 45.0, 45.1], check_bits)
    assert (reading.value, reading.quality, driver.reads) == (45.1, Quality.GOOD, 3)


async def test_a_leap_that_was_noise_is_forgotten() -> None:
    reading, driver = await polled([37.0, 45.0, 37.2])
    assert (reading.value, reading.quality, driver.reads) == (37.2, Quality.GOOD, 3)


@pytest.mark.parametrize("again", [52.0, None])
async def test_a_leap_that_is_not_confirmed_is_uncertain(again: float | None) -> None:
    reading, _ = await polled([37.0, 45.0, again])
    assert (reading.value, reading.quality, reading.reason) == (again or 45.0, Quality.UNCERTAIN, Reason.SUSPECT)


async def test_an_uncertain_value_is_not_what_the_next_is_compared_with() -> None:
    driver = Answers(8, [37.0, 45.0, 52.0, 37.1])
    poller = Poller("bath", driver, SteppedClock(0), MINUTE, lambda _: None)
    found = [(await poller.poll_once(at * MINUTE))[0] for at in range(3)]
    assert [(reading.value, reading.quality) for reading in found] == [
        (37.0, Quality.GOOD), (52.0, Quality.UNCERTAIN), (37.1, Quality.GOOD),
    ]  # fmt: skip


async def test_out_of_range_is_read_again_and_bad_when_it_stays_so() -> None:
    reading, driver = await polled([37.0, 99.0, 99.0])
    assert (reading.value, reading.reason, driver.reads) == (None, Reason.OUT_OF_RANGE, 3)
    reading, driver = await polled([37.0, 99.0, 37.1])
    assert (reading.value, reading.quality, driver.reads) == (37.1, Quality.GOOD, 3)


async def test_a_slow_change_and_one_after_a_long_silence_are_no_leaps() -> None:
    reading, driver = await polled([37.0, 37.9])
    assert (reading.value, driver.reads) == (37.9, 2)
    driver = Answers(8, [37.0, 45.0])
    poller = Poller("bath", driver, SteppedClock(0), MINUTE, lambda _: None)
    await poller.poll_once(0)
    (reading,) = await poller.poll_once(9 * MINUTE)
    assert (reading.value, reading.quality, driver.reads) == (45.0, Quality.GOOD, 2)


async def test_a_well_guarded_frame_is_believed() -> None:
    reading, driver = await polled([37.0, 45.0], 16)
    assert (reading.value, reading.quality, driver.reads) == (45.0, Quality.GOOD, 2)


async def test_the_site_may_know_better_how_fast_a_value_changes() -> None:
    reading, driver = await polled([37.0, 45.0], max_rates={"temperature": 20.0})
    assert (reading.value, driver.reads) == (45.0, 2)
