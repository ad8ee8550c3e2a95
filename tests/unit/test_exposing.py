"""Whatever the order in which alarms and stays become known, in the end each batch knows what it lived through."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cultureops.alarms import Act, Kind, Priority, Rule, Shelf, Transition
from cultureops.alarms.activation import Activation, Activations
from cultureops.alarms.alarm import Alarm
from cultureops.alarms.journal import AlarmJournal
from cultureops.batch.alarm_told import EndangeredBatch
from cultureops.batch.batch import Batch, batch_of, stream_of
from cultureops.batch.evolve import evolve
from cultureops.batch.exposure import Occupancies
from cultureops.batch.parts import Occupancy, RecipeRef
from cultureops.batch.register import BatchRegister
from cultureops.batch.state import State
from cultureops.clock import MINUTE_MS, SeededEntropy
from cultureops.endangered import Reach
from cultureops.errors import ConcurrencyError, StorageError
from cultureops.exposing import Exposing
from cultureops.ledger.event import Actor, Event, NewEvent, Source, decode, draft, seal
from cultureops.ledger.store import Group

T0 = 1_767_600_000_000
ACT = Act("operator-1", "work at the chamber", "operator-2")
RULES = tuple(
    Rule(
        id=f"{chamber}/{channel}/{kind}",
        chamber=chamber,
        channel=f"{chamber}/{channel}",
        device=chamber,
        kind=kind,
        limit=4.0,
        unit="%",
        deadband=0.2,
        on_delay_s=0,
        off_delay_s=0,
        misses=3,
        priority=Priority.HIGH,
        gmp_critical=kind is Kind.LOW,
        consequence="c",
        response="r",
    )
    for chamber in ("c1", "c2")
    for channel, kind in (("co2", Kind.LOW), ("temperature", Kind.HIGH))
)


def at(minute: float) -> int:
    return T0 + round(minute * MINUTE_MS)


class World(BatchRegister):
    """A register and a ledger in memory; stays are set by hand, all else comes from events."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[Event] = []
        self.known: dict[str, Batch] = {}
        self.places = Occupancies()
        self.refusals = 0
        self.now = T0
        self.start()

    def start(self) -> None:
        """Begin anew with what the ledger holds, as a restart does."""
        self.activations = Activations()
        self.exposing = Exposing(self, self, self.activations, self)  # type: ignore[arg-type]
        self.journal = AlarmJournal(self, self.exposing.tell)  # type: ignore[arg-type]
        for event in self.events:
            self.exposing.apply(event)

    def get(self, batch_id: str) -> Batch | None:
        return self.known.get(batch_id)

    def exposed(self, chamber: str, start: int, end: int) -> tuple[str, ...]:
        return self.places.exposed(chamber, start, end)

    async def figures(self, reaches: Sequence[Reach]) -> tuple[tuple[EndangeredBatch, ...], ...]:
        return tuple(
            tuple(EndangeredBatch(name, 1.0, 2.0, 0.0, "% x min") for name in reach.batch_ids) for reach in reaches
        )

    async def append_many(self, groups: Sequence[Group]) -> tuple[Event, ...]:
        versions = Counter(event.stream for event in self.events)
        if self.refusals:
            self.refusals -= 1
            raise ConcurrencyError("somebody was faster")
        for stream, _, expected in groups:
            if expected is not None and expected != versions[stream]:
                raise ConcurrencyError(stream)
        assert len({stream for stream, _, _ in groups}) == len(groups), "what comes second must know what came first"
        for stream, new, _ in groups:
            for event in new:
                self._append(stream, event)
        return ()

    def _append(self, stream: str, new: NewEvent) -> None:
        version = sum(event.stream == stream for event in self.events) + 1
        position = len(self.events) + 1
        fields = draft(new, stream, SeededEntropy(position).event_id(self.now), self.now, "test")
        event = decode(seal(fields, stream, position, version, b"\0" * 32), b"\0" * 32)
        self.events.append(event)
        if (batch_id := batch_of(stream)) is not None:
            stays = self.known[batch_id].occupancies
            self.known[batch_id] = evolve(self.known[batch_id], event).changed(occupancies=stays)
        self.exposing.apply(event)

    def stand(self, batch_id: str, *stays: Occupancy) -> None:
        """Say where a batch stood, in place of what was said before."""
        if batch_id not in self.known:
            ref = RecipeRef("r", 1, "0" * 64)
            self.known[batch_id] = Batch(batch_id, "COI-1", ref, State.CULTURE, 0, T0, T0)
        self.known[batch_id] = self.known[batch_id].changed(occupancies=stays)
        self.places.update(self.known[batch_id])
        self._append(stream_of(batch_id), NewEvent("noted", {"text": "stays"}, Actor("op", "OP"), Source.HUMAN))

    async def settle(self) -> None:
        await self.journal.drain()
        await self.exposing.revise(self.now)

    def told(self) -> set[tuple[str, str]]:
        return {
            (batch.id, exposure.id)
            for batch in self.known.values()
            for exposure in batch.exposures
            if exposure.withdrawn_at is None
        }

    def types(self, stream: str) -> list[str]:
        return [event.type for event in self.events if event.stream == stream and event.type != "noted"]


