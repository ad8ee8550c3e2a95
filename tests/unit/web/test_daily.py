"""Figures of each day of the site, also of one that is an hour shorter."""

import asyncio
from pathlib import Path
from zoneinfo import ZoneInfo

from cultureops.acquisition import MeasuredChannel
from cultureops.clock import HOUR_MS, parse_iso
from cultureops.device.channel import Channel
from cultureops.device.reading import Quality, Reading, Reason, bad_reading
from cultureops.telemetry import ChannelInfo, EmbeddedStore
from cultureops.web.chamber.daily import daily
from cultureops.web.chamber.window import Window


async def test_days_are_those_of_the_zone_and_a_day_without_a_value_has_none(tmp_path: Path) -> None:
    row = MeasuredChannel("d/t", "d", "c", Channel("temperature", "Cel"), False, 60_000)
    start = parse_iso("2026-03-28T00:00:00+01:00")
    store = EmbeddedStore.open(tmp_path / "telemetry")
    try:
        store.declare({"d/t": ChannelInfo("Cel")})
        hours = range(24 + 23)  # the second day loses an hour
        readings = [Reading("d/t", float(hour), Quality.GOOD, Reason.NONE, at, at) for hour in hours
                    for at in [start + hour * HOUR_MS]]  # fmt: skip
        last = start + len(hours) * HOUR_MS
        async with asyncio.timeout(5):
            await store.append([*readings, bad_reading("d/t", Reason.TIMEOUT, last, last)])
            window = Window(start, last + HOUR_MS)
            (whole,), days = await daily(store, [row], window, ZoneInfo("Europe/Berlin"))
        assert (whole.minimum, whole.maximum, whole.count, whole.bad) == (0.0, 46.0, 47, 1)
        found = [
            (day.date.isoformat(), day.figures[0].minimum, day.figures[0].mean, day.figures[0].count) for day in days
        ]
        assert found == [
            ("2026-03-30", None, None, 0), ("2026-03-29", 24.0, 35.0, 23), ("2026-03-28", 0.0, 11.5, 24),
        ]  # fmt: skip
        assert await daily(store, [], window, ZoneInfo("UTC")) == ((), ())
    finally:
        await store.close()
