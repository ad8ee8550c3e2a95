"""Process alarms while a batch's recipe can't be read: nobody knows what its clocks show, so nothing is cleared."""

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.batch.bench import FROZEN, Bench, before
from tests.unit.batch.conftest import BATCH_ID
from tests.unit.batch.test_process_alarms import LIMITS, WASH, B, Lab, known, thawed

from cultureops.alarms.alarm import Act, StoredAlarm, Transition
from cultureops.alarms.engine import AlarmError
from cultureops.alarms.events import alarm_event, replay
from cultureops.alarms.recorded import RecordedRule
from cultureops.alarms.rule import Level, Priority, Rule
from cultureops.alarms.state import State
from cultureops.alarms.text import describe
from cultureops.batch.batch import Batch
from cultureops.batch.clocks import clocks
from cultureops.batch.gauge import recalled_rule, slug
from cultureops.batch.process_alarms import process_rules
from cultureops.batch.recipe_schema import Recipe
from cultureops.clock import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, Instant
from cultureops.errors import BatchError, ConfigError
from cultureops.ledger.event import JsonValue

UNREADABLE = f"{B}/record/unreadable"
WARNING = f"{WASH}/warning"


@dataclass(frozen=True)
class Recorded:
    type: str
    data: Mapping[str, JsonValue]


@dataclass
class Shelf:
    """The recipes, which may become unreadable."""

    is_readable: bool = True

    def of(self, batch: Batch) -> Recipe:
        if not self.is_readable:
            raise ConfigError("the recipe can't be read: permission denied")
        return known(batch)


@dataclass
class Recording:
    """A lab with a ledger: what its alarms did is all that a restart finds."""

    shelf: Shelf = field(default_factory=Shelf)
    events: list[Recorded] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.lab = Lab(self.shelf.of)

    def tick(self, now: Instant, *batches: Batch) -> list[Transition]:
        found = self.lab.tick(now, *batches)
        self.record(found)
        return found

    def record(self, transitions: Iterable[Transition]) -> None:
        for transition in transitions:
            _, event_type, data = alarm_event(transition, (BATCH_ID,))
            self.events.append(Recorded(event_type, data))

    def restart(self, now: Instant, *batches: Batch) -> None:
        self.lab = Lab(self.shelf.of)
        for batch in batches:
            self.lab.watch.note(batch)
        stored = replay(self.events)
        self.lab.engine.add(self.lab.watch.begin(now, stored))
        assert self.lab.engine.restore(stored) == ()

    def rule(self, rule_id: str) -> Rule:
        view = self.lab.engine.view(rule_id)
        assert view is not None
        return view.rule

    def state(self, rule_id: str) -> State:
        view = self.lab.engine.view(rule_id)
        assert view is not None
        return view.state


def washing_late() -> tuple[Recording, Bench, Instant]:
    """Return a thawed batch 20 min into a clock of 15 min, and when that clock began."""
    bench, began = thawed()
    lab = Recording()
    lab.tick(began + 20 * MINUTE_MS, bench.known)
    assert lab.lab.active() == {WASH, WARNING}
    return lab, bench, began


def content(rule: Rule) -> tuple[object, ...]:
    return rule.channel, rule.limit, rule.unit, rule.priority, rule.gmp_critical, rule.level


def test_a_recipe_that_becomes_unreadable_clears_nothing_and_lowers_nothing() -> None:
    lab, bench, began = washing_late()
    before_it, texts = content(lab.rule(WASH)), lab.rule(WASH).response
    lab.shelf.is_readable = False
    told = lab.tick(began + 21 * MINUTE_MS, bench.known)
    assert [one.rule.id for one in told] == [UNREADABLE]
    for minute in range(22, 60):
        assert lab.tick(began + minute * MINUTE_MS) == []
    assert (lab.state(WASH), content(lab.rule(WASH))) == (State.UNACK, before_it)
    lab.shelf.is_readable = True
    told = lab.tick(began + 61 * MINUTE_MS)
    assert [(one.rule.id, one.to_state) for one in told] == [(UNREADABLE, State.RTN_UNACK)]
    view = lab.lab.engine.view(WASH)
    assert view is not None and view.value == 61.0 and view.rule.response == texts


def test_what_ended_while_the_recipe_was_unreadable_is_cleared_when_it_is_known() -> None:
    lab, bench, began = washing_late()
    lab.shelf.is_readable = False
    bench.play("wash 1", "wash 2")
    assert [one.rule.id for one in lab.tick(began + 21 * MINUTE_MS, bench.known)] == [UNREADABLE]
    assert lab.lab.active() == {WASH, WARNING, UNREADABLE}
    lab.shelf.is_readable = True
    lab.tick(began + 23 * MINUTE_MS)
    assert lab.lab.active() == set()
    lab.lab.acknowledge_all(began + 24 * MINUTE_MS)
    lab.tick(began + 24 * MINUTE_MS)
    assert WASH not in lab.lab.rules()


