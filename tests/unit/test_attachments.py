"""Raw files: durable before the ledger names them, the name proves the bytes, and nothing is ever replaced."""

import asyncio
import hashlib
import os
from pathlib import Path

import pytest

from cultureops.attachments import KEPT, MOST_BYTES, STREAM, Attachments, keep_on_record
from cultureops.clock import SeededEntropy, SteppedClock
from cultureops.device.driver import ImageResult, Result
from cultureops.device.folder import Folder, FolderSource
from cultureops.errors import ConfigError, StorageError, Unreadable
from cultureops.keeping.entry import Entry
from cultureops.keeping.raw_files import keep_files
from cultureops.ledger import Actor, SqlLedger
from cultureops.ledger.event import Source
from cultureops.ledger.finding import Kind

ACTOR = Actor("counter_1", "DEV")
RAW = b"Sample,Viability\n"
SHA256 = hashlib.sha256(RAW).hexdigest()


@pytest.fixture
def kept(tmp_path: Path) -> Attachments:
    return Attachments(tmp_path)


def ledger_in(folder: Path) -> SqlLedger:
    return SqlLedger.open(folder / "ledger.sqlite", SteppedClock(1_767_600_000_000), SeededEntropy(1))


async def keep(ledger: SqlLedger, kept: Attachments, contents: bytes = RAW, name: str = "a.csv") -> str:
    return await keep_on_record(ledger, kept, contents, name, ACTOR, Source.DEVICE)


def test_a_file_lies_under_its_hash_and_reads_back(kept: Attachments, tmp_path: Path) -> None:
    assert kept.keep(RAW) == SHA256 == kept.keep(RAW)
    assert kept.path(SHA256) == tmp_path / "attachments" / SHA256[:2] / SHA256
    assert kept.read(SHA256) == RAW and kept.holds(SHA256)
    assert kept.path(SHA256).stat().st_mode & 0o222 == 0
    assert [path.name for path in kept.names()] == [SHA256], "nothing unfinished is left"
    assert list(kept.check()) == []


@pytest.mark.parametrize("name", ["", "../../etc/passwd", SHA256.upper(), SHA256 + "0", "/" + SHA256[1:]])
def test_only_a_hash_is_a_name(kept: Attachments, name: str) -> None:
    with pytest.raises(StorageError, match="64 hex digits"):
        kept.read(name)


async def test_the_bytes_are_durable_before_the_ledger_names_them(
    kept: Attachments, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    fsync, rename = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda fd: (order.append("sync"), fsync(fd))[1])
    monkeypatch.setattr(Path, "replace", lambda self, to: (order.append("rename"), rename(self, to))[1])
    ledger = ledger_in(tmp_path)
    ledger.on_append.append(lambda events: order.append("event"))
    assert await keep(ledger, kept) == SHA256
    assert order.index("event") == len(order) - 1 and order[:2] == ["sync", "rename"]
    assert order[2:-1].count("sync") == 3, "and the names of the folders"
    (event,) = ledger.read(STREAM)
    assert (event.type, event.data["sha256"], event.data["source_file"]) == (KEPT, SHA256, "a.csv")
    assert await keep(ledger, kept, name="again.csv") == SHA256
    assert ledger.version(STREAM) == 1, "the same bytes are on record once"
    await ledger.close()


