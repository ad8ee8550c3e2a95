"""A lab whose recipe can't be read for a while: what the record, the list of alarms and a restart make of it."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
from tests.system.test_alarm_exposure import SITE, START, seed_batch

from cultureops.alarms.state import State
from cultureops.batch.batch import Batch
from cultureops.batch.recipe_schema import Recipe
from cultureops.batch.shelf import RecipeShelf
from cultureops.clock import DAY_MS, MINUTE_MS, SECOND_MS, SeededEntropy, SteppedClock
from cultureops.errors import ConfigError
from cultureops.lab import Lab, open_lab
from cultureops.site import read_site

LATE = "batch:B-1/due/first_medium_change"
UNREADABLE = "batch:B-1/record/unreadable"
OpenLab = Callable[[], AbstractAsyncContextManager[Lab]]


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock(START)


@pytest.fixture
def opened(tmp_path: Path, clock: SteppedClock) -> OpenLab:
    (tmp_path / "site.toml").write_text(SITE)
    site = read_site(tmp_path / "site.toml")
    return lambda: open_lab(site, tmp_path, clock, SeededEntropy(1))


def standing(lab: Lab) -> dict[str, tuple[State, bool, float | None, str]]:
    """Return the alarms of the batch: state, whether the condition is there, limit, unit and priority."""
    return {
        view.rule.id: (view.state, view.is_active, view.rule.limit, f"{view.rule.unit} {view.rule.priority}")
        for view in lab.engine.active()
        if view.rule.batch
    }


def record(lab: Lab) -> list[tuple[str, str]]:
    """Return what the record says of the batch's alarms."""
    return [(event.type, event.stream) for event in lab.ledger.read_all() if event.stream.startswith("alarm:batch:")]


async def test_a_lab_that_cannot_read_a_recipe_keeps_its_alarms_and_its_record_says_nothing_untrue(
    opened: OpenLab, clock: SteppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened() as lab:
        await seed_batch(lab, clock)
        lab.tick(clock.advance(9 * DAY_MS))
        await lab.settle()
        stood, texts = standing(lab), {rule.id: rule.response for rule in lab.engine.rules}
        assert stood == {
            LATE: (State.UNACK, True, 1.0, "min medium"),
            f"{LATE}/warning": (State.UNACK, True, 80.0, "% low"),
        }
        before = record(lab)

    is_damaged = True
    read = RecipeShelf.of

    def of(shelf: RecipeShelf, batch: Batch) -> Recipe:
        if is_damaged:
            raise ConfigError("the recipe can't be read: permission denied")
        return read(shelf, batch)

    monkeypatch.setattr(RecipeShelf, "of", of)
    for restarted in (1, 2):
        async with opened() as lab:
            for _ in range(5):
                lab.tick(clock.advance(MINUTE_MS))
            await lab.settle()
            known = standing(lab)
            assert {UNREADABLE} == known.keys() - stood.keys(), restarted
            assert {name: known[name] for name in stood} == stood, "as it stood, at the second start as at the first"
            assert record(lab) == [*before, ("alarm_raised", f"alarm:{UNREADABLE}")]
            if restarted == 2:
                is_damaged = False
                for _ in range(3):
                    lab.tick(clock.advance(MINUTE_MS))
                await lab.settle()
                assert {name: standing(lab)[name] for name in stood} == stood
                assert standing(lab)[UNREADABLE][:2] == (State.RTN_UNACK, False)
                assert record(lab)[len(before) + 1 :] == [("alarm_returned", f"alarm:{UNREADABLE}")]
                assert {rule.id: rule.response for rule in lab.engine.rules}.items() >= texts.items()
                view = lab.engine.view(LATE)
                assert view is not None and view.value == pytest.approx(6 * 24 * 60 + 13, abs=2.0)

    async with opened() as lab:
        lab.tick(clock.advance(SECOND_MS))
        assert {name: standing(lab)[name] for name in stood} == stood
