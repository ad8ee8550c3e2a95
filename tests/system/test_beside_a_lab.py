"""Commands append to the ledger of a data folder whether or not a lab is running on it; the lab hears of it once."""

import asyncio
import contextlib
import subprocess
import sys
from pathlib import Path

import pytest

from cultureops import lab as lab_module
from cultureops.access.desk import AccessDesk, open_access
from cultureops.batch.register import BatchRegister
from cultureops.clock import SECOND_MS, SeededEntropy, SteppedClock, parse_iso
from cultureops.errors import ConfigError
from cultureops.lab import open_lab
from cultureops.ledger.event import Actor, Event, NewEvent, Source
from cultureops.ledger.verify import verify
from cultureops.recording import LEDGER_FILE, open_ledger_beside
from cultureops.site import Site, read_site

DEADLINE_S = 30.0
NOTE = NewEvent("noted", {"text": "rack 2 wiped"}, Actor("operator-1", "OP"), Source.HUMAN)
SITE = """
[site]
name = "lab"
[[chamber]]
id = "incubator_1"
class = "incubator"
[[device]]
id = "incubator_1"
chamber = "incubator_1"
driver = "modbus"
link = "modbus+tcp://127.0.0.1:1"
options = { profile = "cultureops_virtual_incubator" }
"""
COMMAND = """
import asyncio, sys
from pathlib import Path
from cultureops.ledger.event import Actor, NewEvent, Source
from cultureops.recording import open_ledger_beside

async def main():
    async with open_ledger_beside(Path(sys.argv[1])) as ledger:
        event = NewEvent("noted", {"text": "rack 2 wiped"}, Actor("operator-1", "OP"), Source.HUMAN)
        await ledger.append("note:1", [event], ledger.version("note:1"))

asyncio.run(main())
"""


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock(parse_iso("2026-01-05T08:00:00Z"))


@pytest.fixture
def site(tmp_path: Path) -> Site:
    (tmp_path / "site.toml").write_text(SITE)
    return read_site(tmp_path / "site.toml")


def command(data_dir: Path) -> None:
    """Append one event from a process of its own."""
    subprocess.run([sys.executable, "-c", COMMAND, str(data_dir)], check=True, timeout=DEADLINE_S)


async def test_a_running_lab_hears_what_a_command_appends(tmp_path: Path, site: Site, clock: SteppedClock) -> None:
    heard: list[Event] = []
    async with open_lab(site, tmp_path, clock, SeededEntropy(1)) as lab:
        lab.ledger.on_append.append(heard.extend)
        work = asyncio.create_task(lab.run())
        async with asyncio.timeout(DEADLINE_S):
            for number in range(1, 3):
                await asyncio.to_thread(command, tmp_path)
                while sum(event.stream == "note:1" for event in heard) < number:
                    clock.advance(SECOND_MS)
                    await asyncio.sleep(0.001)
            await lab.ledger.append("note:1", [NOTE], 2)
        work.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await work
        assert lab.ledger_failure is None
    first = heard[0].position
    assert [event.position for event in heard] == list(range(first, first + len(heard)))
    assert [event.version for event in heard if event.stream == "note:1"] == [1, 2, 3]
    assert verify(tmp_path / LEDGER_FILE).position == heard[-1].position


async def test_what_is_appended_while_a_lab_opens_is_folded_once(
    tmp_path: Path, site: Site, clock: SteppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    folded: list[int] = []
    fold, opened = BatchRegister.apply, open_access

    def note(register: BatchRegister, event: Event) -> None:
        folded.append(event.position)
        fold(register, event)

    async def open_slowly(*args: object, **options: object) -> AccessDesk:
        desk = await opened(*args, **options)  # type: ignore[arg-type]
        await asyncio.to_thread(command, tmp_path)
        return desk

    monkeypatch.setattr(BatchRegister, "apply", note)
    monkeypatch.setattr(lab_module, "open_access", open_slowly)
    command(tmp_path)
    async with open_lab(site, tmp_path, clock, SeededEntropy(1)) as lab:
        own = lab.ledger.version("ledger") + lab.ledger.version("access")
        assert folded == list(range(1, own + 2)), "one noted before, and what a lab says of itself"
        await lab.ledger.catch_up()
        await lab.ledger.append("note:1", [NOTE], 2)
    assert folded == list(range(1, own + 4))


async def test_a_command_works_without_a_lab_and_asks_for_its_folder(tmp_path: Path, clock: SteppedClock) -> None:
    async with open_ledger_beside(tmp_path, clock) as ledger:
        (event,) = await ledger.append("note:1", [NOTE], 0)
    assert event.recorded_at == clock.now()
    assert [path.name for path in tmp_path.iterdir()] == [LEDGER_FILE]
    with pytest.raises(ConfigError, match="no such folder; name the data folder of the lab"):
        async with open_ledger_beside(tmp_path / "nowhere"):
            pass
