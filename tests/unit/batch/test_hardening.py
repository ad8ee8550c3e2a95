"""What a careless or hostile text, file, id or history can't do to a batch's record."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from importlib import resources
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.signing import signature
from tests.unit.batch.bench import Bench, before
from tests.unit.batch.conftest import BATCH_ID, COUNTER, OP, QA, Lab

from cultureops.access import Meaning
from cultureops.access.signature import signed
from cultureops.batch import commands as do
from cultureops.batch.approval import approving
from cultureops.batch.batch import stream_of
from cultureops.batch.counts import parse_sample_id
from cultureops.batch.events import data_of, read_event
from cultureops.batch.evolve import evolve, fold
from cultureops.batch.handler import execute
from cultureops.batch.recipe import find_recipe, load_recipe, parse_recipe
from cultureops.batch.recipe_schema import Recipe
from cultureops.batch.results import UNATTRIBUTED, take_result
from cultureops.batch.shelf import RecipeShelf
from cultureops.clock import SeededEntropy, SteppedClock, iso
from cultureops.conduct import Command, carry_out, shown_of
from cultureops.device.driver import CountResult
from cultureops.errors import BatchError, ConfigError
from cultureops.keeping.entry import print_grid
from cultureops.keeping.lots import _line
from cultureops.ledger import Actor, Event, NewEvent, Source, SqlLedger
from cultureops.ledger.event import decode, draft, seal
from cultureops.material.events import LotRecalled
from cultureops.material.lot import LotState, Status

FOLDER = resources.files("cultureops.batch") / "recipes"
EVIL = "\x1b[2J\x1b]0;title\x07\r2026-01-01 Released \u202e"


def shipped(file: str) -> str:
    return (FOLDER / file).read_text(encoding="utf-8")


FRESH, FROZEN = shipped("tavakol_afshari_2021.v2.toml"), shipped("karussis_2010.v1.toml")


def entry(section: str, name: str, value: str) -> Callable[[str], str]:
    """Give one entry of a section another value."""

    def edit(text: str) -> str:
        begin = text.index(f"[{section}]\n")
        head, rest = text[:begin], text[begin:]
        changed, times = re.subn(rf"(?m)^({name} = {{ value = )[^,]+", rf"\g<1>{value}", rest, count=1)
        assert times == 1, name
        return head + changed

    return edit


def without(section: str) -> Callable[[str], str]:
    return lambda text: re.sub(rf"(?ms)^\[{section}\]\n.*?(?=^\[)", "", text)


TOO_FAR: list[tuple[str, str, str, str]] = [
    *((FROZEN, "washing", "washes_min", value) for value in ("0", "1")),
    *((text, "counting", "min_replicates", value) for value in ("0", "1") for text in (FRESH, FROZEN)),
    *((FRESH, "qc", "sterility_release_read", value) for value in ("0", "0.5", "31")),
    *((FRESH, "qc", "sterility_final_read", value) for value in ("0", "31", "6")),
    *((FRESH, "release", "viability_floor", value) for value in ("0", "49", "81")),
    *((FRESH, "release", "viability_min", value) for value in ("0", "101")),
    *((FRESH, "release", "positive_min", value) for value in ("0", "10")),
    *((FRESH, "release", "negative_max", value) for value in ("100", "51")),
    *((FRESH, "release", "count_valid", value) for value in ("1e6",)),
    *((FROZEN, "freezing", "storage_max", value) for value in ("30", "-80", "-119")),
    *((FROZEN, "transfer", "temperature_max", value) for value in ("20", "-20")),
    *((FROZEN, "thawing", "bath_temperature", value) for value in ("4", "95")),
    *((FROZEN, "thawing", "duration_max", value) for value in ("1e5",)),
    *((FROZEN, "washing", "residual_dmso_max", value) for value in ("99",)),
    *((FROZEN, "washing", "residual_dmso_dose_max", value) for value in ("1e6",)),
    *((FRESH, "dose.IT", "endotoxin_max", value) for value in ("1e9", "5.1")),
    *((FRESH, "dose.IV", "endotoxin_max", value) for value in ("1e9", "101")),
    *((FRESH, "dose", "tolerance", value) for value in ("90",)),
    *((FRESH, "transport", "temperature_min", value) for value in ("-20",)),
    *((FRESH, "transport", "temperature_max", value) for value in ("31", "100")),
    *((FRESH, "transport", "shelf_life", value) for value in ("1e9", "inf", "nan")),
    *((FRESH, "culture", "temperature", value) for value in ("4", "60")),
    *((FRESH, "hold", "total_max", value) for value in ("1e9",)),
]


@pytest.mark.parametrize(("text", "section", "name", "value"), TOO_FAR, ids=[f"{n} {v}" for _, _, n, v in TOO_FAR])
def test_a_recipe_can_t_take_a_safeguard_away(text: str, section: str, name: str, value: str) -> None:
    wrong = entry(section, name, value)(text)
    with pytest.raises(ConfigError, match=r"^x\.toml:[0-9]+: ") as refused:
        parse_recipe(wrong.encode(), "x.toml")
    message = str(refused.value)
    assert f"[{section}" in message and "\n" not in message
    at = wrong.splitlines()[int(message.split(":")[1]) - 1]
    assert at.startswith((name, "sterility_release_read", "viability_floor")), f"{message} stands at {at[:50]}"


def test_endotoxin_is_no_sterility_test() -> None:
    wrong = re.sub(r"per_passage = \{ texts = \[[^]]*\]", 'per_passage = { texts = ["endotoxin"]', FRESH)
    with pytest.raises(ConfigError, match=r"x\.toml:\d+: .*without any sterility test; name sterility in per_passage"):
        parse_recipe(wrong.encode(), "x.toml")


@pytest.mark.parametrize("text", [FRESH, FROZEN])
def test_a_recipe_of_one_s_own_says_how_long_cells_may_be_outside(tmp_path: Path, text: str) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(without("hold")(text))
    with pytest.raises(ConfigError, match=r"mine\.toml: \[hold\]: is missing; say how long"):
        load_recipe(file)
    assert parse_recipe(file.read_bytes(), "in the ledger").hold is None, "a text that batches pin is read on"


def test_the_first_version_that_came_with_us_is_read_from_anywhere(tmp_path: Path) -> None:
    file = tmp_path / "old.toml"
    file.write_text(shipped("tavakol_afshari_2021.v1.toml"))
    assert load_recipe(file).hold is None
    file.write_text(file.read_text() + "# mine\n")
    with pytest.raises(ConfigError, match=r"\[hold\]: is missing"):
        load_recipe(file)


def own(text: str = FRESH, **changes: str) -> Recipe:
    for old, new in changes.items():
        text = re.sub(rf"(?m)^{old} = .*$", f"{old} = {new}", text, count=1)
    return parse_recipe(text.encode(), "own.toml")


def test_name_and_version_of_a_shipped_recipe_mean_its_text() -> None:
    other = own(FRESH + "# changed\n")
    with pytest.raises(ConfigError, match=r"recipe tavakol_afshari_2021 v2: its text .* change the version") as refused:
        RecipeShelf([other])
    assert "\n" not in str(refused.value)
    newer = own(version="3")
    assert approved_shelf(newer).lookup(newer.name, None) is newer
    assert approved_shelf(own()).lookup(newer.name, None).version == 2, "the very file that came with us"


def adopted(recipe: Recipe, text: str | None = None) -> Event:
    bench = Bench()
    data = {"name": recipe.name, "version": recipe.version, "sha256": recipe.sha256, "text": text or recipe.text}
    event = seal_one(bench, NewEvent("recipe_adopted", data, OP, Source.SYSTEM))
    return replace(event, stream=f"recipe:{recipe.name}")


def approved_shelf(recipe: Recipe) -> RecipeShelf:
    """Return the shelf of a site with a recipe of its own that quality assurance has approved."""
    shelf = RecipeShelf([recipe])
    shelf.apply(approved(recipe))
    return shelf


def approved(recipe: Recipe) -> Event:
    command, stream = approving(recipe, "first use"), f"recipe:{recipe.name}"
    signed_by = signature(shown_of(stream, (), command), QA, Meaning.APPROVED, Bench().now)
    new = NewEvent("recipe_approved", command.details.model_dump(mode="json"), QA, Source.HUMAN, reason=command.reason)
    return seal_one(Bench(), signed(new, stream, (signed_by,)), stream)


def seal_one(bench: Bench, new: NewEvent, stream: str = f"batch:{BATCH_ID}") -> Event:
    """Return an event as the ledger would store it, without folding it."""
    fields = draft(new, stream, SeededEntropy(1).event_id(bench.now), bench.now, "test")
    return decode(seal(fields, stream, 1, 1, b"\0" * 32), b"\0" * 32)


def test_name_and_version_of_an_adopted_recipe_mean_its_text() -> None:
    first, second = own(name='"mine"'), own(name='"mine"', title='"Another one"')
    shelf = RecipeShelf([second])
    shelf.apply(adopted(first))
    with pytest.raises(ConfigError, match=r"recipe mine v2: its text .* batches of this ledger follow.*change the ver"):
        shelf.lookup("mine", None)
    assert shelf.lookup("mine", first.sha256).text == first.text, "its batches go on"
    same = RecipeShelf([first])
    same.apply(adopted(first))
    same.apply(approved(first))
    assert same.lookup("mine", None) is first


@pytest.mark.parametrize("text", ["", "no = [toml", entry("counting", "min_replicates", "0")(FRESH), "\ud800"])
def test_an_adopted_text_that_can_t_be_read_stops_its_batches_only(text: str) -> None:
    recipe = own(name='"mine"')
    shelf = RecipeShelf()
    event = adopted(recipe)
    shelf.apply(replace(event, data={**event.data, "text": text}))
    with pytest.raises(ConfigError, match="recipe mine: this version of cultureops can't read it") as refused:
        shelf.lookup("mine", recipe.sha256)
    assert str(refused.value).isprintable()
    shelf.apply(approved(find_recipe("tavakol_afshari_2021")))
    assert shelf.lookup("tavakol_afshari_2021", None).version == 2


async def test_a_count_whose_recipe_is_nowhere_is_set_aside(lab: Lab) -> None:
    await lab.play("P0 look")

    def nowhere(name: str, sha256: str | None) -> Recipe:
        raise ConfigError(f"recipe {name}: nowhere to be found")

    result = CountResult(
        f"{BATCH_ID}.product-1", "2026-01-05T08:00:00", 95.0, 1.14, 1.2, None, None, None, "a.csv", "ab" * 32
    )
    known = lab.batch().version
    await take_result(lab.ledger, nowhere, lab.facts(COUNTER), "counter_1", result)
    (event,) = lab.ledger.read(UNATTRIBUTED)
    assert (event.type, event.data["source_file"]) == ("result_not_attributed", "a.csv")
    assert "nowhere to be found" in str(event.data["problem"]) and lab.batch().version == known
    with pytest.raises(ConfigError, match="nowhere to be found"):
        await execute(lab.ledger, nowhere, do.Command(BATCH_ID, do.Note(text="x")), lab.facts())


@pytest.mark.parametrize("reason", [EVIL, "x" * 2_001])
async def test_a_reason_that_can_t_be_printed_is_refused_in_one_line(lab: Lab, reason: str) -> None:
    await lab.play("isolate")
    with pytest.raises(BatchError, match=r"^reason: expected") as refused:
        await execute(lab.ledger, find_recipe, do.Command(BATCH_ID, do.Note(text="x"), None, reason), lab.facts())
    assert str(refused.value).isprintable()
    last = lab.ledger.read(stream_of(BATCH_ID))[-1]
    assert last.type == "command_refused" and last.reason.isprintable() and len(last.reason) <= 2_000
    assert read_event(last.type, last.data)
    with pytest.raises(BatchError, match=r"Note: text: expected printable"):
        do.Note(text=EVIL)


@pytest.mark.parametrize("reason", [EVIL, "x" * 2_001])
async def test_the_same_goes_for_lots_and_equipment(tmp_path: Path, reason: str) -> None:
    def never(events: object) -> NewEvent:
        raise AssertionError("nothing is to be decided")

    ledger = SqlLedger.open(tmp_path / "ledger.sqlite", SteppedClock(0), SeededEntropy(1))
    try:
        with pytest.raises(BatchError, match=r"^reason: expected"):
            await carry_out(ledger, "lot:M-1", never, Command("M-1", LotRecalled(), None, reason), 1, Actor("qa", "QA"))
        (event,) = ledger.read("refusals")
        assert event.reason.isprintable() and len(event.reason) <= 2_000 and not ledger.read("lot:M-1")
    finally:
        await ledger.close()


def test_a_table_on_the_screen_obeys_no_record(capsys: pytest.CaptureFixture[str]) -> None:
    print_grid(("who", "why"), [("op-1", EVIL + "\nnext line")], "none")
    shown = capsys.readouterr().out
    assert r"\x1b[2J" in shown and "next line" in shown
    assert {char for char in shown if not char.isprintable()} == {"\n"}


def test_a_lot_s_line_obeys_no_record() -> None:
    lot = LotState(
        id="M-1", material=EVIL, supplier="Any", quantity=1.0, unit="mL", status=Status.REJECTED, since=0,
        expires_at=1, received_at=0, certificate="", reason=EVIL + "\nM-2: released",
    )  # fmt: skip
    assert _line(lot).isprintable() and r"\x1b[2J" in _line(lot)


@pytest.mark.parametrize("kind", ["fresh", "frozen", "labelled"])
def test_every_event_of_the_processes_reads_back(kind: str) -> None:
    for event in before("end", kind).events:
        assert data_of(read_event(event.type, event.data)) == event.data, event.type


def corrected(event: Event, viability: float) -> NewEvent:
    data = {
        "event_id": event.event_id,
        "field": "viability_pct",
        "value": viability,
        "event_type": event.type,
        "occurred_at": iso(event.occurred_at),
        "old_value": event.data["viability_pct"],
        "data": {**event.data, "viability_pct": viability},
    }
    return NewEvent("corrected", data, OP, Source.HUMAN, reason="typo")  # type: ignore[arg-type]


@cache
def played() -> tuple[Event, ...]:
    return before("release", "frozen").events


def grown(corrections: dict[int, float]) -> Bench:
    """Record a process event by event, with a correction of the latest count after each of the numbered events."""
    bench = Bench()
    for number, event in enumerate(played()):
        bench.now = event.occurred_at
        bench.record(NewEvent(event.type, event.data, event.actor, event.source, event.occurred_at, event.reason))
        counts = [one for one in bench.events if one.type == "counted"]
        if number in corrections and counts:
            bench.record(corrected(counts[number % len(counts)], corrections[number]))
    return bench


@settings(max_examples=15, deadline=None)
@given(st.dictionaries(st.integers(10, len(played()) - 1), st.sampled_from([20.0, 88.5, 97.0]), max_size=8))
def test_folding_at_once_is_evolving_step_by_step(corrections: dict[int, float]) -> None:
    bench = grown(corrections)
    assert fold(bench.events) == bench.batch
    assert fold(bench.events[:45]) == fold_slowly(bench.events[:45])


def fold_slowly(events: tuple[Event, ...]) -> object:
    batch = None
    for event in events:
        batch = evolve(batch, event)
    return batch


def test_a_correction_of_nothing_is_refused() -> None:
    bench = grown({40: 20.0})
    alone = next(event for event in bench.events if event.type == "corrected")
    with pytest.raises(BatchError):
        fold([alone])
    with pytest.raises(BatchError, match="Corrected"):
        fold([*bench.events, replace(alone, data={})])


def test_many_corrections_cost_no_more_than_their_events() -> None:
    bench = before("release", "frozen")
    counted = [event for event in bench.events if event.type == "counted"]
    for number in range(100):
        bench.record(corrected(counted[number % len(counted)], 90 + number / 100))
    while len(bench.events) < 500:
        bench.record(NewEvent("noted", {"text": "x"}, OP, Source.HUMAN, bench.now))
    spent = []
    for _ in range(5):
        begin = time.process_time()
        assert fold(bench.events) == bench.batch
        spent.append(time.process_time() - begin)
    assert min(spent) < 0.060, f"{min(spent) * 1e3:.1f} ms"


@pytest.mark.parametrize("name", ["product-01", "product-001", "P01-harvest-1", "P1-harvest-01", "P00-harvest-1"])
def test_a_sample_has_one_spelling(name: str) -> None:
    with pytest.raises(BatchError, match="names no sample of a batch"):
        parse_sample_id(f"{BATCH_ID}.{name}")


@pytest.mark.parametrize("name", ["product-1", "product-10", "P0-harvest-1", "P10-harvest-100"])
def test_plain_numbers_are_read(name: str) -> None:
    assert parse_sample_id(f"{BATCH_ID}.{name}").batch_id == BATCH_ID


@pytest.mark.parametrize(
    "token", ["SMITH-JOHN-1960", "MUSTERFRAU1", "COI-7F3K2-" + "9" * 20, "A1", "JOHN", "-A12", "X1Y\n"]
)
def test_a_name_with_a_year_is_no_token(token: str) -> None:
    with pytest.raises(BatchError, match="expected a token such as COI-7F3K2, never a name") as refused:
        do.CreateBatch(patient_token=token, recipe="r")
    assert token not in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.parametrize("token", ["COI-7F3K2", "COI-9Z9Z9", "P001", "ABCD-1234-EFGH-5678", "1234"])
def test_tokens_stay_tokens(token: str) -> None:
    assert do.CreateBatch(patient_token=token, recipe="r").patient_token == token
