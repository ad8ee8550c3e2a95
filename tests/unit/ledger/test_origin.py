"""A log is one node's: it bears one name from its first event on, whoever opens it."""

from pathlib import Path

import pytest

from cultureops.clock import SeededEntropy, SteppedClock
from cultureops.errors import StorageError
from cultureops.ledger.event import Actor, NewEvent, Source
from cultureops.ledger.store import SqlLedger

FACT = NewEvent("noted", {}, Actor("cultureops", "system"), Source.SYSTEM)


async def test_a_log_keeps_the_name_of_its_node(tmp_path: Path) -> None:
    def opened(origin: str | None = None) -> SqlLedger:
        return SqlLedger.open(tmp_path / "ledger.sqlite", SteppedClock(0), SeededEntropy(1), origin)

    for origin in ("room_1", None, "room_1"):
        ledger = opened(origin)
        (event,) = await ledger.append("x", [FACT], None)
        assert event.origin == ledger.origin == "room_1"
        await ledger.close()
    with pytest.raises(StorageError, match="is the log of 'room_1', not of 'room_2'"):
        opened("room_2")


async def test_a_log_that_nobody_names_is_local(tmp_path: Path) -> None:
    ledger = SqlLedger.open(tmp_path / "ledger.sqlite", SteppedClock(0), SeededEntropy(1))
    assert ledger.origin == "local"
    await ledger.close()
