"""A store of format 1 is taken over whole, or not at all; its file is kept."""

import sqlite3
from pathlib import Path

import pytest

from cultureops.device.reading import Quality, Reason
from cultureops.errors import Unreadable
from cultureops.telemetry import ChannelInfo, EmbeddedStore

START = 1_767_600_000_000
OLD = Path(__file__).parent / "captures" / "format_1.sql"


def put_old(tmp_path: Path, *changes: str) -> None:
    db = sqlite3.connect(tmp_path / "telemetry.sqlite", isolation_level=None)
    db.executescript(OLD.read_text(encoding="utf-8"))
    for change in changes:
        db.execute(change)
    db.close()


async def test_readings_of_format_1_are_taken_over(tmp_path: Path) -> None:
    put_old(tmp_path)
    for _ in range(2):  # the second time there is nothing left to do
        store = EmbeddedStore.open(tmp_path / "telemetry")
        assert store.count() == 61
        assert store.channels() == {
            "a/t": ChannelInfo("Cel", decimals=2, simulated=True),
            "a/c": ChannelInfo("%", verified=False),
        }
        series = await store.series("a/t", START, START + 30 * 600_000)
        assert series.value.tolist() == [20.0, *(37 + k / 100 for k in range(1, 30))]
        assert series.revised.tolist() == [True] + [False] * 29
        assert [(gap.from_ms, gap.to_ms, gap.reason) for gap in await store.gaps(START, START + 30 * 600_000)] == [
            (START + 7 * 600_000, START + 9 * 600_000, Reason.TIMEOUT)
        ]
        assert store.latest()["a/t"].value == 20.0
        assert store.latest()["a/c"].quality is Quality.UNCERTAIN
        await store.close()
    assert not (tmp_path / "telemetry.sqlite").exists()
    assert (tmp_path / "telemetry-format-1.sqlite").is_file()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("UPDATE frames SET payload = zeroblob(length(payload)) WHERE seq = 3", "frame 3 is damaged"),
        ("UPDATE frames SET payload = x'01' WHERE seq = 4", "frame 4 is damaged"),
        ("PRAGMA user_version=7", "is no telemetry store of format 1"),
    ],
)
async def test_what_is_damaged_is_named_and_left_alone(change: str, message: str, tmp_path: Path) -> None:
    put_old(tmp_path, change)
    for _ in range(2):
        with pytest.raises(Unreadable, match=message):
            EmbeddedStore.open(tmp_path / "telemetry")
    assert (tmp_path / "telemetry.sqlite").is_file()
    assert not (tmp_path / "telemetry").exists()
