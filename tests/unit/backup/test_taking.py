"""A backup is whole or not there, costs little where nothing changed, and never takes an earlier one with it."""

import asyncio
import errno
import json
import os
import shutil
import signal
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.unit.backup.conftest import CHANNEL, NOON, START, Take, note, reading

from cultureops.alarms.journal import SYSTEM
from cultureops.attachments import Attachments, keep_on_record
from cultureops.backup.contents import survey
from cultureops.backup.copying import copy_database, read_back
from cultureops.backup.manifest import read_manifest
from cultureops.backup.proving import prove_files
from cultureops.backup.restoring import restore_backup, try_backup
from cultureops.backup.shelf import backups_in
from cultureops.backup.taking import Wanted, take_backup
from cultureops.clock import DAY_MS, HOUR_MS, SECOND_MS, SeededEntropy, SteppedClock
from cultureops.errors import ChainBroken, ConfigError, StorageError, Unreadable
from cultureops.ledger import Source, SqlLedger, verify
from cultureops.ledger.verify import read_stream
from cultureops.recording import LEDGER_FILE, TELEMETRY_FOLDER
from cultureops.telemetry import ChannelInfo, EmbeddedStore


@pytest.mark.requirement("R17")
def test_a_backup_says_what_it_holds_and_where_the_record_stood(take: Take, lab: Path) -> None:
    taken = take()
    manifest, sha = read_manifest(taken.folder)
    assert (manifest, sha) == (taken.manifest, taken.sha256)
    assert manifest.head == verify(lab / LEDGER_FILE)
    assert manifest.counts.events == manifest.head.position == 15
    assert (manifest.counts.readings, manifest.counts.chunks) == (720, 10)
    assert {file.path for file in manifest.files} == {
        "data/ledger.sqlite", "data/telemetry/journal.sqlite", "data/telemetry/2026-01.sqlite",
        "data/telemetry/2026-02.sqlite", "data/attachments/a1", "data/site.toml",
    }  # fmt: skip
    for file in manifest.files:
        stored = (taken.folder / file.path).read_bytes()
        assert (len(stored), sha256(stored).hexdigest()) == (file.bytes, file.sha256)


def test_no_key_is_in_a_backup_and_only_its_owner_may_read_it(take: Take) -> None:
    taken = take()
    assert not any(b"secret" in path.read_bytes() for path in taken.folder.rglob("*") if path.is_file())
    assert taken.manifest.left_out == ("keys/ledger.key: a key",)
    for path in [taken.folder, *taken.folder.rglob("*")]:
        assert not stat.S_IMODE(path.stat().st_mode) & 0o077, path


def test_what_is_asked_of_gateways_no_more_is_in_the_readings_that_are_copied_later(take: Take, lab: Path) -> None:
    (lab / "origins").mkdir()
    (lab / "origins" / "room_1.json").write_text('{"readings_cursor": "7:0:-1"}')
    paths = [file.path for file in take().manifest.files]
    assert paths.index("data/origins/room_1.json") < paths.index("data/telemetry/journal.sqlite")
    assert len(paths) == len(set(paths)) == 7


def test_what_did_not_change_is_linked_and_what_did_is_copied(take: Take, lab: Path) -> None:
    first = take()
    (lab / "attachments" / "a2").write_bytes(b"photograph")
    second = take(days=1)
    linked = ("attachments/a1", "telemetry/2026-01.sqlite")
    for name in linked:
        assert (first.folder / "data" / name).samefile(second.folder / "data" / name), name
    assert not (first.folder / "data/ledger.sqlite").samefile(second.folder / "data/ledger.sqlite")
    assert second.copied_bytes < first.copied_bytes
    assert second.manifest.counts == first.manifest.counts
    (lab / "attachments" / "a1").write_bytes(b"another certificate....")
    assert (take(days=2).folder / "data/attachments/a1").read_bytes() == b"another certificate...."