def test_a_restart_with_an_unreadable_recipe_keeps_a_critical_alarm_critical() -> None:
    lab, bench, began = washing_late()
    rules = {rule.id: rule for rule in process_rules(bench.known, FROZEN, LIMITS)}
    lab.shelf.is_readable = False
    for minute in (21, 22):  # also the second time, when only the record knows
        lab.restart(began + minute * MINUTE_MS, bench.known)
        told = lab.tick(began + minute * MINUTE_MS + SECOND_MS)
        assert [one.rule.id for one in told] == ([UNREADABLE] if minute == 21 else [])
        for rule_id in (WASH, WARNING):
            assert content(lab.rule(rule_id)) == content(rules[rule_id])
            assert lab.state(rule_id) is State.UNACK
        if minute == 21:  # from here on the record's last word is one that the recalled rule has said
            now, alone, act = began + 22 * MINUTE_MS, Act("op-1", "alone"), Act("op-1", "washing", "op-2")
            with pytest.raises(AlarmError, match="critical"):
                lab.lab.engine.shelve(WASH, now - MINUTE_MS, alone, now)
            lab.record([lab.lab.engine.shelve(WASH, now - MINUTE_MS, act, now)])
            lab.record(lab.lab.engine.tick(now))
    lab.shelf.is_readable = True
    told = lab.tick(began + 24 * MINUTE_MS)
    assert [(one.rule.id, one.to_state) for one in told] == [(UNREADABLE, State.RTN_UNACK)]
    assert {rule.id: rule for rule in lab.lab.engine.rules if rule.id in rules} == rules, "with all its texts"
    view = lab.lab.engine.view(WASH)
    assert view is not None and view.value == 24.0
    assert "24 min at or above the high limit 15 min" in describe(view.rule, view.value, ())


def test_the_text_of_a_recalled_alarm_speaks_of_its_step_in_minutes_with_its_limit() -> None:
    lab, bench, began = washing_late()
    lab.shelf.is_readable = False
    lab.restart(began + 21 * MINUTE_MS, bench.known)
    view = lab.lab.engine.view(WASH)
    assert view is not None and view.rule.batch == BATCH_ID
    assert describe(view.rule, view.value, ()) == (
        f"Batch {BATCH_ID}: thaw to first wash (20 min at or above the high limit 15 min)"
    )
    assert "by hand" in view.rule.response


def test_a_step_that_is_late_is_recalled_on_the_channel_that_tells_of_it() -> None:
    bench = before("P0 look")
    changed, rule_id = bench.known.medium_changed_at, f"{B}/due/medium_change"
    assert changed is not None
    lab = Recording()
    lab.tick(changed + 6 * DAY_MS, bench.known)
    assert {rule_id, f"{rule_id}/warning"} <= lab.lab.active()
    lab.shelf.is_readable = False
    lab.restart(changed + 6 * DAY_MS, bench.known)
    lab.tick(changed + 6 * DAY_MS)
    lab.shelf.is_readable = True
    lab.tick(changed + 7 * DAY_MS)
    assert {rule_id, f"{rule_id}/warning"} <= lab.lab.active()
    bench.now = changed + 7 * DAY_MS
    bench.ask("P0 medium")
    lab.tick(bench.now, bench.known)
    assert lab.lab.active().isdisjoint({rule_id, f"{rule_id}/warning"}), "its own readings clear it"


def test_a_clock_that_was_recalled_and_runs_again_is_watched_by_its_own_rule() -> None:
    lab, bench, began = washing_late()
    late, rule = bench.known, lab.rule(WASH)
    bench.play("wash 1", "wash 2")
    lab.restart(began + 21 * MINUTE_MS, bench.known)
    assert [one.to_state for one in lab.tick(began + 21 * MINUTE_MS)] == [State.RTN_UNACK, State.RTN_UNACK]
    told = lab.tick(began + 22 * MINUTE_MS, late)  # a correction takes the wash back
    assert {(one.rule.id, one.to_state, one.value) for one in told} == {
        (WASH, State.UNACK, 22.0), (WARNING, State.UNACK, 22.0)
    }  # fmt: skip
    assert lab.rule(WASH) == rule and all(one.rule.cause for one in told)
    assert "22 min at or above the high limit 15 min" in str(lab.events[-1].data["text"] + lab.events[-2].data["text"])


def test_a_rule_that_says_something_else_now_replaces_what_was_and_judges_by_it() -> None:
    bench, began = thawed()
    assert FROZEN.hold is not None and FROZEN.hold.thaw_to_wash_max is not None
    longer = replace(FROZEN.hold, thaw_to_wash_max=replace(FROZEN.hold.thaw_to_wash_max, value=30.0))
    recipes = [FROZEN]
    lab = Lab(lambda _: recipes[-1])
    lab.tick(began + 20 * MINUTE_MS, bench.known)
    lab.acknowledge_all(began + 20 * MINUTE_MS)
    recipes.append(replace(FROZEN, hold=longer))
    told = lab.tick(began + 25 * MINUTE_MS, bench.known)
    assert [(one.rule.id, one.to_state) for one in told] == [(WASH, State.NORMAL)], "the warning is at 24 min now"
    assert told[0].cause.startswith("25 min below the high limit 30 min")
    assert [one.rule.id for one in lab.tick(began + 30 * MINUTE_MS)] == [WASH]


