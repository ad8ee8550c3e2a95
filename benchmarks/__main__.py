"""Run every claim, print a table and write bench.json, one row per claim with its peer, ratio and target."""

import asyncio
import json
from pathlib import Path

from benchmarks import store_ingest

__all__: list[str] = []

rows = [asyncio.run(store_ingest.measure())]
for row in rows:
    print(
        f"{row['name']}: {row['value']:.0f} {row['unit']}, {row['peer']}: {row['peer_value']:.0f}, "
        f"ratio {row['ratio']:.2f} (target {row['target']}) {'ok' if row['ok'] else 'MISSED'}"
    )
Path("bench.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
