"""What comes back is what was backed up, or nothing comes back and the reason is named."""

import json
import os
import random
import shutil
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from tests.unit.backup.conftest import NOON, Take

from cultureops.backup.manifest import parse_manifest
from cultureops.backup.restoring import read_keys, restore_backup, try_backup, write_keys
from cultureops.backup.taking import Taken, Wanted, take_backup
from cultureops.errors import ChainBroken, ConfigError, CultureOpsError, StorageError, Unreadable
from cultureops.ledger import Head, verify
from cultureops.ledger.verify import read_stream
from cultureops.recording import LEDGER_FILE
from cultureops.telemetry.exchange import check

HOUR_S = 3600


@pytest.fixture(scope="module")
def shared(played: Path, tmp_path_factory: pytest.TempPathFactory) -> Taken:
    shelf = tmp_path_factory.mktemp("shared") / "shelf"
    shelf.mkdir()
    return take_backup(Wanted(played, shelf), NOON)


@pytest.fixture
def taken(shared: Taken, shelf: Path) -> Taken:
    folder = shutil.copytree(shared.folder, shelf / shared.folder.name)
    return replace(shared, folder=Path(folder))


@pytest.mark.requirement("R17")
def test_last_nights_backup_is_restored_to_a_bare_host_and_verified_by_root_and_counts(
    taken: Taken, lab: Path, tmp_path: Path
) -> None:
    target = tmp_path / "bare host" / "data"
    target.parent.mkdir()
    found = restore_backup(taken.folder, target, NOON + 8 * HOUR_S * 1000, known=verify(lab / LEDGER_FILE))
    assert verify(target / LEDGER_FILE) == verify(lab / LEDGER_FILE) == found.proof.head
    assert check(target / "telemetry") == check(lab / "telemetry")
    assert (found.proof.events, found.proof.readings, found.proof.roots) == (15, 720, 3)
    assert read_stream(target / LEDGER_FILE, "note:1") == read_stream(lab / LEDGER_FILE, "note:1")
    assert 30 * HOUR_S < found.data_age_s < 40 * HOUR_S  # measured from the newest fact in it
    assert found.seconds > 0
    assert sorted(path.name for path in tmp_path.joinpath("bare host").iterdir()) == ["data"]


@pytest.mark.parametrize("used", ["file", "folder", "link"])
def test_a_folder_in_use_is_refused_and_untouched(taken: Taken, tmp_path: Path, used: str) -> None:
    target = tmp_path / "used"
    if used == "file":
        target.write_text("mine")
    elif used == "folder":
        target.mkdir()
        (target / "mine").write_text("mine")
    else:
        target.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="is in use; name a new or an empty folder"):
        restore_backup(taken.folder, target, NOON)
    assert not (tmp_path / "elsewhere").exists()
    (tmp_path / "empty").mkdir()
    restore_backup(taken.folder, tmp_path / "empty", NOON)
    with pytest.raises(ConfigError, match="make it first"):
        restore_backup(taken.folder, tmp_path / "no" / "where", NOON)


def truncate(file: Path) -> None:
    os.truncate(file, file.stat().st_size - 1)


def flip(file: Path) -> None:
    held = bytearray(file.read_bytes())
    held[len(held) // 3] ^= 4
    file.write_bytes(held)


def replace_by_link(file: Path) -> None:
    elsewhere = next(folder for folder in file.parents if folder.name == "shelf") / file.name
    shutil.move(file, elsewhere)
    file.symlink_to(elsewhere)


def replace_by_pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


@pytest.mark.parametrize("name", ["ledger.sqlite", "telemetry/2026-01.sqlite"])
@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (truncate, "bytes"),
        (flip, "SHA-256 is not the one noted"),
        (Path.unlink, "is missing"),
        (replace_by_link, "is a link"),
        (replace_by_pipe, "is missing"),
    ],
)
def test_a_damaged_file_is_refused_by_name(
    taken: Taken, tmp_path: Path, name: str, damage: Callable[[Path], None], said: str
) -> None:
    damage(taken.folder / "data" / name)
    with pytest.raises(Unreadable, match=said) as raised:
        restore_backup(taken.folder, tmp_path / "new", NOON)
    assert name.rpartition("/")[2] in str(raised.value)
    assert not (tmp_path / "new").exists()
    assert not list(tmp_path.glob("*restor*"))


def test_a_file_of_another_backup_is_refused(taken: Taken, take: Take, lab: Path, tmp_path: Path) -> None:
    (lab / "attachments" / "a1").write_bytes(b"a certificate of a later day")
    later = take(days=1)
    shutil.copy(later.folder / "data/attachments/a1", taken.folder / "data/attachments/a1")
    with pytest.raises(Unreadable, match=r"a1: has 28 bytes, 23 are noted"):
        restore_backup(taken.folder, tmp_path / "new", NOON)


def test_a_file_that_nobody_named_is_refused(taken: Taken, tmp_path: Path) -> None:
    (taken.folder / "data" / "ledger.sqlite-wal").write_bytes(b"a log to be played into the ledger")
    with pytest.raises(Unreadable, match="is not named by the manifest"):
        restore_backup(taken.folder, tmp_path / "new", NOON)


def test_a_forged_ledger_with_a_forged_manifest_is_refused_by_a_head_noted_elsewhere(
    taken: Taken, take: Take, lab: Path, tmp_path: Path
) -> None:
    noted = verify(lab / LEDGER_FILE)
    other = Head(noted.position, "0" * 64)
    with pytest.raises(ChainBroken):
        restore_backup(taken.folder, tmp_path / "new", NOON, known=other)
    with pytest.raises(ChainBroken):
        try_backup(taken.folder, NOON, known=Head(noted.position + 1, noted.hash))
    assert not (tmp_path / "new").exists()


