"""Any window of 60 days at 1 Hz is answered in less than 150 ms of server time, 95 times of 100, warm and cold.

One incubator of four measured channels, three setpoints or states beside them. Each window lies somewhere else in the
60 days, is asked for as the page does, with a window of margin on either side, and counts from the request to the last
byte of the answer, JSON and compression included. *Cold*: the kernel has dropped the files' pages before each request.
Time by the clock counts where the machine is free; where others compute on it too, processor time does.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from benchmarks.exposure import fill
from benchmarks.process import forget_pages
from benchmarks.workload import HOUR_S, START_MS, Workload
from tests.web.house import START, open_house
from tests.web.people import Browser, people_in

from cultureops.acquisition import MeasuredChannel
from cultureops.app import web_context
from cultureops.clock import DAY_MS, HOUR_MS, MINUTE_MS, SteppedClock
from cultureops.device.channel import Channel
from cultureops.equipment import Chamber
from cultureops.telemetry import EmbeddedStore
from cultureops.web.server import create_app

pytestmark = [pytest.mark.soak, pytest.mark.timeout(600)]
DAYS, ROUNDS, TARGET_MS = 60, 40, 150.0
PIXELS = 1_100
NAMES = ("temperature", "co2", "humidity", "oxygen")
WINDOWS = {
    "10 min": 10 * MINUTE_MS, "1 h": HOUR_MS, "4 h": 4 * HOUR_MS, "12 h": 12 * HOUR_MS, "1 d": DAY_MS,
    "7 d": 7 * DAY_MS, "30 d": 30 * DAY_MS, "60 d": 60 * DAY_MS,
}  # fmt: skip


async def test_every_window_of_sixty_days_at_one_hertz(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    work = await asyncio.to_thread(Workload.make, tmp_path / "work", 1, DAYS * 24 * HOUR_S)
    await fill(tmp_path / "telemetry", work)
    end = START_MS + DAYS * DAY_MS
    found: dict[tuple[str, str, str], list[tuple[float, float]]] = {}
    people = tmp_path / "people"
    people.mkdir()
    await people_in(people, SteppedClock(START))
    async with open_house(people, tmp_path / "house", has_batch=False) as house:
        store = EmbeddedStore.open(tmp_path / "telemetry")
        context = replace(
            web_context(house.lab, None),
            store=store,
            chambers={"c": Chamber("c", "incubator", "C")},
            channels={f"d0/{name}": MeasuredChannel(f"d0/{name}", "d0", "c", Channel(name, "Cel"), True, 1_000)
                      for name in NAMES},
        )  # fmt: skip
        house.clock.advance(max(0, end - house.clock.now()))
        browser = Browser(transport=httpx.ASGITransport(create_app(context)), base_url="http://127.0.0.1", timeout=60)
        await browser.log_in("operator-1")
        rng = random.Random(1)
        try:
            for (name, length), how in ((window, how) for window in WINDOWS.items() for how in ("warm", "cold")):
                for _ in range(ROUNDS):
                    first = START_MS + rng.randrange(0, DAYS * DAY_MS - length + 1)
                    asked = f"from={max(0, first - length)}&to={min(end, first + 2 * length)}"
                    for what in (f"trend?{asked}&points={min(3_000, 3 * PIXELS)}", f"marks?{asked}"):
                        if how == "cold":
                            await asyncio.to_thread(forget_pages, tmp_path / "telemetry")
                        began, used = time.perf_counter(), time.process_time()
                        answer = await browser.get(f"/api/chambers/c/{what}")
                        taken = 1000 * (time.perf_counter() - began), 1000 * (time.process_time() - used)
                        assert answer.status_code == 200 and answer.json()["to"] >= first
                        found.setdefault((what[:5], name, how), []).append(taken)
        finally:
            await browser.aclose()
            await store.close()
    is_busy = os.getloadavg()[0] > (os.cpu_count() or 1)
    slow = []
    for (what, name, how), pairs in found.items():
        told = []
        for kind, taken in zip(("clock", "processor"), zip(*pairs, strict=True), strict=True):
            p50, p95, most = (sorted(taken)[place] for place in (len(taken) // 2, int(0.95 * len(taken)), -1))
            told.append(f"{kind} p50 {p50:4.0f} p95 {p95:4.0f} max {most:4.0f} ms")
            record_property(f"{what}_{name}_{how}_{kind}_p95_ms".replace(" ", "_"), round(p95, 1))
            if p95 >= TARGET_MS and (kind == "processor" or not is_busy):
                slow.append(f"{what} {name} {how}: {kind} p95 {p95:.0f} ms")
        print(f"{what} {name:>6} {how}: {', '.join(told)}")
    if is_busy:
        print("the machine was busy: only processor time was judged")
    assert not slow