def test_an_alarm_of_a_batch_that_nobody_knows_stays() -> None:
    lab, _, began = washing_late()
    lab.restart(began + 21 * MINUTE_MS)
    for minute in range(21, 200):
        assert lab.tick(began + minute * MINUTE_MS) == []
    assert (lab.state(WASH), lab.rule(WASH).gmp_critical) == (State.UNACK, True)


def test_what_is_not_on_record_is_taken_for_the_worst() -> None:
    channels = {
        WASH: f"{B}/clock_thaw_to_first_wash",
        f"{B}/due/medium_change": f"{B}/late_medium_change",
        f"{B}/due/medium_change/warning": f"{B}/window_medium_change",
        f"{B}/waiting/passage/warning": f"{B}/waiting_passage",
    }
    for rule_id, channel in channels.items():
        rule = recalled_rule(rule_id)
        assert rule is not None and (rule.channel, rule.priority, rule.gmp_critical) == (channel, Priority.HIGH, True)
        assert (rule.level is Level.WARNING) is rule_id.endswith("/warning")
    bench, began = thawed()
    stored = StoredAlarm(WASH, State.ACK, began, began, 16.0, None, "op-1", True)
    assert stored.rule == RecordedRule()
    lab = Lab(Shelf(is_readable=False).of)
    lab.watch.note(bench.known)
    (unreadable, rule) = lab.watch.begin(began + 16 * MINUTE_MS, [stored])
    assert (unreadable.id, rule.id, rule.priority, rule.gmp_critical) == (UNREADABLE, WASH, Priority.HIGH, True)


def beyond(bench: Bench, now: Instant) -> set[str]:
    """Return the stages whose limit is reached, by the clocks themselves."""
    return {
        f"{B}/clock/{slug(clock.stage)}"
        for clock in clocks(bench.known, bench.recipe)
        if clock.ended_at is None and clock.limit_min is not None and clock.minutes(now) >= clock.limit_min
    }


STARTS = (
    ("wash 1", "frozen"), ("freeze", "frozen"), ("transfer in", "frozen"), ("give IT", "frozen"), ("P0 look", "fresh"),
    ("P0 first medium", "fresh"), ("wash 1", "labelled"),
)  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(STARTS))
def test_an_alarm_is_only_ever_cleared_when_the_batch_itself_says_so(seed: int, start: tuple[str, str]) -> None:
    """Whatever becomes unreadable, restarts or happens meanwhile, and in whatever order."""
    rng = random.Random(seed)
    bench, lab = before(*start), Recording()
    steps = list(bench.steps)[list(bench.steps).index(start[0]) :]
    now, there, told = bench.now, set[str](), dict[str, tuple[object, ...]]()
    lab.tick(now, bench.known)
    for _ in range(25):
        match rng.choice(("wait", "wait", "event", "recipe", "restart", "acknowledge")):
            case "wait":
                now += rng.choice((SECOND_MS, 10 * MINUTE_MS, 20 * MINUTE_MS, 3 * HOUR_MS, DAY_MS))
            case "event" if steps:
                bench.now = now
                try:
                    bench.ask(steps.pop(0))
                except BatchError:
                    steps.clear()  # a long wait may close a gate: the process ends here
                now = bench.now
                lab.lab.watch.note(bench.known)
            case "recipe":
                lab.shelf.is_readable = not lab.shelf.is_readable
            case "restart":
                lab.restart(now, bench.known)
            case "acknowledge":
                for view in lab.lab.engine.active():
                    if view.state.wants_acknowledgement:
                        lab.record([lab.lab.engine.acknowledge(view.rule.id, now, Act("op-1", "seen"))])
        fresh = Lab()
        fresh.tick(now, bench.known)
        for change in lab.tick(now):
            if change.rule.id in there and not change.is_active:
                assert lab.shelf.is_readable, f"{change.rule.id} was cleared by what nobody knows"
                assert change.rule.id not in fresh.active() | beyond(bench, now)
        active = lab.lab.active()
        if UNREADABLE in active:
            assert there <= active
            standing = {view.rule.id: content(view.rule) for view in lab.lab.engine.active()}
            assert {name: standing[name] for name in standing.keys() & told.keys()} == {
                name: told[name] for name in standing.keys() & told.keys()
            }, "an alarm that stands is what people were told"
        else:
            assert active == fresh.active() and beyond(bench, now) <= active
            rules = {rule.id: rule for rule in lab.lab.engine.rules}
            assert {rule.id: rule for rule in fresh.engine.rules}.items() <= rules.items()
            told = {name: content(rule) for name, rule in rules.items()}
        there = active