def rewrite(folder: Path, change: Callable[[dict], object]) -> None:  # type: ignore[type-arg]
    data = json.loads((folder / "manifest.json").read_bytes())
    change(data)
    encoded = json.dumps(data).encode()
    (folder / "manifest.json").write_bytes(encoded)
    (folder / "manifest.sha256").write_text(f"{sha256(encoded).hexdigest()}  manifest.json\n")


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        (lambda it: it["counts"].update(readings=721), ChainBroken, "721"),
        (lambda it: it["head"].update(hash="0" * 64), ChainBroken, "the manifest says 15:0000"),
        (lambda it: it["files"][0].update(path="../../etc/passwd"), Unreadable, "leads out of the backup"),
        (lambda it: it["files"][0].update(path="/etc/passwd"), Unreadable, "leads out of the backup"),
        (lambda it: it["files"].append(it["files"][0]), Unreadable, "named twice"),
        (lambda it: it["files"].clear(), Unreadable, "not named by the manifest"),
        (lambda it: it.update(format=2), Unreadable, "use a newer cultureops"),
        (lambda it: it.update(kind="holiday pictures"), Unreadable, "no manifest"),
        (lambda it: it.pop("head"), Unreadable, "no manifest"),
        (lambda it: it["files"][0].update(bytes=-1), Unreadable, "no manifest"),
        (lambda it: it["files"][0].update(sha256="x"), Unreadable, "no SHA-256"),
        (lambda it: it.update(more=1), Unreadable, "no manifest"),
    ],
)
def test_a_forged_manifest_is_refused(
    taken: Taken, tmp_path: Path, change: Callable[[dict], object], error: type[CultureOpsError], said: str  # type: ignore[type-arg]
) -> None:  # fmt: skip
    rewrite(taken.folder, change)
    with pytest.raises(error, match=said):
        restore_backup(taken.folder, tmp_path / "new", NOON)
    assert not (tmp_path / "new").exists()


def test_garbage_for_a_manifest_is_refused_and_never_anything_else(taken: Taken) -> None:
    good = taken.manifest.encoded()
    assert parse_manifest(good, "m") == taken.manifest
    chance = random.Random(5)
    for _ in range(300):
        bad = bytearray(good)
        for _ in range(chance.randint(1, 4)):
            bad[chance.randrange(len(bad))] = chance.randrange(256)
        try:
            parse_manifest(bytes(bad), "m")
        except Unreadable as error:
            assert "\n" not in str(error)


def test_what_is_no_backup_is_said_so(tmp_path: Path, lab: Path) -> None:
    for folder in (tmp_path / "nothing", lab):
        with pytest.raises(ConfigError, match="no backup is there"):
            restore_backup(folder, tmp_path / "new", NOON)


def test_a_disk_that_fills_leaves_nothing_behind(taken: Taken, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("cultureops.backup.restoring.copy_file", full)
    with pytest.raises(StorageError, match="nothing was restored"):
        restore_backup(taken.folder, tmp_path / "new", NOON)
    assert not list(tmp_path.glob("new*"))


def test_keys_go_into_a_file_of_their_own_and_come_back(taken: Taken, lab: Path, tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    write_keys(lab, taken.keys_left_out, file)
    assert file.stat().st_mode & 0o777 == 0o600
    with pytest.raises(ConfigError, match="name a new file"):
        write_keys(lab, taken.keys_left_out, file)
    restore_backup(taken.folder, tmp_path / "new", NOON, keys=file)
    key = tmp_path / "new" / "keys" / "ledger.key"
    assert key.read_bytes() == b"secret"
    assert key.stat().st_mode & 0o777 == 0o600
    for text in ("", "{}", '{"kind": "cultureops keys", "files": {"../x.key": ""}}', '{"kind": "cultureops keys"}'):
        file.write_text(text)
        with pytest.raises(ConfigError, match="name the file that --with-keys wrote"):
            read_keys(file)
    file.write_text('{"kind": "cultureops keys", "files": {"ledger.sqlite": ""}}')
    with pytest.raises(ConfigError, match="is no key's place"):
        read_keys(file)


def test_a_folder_beside_it_that_bears_the_name_of_an_unfinished_one_is_left_alone(
    taken: Taken, tmp_path: Path
) -> None:
    mine = tmp_path / "new.restoring"
    mine.mkdir()
    (mine / "mine").write_text("mine")
    with pytest.raises(ConfigError, match="remove it first"):
        restore_backup(taken.folder, tmp_path / "new", NOON)
    for inside in (taken.folder / "new", taken.folder / "data" / ".." / "new"):
        with pytest.raises(ConfigError, match="lies in the backup"):
            restore_backup(taken.folder, inside, NOON)
    assert (mine / "mine").read_text() == "mine" and not (tmp_path / "new").exists()


@pytest.mark.parametrize("name", ["keys/a\0b.key", "keys", "keys/.", "keys//a.key", "../a.key", "ledger.sqlite"])
def test_a_file_of_keys_that_names_no_keys_place_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "k.json").write_text(json.dumps({"kind": "cultureops keys", "files": {name: "aGk="}}))
    with pytest.raises(ConfigError, match="is no key's place"):
        read_keys(tmp_path / "k.json")
