"""Instruments that hand over results, in a composed lab: heard from the first visit, recorded, and let go of."""

from __future__ import annotations

import asyncio
from collections import deque
from pathlib import Path

import pytest

from cultureops.clock import MINUTE_MS, SeededEntropy, SteppedClock, parse_iso
from cultureops.lab import open_lab
from cultureops.site import read_site
from cultureops_simulators.astm_counter.sender import Sender

SITE = """
[site]
name = "lab"
[[device]]
id = "counter_1"
driver = "astm_counter"
link = "listen+tcp://127.0.0.1:{port}"
options = {{ mapping = "example_counter", folder = "{folder}/astm" }}
[[device]]
id = "incucyte_1"
driver = "incucyte"
link = "folder://{folder}/exports"
options = {{ atomic = true }}
[[device]]
id = "imager_1"
driver = "image_folder"
link = "folder://{folder}/images"
options = {{ atomic = true }}
"""
RECORDS = [b"H|\\^&|||x", b"P|1", b"O|1|nobody", b"R|1|^^^VIABILITY|95.00|%||||F||||20260105090500", b"L|1|N"]
EXPORT = """\
Label: Flask 7
Metric: Phase Object Confluence (Percent)

Date Time\tElapsed\tB2
25/11/2025 10:00:00\t0\t12.5
"""


async def test_what_instruments_hand_over_is_in_the_ledger(tmp_path: Path, unused_tcp_port: int) -> None:
    for name in ("exports", "images", "data"):
        (tmp_path / name).mkdir()
    (tmp_path / "site.toml").write_text(SITE.format(folder=tmp_path, port=unused_tcp_port), encoding="utf-8")
    (tmp_path / "exports" / "confluence.txt").write_text(EXPORT, encoding="utf-8")
    (tmp_path / "images" / "well_B1_2_2022y05m08d_08h46m.tif").write_bytes(b"II*\x00")
    clock = SteppedClock(parse_iso("2026-01-05T08:00:00Z"))
    async with open_lab(read_site(tmp_path / "site.toml"), tmp_path / "data", clock, SeededEntropy(1)) as lab:
        found = list(await lab.acquisition.collect(clock.now()))
        assert [device for device, _ in found] == ["incucyte_1", "imager_1"]
        async with asyncio.timeout(10):
            await send(unused_tcp_port)
            while len(found) < 3:
                found += await lab.acquisition.collect(clock.advance(MINUTE_MS))
                await asyncio.sleep(0.005)
        kept = {
            "exports": "confluence.txt",
            "images": "well_B1_2_2022y05m08d_08h46m.tif",
            "astm": found[2][1].source_file,
        }
        assert all(not (tmp_path / folder / "done" / name).exists() for folder, name in kept.items())
        for device, result in found:
            await lab.take(device, result)
        assert await lab.acquisition.collect(clock.advance(MINUTE_MS)) == ()
        assert all((tmp_path / folder / "done" / name).exists() for folder, name in kept.items())
        observed = [(event.type, event.actor.id) for event in lab.ledger.read("observations")]
        assert observed == [("confluence_observed", "incucyte_1"), ("image_received", "imager_1")]
        (count,) = lab.ledger.read("results")
        assert count.actor.id == "counter_1" and "names no sample of a batch" in str(count.data["problem"])
    with pytest.raises(OSError):  # a lab that is closed listens no more
        await asyncio.open_connection("127.0.0.1", unused_tcp_port)


async def send(port: int) -> None:
    """Send one message as an analyser does."""
    outbox = deque([RECORDS])
    sender = Sender(outbox)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sender.step(0.0))
    while outbox:
        writer.write(sender.receive(await reader.readexactly(1)))
    await writer.drain()
    writer.close()
    await writer.wait_closed()
