"""How late devices are asked is counted, but for those that are put off on purpose."""

from collections.abc import Sequence

from cultureops.acquisition.bus import Bus
from cultureops.acquisition.poller import Poller
from cultureops.clock import SECOND_MS, SteppedClock
from cultureops.device.channel import Channel
from cultureops.device.driver import Identity
from cultureops.device.reading import Sample
from cultureops.errors import NotConnected
from cultureops.histogram import Histogram


class Instrument:
    """Answers, or does not."""

    channels = (Channel("temperature", "Cel"),)
    check_bits = 32
    is_there = True

    async def connect(self) -> None:
        if not self.is_there:
            raise NotConnected("gone")

    async def disconnect(self) -> None:
        pass

    async def identify(self) -> Identity:
        return Identity("a", "b", "c", "d")

    async def read(self) -> Sequence[Sample]:
        return (Sample("temperature", 37.0),)


def counts(lateness: Histogram) -> list[tuple[float, int]]:
    return list(lateness.cumulated())


async def test_a_late_poll_is_counted_and_one_on_time_too() -> None:
    clock, lateness = SteppedClock(0), Histogram((0.5, 2.0))
    bus = Bus("x", [Poller("d", Instrument(), clock, 10 * SECOND_MS, lambda _: None)], None, lateness)
    bus.place("d", 0)
    for at_s in (0, 11, 20):  # the second comes a second late, the third in time
        await bus.poll_next(at_s * SECOND_MS)
    assert counts(lateness) == [(0.5, 2), (2.0, 3), (float("inf"), 3)] and lateness.sum_s == 1.0


async def test_a_device_that_has_long_been_silent_is_late_on_purpose() -> None:
    clock, lateness, gone = SteppedClock(0), Histogram(), Instrument()
    gone.is_there = False
    bus = Bus("x", [Poller("d", gone, clock, SECOND_MS, lambda _: None)], None, lateness)
    bus.place("d", 0)
    for at_s in range(3):
        await bus.poll_next(at_s * SECOND_MS)
    asked = counts(lateness)[-1]
    await bus.poll_next(600 * SECOND_MS)
    assert asked == (float("inf"), 3) == counts(lateness)[-1]