def test_a_copy_that_rotted_is_found_when_it_is_read_again_and_made_anew(take: Take) -> None:
    first = take()
    copy = first.folder / "data/telemetry/2026-01.sqlite"
    rotten = bytearray(copy.read_bytes())
    rotten[len(rotten) // 2] ^= 1
    copy.chmod(0o600)
    copy.write_bytes(rotten)
    assert take(days=1).mended == ()  # not its turn to be read
    second = take(days=31)
    assert second.mended == ("data/telemetry/2026-01.sqlite",)
    prove_files(second.folder, second.manifest)
    assert try_backup(second.folder, NOON).proof.readings == 720


def test_the_oldest_go_and_the_last_good_one_never_does(take: Take, shelf: Path) -> None:
    names = [take(days=day).folder.name for day in range(3)]
    (shelf / names[2] / "manifest.json").write_text("{}")  # damaged: it neither counts nor goes
    last = take(days=3, keep=2)
    assert last.removed == (names[0],)
    assert [folder.name for folder in backups_in(shelf)] == [names[1], names[2], last.folder.name]
    assert take(days=4, keep=2, keep_d=30.0).removed == ()


def test_the_backup_of_a_folder_in_use_is_an_exact_prefix(lab: Path, shelf: Path, tmp_path: Path) -> None:
    """Readings and events are appended and sealed all the while; what comes back is what was there at one moment."""

    async def run() -> list[int]:
        clock = SteppedClock(START + 13 * HOUR_MS)
        ledger = SqlLedger.open(lab / LEDGER_FILE, clock, SeededEntropy(8))
        store = EmbeddedStore.open(lab / TELEMETRY_FOLDER)
        store.declare({CHANNEL: ChannelInfo("%")})
        durable, is_over = [store.count()], False

        async def load() -> None:
            number = 100
            while not is_over:
                now = clock.advance(HOUR_MS // 4)
                durable.append(await store.append([reading(now + second * SECOND_MS) for second in range(20)]))
                await ledger.append("note:1", [note(number)], None)
                if number % 9 == 0:
                    await store.seal(now - HOUR_MS)
                number += 1

        loading = asyncio.create_task(load())
        try:
            for turn in range(3):
                await asyncio.to_thread(take_backup, Wanted(lab, shelf), NOON + turn * DAY_MS)
        finally:
            is_over = True
            await loading
            await store.close()
            await ledger.close()
        return durable

    asyncio.run(asyncio.wait_for(run(), 30))
    whole = read_stream(lab / LEDGER_FILE, "note:1")
    grown = set()
    for folder in backups_in(shelf):
        target = tmp_path / f"restored-{folder.name}"
        proof = restore_backup(folder, target, NOON).proof
        held = read_stream(target / LEDGER_FILE, "note:1")
        assert held == whole[: len(held)]
        assert (proof.readings - 720) % 20 == 0
        grown.add((proof.events, proof.readings))
    assert len(grown) == 3


def test_a_failing_disk_at_any_point_leaves_the_earlier_backup_and_no_other(take: Take, shelf: Path) -> None:
    good = take()
    calls = 0
    for fail_at in range(1, 200):
        calls = 0

        def show(done: int, total: int, fail_at: int = fail_at) -> None:
            nonlocal calls
            calls += 1
            if calls == fail_at:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        try:
            take(days=1, keep=1, show=show)
        except StorageError as error:
            assert "No space left on device" in str(error) and "earlier ones are untouched" in str(error)
            assert [path.name for path in shelf.iterdir() if not path.name.startswith(".")] == [good.folder.name]
            prove_files(good.folder, good.manifest)
        else:
            assert fail_at > 3
            return
    pytest.fail("it never came through")


def test_killed_at_any_point_it_leaves_the_earlier_backup_and_the_next_clears_up(take: Take, shelf: Path) -> None:
    good = take()
    for kill_at in (1, 2, 4):
        if (child := os.fork()) == 0:
            left = kill_at

            def show(done: int, total: int) -> None:
                nonlocal left
                left -= 1
                if not left:
                    os.kill(os.getpid(), signal.SIGKILL)

            try:
                take(days=1, keep=1, show=show)
            finally:
                os._exit(0)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL
        assert [folder.name for folder in backups_in(shelf)] == [good.folder.name]
        prove_files(good.folder, good.manifest)
    assert any(path.name.endswith(".unfinished") for path in shelf.iterdir())
    after = take(days=2)
    assert {path.name for path in shelf.iterdir()} == {good.folder.name, after.folder.name, ".backup.lock"}


def test_what_can_not_be_is_refused_in_one_line(lab: Path, shelf: Path, tmp_path: Path, take: Take) -> None:
    with pytest.raises(ConfigError, match=r"ledger\.sqlite: no such file"):
        take_backup(Wanted(tmp_path, shelf), NOON)
    with pytest.raises(ConfigError, match="lies in the data folder"):
        take_backup(Wanted(lab, lab / "attachments"), NOON)
    with pytest.raises(ConfigError, match="make the folder, or mount it"):
        take_backup(Wanted(lab, tmp_path / "unmounted"), NOON)
    take()
    with pytest.raises(StorageError, match="is there already"):
        take()


def test_a_disk_that_is_too_small_is_said_before_anything_is_written(
    take: Take, shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cultureops.backup.taking.shutil.disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(StorageError, match=r"GB are free, the backup needs up to"):
        take()
    assert backups_in(shelf) == []


def test_damage_in_the_data_folder_makes_no_backup(lab: Path, shelf: Path, take: Take) -> None:
    with closing(sqlite3.connect(lab / "telemetry" / "2026-02.sqlite")) as month, month:
        month.execute(
            "UPDATE chunks SET payload = CAST(payload || x'00' AS BLOB) WHERE id = (SELECT max(id) FROM chunks)"
        )
    with pytest.raises(StorageError, match="SHA-256 does not match"):
        take()
    assert backups_in(shelf) == []


def test_links_and_pipes_are_left_out_by_name(lab: Path, take: Take) -> None:
    (lab / "outside").symlink_to("/etc/hostname")
    os.mkfifo(lab / "pipe")
    assert set(take().manifest.left_out) >= {"outside: no plain file", "pipe: no plain file"}


def test_a_file_that_goes_while_the_backup_is_made_is_left_out_by_name(
    lab: Path, take: Take, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = survey(lab)
    seen.plain.append("inbox/taken-away.csv")
    monkeypatch.setattr("cultureops.backup.taking.survey", lambda _: seen)
    assert "inbox/taken-away.csv: was gone when it was to be copied" in take().manifest.left_out


def test_the_site_file_and_the_recipes_it_names_come_along(lab: Path, shelf: Path, tmp_path: Path) -> None:
    site = tmp_path / "etc"
    site.mkdir()
    (site / "own.toml").write_text("name = 1\n")
    (tmp_path / "else.toml").write_text("")
    (site / "tls.key").write_text("secret")
    (site / "hub.pem").write_text("-----BEGIN CERTIFICATE-----\n")
    (site / "both.pem").write_text("-----BEGIN CERTIFICATE-----\n-----BEGIN EC PRIVATE KEY-----\n")
    (site / "lab.toml").write_text(
        '[[recipe]]\nfile = "own.toml"\n[[recipe]]\nfile = "../else.toml"\n'
        '[web]\ntls_key = "tls.key"\n[gateways]\ncertificate = "hub.pem"\nkey = "both.pem"\n'
    )
    taken = take_backup(Wanted(lab, shelf, site / "lab.toml"), NOON)
    assert {file.path for file in taken.manifest.files} >= {"site/lab.toml", "site/own.toml", "site/hub.pem"}
    assert "../else.toml: named by the site file, lies elsewhere" in taken.manifest.left_out
    assert not list(taken.folder.rglob("tls.key")) and not list(taken.folder.rglob("both.pem"))
    restore_backup(taken.folder, tmp_path / "new", NOON)
    assert (tmp_path / "new" / "site" / "own.toml").read_text() == "name = 1\n"


def test_the_manifest_can_be_checked_with_sha256sum(take: Take) -> None:
    taken = take()
    noted, name = (taken.folder / "manifest.sha256").read_text().split()
    assert noted == sha256((taken.folder / name).read_bytes()).hexdigest() == taken.sha256
    assert json.loads((taken.folder / name).read_bytes())["kind"] == "cultureops backup"


def keep_raw_file(lab: Path, contents: bytes = b"counts") -> Path:
    """Keep a raw file on record and return where it lies."""

    async def keep() -> str:
        ledger = SqlLedger.open(lab / LEDGER_FILE, SteppedClock(NOON), SeededEntropy(9))
        sha = await keep_on_record(ledger, Attachments(lab), contents, "a.csv", SYSTEM, Source.IMPORT)
        await ledger.close()
        return sha

    return Attachments(lab).path(asyncio.run(keep()))


@pytest.mark.requirement("R17")
def test_a_raw_file_that_is_kept_while_the_backup_is_made_is_in_it_when_the_ledger_says_so(
    lab: Path, take: Take, monkeypatch: pytest.MonkeyPatch
) -> None:
    came: list[Path] = []

    def copy(*arguments: object) -> None:
        if not came:
            came.append(keep_raw_file(lab))
        copy_database(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr("cultureops.backup.taking.copy_database", copy)
    taken = take()
    (kept,) = read_stream(taken.folder / "data" / LEDGER_FILE, "attachments")
    assert kept.data["sha256"] == came[0].name
    assert (taken.folder / "data" / came[0].relative_to(lab)).read_bytes() == b"counts"


def forge(file: Path) -> None:
    file.chmod(0o644)
    file.write_bytes(b"forged")


@pytest.mark.requirement("R17")
@pytest.mark.parametrize(("damage", "said"), [(forge, "holds other bytes"), (Path.unlink, "is missing")])
def test_a_raw_file_on_record_that_is_not_what_it_was_makes_no_backup_and_is_not_restored(
    lab: Path, take: Take, shelf: Path, tmp_path: Path, damage: Callable[[Path], None], said: str
) -> None:
    file = keep_raw_file(lab)
    taken = take()
    damage(file)
    with pytest.raises(ChainBroken, match=said):
        take(days=1)
    assert [one.name for one in backups_in(shelf)] == [taken.folder.name]

    damage(taken.folder / "data" / file.relative_to(lab))  # and so in the backup, with a manifest that fits
    files = []
    for one in taken.manifest.files:
        if (taken.folder / one.path).exists():
            held = (taken.folder / one.path).read_bytes()
            files.append(replace(one, bytes=len(held), sha256=sha256(held).hexdigest()))
    encoded = replace(taken.manifest, files=tuple(files)).encoded()
    (taken.folder / "manifest.json").write_bytes(encoded)
    (taken.folder / "manifest.sha256").write_text(f"{sha256(encoded).hexdigest()}  manifest.json\n")
    with pytest.raises(ChainBroken, match=said):
        restore_backup(taken.folder, tmp_path / "new", NOON)


@pytest.mark.requirement("R17")
@pytest.mark.parametrize("is_first", [True, False])
@pytest.mark.parametrize("gone", ["telemetry/2026-01.sqlite", "telemetry"])
def test_readings_that_the_ledger_anchors_and_that_are_gone_make_no_backup(
    lab: Path, take: Take, shelf: Path, gone: str, is_first: bool
) -> None:
    if not is_first:
        take()
    before = backups_in(shelf)
    shutil.rmtree(lab / gone) if (lab / gone).is_dir() else (lab / gone).unlink()
    with pytest.raises(ChainBroken, match=r"roots of it|are not those of ledger position"):
        take(days=1)
    assert backups_in(shelf) == before


def test_an_earlier_copy_that_can_not_be_read_any_more_is_made_anew(
    take: Take, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = take()

    def sick(path: Path) -> tuple[int, str]:
        if path.is_relative_to(first.folder) and path.name == "a1":
            raise Unreadable(f"{path}: can't be read: Input/output error; use another backup")
        return read_back(path)

    monkeypatch.setattr("cultureops.backup.taking.read_back", sick)
    assert take(days=40).mended == ("data/attachments/a1",)


def test_a_file_that_only_ends_like_a_log_is_copied(lab: Path, take: Take) -> None:
    (lab / "day-journal").write_text("what happened")
    (lab / "site.toml-wal").write_text("of no database, but beside a file of that name")
    assert {file.path for file in take().manifest.files if "-" in file.path.rpartition("/")[2]} >= {"data/day-journal"}
