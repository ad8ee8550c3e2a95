"""Opened on another host, a pack answers as the ledger and the store did that it came from, and takes nothing in."""

import asyncio
import json
import shutil
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import pytest
from tests.packing import BATCH_ID, data_folder, pack_of, written_pack

from cultureops.batch.batch import stream_of
from cultureops.clock import DAY_MS, SeededEntropy, SteppedClock, iso, parse_iso
from cultureops.device.reading import Quality, Reading, Reason
from cultureops.dossier import gather_dossier
from cultureops.errors import ChainBroken, ConfigError, StorageError, Unreadable
from cultureops.keeping.dossiers import dossier_of
from cultureops.keeping.packs import check_audit_pack
from cultureops.keeping.verifying import verify_folder
from cultureops.ledger import Actor, NewEvent, SqlLedger
from cultureops.ledger.event import Source
from cultureops.pack.ledger import PackLedger, is_pack, made_at, site_text
from cultureops.pack.place import place_from, place_text
from cultureops.pack.reading import Opened, open_pack
from cultureops.telemetry import EmbeddedStore
from cultureops.telemetry.archive import Archive
from cultureops.telemetry.exchange import kept_readings
from cultureops.telemetry.points import as_readings


@cache
def opened() -> tuple[Path, Opened]:
    target = Path(mkdtemp(prefix="cultureops-opened-")) / "new"
    return target, open_pack(written_pack(), target)


@pytest.mark.requirement("R15")
def test_r15_export_and_import_on_a_clean_host_give_the_same_root_the_same_events_and_the_same_readings() -> None:
    folder, found = opened()
    ledger = SqlLedger.open(data_folder() / "ledger.sqlite", SteppedClock(1), SeededEntropy(1))
    pack = PackLedger.open(folder)
    root = ledger.tree.root(found.size).hex()
    assert found.root == root and pack.signed_heads()[-1].root == root
    there = {event.position: event for event in ledger.read_all()}
    assert pack.head().hash == there[found.size].hash
    own = [event.canonical for event in ledger.read(stream_of(BATCH_ID))]
    assert [event.canonical for event in pack.read(stream_of(BATCH_ID))] == own
    assert all(event == there[event.position] for event in pack.read_all())

    windows = json.loads((folder / "manifest.json").read_text())["readings"]["windows"]
    archive = Archive.open(folder / "telemetry")
    told, kept = [], []
    for name, start, end in windows:
        if name in archive.channels():
            asked = [name], parse_iso(start), parse_iso(end)
            told += [row for _, _, points in archive.kept(*asked) for row in as_readings([name] * points.size, points)]
            for _, _, points in kept_readings(data_folder() / "telemetry", *asked):
                kept += as_readings([name] * points.size, points)
    archive.close()
    assert told == kept and len(told) == found.readings == found.compared_readings > 10
    assert {reading.channel for reading in told} == {"incubator_1/temperature", "incubator_1/co2"}


async def test_the_dossier_of_a_pack_is_that_of_the_data_folder() -> None:
    folder, _ = opened()
    now = made_at(folder)
    here = await dossier_of(data_folder(), BATCH_ID, clock=SteppedClock(now))
    there = await dossier_of(folder, BATCH_ID)
    assert (there.batch, there.recipe, there.events) == (here.batch, here.recipe, here.events)
    assert there.related == here.related and there.people == here.people
    assert there.lots == here.lots and there.equipment == here.equipment
    lived = [
        [(stay.stay, stay.gaps, [one.exposure for one in stay.channels]) for stay in d.stays] for d in (here, there)
    ]
    assert lived[0] == lived[1] and any(stay.channels for stay in there.stays)
    assert there.place.zone == here.place.zone and there.now == now


async def test_nothing_can_be_written_into_an_opened_pack() -> None:
    folder, _ = opened()
    pack = PackLedger.open(folder)
    new = NewEvent("noted", {}, Actor("operator-1", "OP"), Source.HUMAN)
    for attempt in (pack.append("x", [new], None), pack.append_many([("x", [new], None)])):
        with pytest.raises(StorageError, match="only read"):
            await attempt
    assert await pack.catch_up() == () and (await pack.sign_head()) == pack.signed_heads()[-1]
    await pack.close()
    assert all(not path.stat().st_mode & 0o222 for path in folder.rglob("*"))


def test_a_pack_answers_as_a_ledger() -> None:
    folder, found = opened()
    pack = PackLedger.open(folder)
    everything = [*pack.read_all()]
    assert [event.position for event in everything] == sorted(event.position for event in everything)
    assert [*pack.read_all(limit=3)] == everything[:3]
    assert [*pack.read_all(everything[4].position, 2)] == everything[5:7]
    stream = stream_of(BATCH_ID)
    assert pack.read(stream, 10)[0].version == 11 and pack.version(stream) == pack.read(stream)[-1].version
    assert pack.streams("batch:") == (stream,) and pack.version("nobody") == 0 and pack.read("nobody") == ()
    holder = pack.holder(pack.claimed("signature:")[0][0])
    assert holder is not None and holder.stream == stream
    assert pack.head().position == found.size and not pack.signed_heads(found.size)


