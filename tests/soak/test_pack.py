"""The pack of a batch that stood in one incubator for 60 days at 1 Hz: how long it takes, and that it proves itself."""

import asyncio
import time
from pathlib import Path

import numpy as np
import pytest
from tests.packing import run_verifier
from tests.system.conftest import SITE
from tests.unit.batch.conftest import BATCH_ID, START, Lab

from cultureops.anchor import STREAM, _event
from cultureops.batch.recipe import load_recipe
from cultureops.clock import DAY_MS, HOUR_MS, MINUTE_MS, SeededEntropy, SteppedClock
from cultureops.device.reading import Quality, Reason
from cultureops.keeping import packs
from cultureops.keeping.dossiers import place_of
from cultureops.ledger import SqlLedger
from cultureops.ledger.keys import KeyFolder
from cultureops.pack.reading import open_pack
from cultureops.site import read_site
from cultureops.telemetry import ChannelInfo, EmbeddedStore
from cultureops.telemetry.chunk import encode_stamps
from cultureops.telemetry.month import Key, MonthWriter, month_of
from cultureops.telemetry.points import Points
from cultureops.telemetry.rollup import MINUTES, pack, roll_up

DAYS, CHANNELS, WRITE_S, VERIFY_S = 60, 5, 30.0, 30.0
HOUR_S = 3600


async def _fill(folder: Path, names: list[str]) -> None:
    """Seal readings by the writer that seals, one pass an hour, without passing the journal."""
    store = EmbeddedStore.open(folder)
    store.declare({name: ChannelInfo("Cel", 2) for name in names})
    await store.flush()
    await store.close()
    writer: MonthWriter | None = None
    chance = np.random.default_rng(7)
    for day in range(START // DAY_MS, START // DAY_MS + DAYS + 1):
        at = np.arange(day * DAY_MS, (day + 1) * DAY_MS, 1000) + chance.integers(0, 40, 24 * HOUR_S)
        walks = [37 + np.round(np.cumsum(chance.normal(0, 0.004, at.size)), 2) for _ in names]
        of_day = [
            Points(
                at, at + 5, values, np.full(at.size, Quality.GOOD, np.uint8), np.full(at.size, Reason.NONE, np.uint8)
            )
            for values in walks
        ]
        month = month_of(day * 24)
        if writer is None or writer.name != month:
            before, writer = writer, MonthWriter.create(folder, month, writer)
            if before is not None:
                before.end()
        for hour in range(24):
            writer.begin(0, day * 24 + hour + 1)
            rows = slice(hour * HOUR_S, (hour + 1) * HOUR_S)
            with writer.transaction():
                stamps = writer.put_stamps(encode_stamps(at[rows], at[rows] + 5))
                for channel, points in enumerate(of_day, 1):
                    writer.put_chunk(Key(day * 24 + hour, channel), stamps, points.at(rows))
                    if hour == 23:
                        minutes = roll_up(points, at % DAY_MS // MINUTE_MS, MINUTES)
                        writer.put_day(channel, day, pack(minutes))
            writer.end_pass(0)
    assert writer is not None
    writer.close()


@pytest.mark.soak
async def test_a_batch_of_sixty_days_at_one_hertz(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "counts").mkdir()
    (tmp_path / "site.toml").write_text(SITE.format(counts=tmp_path / "counts"), encoding="utf-8")
    place = place_of(read_site(tmp_path / "site.toml"))
    names = [row.id for row in place.channels if row.chamber == "incubator_1"][:CHANNELS]
    await _fill(tmp_path / "telemetry", names)
    clock = SteppedClock(START)
    keys = KeyFolder(tmp_path / "keys")
    ledger = SqlLedger.open(tmp_path / "ledger.sqlite", clock, SeededEntropy(7), keys=keys)
    await ledger.introduce_key()
    lab = Lab(ledger, clock, load_recipe("tavakol_afshari_2021"))
    await lab.play("P0 first medium")
    store = EmbeddedStore.open(tmp_path / "telemetry")
    passes = await store.passes(0)
    await store.close()
    await ledger.append(STREAM, [_event([one], one.number - 1, clock.now()) for one in passes], None)
    clock.advance(DAYS * DAY_MS - HOUR_MS)
    await ledger.close()

    out, new = tmp_path / "b.zip", tmp_path / "new"
    began, busy = time.perf_counter(), time.process_time()
    written = await packs.make_pack(tmp_path, BATCH_ID, out, None, clock, lambda done, steps: None)
    took_s, busy_s = time.perf_counter() - began, time.process_time() - busy
    readings = sum(month.readings for month in written.readings.months)
    began = time.perf_counter()
    (told,) = await asyncio.to_thread(run_verifier, [out])
    verified_s = time.perf_counter() - began
    began = time.perf_counter()
    opened = await asyncio.to_thread(open_pack, out, new)
    opened_s = time.perf_counter() - began
    with capsys.disabled():
        print(
            f"\na pack of {readings:,} readings of {len(names)} channels: {took_s:.1f} s, {busy_s:.1f} s of processor "
            f"(target < {WRITE_S:.0f}), {out.stat().st_size / 1e6:.1f} MB, verified in {verified_s:.1f} s, "
            f"opened in {opened_s:.1f} s"
        )
    assert readings > (DAYS - 1) * 86_400 * CHANNELS and written.readings.unanchored_chunks == 0
    assert told["code"] == 0 and told["chunks"] == written.readings.anchored_chunks
    assert opened.compared_readings == readings == opened.readings
    assert busy_s < WRITE_S and verified_s < VERIFY_S, "how busy the machine is besides is not ours"