STAYS = st.lists(
    st.tuples(st.sampled_from(["c1", "c2"]), st.integers(0, 60), st.one_of(st.none(), st.integers(0, 30))), max_size=4
)
ACTS = st.one_of(
    st.tuples(st.just("stand"), st.sampled_from(["B1", "B2", "B3"]), STAYS),
    st.tuples(st.just("alarm"), st.integers(0, 3), st.sampled_from(["flip", "ack", "shelve", "explain", "release"])),
    st.tuples(st.just("settle"), st.none(), st.none()),
    st.tuples(st.just("restart"), st.none(), st.none()),
)


def act(alarm: Alarm, what: str, now: int) -> Transition | None:
    """Do to an alarm what can be done to it."""
    if what == "flip":
        return alarm.end(now, now, 5.0, "over") if alarm.is_active else alarm.begin(now, now - 30_000, 3.0, "there")
    if what == "ack" and alarm.state.wants_acknowledgement:
        return alarm.acknowledge(now, ACT)
    if what == "shelve":
        return alarm.shelve(now, Shelf(ACT, now, now + 1), "shelved")
    if what == "explain" and alarm.state == "NORMAL":
        return alarm.suppress(now, "door open")
    if what == "release" and alarm.state.is_suppressed:
        return alarm.release(now, "over")
    return None


@given(st.lists(ACTS, max_size=40))
@settings(max_examples=150, deadline=None)
def test_told_is_who_stood_there(acts: list[tuple[str, object, object]]) -> None:
    asyncio.run(_play(acts))


async def _play(acts: list[tuple[str, object, object]]) -> None:
    world = World()
    alarms = [Alarm(rule) for rule in RULES]
    spans: dict[tuple[str, int], tuple[Rule, int, int | None]] = {}
    for minute, (kind, first, second) in enumerate(acts):
        world.now = now = at(minute)
        if kind == "stand":
            assert isinstance(first, str) and isinstance(second, list)
            stays = [
                Occupancy("v", chamber, at(placed), None if lasts is None else at(placed + lasts))
                for chamber, placed, lasts in second
                if placed <= minute
            ]
            world.stand(first, *stays)
        elif kind == "alarm":
            assert isinstance(first, int) and isinstance(second, str)
            alarm = alarms[first]
            was_active, masked = alarm.is_active, alarm.state.is_suppressed
            if (transition := act(alarm, second, now)) is None:
                continue
            if transition.is_noted:
                world.journal.note([transition])
            if alarm.is_active and not was_active:
                spans[alarm.rule.id, now if masked else alarm.raised_at] = (alarm.rule, now - 30_000, None)
            elif was_active and not alarm.is_active:
                key = max(key for key in spans if key[0] == alarm.rule.id)
                spans[key] = (alarm.rule, spans[key][1], now)
        elif kind == "settle":
            await world.settle()
        else:
            await world.journal.drain()
            world.start()
    world.now = at(len(acts))
    await world.settle()
    brute = {
        (batch.id, Activation.of(replace(Alarm(rule).view(None), raised_at=raised_at), raised_at).id)
        for (_, raised_at), (rule, since, ended_at) in spans.items()
        for batch in world.known.values()
        if any(
            stay.chamber == rule.chamber
            and (ended_at is None or stay.placed <= ended_at)
            and (stay.taken is None or stay.taken > max(since, stay.placed))
            for stay in batch.occupancies
        )
    }
    assert world.told() == brute
    before = len(world.events)
    await world.settle()
    world.start()
    await world.settle()
    assert len(world.events) == before, "what is known is not told again"
    for batch in world.known.values():
        drafted = Counter(name for one in batch.deviations for name in one.exposures)
        assert all(count <= 1 or any(e.id == name for e in batch.exposures) for name, count in drafted.items())
        assert len(batch.open_deviations) <= 2, "one draft for each of two critical rules, however often they come"
        for exposure in batch.exposures:
            if exposure.wants_assessment:
                assert exposure.id in drafted


@pytest.fixture
def world() -> World:
    made = World()
    made.stand("B1", Occupancy("v", "c1", at(0)))
    return made


def low() -> Alarm:
    return Alarm(RULES[0])


