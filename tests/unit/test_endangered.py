"""Figures of an alarm for each batch, from a real store; what nobody knows is said, and nobody waits."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cultureops import endangered
from cultureops.alarms import AlarmView, Kind, Priority, Rule, State
from cultureops.alarms.activation import Activation, Activations
from cultureops.batch.batch import Batch
from cultureops.batch.exposure import Occupancies
from cultureops.batch.parts import Occupancy, RecipeRef
from cultureops.batch.register import BatchRegister
from cultureops.batch.state import State as BatchState
from cultureops.clock import MINUTE_MS
from cultureops.device.reading import Quality, Reading, Reason
from cultureops.endangered import Endangered
from cultureops.errors import StorageError
from cultureops.telemetry import ChannelInfo, EmbeddedStore

START = 1_767_614_400_000
RULE = Rule(
    id="inc/temperature/high", chamber="inc", channel="inc/temperature", device="inc", kind=Kind.HIGH, limit=38.0,
    unit="Cel", deadband=0.2, on_delay_s=600, off_delay_s=60, misses=3, priority=Priority.HIGH, gmp_critical=True,
    consequence="c", response="r",
)  # fmt: skip


def at(minute: float) -> int:
    return START + round(minute * MINUTE_MS)


class Batches(BatchRegister):
    def __init__(self, **stays: Sequence[Occupancy]) -> None:
        super().__init__()
        ref, self.places = RecipeRef("r", 1, "0" * 64), Occupancies()
        self.known = {
            name: Batch(name, "COI-1", ref, BatchState.CULTURE, 1, 0, 0, occupancies=tuple(rows))
            for name, rows in stays.items()
        }
        for batch in self.known.values():
            self.places.update(batch)

    def get(self, batch_id: str) -> Batch | None:
        return self.known.get(batch_id)

    def exposed(self, chamber: str, start: int, end: int) -> tuple[str, ...]:
        return self.places.exposed(chamber, start, end)


BATCHES = Batches(
    A=[Occupancy("a", "inc", at(-60))],
    B=[Occupancy("b", "inc", at(-60), at(15)), Occupancy("b", "other", at(15))],
    C=[Occupancy("c", "inc", at(20))],
    D=[Occupancy("d", "other", at(-60))],
)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[EmbeddedStore]:
    opened = EmbeddedStore.open(tmp_path / "telemetry")
    yield opened
    await opened.close()


def feed(store: EmbeddedStore, channel: str, values: dict[float, float]) -> None:
    store.declare({channel: ChannelInfo("Cel")})
    for minute, value in values.items():
        store.append([Reading(channel, value, Quality.GOOD, Reason.NONE, at(minute), at(minute))])


def view(rule: Rule = RULE, minute: float = 10, **changes: Any) -> AlarmView:
    stands = AlarmView(rule, State.UNACK, at(minute), 39.0, None, None, at(0), is_active=True)
    return replace(stands, **changes)


def rows(found: Sequence[Any]) -> dict[str, tuple[Any, ...]]:
    return {one.batch_id: (one.minutes, one.degree_minutes, one.unknown_minutes) for one in found}


async def test_each_batch_has_the_figures_of_its_own_stay(store: EmbeddedStore) -> None:
    """38 is the limit, 39 the value: a degree-minute a minute, for as long as each batch stood there."""
    feed(store, RULE.channel or "", dict.fromkeys(map(float, range(0, 31)), 39.0))
    works = Endangered(BATCHES, Activations(), store, {})
    assert rows(await works.of(view(), at(10))) == {"A": (10, 10, 0), "B": (10, 10, 0)}
    found = await works.of(view(), at(30))
    assert rows(found) == {"A": (30, 30, 0), "B": (15, 15, 0), "C": (10, 10, 0)}
    assert {one.degree_unit for one in found} == {"Cel x min"}
    over = await works.of(view(is_active=False, returned_at=at(12)), at(30))
    assert rows(over) == {"A": (12, 12, 0), "B": (12, 12, 0)}, "frozen at the end"


@pytest.mark.parametrize(("kind", "value"), [(Kind.LOW, 37.5), (Kind.HIGH, 38.5)])
async def test_either_side_of_a_limit(store: EmbeddedStore, kind: Kind, value: float) -> None:
    feed(store, RULE.channel or "", dict.fromkeys(map(float, range(0, 11)), value))
    works = Endangered(BATCHES, Activations(), store, {})
    found = rows(await works.of(view(replace(RULE, kind=kind)), at(10)))
    assert found["A"] == (10, 5, 0)
    other = Kind.HIGH if kind is Kind.LOW else Kind.LOW
    assert rows(await works.of(view(replace(RULE, kind=other)), at(10)))["A"] == (0, 0, 0)


async def test_time_without_a_value_is_unknown_and_never_fine(store: EmbeddedStore) -> None:
    feed(store, RULE.channel or "", dict.fromkeys([0.0, 1.0, 2.0, 8.0, 9.0, 10.0], 39.0))
    works = Endangered(BATCHES, Activations(), store, {})
    assert rows(await works.of(view(), at(12)))["A"] == (4, 4, 8)


async def test_a_deviation_is_measured_from_the_setpoint_of_its_time(store: EmbeddedStore) -> None:
    """At 39 with a setpoint of 37 and a limit of 1; at minute 5 the setpoint becomes 38.5, so that 39 is in range."""
    rule = replace(RULE, kind=Kind.DEVIATION, limit=1.0, reference="inc/temperature_setpoint")
    feed(store, "inc/temperature", dict.fromkeys(map(float, range(0, 11)), 39.0))
    works = Endangered(BATCHES, Activations(), store, {})
    (unset, _) = await works.of(view(rule), at(10))
    assert unset.minutes is None and "no setpoint of inc/temperature_setpoint is known" in unset.reason
    feed(store, "inc/temperature_setpoint", {-60.0: 36.0, -5.0: 37.0, 0.0: 37.0, 5.0: 38.5, 10.0: 38.5})
    assert rows(await works.of(view(rule), at(10)))["A"] == (5, 5, 0)
    (gone, _) = await works.of(view(replace(rule, reference=None)), at(10))
    assert gone.minutes is None and "no longer there" in gone.reason


@pytest.mark.parametrize(
    ("kind", "unknown"),
    [(Kind.COMMUNICATION, 10.0), (Kind.NO_DATA, 10.0), (Kind.STUCK, 10.0), (Kind.OPEN, 0.0), (Kind.RATE, 0.0)],
)
async def test_other_conditions_have_minutes_only(store: EmbeddedStore, kind: Kind, unknown: float) -> None:
    works = Endangered(BATCHES, Activations(), store, {})
    rule = replace(RULE, kind=kind, limit=None, channel=None)
    assert rows(await works.of(view(rule), at(10))) == {"A": (10, None, unknown), "B": (10, None, unknown)}


class Broken:
    """A store that fails, or never answers."""

    def __init__(self, failure: StorageError | None = None, error: Exception | None = None) -> None:
        self.failure = failure
        self.error = error
        self.asked = 0

    async def flush(self) -> None:
        return None

    async def series(self, *_: object) -> Any:
        raise AssertionError

    async def exposures(self, *_: object) -> Any:
        self.asked += 1
        if self.error is not None:
            raise self.error
        await asyncio.get_running_loop().create_future()


async def test_a_store_that_can_not_answer_leaves_figures_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endangered, "DEADLINE_S", 0.02)
    full = Broken(failure=StorageError("disk full"))
    torn = Broken(error=StorageError("month 2026-01 is damaged"))
    mute = Broken()
    for store, said in ((full, "disk full"), (torn, "is damaged"), (mute, "did not answer within")):
        works = Endangered(BATCHES, Activations(), store, {})
        found = await works.of(view(), at(10))
        assert [one.batch_id for one in found] == ["A", "B"] and all(said in one.reason for one in found)
        assert all(one.minutes is None and one.unknown_minutes is None for one in found)
        assert "figures not known" in found[0].text
    works = Endangered(BATCHES, Activations(), mute, {})
    asked = mute.asked
    for _ in range(50):
        await works.of(view(), at(10))
    assert mute.asked == asked + 1, "who does not answer is left alone for a while"


async def test_nobody_inside_asks_nothing() -> None:
    store = Broken()
    works = Endangered(Batches(), Activations(), store, {})
    assert await works.of(view(), at(10)) == () and store.asked == 0
    assert await works.of(view(replace(RULE, batch="A")), at(10)) == ()


async def test_the_latest_activation_on_record_counts(store: EmbeddedStore) -> None:
    """An alarm that was shelved and released is raised anew; its condition has lasted all the time."""
    feed(store, RULE.channel or "", dict.fromkeys(map(float, range(-30, 31)), 39.0))
    known = Activations()
    known._keep(replace(Activation.of(view(), at(10)), since=at(-30)))
    works = Endangered(BATCHES, known, store, {})
    assert rows(await works.of(view(since=at(5), minute=20), at(30)))["A"] == (60, 60, 0)
