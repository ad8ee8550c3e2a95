"""The stores that every test of the protocol is run against."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import pytest

from cultureops.device.reading import Reading
from cultureops.telemetry import ChannelInfo, EmbeddedStore
from cultureops.telemetry.month import ALL_HOURS


class Eager(EmbeddedStore):
    """Seals everything after every append, so that no reading is found in the journal for long."""

    def append(self, readings: Sequence[Reading]) -> asyncio.Future[int]:
        durable = super().append(readings)
        sealed: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        sealed.add_done_callback(lambda done: done.exception())  # tests of a full disk are told by ``durable``
        self._inbox.cut(ALL_HOURS, sealed)
        return durable


@pytest.fixture(params=[EmbeddedStore.open, Eager.open], ids=["as it is", "sealed at once"])
async def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Callable[[], EmbeddedStore]]:
    """Open the store under test; a second call opens the same readings again after the first was closed."""
    opened: list[EmbeddedStore] = []

    def opener() -> EmbeddedStore:
        opened.append(request.param(tmp_path / "telemetry"))
        return opened[-1]

    yield opener
    for store in opened:
        await store.close()


@pytest.fixture
async def store(open_store: Callable[[], EmbeddedStore]) -> EmbeddedStore:
    opened = open_store()
    opened.declare({"a/t": ChannelInfo("Cel"), "a/c": ChannelInfo("%")})
    return opened
