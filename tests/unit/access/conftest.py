"""Desks to begin with: an empty one, and one with people."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.unit.access.bench import Bench

from cultureops.clock import SeededEntropy, SteppedClock, parse_iso
from cultureops.ledger import SqlLedger

START = parse_iso("2026-01-05T08:00:00Z")
PEOPLE = (("admin-1", "AD"), ("admin-2", "AD"), ("qa-1", "QA"), ("qa-2", "QA"), ("operator-1", "OP"))


@asynccontextmanager
async def _opened(folder: Path) -> AsyncIterator[Bench]:
    clock = SteppedClock(START)
    ledger = SqlLedger.open(folder / "ledger.sqlite", clock, SeededEntropy(1))
    bench = Bench(folder, clock, ledger)
    await bench.reopen()
    yield bench
    await ledger.close()


@pytest.fixture(scope="session")
def employed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which everybody of PEOPLE has an account; to be copied."""
    folder = tmp_path_factory.mktemp("employed")

    async def employ() -> None:
        async with _opened(folder) as bench:
            for username, role in PEOPLE:
                await bench.employ(username, role)

    asyncio.run(employ())
    return folder


@pytest.fixture
async def empty(tmp_path: Path) -> AsyncIterator[Bench]:
    """A folder in which nobody has an account."""
    async with _opened(tmp_path) as bench:
        yield bench


@pytest.fixture
async def bench(tmp_path: Path, employed: Path) -> AsyncIterator[Bench]:
    """A desk with admin-1, admin-2, qa-1, qa-2, operator-1."""
    shutil.copytree(employed, tmp_path, dirs_exist_ok=True)
    async with _opened(tmp_path) as bench:
        yield bench
