"""The stores that every test of the protocol is run against."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from cultureops.telemetry import ChannelInfo, EmbeddedStore


@pytest.fixture(params=[EmbeddedStore.open])
async def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Callable[[], EmbeddedStore]]:
    """Open the store under test; a second call opens the same readings again after the first was closed."""
    opened: list[EmbeddedStore] = []

    def opener() -> EmbeddedStore:
        opened.append(request.param(tmp_path / "telemetry.sqlite"))
        return opened[-1]

    yield opener
    for store in opened:
        await store.close()


@pytest.fixture
async def store(open_store: Callable[[], EmbeddedStore]) -> EmbeddedStore:
    opened = open_store()
    opened.declare({"a/t": ChannelInfo("Cel"), "a/c": ChannelInfo("%")})
    return opened
