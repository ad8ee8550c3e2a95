"""The journal alone: what a refused transaction leaves to be done."""

import sqlite3
from pathlib import Path

import pytest

from cultureops.device.reading import Quality, Reading, Reason
from cultureops.telemetry import ChannelInfo
from cultureops.telemetry.frame import take_apart
from cultureops.telemetry.journal import Journal

CHANNELS = {"a/t": (1, ChannelInfo("Cel", 2))}


def refuse_to_commit(action: int, what: str | None, *_: object) -> int:
    is_commit = action == sqlite3.SQLITE_TRANSACTION and what == "COMMIT"
    return sqlite3.SQLITE_DENY if is_commit else sqlite3.SQLITE_OK


def test_a_refused_drop_is_still_to_be_done(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    for at in range(3):
        journal.write(CHANNELS, take_apart([Reading("a/t", 37.0, Quality.GOOD, Reason.NONE, at, at)], {"a/t": 1})[1])
    journal.drop_until(2)
    journal._db.set_authorizer(refuse_to_commit)
    with pytest.raises(sqlite3.DatabaseError):
        journal.write({}, None)
    journal._db.set_authorizer(None)
    assert journal.has_to_drop
    assert journal.write({}, None).total == 3
    assert not journal.has_to_drop
    assert journal._db.execute("SELECT seq FROM frames").fetchall() == [(3,)]
    journal.close()
