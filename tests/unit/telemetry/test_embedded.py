"""What is particular to the store in a folder of SQLite files."""

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from cultureops.clock import HOUR_MS, MINUTE_MS
from cultureops.device.reading import Quality, Reading, Reason
from cultureops.errors import StorageError, Unreadable
from cultureops.telemetry import ChannelInfo, EmbeddedStore, embedded
from cultureops.telemetry.exchange import check
from cultureops.telemetry.frame import MAX_READINGS

START = 1_767_600_000_000 // HOUR_MS * HOUR_MS


def reading(at: int, value: float) -> Reading:
    return Reading("a/t", value, Quality.GOOD, Reason.NONE, START + at, START + at)


def tamper(path: Path, *statements: str) -> None:
    db = sqlite3.connect(path)
    for statement in statements:
        db.execute(statement)
    db.commit()
    db.close()


async def test_a_closed_store_says_so_and_never_hangs(store: EmbeddedStore) -> None:
    await store.append([reading(0, 1.0)])
    await store.close()
    await store.close()
    await store.flush()
    with pytest.raises(StorageError, match="is closed"):
        await store.append([reading(1, 1.0)])
    with pytest.raises(StorageError, match="is closed"):
        await store.series("a/t", START, START + 1)


async def test_close_keeps_what_was_appended(open_store: Callable[[], EmbeddedStore]) -> None:
    store = open_store()
    store.declare({"a/t": ChannelInfo("Cel")})
    kept = [store.append([reading(at, 1.0)]) for at in range(1000)]
    await store.close()
    await asyncio.sleep(0)
    frames = [future.result() for future in kept]
    assert (frames[0], frames) == (1, sorted(frames))
    again = open_store()
    assert (again.count(), again.durable[0]) == (1000, frames[-1])


async def test_too_many_readings_at_once_are_refused(store: EmbeddedStore) -> None:
    with pytest.raises(StorageError, match="65536 readings at once; append at most 65535"):
        await store.append([reading(0, 1.0)] * (MAX_READINGS + 1))
    assert await store.append([]) == 0
    assert store.latest() == {}


async def test_a_second_writer_is_refused(store: EmbeddedStore, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="another process writes to it"):
        EmbeddedStore.open(tmp_path / "telemetry")
    assert await store.append([reading(0, 1.0)]) == 1


@pytest.mark.parametrize("name", ["journal.sqlite", "2026-01.sqlite"])
async def test_files_that_are_not_ours_are_refused(tmp_path: Path, name: str) -> None:
    newer, foreign, garbage = (tmp_path / kind / name for kind in ("newer", "foreign", "garbage"))
    for path in (newer, foreign, garbage):
        path.parent.mkdir()
    tamper(newer, "PRAGMA user_version=3")
    tamper(foreign, "CREATE TABLE lots(id)")
    garbage.write_bytes(bytes(range(256)) * 64)
    for path, message in [
        (newer, r"newer cultureops \(format 3, this one knows 2\)"),
        (foreign, "is no file of a telemetry store of format 2"),
        (garbage, "is no telemetry store"),
    ]:
        for _ in range(2):  # a refused folder is not left locked
            with pytest.raises(Unreadable, match=f"{path.parent.name}/{name}.*{message}"):
                EmbeddedStore.open(path.parent)
    with pytest.raises(StorageError, match="no such folder"):
        EmbeddedStore.open(tmp_path / "nowhere" / "telemetry")


async def test_damaged_frames_are_named_and_stop_nothing_else(
    open_store: Callable[[], EmbeddedStore], tmp_path: Path
) -> None:
    store = EmbeddedStore.open(tmp_path / "telemetry")
    store.declare({"a/t": ChannelInfo("Cel")})
    for minute in range(130):
        await store.append([reading(minute * MINUTE_MS, float(minute))])
    await store.close()
    tamper(
        tmp_path / "telemetry" / "journal.sqlite",
        "UPDATE frames SET payload = zeroblob(length(payload)) WHERE seq IN (2, 3)",
    )
    with pytest.raises(Unreadable, match=r"telemetry: frame 2: .*format 0.*; restore"):
        check(tmp_path / "telemetry")
    with pytest.raises(Unreadable, match=r"frame 2: .*format 0.*; restore"):
        EmbeddedStore.open(tmp_path / "telemetry")


