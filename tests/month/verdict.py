"""What must hold whatever befell the house, read from what its programs have recorded and the plan.

The numbers are those of the invariants: I1 what was acknowledged is there once, in order, byte for byte; I2 nothing
half is; I3 chains, roots, heads and signatures verify; I4 no condition that lasts goes unannounced; I5 no state that
cannot be reached; I6 gaps on record are the real ones; I7 what the hub holds of its gateways is what they hold.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from tests.month.house import BATCHES, Lived
from tests.month.plan import DEVICES, GATEWAYS, HUB, ON_DELAY_S, PERIOD_S, SKEW_MS, STEP_MS, Kind, Plan, Span

from cultureops.alarms.events import ALARM_EVENT_TYPES
from cultureops.alarms.state import Input, State
from cultureops.alarms.state import step as after
from cultureops.clock import SECOND_MS, Instant, parse_iso
from cultureops.device.reading import Quality
from cultureops.ledger.event import Event, decode
from cultureops.ledger.examine import examine
from cultureops.ledger.table import read_rows
from cultureops.ledger.whereabouts import open_reader
from cultureops.telemetry import EmbeddedStore

__all__ = ["judge"]

LATEST_MS = (PERIOD_S + ON_DELAY_S + 5) * SECOND_MS
"""From the begin of a condition to its alarm, where somebody watches."""
CLOCK_TOLERANCE_MS = 100


@dataclass(frozen=True, slots=True)
class Log:
    """All rows of one program's ledger, and their events."""

    rows: tuple[tuple[int, bytes, bytes], ...]
    events: tuple[Event, ...]

    @classmethod
    def read(cls, path: Path) -> Log:
        connection = open_reader(path)
        try:
            rows = tuple((row.position, row.canonical, row.hash) for row in read_rows(connection))
        finally:
            connection.close()
        return cls(rows, tuple(decode(canonical, chain_hash) for _, canonical, chain_hash in rows))

    def alarms(self, rule_id: str) -> tuple[Event, ...]:
        return tuple(one for one in self.events if one.stream == f"alarm:{rule_id}" and one.type in ALARM_EVENT_TYPES)


async def judge(folder: Path, plan: Plan, lived: Lived) -> dict[str, int]:
    """Hold everything recorded against the plan; return how much was looked at."""
    data = {name: (folder if name == HUB else folder / name) / "data" for name in (HUB, *GATEWAYS)}
    logs = {name: Log.read(path / "ledger.sqlite") for name, path in data.items()}
    found: Counter[str] = Counter()
    for name in data:
        found["I1 acknowledged events"] += acknowledged(folder if name == HUB else folder / name, logs[name])
        assert not examine(data[name] / "ledger.sqlite").findings, f"I3: the ledger of {name}"
        found["I5 transitions"] += legal(logs[name])
    for name in GATEWAYS:
        held = data[HUB] / "origins" / f"{name}.sqlite"
        assert Log.read(held).rows == logs[name].rows, f"I1: the hub's copy of the log of {name}"
        assert not examine(held).findings, f"I3: the hub's copy of the log of {name}"
        found["I7 relayed transitions"] += relayed(name, logs[name], logs[HUB])
        found["clocks compared"] += clocks(name, logs[HUB])
    verified(data[HUB])
    stores = {name: EmbeddedStore.open(path / "telemetry") for name, path in data.items()}
    try:
        for gateway, devices in DEVICES.items():
            for device in devices:
                found["I4 conditions"] += announced(device, gateway, plan, lived, logs)
                found["I6 readings"] += await gaps(device, gateway, plan, lived, stores[gateway])
            found["I7 readings"] += await same(stores[gateway], stores[HUB], gateway)
    finally:
        await asyncio.gather(*(store.close() for store in stores.values()))
    return dict(found)


