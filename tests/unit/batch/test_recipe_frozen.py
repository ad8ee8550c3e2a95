"""The recipe of the frozen product, and its errors; recipes in the ledger, and old versions that go on."""

import re
from collections.abc import Callable
from dataclasses import replace
from importlib import resources
from pathlib import Path

import pytest
from tests.signing import approve_recipe
from tests.unit.batch.conftest import BATCH_ID, START, Lab
from tests.unit.batch.test_recipe import entries, line_of

from cultureops.batch import commands as do
from cultureops.batch.batch import stream_of
from cultureops.batch.handler import execute
from cultureops.batch.recipe import find_recipe, load_recipe, parse_recipe
from cultureops.batch.recipe_schema import Quantity, Recipe
from cultureops.batch.shelf import RecipeShelf
from cultureops.batch.state import State
from cultureops.clock import HOUR_MS, MINUTE_MS, SeededEntropy, SteppedClock
from cultureops.errors import ConfigError, TransitionRefused
from cultureops.ledger import SqlLedger

FROZEN = load_recipe("karussis_2010")
FRESH = load_recipe("tavakol_afshari_2021")


def file(name: str) -> str:
    return (resources.files("cultureops.batch") / "recipes" / name).read_text(encoding="utf-8")


def quantity(recipe: Recipe, path: str) -> Quantity:
    found: object = recipe
    for name in path.split("."):
        found = found[name] if isinstance(found, dict) else getattr(found, name)
    assert isinstance(found, Quantity)
    return found


STATED: list[tuple[Recipe, str, float, str]] = [
    (FROZEN, "intake.marrow_volume", 200, "mL"),
    (FROZEN, "culture.duration_min", 40, "d"),
    (FROZEN, "culture.duration_max", 60, "d"),
    (FROZEN, "qc.sample_due", 14, "d"),
    (FROZEN, "freezing.dmso", 10, "%"),
    (FROZEN, "thawing.bath_temperature", 37, "Cel"),
    (FROZEN, "washing.washes_min", 2, "1"),
    (FROZEN, "labelling.duration_min", 24, "h"),
    (FROZEN, "labelling.duration_max", 48, "h"),
    (FROZEN, "resuspension.density_min", 10, "10*6/mL"),
    (FROZEN, "resuspension.density_max", 15, "10*6/mL"),
    (FROZEN, "release.positive_alert", 98, "%"),
    (FROZEN, "dose.routes.IT.fraction", 0.6667, "1"),
    (FROZEN, "dose.routes.IV.fraction", 0.3333, "1"),
    (FROZEN, "dose.routes.IT.volume_min", 2, "mL"),
    (FROZEN, "dose.routes.IV.volume_min", 2, "mL"),
    (FRESH, "intake.marrow_volume", 12, "mL"),
    (FRESH, "seeding.cells_per_vessel", 3e6, "{cells}"),
    (FRESH, "seeding.vessel_area", 175, "cm2"),
    (FRESH, "seeding.density", 17143, "{cells}/cm2"),
    (FRESH, "culture.temperature", 37, "Cel"),
    (FRESH, "culture.co2", 5, "%"),
    (FRESH, "culture.medium_interval_min", 3, "d"),
    (FRESH, "culture.medium_interval_max", 4, "d"),
    (FRESH, "passage.confluence", 80, "%"),
    (FRESH, "passage.enzyme_concentration", 0.125, "%"),
    (FRESH, "passage.harvest_min", 2, "1"),
    (FRESH, "passage.max", 3, "1"),
    (FRESH, "release.viability_seen_min", 95, "%"),
    (FRESH, "release.viability_seen_max", 98, "%"),
    (FRESH, "transport.temperature_min", 2, "Cel"),
    (FRESH, "transport.temperature_max", 8, "Cel"),
    (FRESH, "dose.routes.IT.cells_per_kg", 1e6, "{cells}/kg"),
    (FRESH, "dose.routes.IV.cells_per_kg", 1e6, "{cells}/kg"),
    (FRESH, "dose.routes.IT.volume_max", 2, "mL"),
    (FRESH, "dose.routes.IT.duration", 2, "min"),
    (FRESH, "dose.routes.IV.volume_min", 50, "mL"),
    (FRESH, "dose.routes.IV.volume_max", 60, "mL"),
    (FRESH, "dose.routes.IV.rate", 120, "mL/h"),
]
DEFAULTS: list[tuple[Recipe, str, float, str]] = [
    (FROZEN, "culture.temperature", 37, "Cel"),
    (FROZEN, "culture.co2", 5, "%"),
    (FROZEN, "intake.transit_max", 24, "h"),
    (FROZEN, "freezing.cooling_rate", -1, "Cel/min"),
    (FROZEN, "freezing.storage_max", -135, "Cel"),
    (FROZEN, "transfer.temperature_max", -70, "Cel"),
    (FROZEN, "transfer.duration_max", 72, "h"),
    (FROZEN, "thawing.bath_tolerance", 1, "K"),
    (FROZEN, "thawing.duration_max", 5, "min"),
    (FROZEN, "hold.thaw_to_wash_max", 15, "min"),
    (FROZEN, "hold.formulation_to_dose_max", 240, "min"),
    (FROZEN, "washing.residual_dmso_max", 0.1, "%"),
    (FROZEN, "washing.residual_dmso_dose_max", 1, "mg"),
    (FROZEN, "release.positive_min", 95, "%"),
    (FROZEN, "release.negative_max", 2, "%"),
    (FROZEN, "dose.fraction_tolerance", 0.08, "1"),
    (FROZEN, "dose.routes.IT.endotoxin_max", 0.2, "{EU}/kg"),
    (FROZEN, "dose.routes.IV.endotoxin_max", 5, "{EU}/kg"),
    (FRESH, "culture.first_medium_change_min", 24, "h"),
    (FRESH, "culture.first_medium_change_max", 72, "h"),
    (FRESH, "culture.medium_interval_alarm", 5, "d"),
    (FRESH, "passage.slowing_warning", 1.5, "1"),
    (FRESH, "qc.sterility_release_read", 7, "d"),
    (FRESH, "qc.sterility_final_read", 14, "d"),
    (FRESH, "release.viability_min", 80, "%"),
    (FRESH, "release.viability_floor", 70, "%"),
    (FRESH, "counting.max_cv", 15, "%"),
    (FRESH, "counting.balance_tolerance", 5, "%"),
    (FRESH, "transport.shelf_life", 24, "h"),
    (FRESH, "transport.out_of_range_max", 30, "min"),
    (FRESH, "dose.tolerance", 10, "%"),
    (FRESH, "dose.weight_age_max", 14, "d"),
]


