"""A finished batch in a data folder, for packs of it: signed, with sealed and anchored readings, and a raw file."""

from __future__ import annotations

import asyncio
import io
import json
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stdout
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any
from unittest.mock import patch

from tests.system.conftest import SITE
from tests.unit.batch.conftest import BATCH_ID, START, Lab

from cultureops.alarms.journal import SYSTEM
from cultureops.anchor import Anchor
from cultureops.attachments import Attachments, keep_on_record
from cultureops.batch import commands as do
from cultureops.batch.recipe import load_recipe
from cultureops.clock import DAY_MS, HOUR_MS, MINUTE_MS, SeededEntropy, SteppedClock
from cultureops.device.reading import Quality, Reading, Reason
from cultureops.dossier import Dossier
from cultureops.keeping import packs
from cultureops.ledger import SqlLedger
from cultureops.ledger.event import Source
from cultureops.ledger.keys import KeyFolder
from cultureops.telemetry import ChannelInfo, EmbeddedStore

__all__ = ["BATCH_ID", "RAW", "VERIFIER", "data_folder", "pack_of", "run_verifier", "written_pack"]

RAW = b"Sample,Viability\r\nB-2026-001.P0-harvest-1,96.4\r\n"
VERIFIER = Path(__file__).parents[1] / "src/cultureops/pack/verify_pack.py"
CHANNELS = ("incubator_1/temperature", "incubator_1/co2")


@cache
def data_folder() -> Path:
    """Return a data folder of a closed batch, made once for each process; nobody may change it."""
    folder = Path(mkdtemp(prefix="cultureops-packing-"))
    with ThreadPoolExecutor(1) as beside:  # the test that asks first may run a loop of its own
        beside.submit(lambda: asyncio.run(_play(folder))).result()
    return folder


@cache
def written_pack() -> Path:
    """Return a pack of that batch; nobody may change it."""
    with ThreadPoolExecutor(1) as beside:
        return beside.submit(pack_of, data_folder(), Path(mkdtemp(prefix="cultureops-pack-")) / "pack.zip").result()


def pack_of(folder: Path, out: Path) -> Path:
    """Write the pack of the batch in a folder, without the papers, which are shown elsewhere and take a second."""

    def papers(dossier: Dossier) -> dict[str, bytes]:
        return {packs.SITE: packs.place_text(dossier.place), "record.pdf": b"%PDF-1.7\n"}

    with patch.object(packs, "_papers", papers), redirect_stdout(io.StringIO()):
        packs.write_audit_pack(folder, BATCH_ID, out, None, as_json=True)
    return out


def run_verifier(*runs: Sequence[str | Path], script: Path = VERIFIER, lacks: str = "") -> list[dict[str, Any]]:
    """Run the verifier as a stranger does, in one interpreter that knows nothing of cultureops: once for each run.

    Return what it prints as JSON, with its exit code under ``code``; ``lacks`` names what else is not installed.
    """
    calls = json.dumps([[str(argument) for argument in (*run, "--json")] for run in runs])
    done = subprocess.run(
        (sys.executable, "-I", "-c", _ALONE, str(script), lacks),
        input=calls, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    found: list[dict[str, Any]] = [json.loads(text) | {"code": code} for code, text in json.loads(done.stdout)]
    return found


_ALONE = """
import contextlib, io, json, runpy, sys
script, *lacks = sys.argv[1:]
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("cultureops", "cultureops_drivers", "rfc8785", "numpy", "pydantic", *lacks):
            raise ImportError("a stranger has no " + name)
sys.meta_path.insert(0, Refuse())
said = []
for arguments in json.load(sys.stdin):
    sys.argv = [script, *arguments]
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        try:
            runpy.run_path(script, run_name="__main__")
        except SystemExit as end:
            said.append((end.code, out.getvalue()))
json.dump(said, sys.stdout)
"""


async def _play(folder: Path) -> None:
    (folder / "site.toml").write_text(SITE.format(counts=folder / "counts"), encoding="utf-8")
    (folder / "counts").mkdir()
    clock, entropy = SteppedClock(START), SeededEntropy(7)
    ledger = SqlLedger.open(folder / "ledger.sqlite", clock, entropy, keys=KeyFolder(folder / "keys"))
    store = EmbeddedStore.open(folder / "telemetry")
    try:
        await ledger.introduce_key()
        store.declare({name: ChannelInfo("Cel" if "temp" in name else "%") for name in CHANNELS})
        anchor = Anchor(store, ledger)
        lab = Lab(ledger, clock, load_recipe("tavakol_afshari_2021"))
        raw = await keep_on_record(ledger, Attachments(folder), RAW, "=harvest\u202e.csv", SYSTEM, Source.IMPORT)
        details = lab.steps["P0 count 1"].details
        lab.change("P0 count 1", details=details.model_copy(update={"source_sha256": raw}))
        for name, step in lab.steps.items():
            if name == "P0 first medium":
                await _breathe(store, START, clock.now() + HOUR_MS)
            await lab.do(step)
            if isinstance(step.details, do.Review):
                await anchor.settle(clock.now())
        late = Reading(CHANNELS[0], 36.9, Quality.GOOD, Reason.NONE, START + DAY_MS, clock.now())
        await store.append([late])
        await anchor.settle(clock.now())
    finally:
        await store.close()
        await ledger.close()


async def _breathe(store: EmbeddedStore, start: int, end: int) -> None:
    """Keep a reading of each channel every ten minutes, for two days; a few of them without a value."""
    frame: list[Reading] = []
    for number, at in enumerate(range(start, min(end, start + 2 * DAY_MS), 10 * MINUTE_MS)):
        for channel in CHANNELS:
            lost = number % 50 == 49
            value = None if lost else round((37.0 if "temp" in channel else 5.0) + number % 7 / 100, 2)
            state = (Quality.BAD, Reason.TIMEOUT) if lost else (Quality.GOOD, Reason.NONE)
            frame.append(Reading(channel, value, *state, at, at + 40))
    await store.append(frame)