async def test_what_the_disk_refuses_is_not_on_record(
    kept: Attachments, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(fd: int) -> None:
        raise OSError(28, "No space left on device")

    ledger = ledger_in(tmp_path)
    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", full)
        with pytest.raises(StorageError, match="No space left"):
            await asyncio.to_thread(kept.keep, RAW)
    assert list(kept.names()) == [] and not list(tmp_path.rglob(".new-*"))
    assert ledger.version(STREAM) == 0 and await keep(ledger, kept) == SHA256
    await ledger.close()


def test_too_large_a_file_is_refused(kept: Attachments, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cultureops.attachments.MOST_BYTES", 10)
    with pytest.raises(StorageError, match="10 are kept at most"):
        kept.keep(RAW)
    assert MOST_BYTES > 10**8


async def test_check_names_what_was_edited_put_there_or_taken_away(kept: Attachments, tmp_path: Path) -> None:
    ledger = ledger_in(tmp_path)
    edited, gone = await keep(ledger, kept), await keep(ledger, kept, b"another")
    events = ledger.read(STREAM)
    await ledger.close()
    assert list(kept.check(events)) == []
    kept.path(edited).chmod(0o644)
    kept.path(edited).write_bytes(RAW[:-1])
    kept.path(gone).unlink()
    (tmp_path / "attachments" / "notes.txt").write_text("x")
    found = {(one.kind, one.where.rpartition("/")[2]): one for one in kept.check(events)}
    assert found.keys() == {(Kind.EDITED, edited), (Kind.DELETED, gone), (Kind.INSERTED, "notes.txt")}
    assert found[Kind.DELETED, gone].position == events[1].position
    with pytest.raises(Unreadable, match="other bytes"):
        kept.read(edited)
    with pytest.raises(Unreadable, match="evidence"):
        kept.keep(RAW)
    with pytest.raises(StorageError, match="is not there"):
        kept.read(gone)


async def test_a_hostile_file_name_is_written_down_and_never_a_path(kept: Attachments, tmp_path: Path) -> None:
    ledger = ledger_in(tmp_path)
    await keep(ledger, kept, name="../../a\u202egpj.\udcff\n.csv")
    (event,) = ledger.read(STREAM)
    assert str(event.data["source_file"]).isprintable()
    await ledger.close()
    assert [path.name for path in kept.names()] == [SHA256]


async def test_a_file_that_another_process_notes_meanwhile_is_noted_once(kept: Attachments, tmp_path: Path) -> None:
    ledger, other = ledger_in(tmp_path), ledger_in(tmp_path)
    await asyncio.gather(keep(ledger, kept), keep(other, kept))
    await ledger.catch_up()
    assert ledger.version(STREAM) == 1
    await ledger.close()
    await other.close()


async def test_a_folder_gives_the_very_bytes_of_a_result_until_it_is_released(tmp_path: Path) -> None:
    def parse(contents: bytes, name: str) -> list[Result]:
        return [ImageResult("A1", 1, "", None, name, hashlib.sha256(contents).hexdigest())]

    source = FolderSource("imager_1", Folder(tmp_path, parse, atomic=True))
    (tmp_path / "a.png").write_bytes(RAW)
    (result,) = await source.collect()
    assert await source.contents(result) == RAW
    (held,) = tmp_path.glob("taken/*/a.png")
    held.write_bytes(b"other")
    assert await source.contents(result) is None, "they are no longer what was read"
    source.release(result)
    assert await source.contents(result) is None


async def test_a_link_or_a_pipe_in_the_place_of_a_file_is_found(kept: Attachments, tmp_path: Path) -> None:
    ledger = ledger_in(tmp_path)
    linked, piped = await keep(ledger, kept), await keep(ledger, kept, b"other", "b.csv")
    events = ledger.read(STREAM)
    await ledger.close()
    elsewhere = tmp_path / "elsewhere"
    kept.path(linked).parent.rename(elsewhere)
    kept.path(linked).parent.symlink_to(elsewhere)
    (elsewhere / linked).chmod(0o644)
    (elsewhere / linked).write_bytes(b"forged")
    kept.path(piped).unlink()
    os.mkfifo(kept.path(piped))
    found = {(one.kind, one.where.rpartition("/")[2]) for one in kept.check(events)}
    assert found == {(Kind.INSERTED, linked[:2]), (Kind.INSERTED, piped), (Kind.DELETED, piped)}
    with pytest.raises(Unreadable, match="no plain file"):
        kept.read(piped)


def test_what_never_ends_is_not_kept(tmp_path: Path) -> None:
    ledger_in(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    for file in (tmp_path / "pipe", Path("/dev/zero"), tmp_path):
        with pytest.raises(ConfigError, match="no plain file"):
            keep_files(tmp_path, [file], Entry("operator-1", "OP"), as_json=False)