async def test_readings_go_on_when_a_write_was_refused_for_a_while(store: EmbeddedStore, tmp_path: Path) -> None:
    """A trigger refuses frames as SQLite does on a full disk; the real thing is in test_disk_full."""
    await store.append([reading(0, 1.0)])
    db = sqlite3.connect(tmp_path / "telemetry" / "journal.sqlite", isolation_level=None)
    db.execute("CREATE TRIGGER full BEFORE INSERT ON frames BEGIN SELECT RAISE(ABORT, 'disk full'); END")
    refused = [store.append([reading(at, float(at))]) for at in range(1, 700)]
    await store.flush()
    assert all(isinstance(future.exception(), StorageError) for future in refused)
    assert "disk full" in str(store.failure)
    assert (store.count(), store.durable[0], store.latest()["a/t"].value) == (1, 1, 699.0)
    db.execute("DROP TRIGGER full")
    db.close()
    assert await store.append([reading(700, 700.0)]) == store.durable[0]
    assert store.count() == 701
    assert store.failure is None
    assert (await store.series("a/t", START, START + 1000)).value.tolist() == [1.0, *map(float, range(1, 701))]


async def test_when_too_many_wait_for_the_disk_the_oldest_are_given_up(
    open_store: Callable[[], EmbeddedStore], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "MOST_WAITING_READINGS", 100)
    store = open_store()
    store.declare({"a/t": ChannelInfo("Cel")})
    await store.flush()
    db = sqlite3.connect(tmp_path / "telemetry" / "journal.sqlite", isolation_level=None)
    db.execute("CREATE TRIGGER full BEFORE INSERT ON frames BEGIN SELECT RAISE(ABORT, 'disk full'); END")
    refused = [store.append([reading(at, float(at))]) for at in range(150)]
    await store.flush()
    assert all(isinstance(future.exception(), StorageError) for future in refused)
    db.execute("DROP TRIGGER full")
    db.close()
    await store.append([reading(150, 150.0)])
    first = 151 - store.count()
    assert first in (50, 51)  # the writer may have tried again just before the last append
    assert (await store.series("a/t", START, START + 1000)).value.tolist() == [float(at) for at in range(first, 151)]


async def test_a_store_closed_in_trouble_ends(open_store: Callable[[], EmbeddedStore], tmp_path: Path) -> None:
    store = open_store()
    store.declare({"a/t": ChannelInfo("Cel")})
    await store.flush()
    tamper(
        tmp_path / "telemetry" / "journal.sqlite",
        "CREATE TRIGGER full BEFORE INSERT ON frames BEGIN SELECT RAISE(ABORT, 'disk full'); END",
    )
    refused = [store.append([reading(at, 1.0)]) for at in range(600)]
    await asyncio.wait_for(store.close(), 10)
    await asyncio.sleep(0)
    assert all(isinstance(future.exception(), StorageError) for future in refused)


async def test_readers_see_no_half_transaction(store: EmbeddedStore) -> None:
    """Frames and what is derived from them appear together, also in the roll-ups of an hour that just closed."""
    kept = []
    for minute in range(600):
        kept.append(store.append([reading(minute * MINUTE_MS, 1.0)]))
        if minute % 20 == 0:
            buckets = await store.buckets("a/t", START, START + 600 * MINUTE_MS, 600)
            seen = int(buckets.count.sum())
            assert buckets.count.tolist() == [1] * seen + [0] * (600 - seen)
    await asyncio.gather(*kept)


async def test_a_folder_that_takes_no_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "telemetry" / "writer.lock").mkdir(parents=True)
    with pytest.raises(StorageError, match="telemetry: can't be opened for writing: Is a directory"):
        EmbeddedStore.open(tmp_path / "telemetry")
    (tmp_path / "file").write_text("a file")
    with pytest.raises(StorageError, match="file: can't be opened for writing: "):
        EmbeddedStore.open(tmp_path / "file")


async def test_what_is_durable_is_a_commit_that_was_synced(store: EmbeddedStore, tmp_path: Path) -> None:
    """The settings of the files that all other promises rest on; whether they hold is shown by the power cuts."""
    await store.append([reading(0, 1.0)])
    db = store._journal._db
    assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert db.execute("PRAGMA synchronous").fetchone() == (2,)
    assert db.execute("PRAGMA wal_autocheckpoint").fetchone() == (0,)
    assert db.execute("PRAGMA user_version").fetchone() == (2,)
