"""Backups under a load from another process, killed at random moments, and onto a disk that is really full."""

import asyncio
import itertools
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cultureops.backup.manifest import read_manifest
from cultureops.backup.nightly import make_apart
from cultureops.backup.proving import prove_files
from cultureops.backup.restoring import try_backup
from cultureops.backup.shelf import backups_in
from cultureops.backup.taking import Wanted, take_backup
from cultureops.clock import SystemClock
from cultureops.errors import StorageError
from cultureops.ledger.verify import read_stream
from cultureops.recording import LEDGER_FILE

LOAD = """
import asyncio, sys
from collections.abc import Callable
from pathlib import Path
from cultureops.anchor import Anchor
from cultureops.clock import HOUR_MS, MINUTE_MS, SystemEntropy, SteppedClock, parse_iso
from cultureops.device.reading import Quality, Reading, Reason
from cultureops.ledger import Actor, NewEvent, Source, SqlLedger
from cultureops.telemetry import ChannelInfo, EmbeddedStore

async def main(folder):
    clock = SteppedClock(parse_iso("2026-01-30T20:00:00Z"))
    ledger = SqlLedger.open(folder / "ledger.sqlite", clock, SystemEntropy())
    store = EmbeddedStore.open(folder / "telemetry", seals_apart=True)
    channels = [f"incubator_{n}/co2" for n in range(20)]
    store.declare({name: ChannelInfo("%") for name in channels})
    anchor = Anchor(store, ledger)
    number = 0
    while True:
        now = clock.advance(5 * MINUTE_MS)
        await store.append([Reading(name, 5.0, Quality.GOOD, Reason.NONE, now, now) for name in channels])
        number += 1
        event = NewEvent("noted", {"number": number}, Actor("operator-1", "OP"), Source.HUMAN)
        await ledger.append("note:1", [event], None)
        await anchor.settle(now)
        if number == 3:
            print("running", flush=True)

asyncio.run(main(Path(sys.argv[1])))
"""


@pytest.mark.soak
@pytest.mark.requirement("R17")
def test_backups_of_a_lab_at_work_are_exact_prefixes_and_killed_ones_are_not_there(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    lab, shelf, chance = tmp_path / "lab", tmp_path / "shelf", random.Random(11)
    lab.mkdir()
    shelf.mkdir()
    load = subprocess.Popen([sys.executable, "-c", LOAD, str(lab)], stdout=subprocess.PIPE)
    made = killed = 0
    numbers: list[list[int]] = []
    longest_s = 0.0
    try:
        assert load.stdout is not None and load.stdout.readline() == b"running\n"
        ends = time.monotonic() + 90
        for turn in itertools.count():
            if time.monotonic() > ends:
                break
            now = SystemClock().now()
            if turn % 3:
                child = os.fork()
                if child == 0:
                    try:
                        take_backup(Wanted(lab, shelf, keep=3), now)
                    finally:
                        os._exit(0)
                time.sleep(chance.uniform(0.001, 0.4))
                os.kill(child, signal.SIGKILL)
                killed += os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
            else:
                longest_s = max(longest_s, take_backup(Wanted(lab, shelf, keep=3), now).seconds)
                made += 1
            assert load.poll() is None
            for folder in backups_in(shelf):
                prove_files(folder, read_manifest(folder)[0])
            newest = backups_in(shelf)[-1]
            found = try_backup(newest, now, within=tmp_path)
            held = [event.data["number"] for event in read_stream(newest / "data" / LEDGER_FILE, "note:1")]
            assert held == list(range(1, len(held) + 1))
            assert found.proof.readings % 20 == 0 and found.proof.readings // 20 >= len(held) - 1
            numbers.append(held)  # type: ignore[arg-type]
            time.sleep(1.01 - time.time() % 1)  # a name for each second
    finally:
        load.kill()
        load.communicate()
    record_property("made", made)
    record_property("killed", killed)
    record_property("longest_s", round(longest_s, 3))
    assert made >= 3 and killed >= 5
    assert [len(held) for held in numbers] == sorted(len(held) for held in numbers)


@pytest.mark.soak
def test_a_disk_that_is_really_full_makes_no_backup_and_takes_no_earlier_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small, lab = tmp_path / "small", tmp_path / "lab"
    small.mkdir()
    lab.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=96m", "tmpfs", str(small)], capture_output=True)
    if mounted.returncode:
        pytest.skip("only root may mount a small disk")
    try:
        load = subprocess.Popen([sys.executable, "-c", LOAD, str(lab)], stdout=subprocess.PIPE)
        assert load.stdout is not None and load.stdout.readline() == b"running\n"
        load.kill()
        load.communicate()
        good = take_backup(Wanted(lab, small), SystemClock().now())
        (lab / "attachments").mkdir()
        (lab / "attachments" / "film").write_bytes(random.Random(1).randbytes(24 * 2**20))
        (small / "filler").write_bytes(bytes(shutil.disk_usage(small).free - 8 * 2**20))
        monkeypatch.setattr("cultureops.backup.taking._SPARE_BYTES", -(2**40))  # let it find out by itself
        with pytest.raises(StorageError, match=r"No space left on device|disk is full"):
            take_backup(Wanted(lab, small), SystemClock().now() + 5_000)
        with pytest.raises(StorageError, match="are free, the backup needs"):
            asyncio.run(make_apart(Wanted(lab, small), SystemClock().now() + 9_000))
        prove_files(good.folder, good.manifest)
        assert backups_in(small) == [good.folder]
    finally:
        subprocess.run(["umount", str(small)], check=True)
