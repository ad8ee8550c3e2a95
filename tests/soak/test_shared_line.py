"""Eight devices on one slow line, one dead and one babbling: the others are asked when they are due."""

import asyncio
import math
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import pytest
from proof.shared_line import BABBLER, DEAD

from cultureops.acquisition import Acquisition, LinkEvent
from cultureops.acquisition.bus import first_due
from cultureops.clock import SystemClock
from cultureops.device.reading import Quality, Reading
from cultureops.site import read_site

PERIOD_S = 10
PROGRAM = Path(__file__).parent / "proof" / "shared_line.py"
SITE = """
[site]
name = "lab"
"""
DEVICE = """
[[device]]
id = "unit_{unit}"
driver = "modbus"
link = "modbus+rtu://{port}?baudrate=19200"
period_s = {period_s}
deadline_s = 0.2
options = {{ profile = "cultureops_virtual_incubator", unit_id = {unit} }}
"""
VALUES = {"temperature": 37.0, "co2": 5.0, "humidity": 92.0, "o2": 18.5}
Record = Callable[[str, object], None]


@dataclass
class Babble:
    """How often the babbler spoke, and the unit of each reply that it spoilt."""

    bursts: int = 0
    spoilt: list[int] = field(default_factory=list)


class Outcome(NamedTuple):
    """Of the healthy devices' polls the share that is GOOD, and the share that is or whose reply was spoilt."""

    good_share: float
    explained_share: float
    spoilt_replies: int


@asynccontextmanager
async def line(seed: int, babble: Babble) -> AsyncIterator[str]:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, str(PROGRAM), str(seed), stdin=pipe, stdout=pipe)
    assert process.stdin is not None and process.stdout is not None
    try:
        yield (await process.stdout.readline()).decode().strip()
    finally:
        process.stdin.close()
        babble.bursts, *babble.spoilt = (int(word) for word in (await process.stdout.readline()).split())
        await process.wait()


async def asked(folder: Path, periods: int, seed: int, babble: Babble) -> tuple[list[Reading], list[LinkEvent]]:
    """Run the line for some periods and return one reading of each poll, and what was said of the links.

    Every value that arrives is the one that was sent, whatever fell into its reply.
    """
    polls: list[Reading] = []
    events: list[LinkEvent] = []
    false: list[Reading] = []

    def accept(readings: Sequence[Reading]) -> None:
        polls.append(readings[0])
        for reading in readings:
            name = reading.channel.partition("/")[2]
            if reading.value is not None and reading.value != VALUES.get(name, reading.value):
                false.append(reading)

    async with line(seed, babble) as port:
        site = folder / "site.toml"
        devices = [DEVICE.format(unit=unit, port=port, period_s=PERIOD_S) for unit in range(1, 9)]
        site.write_text(SITE + "".join(devices))
        acquisition = Acquisition(read_site(site).devices, SystemClock(), events.append)
        running = asyncio.create_task(acquisition.run(accept, lambda _: None))
        await asyncio.sleep(periods * PERIOD_S + 1)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert not false
    return polls, events


def lateness_ms(polls: Sequence[Reading], unit: int) -> list[int]:
    """Return how long after its place each poll of a device began."""
    own = [poll.source_time for poll in polls if poll.channel.startswith(f"unit_{unit}/")]
    period_ms = PERIOD_S * 1000
    return [at - first_due(unit - 1, 8, period_ms, at - period_ms + 1) for at in own]


async def shared_line(folder: Path, periods: int, seed: int, record: Record) -> Outcome:
    babble = Babble()
    polls, events = await asked(folder, periods, seed, babble)
    healthy = [unit for unit in range(1, 9) if unit not in (DEAD, BABBLER)]
    late = sorted(ms for unit in healthy for ms in lateness_ms(polls, unit))
    own = [poll for poll in polls if any(poll.channel.startswith(f"unit_{unit}/") for unit in healthy)]
    p95_ms = late[math.ceil(0.95 * len(late)) - 1]
    good = sum(poll.quality is Quality.GOOD for poll in own)
    spoilt = sum(unit in healthy for unit in babble.spoilt)
    good_share, explained_share = good / len(own), min(1.0, (good + spoilt) / len(own))
    record("p95_lateness_ms", p95_ms)
    record("good_share", round(good_share, 4))
    record("explained_share", round(explained_share, 4))
    record("bursts", babble.bursts)
    record("spoilt_replies", len(babble.spoilt))
    assert len(own) >= periods * len(healthy)
    assert p95_ms < 0.1 * PERIOD_S * 1000
    assert explained_share > 0.8
    dead = [poll for poll in polls if poll.channel.startswith(f"unit_{DEAD}/")]
    assert dead and all(poll.quality is Quality.BAD for poll in dead)
    assert [event.device for event in events].count(f"unit_{DEAD}") == 1  # its loss is said once
    assert babble.bursts > 0.8 * periods * PERIOD_S
    return Outcome(good_share, explained_share, len(babble.spoilt))


async def test_a_period_of_a_shared_line(tmp_path: Path, record_property: Record) -> None:
    await shared_line(tmp_path, 1, 1, record_property)


@pytest.mark.soak
@pytest.mark.timeout(600)
async def test_a_shared_line_for_five_minutes(tmp_path: Path, record_property: Record) -> None:
    outcome = await shared_line(tmp_path, 30, 2, record_property)
    assert outcome.good_share > 0.8
    assert outcome.explained_share > 0.98
    assert outcome.spoilt_replies, "nothing was proved: no stray byte met a reply"