def test_an_opened_pack_is_looked_at_again_whenever_it_is_read(tmp_path: Path) -> None:
    open_pack(written_pack(), tmp_path / "new")
    assert is_pack(tmp_path / "new") and not is_pack(tmp_path) and not is_pack(data_folder())
    events = tmp_path / "new" / "events.jsonl"
    events.chmod(0o644)
    whole = events.read_bytes()
    events.write_bytes(whole.replace(b"consent v3", b"consent v4"))
    with pytest.raises(ChainBroken, match="edited"):
        PackLedger.open(tmp_path / "new")
    events.write_bytes(whole[:-20])
    with pytest.raises(Unreadable, match="is no event"):
        PackLedger.open(tmp_path / "new")
    events.write_bytes(whole)
    for name, old, new in (("proof.json", '"signature":"', '"signature":"0'), ("site.json", "{", " {")):
        file = tmp_path / "new" / name
        file.chmod(0o644)
        file.write_text((as_it_was := file.read_text()).replace(old, new))
        with pytest.raises(ChainBroken, match=f"{name}: edited|did not sign it"):
            PackLedger.open(tmp_path / "new")
        file.write_text(as_it_was)
    (tmp_path / "new" / "proof.json").write_text("{}")
    with pytest.raises(ChainBroken, match=r"open the pack again"):
        PackLedger.open(tmp_path / "new")


def test_a_pack_that_was_changed_is_not_opened(tmp_path: Path) -> None:
    data = bytearray(written_pack().read_bytes())
    data[data.find(b"PAR1") + 400] ^= 1
    (tmp_path / "pack.zip").write_bytes(data)
    with pytest.raises((ChainBroken, StorageError), match=r"Parquet|parquet|taken out|as it was written"):
        open_pack(tmp_path / "pack.zip", tmp_path / "new")
    assert [path.name for path in tmp_path.iterdir()] == ["pack.zip"]


def test_a_head_noted_elsewhere_that_is_of_another_history_keeps_a_pack_closed(tmp_path: Path) -> None:
    with pytest.raises(ChainBroken, match="another history"):
        open_pack(written_pack(), tmp_path / "new", f"{opened()[1].size}:{'ab' * 32}")
    with pytest.raises(ChainBroken, match="key"):
        open_pack(written_pack(), tmp_path / "new", known_key="0" * 16)


def test_what_a_pack_says_of_its_site_reads_back() -> None:
    place = place_from(site_text(opened()[0]))
    again = place_from(place_text(place))
    assert (again.name, again.zone, again.chambers, again.channels) == (
        place.name, place.zone, place.chambers, place.channels
    )  # fmt: skip
    assert again.equipment().ids() == place.equipment().ids()
    assert b"modbus+tcp" not in site_text(opened()[0]), "no address leaves the house"
    for garbage in (b"", b"{}", b"\xff", b'{"name":"x","zone":"Nowhere/At_all"}', json.dumps([1]).encode()):
        with pytest.raises(Unreadable, match=r"site\.json"):
            place_from(garbage)


async def test_a_batch_still_in_a_chamber_has_a_pack_as_it_stands(tmp_path: Path) -> None:
    """Of a batch that goes on, the pack ends now; a later one is a new pack."""
    folder, _ = opened()
    pack = PackLedger.open(folder)
    place, head = place_from(site_text(folder)), pack.signed_heads()[-1]
    archive = Archive.open(folder / "telemetry")
    now = made_at(folder) + DAY_MS
    dossier = await gather_dossier(BATCH_ID, pack, archive, place, now, head)
    archive.close()
    assert dossier.events == pack.read(stream_of(BATCH_ID)) and iso(dossier.now) == iso(now)


def test_a_pack_of_a_pack_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"opened pack"):
        pack_of(opened()[0], tmp_path / "again.zip")
    with pytest.raises(ConfigError, match=r"\.zip"):
        pack_of(data_folder(), tmp_path / "again.pdf")


@pytest.mark.requirement("R15")
async def test_what_is_not_sealed_yet_keeps_nothing_else_from_being_compared(tmp_path: Path) -> None:
    shutil.copytree(data_folder(), folder := tmp_path / "lab")
    store = EmbeddedStore.open(folder / "telemetry")
    windows = json.loads((opened()[0] / "manifest.json").read_text())["readings"]["windows"]
    channel, start, _ = next(window for window in windows if window[0] == "incubator_1/co2")
    at = parse_iso(start) + 7
    await store.append([Reading(channel, 36.6, Quality.GOOD, Reason.NONE, at, at)])
    await store.close()
    found = await asyncio.to_thread(
        lambda: open_pack(pack_of(folder, tmp_path / "pack.zip"), tmp_path / "new")
    )  # fmt: skip
    assert found.readings == opened()[1].readings + 1
    assert found.compared_readings == opened()[1].compared_readings == found.readings - 1


@pytest.mark.requirement("R15")
@pytest.mark.parametrize("gone", ["telemetry/2026-01.sqlite", "telemetry"])
def test_a_pack_is_not_made_without_readings_that_the_ledger_anchors(tmp_path: Path, gone: str) -> None:
    shutil.copytree(data_folder(), folder := tmp_path / "lab")
    shutil.rmtree(folder / gone) if (folder / gone).is_dir() else (folder / gone).unlink()
    with pytest.raises(StorageError, match=r"are not those that were anchored|no such file"):
        pack_of(folder, tmp_path / "pack.zip")
    assert not (tmp_path / "pack.zip").exists()


def test_the_command_that_verifies_a_data_folder_sends_an_opened_pack_to_its_own() -> None:
    with pytest.raises(ConfigError, match="cultureops pack verify"):
        verify_folder(opened()[0], (), (), None)
    with pytest.raises(ConfigError, match="no such file"):
        check_audit_pack(opened()[0] / "none", None, None, as_json=False)