def acknowledged(folder: Path, log: Log) -> int:
    """I1, I2: each event that the program said was recorded stands at its place, and places have no gaps."""
    assert [position for position, _, _ in log.rows] == list(range(1, len(log.rows) + 1)), "I2: positions have gaps"
    lines = (folder / "acknowledged.jsonl").read_text().splitlines()
    said = [json.loads(line) for line in lines]
    kept = {event.position: event.hash for event in log.events}
    assert all(kept.get(position) == chain_hash for position, chain_hash in said), f"I1: {folder.name} lost an event"
    ids = Counter(event.event_id for event in log.events)
    assert ids.most_common(1)[0][1] == 1, "I1: an event is there twice"
    return len(said)


def legal(log: Log) -> int:
    """I5: every transition on record is one that the table of states allows, and follows from the one before."""
    allowed = {(state, after(state, one)) for state in State for one in Input} | {(state, state) for state in State}
    standing: dict[str, str] = {}
    count = 0
    for event in log.events:
        if event.type in ALARM_EVENT_TYPES:
            before, to = str(event.data["from_state"]), str(event.data["to_state"])
            assert (State(before), State(to)) in allowed, f"I5: {event.stream} from {before} to {to}"
            assert standing.get(event.stream, before) == before, f"I5: {event.stream} was {standing[event.stream]}"
            standing[event.stream] = to
            count += 1
    return count


def relayed(name: str, theirs: Log, hub: Log) -> int:
    """I7: each transition of a gateway's devices stands at the hub once, in order, with who was in the chamber."""
    wanted = [one for one in theirs.events if one.type in ALARM_EVENT_TYPES]
    found = [one for one in hub.events if one.data.get("origin") == name and one.type in ALARM_EVENT_TYPES]
    assert [one.data["origin_position"] for one in found] == [one.position for one in wanted], f"I7: alarms of {name}"
    for there, here in zip(wanted, found, strict=True):
        assert (here.type, here.data["to_state"]) == (there.type, there.data["to_state"])
        assert here.data["at"] == there.data["at"] and here.data["raised_at"] == there.data["raised_at"]
    return len(found)


def clocks(name: str, hub: Log) -> int:
    """How far a gateway's clock is off is on record, and right."""
    found = [one for one in hub.events if one.type == "gateway_clock_compared" and one.data["origin"] == name]
    assert found, f"the clock of {name} was never compared"
    for event in found:
        off_by = abs(int(str(event.data["offset_ms"])) - SKEW_MS[name])
        # Lab time stands still within a step: an exchange that falls between two programs' steps is off by one.
        assert off_by <= int(str(event.data["uncertainty_ms"])) + CLOCK_TOLERANCE_MS + STEP_MS, event.data
    return len(found)


def announced(device: str, gateway: str, plan: Plan, lived: Lived, logs: dict[str, Log]) -> int:
    """I4: a condition that lasts while its gateway watches is announced in time, and at the hub with its batch."""
    rule_id, skew = f"{device}/co2/low", SKEW_MS[gateway]
    raised = [one for one in logs[gateway].alarms(rule_id) if one.type == "alarm_raised"]
    times = [parse_iso(str(one.data["at"])) - skew for one in raised]
    stands = list(_standing(logs[gateway].alarms(rule_id), skew))
    count = 0
    for span in plan.of(device, Kind.LOW):
        for since, until in _watched(span, lived.up[gateway]):
            if until - since < LATEST_MS:
                continue
            latest = since + LATEST_MS
            is_announced = any(since <= at <= latest for at in times) or any(a < since <= b for a, b in stands)
            assert is_announced, f"I4: {rule_id} low since {since}, raised at {times}"
            count += 1
    for at in times:
        near = [span for span in plan.of(device, Kind.LOW, Kind.BLIP) if span.since <= at <= span.until + STEP_MS]
        assert near, f"I4: {rule_id} was raised at {at}, when nothing was wrong"
    for batch, chamber in BATCHES.items():
        if chamber == device:
            here = [one for one in logs[HUB].alarms(rule_id) if one.type == "alarm_raised"]
            for one in here:
                is_inside = parse_iso(str(one.data["at"])) - skew >= lived.placed[batch]
                assert list(one.data["batch_ids"]) == ([batch] if is_inside else []), one.data  # type: ignore[arg-type]
    return count