async def test_whoever_comes_in_while_it_lasts_is_told(world: World) -> None:
    alarm = low()
    world.journal.note([alarm.begin(at(5), at(4), 3.0, "low")])
    await world.settle()
    world.now = at(8)
    world.stand("B2", Occupancy("v", "c1", at(7)))
    await world.settle()
    assert world.types("alarm:c1/co2/low") == ["alarm_raised", "alarm_exposure_revised"]
    assert world.types("batch:B2") == ["alarm_exposed", "deviation_opened"]
    revised = next(event for event in world.events if event.type == "alarm_exposure_revised")
    assert [row["batch_id"] for row in revised.data["added"]] == ["B2"]  # type: ignore[index, union-attr]
    cause = next(event for event in world.events if event.stream == "batch:B2")
    assert revised.data["caused_by"]["event_id"] == cause.event_id  # type: ignore[index, call-overload]
    assert revised.data["caused_by"]["position"] == cause.position  # type: ignore[index, call-overload]


async def test_whoever_comes_in_before_the_alarm_is_on_record_is_told(world: World) -> None:
    raised = low().begin(at(5), at(4), 3.0, "low")
    await world.settle()
    world.stand("B2", Occupancy("v", "c1", at(6)))
    await world.settle()
    world.journal.note([raised])
    await world.settle()
    assert world.types("batch:B2") == ["alarm_exposed", "deviation_opened"]


async def test_a_disposal_that_comes_in_between_is_not_run_over(world: World) -> None:
    alarm = low()
    world.journal.note([alarm.begin(at(5), at(4), 3.0, "low"), alarm.end(at(6), at(6), 5.0, "over")])
    await world.settle()
    (first,) = world.known["B1"].open_deviations
    world.refusals = 2
    world.journal.note([alarm.begin(at(8), at(8), 3.0, "low")])
    await world.settle()
    assert world.known["B1"].open_deviations[0].exposures[0] == first.subject and world.journal.waiting == 0
    world.refusals = 50
    world.journal.note([alarm.end(at(9), at(9), 5.0, "over")])
    with pytest.raises(StorageError, match="changes faster"):
        await world.settle()
    assert world.journal.waiting == 1, "kept for the next try"
    world.refusals = 0
    await world.settle()
    assert world.journal.waiting == 0


async def test_a_flood_goes_to_the_ledger_in_few_appends(world: World) -> None:
    alarms = [Alarm(replace(RULES[1], id=f"x{n}/t/high", chamber=f"x{n}", device=f"x{n}")) for n in range(1_000)]
    appends = 0

    async def counted(groups: Sequence[Group]) -> tuple[Event, ...]:
        nonlocal appends
        appends += 1
        return ()

    world.append_many = counted  # type: ignore[method-assign]
    world.journal.note([alarm.begin(at(5), at(4), 3.0, "high") for alarm in alarms])
    await world.journal.drain()
    assert appends == 5


async def test_an_alarm_of_one_batch_names_that_batch_and_tells_nobody(world: World) -> None:
    rule = replace(RULES[0], id="B7/hold/overrun", batch="B7")
    world.journal.note([Alarm(rule).begin(at(5), at(4), None, "hold")])
    await world.settle()
    assert world.events[-1].data["batch_ids"] == ["B7"]
    assert world.types("batch:B1") == []


async def test_what_an_open_door_has_hidden_drafts_as_soon_as_it_is_announced(world: World) -> None:
    alarm = low()
    alarm.suppress(at(3), "door open")
    world.journal.note([alarm.begin(at(5), at(4), 3.0, "low")])
    await world.settle()
    assert world.types("batch:B1") == ["alarm_exposed"]
    world.journal.note([alarm.release(at(8), "door closed for long enough")])
    await world.settle()
    assert world.types("batch:B1") == ["alarm_exposed", "alarm_exposed", "deviation_opened"]
    assert world.known["B1"].exposures[0].wants_assessment and len(world.known["B1"].exposures) == 1


async def test_two_alarms_of_one_chamber_at_once_draft_as_two_in_turn(world: World) -> None:
    critical = [Alarm(replace(RULES[0], id=f"c1/co2/low{number}")) for number in range(5)]
    world.journal.note([alarm.begin(at(5), at(4), 3.0, "low") for alarm in critical])
    world.journal.note([critical[0].end(at(6), at(6), 5.0, "over"), critical[0].begin(at(7), at(7), 3.0, "low")])
    await world.settle()
    assert [len(draft.exposures) for draft in world.known["B1"].open_deviations] == [2, 1, 1, 1, 1]


async def test_a_revision_that_fails_is_made_good_by_the_next(world: World) -> None:
    world.journal.note([low().begin(at(5), at(4), 3.0, "low")])
    await world.settle()
    world.stand("B2", Occupancy("v", "c1", at(6)))
    world.refusals = 50
    with pytest.raises(StorageError, match="changes faster"):
        await world.settle()
    world.refusals = 0
    assert world.types("batch:B2") == []
    await world.settle()
    assert world.types("batch:B2") == ["alarm_exposed", "deviation_opened"]
