"""Fifty screens ask for an alarm's figures once; a store that takes long holds up no page."""

import asyncio
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from cultureops.batch.alarm_told import EndangeredBatch
from cultureops.web.board import figures
from cultureops.web.board.figures import RENEWED_MS, Figures

KNOWN = (EndangeredBatch("B-1", 3.0, 1.5, 0.0),)


@dataclass
class Slow:
    """A lab whose store answers when it is let."""

    asked: int = 0
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)
    batches: Any = field(default_factory=lambda: SimpleNamespace(exposed=lambda chamber, start, end: ("B-1",)))

    async def endangered(self, view: Any, now: int) -> tuple[EndangeredBatch, ...]:
        self.asked += 1
        await self.may_answer.wait()
        return KNOWN


def view(raised_at: int = 0) -> Any:
    rule = SimpleNamespace(id="inc/t/low", reached=lambda exposed, start, end: exposed("inc", start, end))
    return SimpleNamespace(rule=rule, raised_at=raised_at, is_active=True, since=0, returned_at=None)


async def test_many_ask_and_the_store_is_asked_once_until_figures_grow_old(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "WITHIN_S", 0.02)
    lab = Slow()
    shared: Any = Figures(lab)  # type: ignore[arg-type]
    found = await asyncio.gather(*(shared.of(view(), 1_000) for _ in range(50)))
    assert {row.reason for rows in found for row in rows} == {"is being worked out"} and lab.asked == 1
    await shared.of(view(), RENEWED_MS)
    assert lab.asked == 1, "the store is busy with it still"
    lab.may_answer.set()
    assert await shared.of(view(), 1_000) == KNOWN and lab.asked == 1
    assert await shared.of(view(), RENEWED_MS) == KNOWN and lab.asked == 2
    assert await shared.of(view(raised_at=5), RENEWED_MS + 1) == KNOWN and lab.asked == 3