@pytest.mark.parametrize(("recipe", "path", "value", "unit"), STATED, ids=[f"{r.name[0]} {p}" for r, p, _, _ in STATED])
def test_what_a_paper_states_bears_its_source(recipe: Recipe, path: str, value: float, unit: str) -> None:
    found = quantity(recipe, path)
    assert (found.value, found.unit, found.is_default) == (value, unit, False)


@pytest.mark.parametrize(
    ("recipe", "path", "value", "unit"), DEFAULTS, ids=[f"{r.name[0]} {p}" for r, p, _, _ in DEFAULTS]
)
def test_what_a_paper_leaves_open_is_marked_as_ours(recipe: Recipe, path: str, value: float, unit: str) -> None:
    found = quantity(recipe, path)
    assert (found.value, found.unit, found.is_default) == (value, unit, True)


def test_the_frozen_recipe_s_words() -> None:
    assert FROZEN.is_frozen and FROZEN.conditional is None and FROZEN.qc.passage_tests == ()
    assert FROZEN.release.positive_markers.texts == ("CD29", "CD73", "CD90", "CD105", "CD166")
    assert FROZEN.release.negative_markers.texts == ("CD34", "CD45", "CD14")
    assert FROZEN.transfer is not None and FROZEN.transfer.condition.text == "dry ice"
    assert FROZEN.labelling is not None and FROZEN.labelling.agents.texts == ("ferumoxides", "poly-L-lysine")
    assert FROZEN.qc.sample_anchor is not None and FROZEN.qc.sample_anchor.is_default, "an open point of the owner's"
    assert "FBS" in FROZEN.culture.medium.text and FROZEN.isolation.method.is_default
    for entry in entries(FROZEN):
        assert entry.origin
        assert entry.is_default or entry.origin.startswith("K "), entry


def _without(section: str) -> Callable[[str], str]:
    def edit(text: str) -> str:
        begin = text.index(f"[{section}]\n")
        return text[:begin] + text[text.index("\n[", begin) + 1 :]

    return edit


def _replace(old: str, new: str) -> Callable[[str], str]:
    def edit(text: str) -> str:
        assert text.count(old) == 1, old
        return text.replace(old, new)

    return edit


