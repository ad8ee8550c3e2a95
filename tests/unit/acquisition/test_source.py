"""An instrument that hands over results is lost once and back once, and never stops its neighbours."""

from collections.abc import Sequence

import pytest

from cultureops.acquisition.poller import LinkEvent, LinkState
from cultureops.acquisition.source import Source
from cultureops.device.driver import RejectedFile
from cultureops.device.reading import Reason
from cultureops.errors import NotConnected

RESULT = RejectedFile("count.csv", "00", "rejected/count.csv", "is no count")


class Counter:
    """Does what the script says at each call: raises an error, or returns results."""

    def __init__(self, *script: Exception | Sequence[RejectedFile]) -> None:
        self.script = list(script)
        self.is_closed = False

    async def collect(self) -> Sequence[RejectedFile]:
        step = self.script.pop(0)
        if isinstance(step, Exception):
            raise step
        return step

    async def close(self) -> None:
        self.is_closed = True


@pytest.mark.parametrize(
    ("error", "reason"), [(NotConnected("port in use"), Reason.NOT_CONNECTED), (KeyError("bug"), Reason.DRIVER_ERROR)]
)
async def test_a_loss_is_said_once_and_the_return_once(error: Exception, reason: Reason) -> None:
    events: list[LinkEvent] = []
    source = Source("counter_1", Counter((), error, error, [RESULT], ()), 1000, events.append)
    found = [await source.collect(at) for at in range(5)]
    assert found == [(), (), (), [RESULT], ()]
    assert [(event.state, event.at) for event in events] == [(LinkState.LOST, 1), (LinkState.IDENTIFIED, 3)]
    assert events[0].reason is reason


async def test_it_is_asked_once_a_period() -> None:
    source = Source("counter_1", Counter([RESULT], [RESULT]), 1000, lambda _: None)
    assert [len(await source.collect_due(at)) for at in (0, 400, 999, 1000)] == [1, 0, 0, 1]
    counter = Counter()
    await Source("counter_1", counter, 1000, lambda _: None).close()
    assert counter.is_closed
