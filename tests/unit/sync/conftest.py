"""A hub and two gateways on loopback, with certificates made once."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from tests.joined import START, Gateway, Hub, certify, gateways_settings, hub_settings

from cultureops.clock import SteppedClock

OpenGateway = Callable[..., Gateway]


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificates")
    certify(folder, "hub", "room_1", "room_2", "stranger", now=time.time_ns() // 1_000_000)
    return folder


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock(START)


@pytest.fixture
async def hub(tmp_path: Path, certificates: Path, clock: SteppedClock) -> AsyncIterator[Hub]:
    (tmp_path / "hub").mkdir()
    hub = Hub(gateways_settings(certificates, "room_1", "room_2"), tmp_path / "hub", clock)
    await hub.open()
    yield hub
    await hub.close()


@pytest.fixture
async def room_1(hub: Hub, tmp_path: Path, certificates: Path, clock: SteppedClock) -> AsyncIterator[Gateway]:
    gateway = Gateway(hub_settings(certificates, "room_1", hub.settings.port), tmp_path / "room_1", clock)
    await gateway.open()
    yield gateway
    await gateway.close()


@pytest.fixture
async def room_2(hub: Hub, tmp_path: Path, certificates: Path, clock: SteppedClock) -> AsyncIterator[Gateway]:
    gateway = Gateway(hub_settings(certificates, "room_2", hub.settings.port), tmp_path / "room_2", clock)
    await gateway.open()
    yield gateway
    await gateway.close()