PER_KG = 'cells_per_kg = { value = 1e6, unit = "{cells}/kg", source = "K" }\n'
TWO_WEEKS = """[qc]
sample_due = { value = 14, unit = "d", source = "x" }
sample_anchor = { text = "freezing", source = "x" }
"""
WRONG: list[tuple[Callable[[str], str], str, str]] = [
    (_without("freezing"), "[transfer]", "a frozen product needs [freezing] as well"),
    (_without("transfer"), "[freezing]", "a frozen product needs [transfer] as well"),
    (_without("thawing"), "[freezing]", "a frozen product needs [thawing] as well"),
    (_without("washing"), "[freezing]", "a frozen product needs [washing] as well"),
    (_without("hold"), "", ""),
    (_replace("fraction = { value = 0.6667", "fraction = { value = 0.7"), "[dose]", "make 1 together"),
    (_replace("fraction_tolerance =", "# fraction_tolerance ="), "[dose]", "fractions need a fraction_tolerance"),
    (
        _replace("fraction = { value = 0.3333", PER_KG + "fraction = { value = 0.3333"),
        "[dose.IV]",
        "expected either cells_per_kg or fraction",
    ),
    (_replace("fraction = { value = 0.3333", "fraction = { value = 1.3333"), "fraction =", "a number from 0 to 1"),
    (_replace('text = "seeding"', 'text = "thawing"'), "sample_anchor =", "expected one of seeding, freezing"),
    (_replace("sample_due =", "# sample_due ="), "[qc]", "a process without any sterility test"),
    (_replace("sample_anchor =", "# sample_anchor ="), "[qc]", "sample_due and sample_anchor come together"),
    (_replace("washes_min = { value = 2", "washes_min = { value = 2.5"), "washes_min =", "expected a whole number"),
    (_replace("dmso = { value = 10", "dmso = { value = 110"), "dmso =", "expected a number from 0 to 100"),
    (_replace("residual_dmso_max =", "# residual ="), "[washing]", "residual_dmso_max: is missing"),
    (_replace("total_max =", "# total_max ="), "[hold]", "total_max: is missing"),
    (_replace('value = -1, unit = "Cel/min"', 'value = 1, unit = "Cel/min"'), "cooling_rate =", "from -200 to 0"),
    (_replace("duration_max = { value = 48", "duration_max = { value = 12"), "duration_min =", "24 is above"),
    (_replace("density_max = { value = 15", "density_max = { value = 5"), "density_min =", "10 is above density_max 5"),
    (_replace("duration_max = { value = 60", "duration_max = { value = 30"), "duration_min =", "40 is above"),
    (_replace("[resuspension]", "[resuspend]"), "[resuspend]", "unknown key"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("edit", "line", "said"), WRONG, ids=[f"{n} {said[:30]}" for n, (_, _, said) in enumerate(WRONG)]
)
def test_a_wrong_section_is_refused_with_file_and_line(edit: Callable[[str], str], line: str, said: str) -> None:
    wrong = edit(file("karussis_2010.v1.toml"))
    if not said:
        assert parse_recipe(wrong.encode(), "mine.toml").hold is None
        return
    with pytest.raises(ConfigError) as refused:
        parse_recipe(wrong.encode(), "mine.toml")
    message = str(refused.value)
    assert said in message and "\n" not in message
    found = re.match(r"mine\.toml:([0-9]+): ", message)
    assert found is not None, message
    stands = wrong.splitlines()[int(found[1]) - 1]
    assert stands.startswith(line), f"{message} stands on {stands[:60]!r}, not on line {line_of(wrong, line)}"


def test_a_fresh_product_can_t_be_labelled_or_anchored_at_its_freezing() -> None:
    text = file("tavakol_afshari_2021.v2.toml")
    frozen = file("karussis_2010.v1.toml")
    label = frozen[frozen.index("[labelling]") : frozen.index("[resuspension]")]
    with pytest.raises(ConfigError, match=r"mine.toml:\d+: \[labelling\]: only a frozen product"):
        parse_recipe((text + "\n" + label).encode(), "mine.toml")
    anchored = text.replace("[qc]\n", TWO_WEEKS)
    with pytest.raises(ConfigError, match="nothing is frozen in this process"):
        parse_recipe(anchored.encode(), "mine.toml")


def test_version_2_adds_limits_and_changes_none() -> None:
    old = parse_recipe(file("tavakol_afshari_2021.v1.toml").encode(), "v1")
    assert (old.version, old.hold, old.conditional) == (1, None, None)
    changed = [name for name in ("intake", "seeding", "passage", "qc", "release", "transport", "dose") if
               getattr(old, name) != getattr(FRESH, name)]  # fmt: skip
    assert not changed and old.sha256 != FRESH.sha256
    assert find_recipe(old.name, old.sha256) == old and find_recipe(old.name).version == 2


@pytest.mark.requirement("R22")
async def test_an_old_batch_goes_on_with_its_old_limits(lab: Lab) -> None:
    old = parse_recipe(file("tavakol_afshari_2021.v1.toml").encode(), "v1")
    shelf = RecipeShelf([old])
    with pytest.raises(TransitionRefused, match="quality assurance has not approved it for new batches"):
        shelf.lookup(old.name, None)
    await approve_recipe(lab.ledger, old, lab.clock.now())
    for event in lab.ledger.read_all():
        shelf.apply(event)
    for name, step in lab.steps.items():
        lookup = shelf.lookup if name == "create" else find_recipe
        if name == "give IT":
            step = replace(step, after_ms=3 * HOUR_MS)
        lab.clock.advance(step.after_ms)
        details = step.details
        if isinstance(details, do.Administer):
            details = details.model_copy(
                update={"started_at": lab.clock.now() - details.ended_at, "ended_at": lab.clock.now()}
            )
        command = do.Command(BATCH_ID, details)
        batch = await execute(lab.ledger, lookup, command, lab.facts(step.actor, step.witness, command))
        if name == "give IV":
            break
    assert batch.recipe.label == "tavakol_afshari_2021 v1" and batch.state is State.ADMINISTERED
    assert shelf.of(batch).hold is None, "three hours at the bedside are within its limits"


async def test_the_same_hours_are_too_many_by_the_new_version(lab: Lab) -> None:
    await lab.play("give IT")
    lab.change("give IT", after_ms=3 * HOUR_MS)
    with pytest.raises(Exception, match="G17: formulation to dose took"):
        await lab.do("give IT")


async def test_a_recipe_is_adopted_once_for_each_version_and_outlives_its_file(lab: Lab) -> None:
    old = parse_recipe(file("tavakol_afshari_2021.v1.toml").encode(), "v1")
    create = lab.steps["create"]
    for number, lookup in enumerate((find_recipe, lambda name, _: old, find_recipe, lambda name, _: old)):
        command = do.Command(f"B-{number}", create.details)
        await execute(lab.ledger, lookup, command, lab.facts())
    adopted = lab.ledger.read("recipe:tavakol_afshari_2021")
    assert [(event.type, event.data["version"]) for event in adopted] == [("recipe_adopted", 2), ("recipe_adopted", 1)]
    assert adopted[0].data["text"] == file("tavakol_afshari_2021.v2.toml")
    assert adopted[0].position < lab.ledger.read(stream_of("B-0"))[0].position
    shelf = RecipeShelf()
    mine = file("tavakol_afshari_2021.v2.toml").replace('name = "tavakol_afshari_2021"', 'name = "mine"')
    own = parse_recipe(mine.encode(), "mine.toml")
    made = do.CreateBatch(patient_token="COI-7F3K2", recipe="mine")
    await execute(lab.ledger, lambda name, _: own, do.Command("B-9", made), lab.facts())
    with pytest.raises(ConfigError, match="no recipe is named 'mine'"):
        shelf.lookup("mine", own.sha256)
    for event in lab.ledger.read_all():
        shelf.apply(event)
    assert shelf.lookup("mine", own.sha256).text == mine
    batch = await execute(
        lab.ledger, shelf.lookup, do.Command("B-9", do.RecordConsent(form="v3", eligible=True)), lab.facts()
    )
    assert shelf.of(batch).name == "mine" and batch.is_eligible


async def test_another_process_reads_the_recipe_from_the_ledger_alone(lab: Lab) -> None:
    await lab.play("consent")
    again = SqlLedger.open(Path(lab.ledger._name), SteppedClock(START + MINUTE_MS), SeededEntropy(9))
    try:
        shelf = RecipeShelf()
        for event in again.read_all():
            shelf.apply(event)
        assert shelf.of(lab.batch()) == find_recipe("tavakol_afshari_2021")
    finally:
        await again.close()


def test_a_shelf_never_hands_out_another_recipe_for_a_hash() -> None:
    shelf = RecipeShelf()
    with pytest.raises(ConfigError, match="install the version the batch started with"):
        shelf.lookup("karussis_2010", FRESH.sha256)