def _standing(events: Sequence[Event], skew: int) -> Iterator[tuple[Instant, Instant]]:
    """Yield from when to when an alarm's condition stood on record."""
    since: Instant | None = None
    for event in events:
        at = parse_iso(str(event.data["at"])) - skew
        if event.data["is_active"] and since is None:
            since = at
        elif not event.data["is_active"] and since is not None:
            yield since, at
            since = None
    if since is not None:
        yield since, 1 << 60


def _watched(span: Span, up: Sequence[Sequence[Instant]]) -> Iterator[tuple[Instant, Instant]]:
    """Yield the stretches of a span in which its gateway was up."""
    for first, last in up:
        since, until = max(span.since, first), min(span.until, last)
        if since < until:
            yield since, until


async def gaps(device: str, gateway: str, plan: Plan, lived: Lived, store: EmbeddedStore) -> int:
    """I6: a reading is BAD when its device was silent and only then; gaps are what lies between; none is lost."""
    channel, skew = f"{device}/co2", SKEW_MS[gateway]
    series = await store.series(channel, 0, 1 << 48)
    at, bad = series.source_ms.tolist(), (series.quality == Quality.BAD).tolist()
    silent = plan.of(device, Kind.SILENT)
    for when, is_bad in zip(at, bad, strict=True):
        was_silent = any(span.holds(when - skew) for span in silent)
        assert is_bad == was_silent, f"I6: {channel} at {when}: BAD {is_bad}, silent {was_silent}"
    runs = [(start, None if end is None else end) for start, end in _runs(at, bad)]
    found = [(gap.from_ms, gap.to_ms) for gap in await store.gaps(0, 1 << 48, [channel])]
    assert found == runs, f"I6: the gaps of {channel}"
    kept = dict(zip(at, (None if value != value else value for value in series.value.tolist()), strict=True))
    lost = {when for when, value in lived.kept[channel].items() if kept.get(when, "lost") != value}
    assert not lost, f"I1: {channel} lost readings that were durable: {sorted(lost)[:3]}"
    return len(at)


def _runs(at: Sequence[int], bad: Sequence[bool]) -> Iterator[tuple[int, int | None]]:
    """Yield each run of BAD readings: its first, and the first reading after it."""
    since: int | None = None
    for when, is_bad in zip(at, bad, strict=True):
        if is_bad and since is None:
            since = when
        elif not is_bad and since is not None:
            yield since, when
            since = None
    if since is not None:
        yield since, None


async def same(theirs: EmbeddedStore, hub: EmbeddedStore, gateway: str) -> int:
    """I7: the hub shows of each channel of a gateway exactly its readings, each once."""
    count = 0
    for channel in theirs.channels():
        if channel.partition("/")[0] not in DEVICES[gateway]:
            continue
        there, here = [await store.series(channel, 0, 1 << 48) for store in (theirs, hub)]
        for name in ("source_ms", "received_ms", "value", "quality", "reason"):
            equal_nan = name == "value"
            assert np.array_equal(getattr(there, name), getattr(here, name), equal_nan=equal_nan), (
                f"I7: {channel} {name}"
            )
        assert all(earlier < later for earlier, later in pairwise(here.source_ms.tolist())), f"I7: {channel} twice"
        count += here.source_ms.size
    return count


def verified(hub_data: Path) -> None:
    """I3: the program itself finds nothing wrong with the hub's folder, its gateways' logs among it."""
    command = [sys.executable, "-m", "cultureops", "verify", "--data-dir", str(hub_data), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, f"I3: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    said: Any = json.loads(done.stdout)
    assert said, "I3: nothing was said"
