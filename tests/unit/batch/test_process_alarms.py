"""Process clocks and due steps, through the engine and against the clocks and the list of what is due."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.batch.bench import FROZEN, RECIPE, Bench, before
from tests.unit.batch.conftest import BATCH_ID

from cultureops.alarms.alarm import Act, StoredAlarm, Transition
from cultureops.alarms.engine import Engine
from cultureops.alarms.rule import AlarmClass, Level, Priority
from cultureops.alarms.state import State
from cultureops.batch.batch import Batch
from cultureops.batch.clocks import clocks
from cultureops.batch.due import due
from cultureops.batch.gauge import recalled_rule, slug
from cultureops.batch.parts import Deviation
from cultureops.batch.process_alarms import ProcessLimits, ProcessWatch, process_limits_from, process_rules
from cultureops.batch.recipe_schema import Recipe
from cultureops.batch.state import State as BatchState
from cultureops.clock import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, Instant
from cultureops.config import parse
from cultureops.errors import BatchError, ConfigError

LIMITS = ProcessLimits()
B = f"batch:{BATCH_ID}"
WASH = f"{B}/clock/thaw_to_first_wash"


def known(batch: Batch) -> Recipe:
    for recipe in (RECIPE, FROZEN):
        if recipe.sha256 == batch.recipe.sha256:
            return recipe
    raise ConfigError(f"recipe {batch.recipe.label} is nowhere")


@dataclass
class Lab:
    """An engine that is told what the watch says, as a running lab does each second."""

    recipe_of: Callable[[Batch], Recipe] = known
    limits: ProcessLimits = LIMITS
    engine: Engine = field(default_factory=lambda: Engine(()))

    def __post_init__(self) -> None:
        self.watch = ProcessWatch(self.recipe_of, self.limits)
        self.told = 0

    def tick(self, now: Instant, *batches: Batch) -> list[Transition]:
        for batch in batches:
            self.watch.note(batch)
        step = self.watch.step(now)
        self.told += len(step.readings)
        self.engine.add(step.rules)
        for rule in step.replaced:
            self.engine.replace(rule)
        found = [*self.engine.evaluate(step.readings), *self.engine.tick(now)]
        for rule_id in step.over:
            if self.engine.remove(rule_id):
                self.watch.forget(rule_id)
        return found

    def active(self) -> set[str]:
        return {view.rule.id for view in self.engine.active() if view.is_active}

    def rules(self) -> set[str]:
        return {rule.id for rule in self.engine.rules}

    def acknowledge_all(self, now: Instant) -> None:
        for view in self.engine.active():
            if view.state.wants_acknowledgement:
                self.engine.acknowledge(view.rule.id, now, Act("op-1", "seen"))


def thawed() -> tuple[Bench, Instant]:
    bench = before("wash 1", "frozen")
    assert bench.known.thaw is not None
    return bench, bench.known.thaw.ended_at


def test_a_clock_warns_at_four_fifths_and_alarms_at_its_limit_to_the_second() -> None:
    bench, began = thawed()
    lab, raised = Lab(), dict[str, Instant]()
    lab.tick(bench.now, bench.known)
    for second in range(1, 20 * 60):
        for transition in lab.tick(began + second * SECOND_MS + 500):
            if transition.to_state is State.UNACK:
                raised[transition.rule.id] = transition.at
    assert 0 <= raised[f"{WASH}/warning"] - (began + 12 * MINUTE_MS) < SECOND_MS
    assert 0 <= raised[WASH] - (began + 15 * MINUTE_MS) < SECOND_MS
    assert set(raised) == {WASH, f"{WASH}/warning"}, "the first wash being due says nothing that its clock does not"
    rules = {rule.id: rule for rule in lab.engine.rules}
    alarm, warning = rules[WASH], rules[f"{WASH}/warning"]
    assert (alarm.priority, alarm.gmp_critical, alarm.alarm_class) == (Priority.HIGH, True, AlarmClass.PROCESS)
    assert (warning.priority, warning.gmp_critical, warning.respond_within_s) == (Priority.MEDIUM, False, 180.0)
    assert alarm.batch == warning.batch == BATCH_ID and alarm.chamber == "" and "DMSO" in alarm.consequence
    assert "Wash" in alarm.response or "wash" in alarm.response


def test_the_value_goes_on_growing_in_the_list_of_alarms() -> None:
    bench, began = thawed()
    lab = Lab()
    lab.tick(bench.now, bench.known)
    for second in range(0, 40 * 60):
        lab.tick(began + second * SECOND_MS)
    view = lab.engine.view(WASH)
    assert view is not None and view.value == pytest.approx(39.5, abs=0.6)
    assert lab.told < 300, "a reading a minute and gauge, not a second"


def test_the_step_that_ends_the_clock_clears_the_alarm_and_its_rule_goes_when_it_is_acknowledged() -> None:
    bench, began = thawed()
    lab = Lab()
    lab.tick(began + 16 * MINUTE_MS, bench.known)
    assert lab.active() == {WASH, f"{WASH}/warning"}
    lab.acknowledge_all(began + 16 * MINUTE_MS)
    bench.play("wash 1", "wash 2")
    cleared = lab.tick(began + 17 * MINUTE_MS, bench.known)
    assert {(step.rule.id, step.to_state) for step in cleared} == {
        (WASH, State.NORMAL), (f"{WASH}/warning", State.NORMAL)
    }  # fmt: skip
    assert WASH not in lab.rules() and f"{B}/clock/wash_to_formulation" in lab.rules()


def test_an_alarm_that_nobody_has_seen_outlives_its_clock() -> None:
    bench, began = thawed()
    lab = Lab()
    lab.tick(began + 16 * MINUTE_MS, bench.known)
    bench.play("wash 1", "wash 2")
    lab.tick(began + 17 * MINUTE_MS, bench.known)
    view = lab.engine.view(WASH)
    assert view is not None and view.state is State.RTN_UNACK
    lab.acknowledge_all(began + 18 * MINUTE_MS)
    lab.tick(began + 18 * MINUTE_MS + SECOND_MS)
    assert WASH not in lab.rules(), "tidied up by the next tick"


def test_a_step_that_is_due_again_is_watched_again() -> None:
    bench = before("P0 look")
    changed, rule = bench.known.medium_changed_at, f"{B}/due/medium_change"
    assert changed is not None
    lab, late = Lab(), changed + 6 * DAY_MS
    lab.tick(late, bench.known)
    lab.tick(late + SECOND_MS, bench.known.changed(state=BatchState.HOLD))
    assert rule not in lab.active() and rule in lab.rules(), "nobody has seen it yet"
    lab.tick(late + 2 * SECOND_MS, bench.known.changed(medium_changed_at=late))
    lab.acknowledge_all(late + 3 * SECOND_MS)
    lab.tick(late + MINUTE_MS)
    assert rule in lab.rules() and rule not in lab.active()
    lab.tick(late + 5 * DAY_MS)
    assert rule in lab.active(), "late again"


def test_a_late_entry_is_judged_by_its_own_time() -> None:
    bench, began = thawed()
    lab = Lab()
    raised = lab.tick(began + 40 * MINUTE_MS, bench.known)
    assert {step.rule.id for step in raised} == {WASH, f"{WASH}/warning"}
    assert {step.value for step in raised} == {40.0}


@pytest.mark.parametrize("kind", ["fresh", "frozen", "labelled"])
def test_every_clock_that_runs_is_watched_as_the_clocks_say(kind: str) -> None:
    bench = before("create", kind)
    for name in list(bench.steps):
        bench.ask(name)
        later = bench.now + 3 * DAY_MS
        running = {
            f"{B}/clock/{slug(clock.stage)}": clock
            for clock in clocks(bench.known, bench.recipe)
            if clock.ended_at is None and clock.limit_min is not None
        }
        if bench.known.state is BatchState.CLOSED:
            running = {}
        lab = Lab()
        lab.tick(later, bench.known)
        watched = {rule.id for rule in lab.engine.rules if "/clock/" in rule.id and rule.level is Level.ALARM}
        assert watched - {f"{B}/clock/all_stages_together", f"{B}/clock/shelf_life"} == set(running), name
        for rule_id, clock in running.items():
            view = lab.engine.view(rule_id)
            assert view is not None and clock.limit_min is not None
            assert view.is_active is (clock.minutes(later) >= clock.limit_min)
            if view.is_active:
                assert view.value == pytest.approx(clock.minutes(later), rel=1e-9)


def test_the_sum_of_all_stages_has_a_limit_of_its_own() -> None:
    bench, began = thawed()
    assert bench.recipe.hold is not None
    tight = replace(bench.recipe.hold, total_max=replace(bench.recipe.hold.total_max, value=25.0))
    lab = Lab(lambda _: replace(bench.recipe, hold=tight))
    total = f"{B}/clock/all_stages_together"
    lab.tick(bench.now, bench.known)  # 20 min are spent before the thaw: freezing and thawing took 10 each
    assert total not in lab.active() and f"{total}/warning" in lab.active(), "20 of 25"
    lab.tick(began + 5 * MINUTE_MS - 1)
    assert total not in lab.active()
    lab.tick(began + 5 * MINUTE_MS)
    assert total in lab.active() and WASH not in lab.active()


def test_the_shelf_life_is_a_clock_until_everything_is_given() -> None:
    shelf = f"{B}/clock/shelf_life"
    for step in ("sample IT", "release", "ship", "arrive", "give IT"):
        bench = before(step, "frozen")
        made = bench.known.resuspension
        assert made is not None
        lab = Lab()
        lab.tick(made.expires_at - 1, bench.known)
        assert f"{shelf}/warning" in lab.active() and shelf not in lab.active()
        (told,) = [one for one in lab.tick(made.expires_at) if one.rule.id == shelf]
        assert told.rule.gmp_critical and "do not ship or give" in told.rule.response
        assert not any("/due/" in rule_id for rule_id in lab.active()), "nobody is told to hurry past the shelf life"
    assert shelf not in {rule.id for rule in process_rules(before("close", "frozen").known, FROZEN, LIMITS)}


def test_a_medium_change_is_late_by_the_recipe_and_too_late_by_the_recipe() -> None:
    bench = before("P0 look")
    changed = bench.known.medium_changed_at
    assert changed is not None
    lab, rule = Lab(), f"{B}/due/medium_change"
    raised = dict[str, Instant]()
    lab.tick(bench.now, bench.known)
    for minute in range(1, 6 * 24 * 60):
        for step in lab.tick(changed + minute * MINUTE_MS):
            raised[step.rule.id] = step.at - changed
    assert raised[f"{rule}/warning"] == 4 * DAY_MS and raised[rule] == 5 * DAY_MS
    view = lab.engine.view(rule)
    assert view is not None and (view.rule.priority, view.rule.gmp_critical) == (Priority.MEDIUM, False)
    assert BATCH_ID in view.rule.cause and "medium change" in view.rule.cause
    bench.now = changed + 6 * DAY_MS
    bench.ask("P0 medium")
    lab.tick(bench.now, bench.known)
    assert rule not in lab.active() and f"{rule}/warning" not in lab.active()


def test_a_step_in_its_window_is_no_news_until_most_of_it_is_over() -> None:
    bench = before("P0 first medium")
    (item,) = [one for one in due(bench.known, bench.recipe) if one.text == "first medium change"]
    assert item.latest is not None
    lab, rule = Lab(), f"{B}/due/first_medium_change"
    lab.tick(item.at, bench.known)
    fifth = (item.latest - item.at) // 5
    for at, active in (
        (item.at + 4 * fifth - SECOND_MS, set()),
        (item.at + 4 * fifth, {f"{rule}/warning"}),
        (item.latest, {f"{rule}/warning"}),
        (item.latest + MINUTE_MS, {rule, f"{rule}/warning"}),
    ):
        lab.tick(at)
        assert lab.active() == active


def test_a_step_without_a_latest_time_is_reminded_of_after_a_grace() -> None:
    bench = before("passage 1")
    (item,) = [one for one in due(bench.known, bench.recipe) if one.text == "passage"]
    lab, rule = Lab(limits=ProcessLimits(due_grace_h=6.0)), f"{B}/waiting/passage/warning"
    lab.tick(item.at + 6 * HOUR_MS - 1, bench.known)
    assert lab.active() == set()
    (told,) = lab.tick(item.at + 6 * HOUR_MS)
    assert (told.rule.id, told.rule.priority, told.rule.level, told.value) == (rule, Priority.LOW, Level.WARNING, 6.0)


def test_a_culture_that_is_read_after_days_is_not_late_by_hours() -> None:
    bench = before("P0 look")
    (item,) = [one for one in due(bench.known, bench.recipe) if one.text.startswith("read sterility")]
    lab, rule = Lab(), f"{B}/waiting/{slug(item.text)}/warning"
    lab.tick(item.at + DAY_MS - 1, bench.known)
    assert rule not in lab.active()
    lab.tick(item.at + DAY_MS)
    assert rule in lab.active()


def test_a_deviation_is_reminded_of_by_its_date_alone() -> None:
    bench = before("P0 look")
    opened = Deviation(
        id="D-1",
        kind="process",
        severity="minor",
        subject="flask",
        description="a drop",
        opened_at=bench.now,
        due_at=None,
    )
    for due_at, after_a_week in ((None, 0), (bench.now + 5 * DAY_MS, 2)):
        lab = Lab()
        batch = bench.known.changed(deviations=(replace(opened, due_at=due_at),))
        lab.tick(bench.now + DAY_MS, batch)
        assert not any("deviation" in rule for rule in lab.active())
        lab.tick(bench.now + 7 * DAY_MS)
        assert sum("deviation" in rule for rule in lab.active()) == after_a_week


def test_nobody_is_reminded_of_what_waits_for_others() -> None:
    year = 365 * DAY_MS
    for step, kind in (
        ("consent", "fresh"), ("authorise", "frozen"), ("transfer in", "frozen"), ("close", "frozen"), ("end", "frozen")
    ):  # fmt: skip
        bench, lab = before(step, kind), Lab()
        lab.tick(bench.now + year, bench.known)
        waiting = {rule for rule in lab.active() if "read_sterility" not in rule}
        assert waiting == set(), f"before {step}: {waiting}"
    for step in ("P0 first medium", "P0 look"):
        bench, lab = before(step), Lab()
        lab.tick(bench.now + year, bench.known)
        assert not any("endotoxin" in rule or "mycoplasma" in rule for rule in lab.active()), "a laboratory's own time"


def test_what_is_rejected_has_no_clock() -> None:
    bench, began = thawed()
    rejected = bench.known.changed(state=BatchState.REJECTED, since=bench.now)
    lab = Lab()
    lab.tick(bench.now, bench.known)
    lab.tick(began + HOUR_MS, rejected)
    assert lab.active() == set()
    lab.tick(began + DAY_MS)
    assert lab.active() == {f"{B}/waiting/destroy_what_is_left/warning"}


def test_a_batch_that_cannot_be_watched_is_an_alarm_and_hides_no_other() -> None:
    bench, began = thawed()
    shelf: list[Recipe] = []

    def find(batch: Batch) -> Recipe:
        if batch.id == "B-other" and not shelf:
            raise ConfigError("recipe karussis_2010: nowhere")
        return FROZEN

    lab = Lab(find)
    lab.tick(began + 16 * MINUTE_MS, bench.known.changed(id="B-other"), bench.known)
    unwatched = "batch:B-other/record/unreadable"
    assert lab.active() == {WASH, f"{WASH}/warning", unwatched}
    view = lab.engine.view(unwatched)
    assert view is not None and view.rule.priority is Priority.HIGH and "nowhere" in view.rule.cause
    shelf.append(FROZEN)
    lab.tick(began + 17 * MINUTE_MS)
    assert unwatched not in lab.active() and "batch:B-other/clock/thaw_to_first_wash" in lab.active()


def test_a_record_in_which_a_stage_ends_before_it_begins_does_not_stop_the_tick() -> None:
    bench = before("freeze", "frozen")
    harvest = bench.known.harvest
    assert harvest is not None
    broken = bench.known.changed(frozen_at=harvest.detached_at - HOUR_MS, received_lab_at=bench.now)
    lab = Lab()
    lab.tick(bench.now, broken)
    assert lab.active() == {f"{B}/record/unreadable"}


def remembered(engine: Engine) -> list[StoredAlarm]:
    return [
        StoredAlarm(
            view.rule.id, view.state, view.since, view.raised_at, view.value, view.returned_at, view.acknowledged_by,
            view.is_active, view.acknowledged_at, view.shelf,
        )
        for view in (*engine.active(), *engine.suppressed())
    ]  # fmt: skip


def test_a_restart_changes_nothing() -> None:
    bench, began = thawed()
    lab = Lab()
    lab.tick(began + 13 * MINUTE_MS, bench.known)
    lab.acknowledge_all(began + 13 * MINUTE_MS)
    after = Lab()
    after.watch.note(bench.known)
    stored = remembered(lab.engine)
    after.engine.add(after.watch.begin(began + 14 * MINUTE_MS, stored))
    assert after.engine.restore(stored) == ()
    assert after.tick(began + 14 * MINUTE_MS) == [], "still warned of, and acknowledged"
    assert [step.rule.id for step in after.tick(began + 15 * MINUTE_MS)] == [WASH]
    assert after.rules() == lab.rules()


def test_what_ended_while_nobody_watched_is_cleared_and_can_be_acknowledged() -> None:
    bench, began = thawed()
    lab = Lab()
    lab.tick(began + 16 * MINUTE_MS, bench.known)
    stored = remembered(lab.engine)
    bench.play("wash 1", "wash 2")
    after = Lab()
    after.watch.note(bench.known)
    of_a_chamber = replace(stored[0], rule_id="incubator_1/co2/high")
    after.engine.add(after.watch.begin(bench.now, [*stored, of_a_chamber]))
    assert after.engine.restore(stored) == ()
    assert {(step.rule.id, step.to_state) for step in after.tick(bench.now)} == {
        (WASH, State.RTN_UNACK), (f"{WASH}/warning", State.RTN_UNACK)
    }  # fmt: skip
    after.acknowledge_all(bench.now)
    after.tick(bench.now + SECOND_MS)
    assert WASH not in after.rules()


def test_rules_that_are_recalled_are_those_of_batches_only() -> None:
    assert recalled_rule("incubator_1/co2/high") is None and recalled_rule("cultureops/disk_free/low") is None
    rule = recalled_rule(f"{WASH}/warning")
    assert rule is not None and (rule.id, rule.level) == (f"{WASH}/warning", Level.WARNING)
    for bench in (before("P0 look"), before("wash 1", "frozen"), before("give IT", "frozen")):
        for rule in process_rules(bench.known, bench.recipe, LIMITS):
            again = recalled_rule(rule.id)
            assert again is not None and again.id == rule.id and again.batch == rule.batch


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(["fresh", "frozen", "labelled"]))
def test_told_as_it_goes_it_comes_to_what_a_fresh_start_would_say(seed: int, kind: str) -> None:
    """The heap and what was told before must not matter: at any time only the record and the clock do."""
    rng = random.Random(seed)
    bench, lab = before("create", kind), Lab()
    for name in list(bench.steps):
        try:
            bench.ask(name)
        except BatchError:
            break  # a long wait may close a gate: the process ends here
        now = bench.now
        lab.watch.note(bench.known)
        for _ in range(rng.randrange(3)):
            lab.tick(now)
            now += rng.choice([SECOND_MS, MINUTE_MS, HOUR_MS])
        lab.tick(now)
        bench.now = now
        fresh = Lab()
        fresh.tick(now, bench.known)
        assert lab.active() == fresh.active()
        assert {rule.id: rule.limit for rule in fresh.engine.rules}.items() <= {
            rule.id: rule.limit for rule in lab.engine.rules
        }.items()


def test_names_of_steps_make_ids_that_differ_and_are_topics() -> None:
    names = ["read sterility B-1.P0", "read sterility B-1-P0", "read sterility b_1.p0", "medium change", "x" * 90, "é"]
    slugs = [slug(name) for name in names]
    assert len(set(slugs)) == len(names) and slug("medium change") == "medium_change"
    for made in slugs:
        assert made.isascii() and made.replace("_", "").isalnum() and made == made.lower() and len(made) <= 60


def test_the_site_file_moves_the_limits() -> None:
    assert process_limits_from(None) == LIMITS
    read = "[process_alarms]\nwarning_pct = 70\ndue_grace_h = 12\nreading_grace_h = 48"
    assert process_limits_from(parse(read, "site.toml").table("process_alarms")) == ProcessLimits(70, 12, 48)
    for text in ("warning_pct = 100", "due_grace_h = 0", "grace = 3"):
        with pytest.raises(ConfigError, match=r"site\.toml:2"):
            process_limits_from(parse(f"[process_alarms]\n{text}", "site.toml").table("process_alarms"))


def test_a_thousand_open_batches_cost_a_tick_next_to_nothing() -> None:
    washing, culture, shipped = (
        before(*at).known for at in (("wash 1", "frozen"), ("P0 look",), ("give IT", "frozen"))
    )
    start = max(batch.since for batch in (washing, culture, shipped))
    lab = Lab()
    for number in range(1_000):
        batch = (washing, culture, shipped)[number % 3]
        lab.watch.note(batch.changed(id=f"B-{number}"))
    lab.watch.step(start)
    spent = []
    for second in range(1, 600):
        if second % 60 == 0:
            lab.watch.note(culture.changed(id="B-1"))
        began = time.thread_time()
        lab.watch.step(start + second * SECOND_MS)
        spent.append(time.thread_time() - began)
    assert sorted(spent)[len(spent) // 2] < 0.020 / 4
