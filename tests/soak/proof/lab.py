"""A lab whose telemetry may be refused by the disk: readings come, minute by minute, and it says how it stands."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
from pathlib import Path

from cultureops.clock import MINUTE_MS, SeededEntropy, SteppedClock, parse_iso
from cultureops.device.reading import Quality, Reading, Reason
from cultureops.errors import StorageError
from cultureops.lab import open_lab
from cultureops.lab_health import health_of
from cultureops.site import read_site

__all__ = ["CHANNEL", "main"]

CHANNEL = "incubator_1/co2"
START = parse_iso("2026-01-05T08:00:00Z")
SETTLE_S = 5.0


async def run(site_file: Path, data_dir: Path, first: int, minutes: int, value: float) -> None:
    clock = SteppedClock(START + first * MINUTE_MS)
    durable = 0
    async with open_lab(read_site(site_file), data_dir, clock, SeededEntropy(first)) as lab:
        for _ in range(minutes):
            now = clock.advance(MINUTE_MS)
            kept = lab.recorder.accept([Reading(CHANNEL, value, Quality.GOOD, Reason.NONE, now, now)])
            lab.recorder.tick(now)
            async with asyncio.timeout(SETTLE_S):
                await lab.settle()
                try:
                    await kept
                    durable += 1
                except StorageError:
                    pass
        said = {
            "durable": durable,
            "store_failure": health_of(lab)["store_failure"],
            "active": [view.rule.id for view in lab.engine.active()],
            "recorded": [event.type for event in lab.ledger.read(f"alarm:{CHANNEL}/low")],
            "latest": lab.store.latest()[CHANNEL].value,
        }
    os.write(1, (json.dumps(said) + "\n").encode())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, kind in (("site_file", Path), ("data_dir", Path), ("first", int), ("minutes", int), ("value", float)):
        parser.add_argument(name, type=kind)
    asyncio.run(run(**vars(parser.parse_args())))


if __name__ == "__main__":
    main()
