"""Recipes: every number has its unit and its source, and a wrong file is refused with file and line."""

import hashlib
import re
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from cultureops.batch.recipe import (
    Quantity,
    Recipe,
    Statement,
    find_recipe,
    load_recipe,
    parse_recipe,
    recipe_names,
)
from cultureops.errors import ConfigError

NAME = "tavakol_afshari_2021"


@pytest.fixture
def text() -> str:
    return (resources.files("cultureops.batch") / "recipes" / f"{NAME}.v2.toml").read_text(encoding="utf-8")


def entries(section: Any) -> list[Quantity | Statement]:
    if isinstance(section, Quantity | Statement):
        return [section]
    values: list[Any] = list(section.values()) if isinstance(section, dict) else []
    if is_dataclass(section):
        values = [getattr(section, item.name) for item in fields(section)]
    return [entry for value in values for entry in entries(value)]


def test_the_paper_s_numbers(recipe: Recipe) -> None:
    assert recipe_names() == ("karussis_2010", NAME)
    assert recipe.intake.marrow_volume.value == 12
    assert recipe.seeding.cells_per_vessel.value == 3e6
    assert (
        round(recipe.seeding.cells_per_vessel.value / recipe.seeding.vessel_area.value) == recipe.seeding.density.value
    )
    assert recipe.passage.confluence.value == 80
    assert recipe.passage.enzyme_concentration.value == 0.125
    assert (recipe.passage.harvest_min.value, recipe.passage.max.value) == (2, 3)
    assert (recipe.transport.temperature_min.value, recipe.transport.temperature_max.value) == (2, 8)
    spinal, venous = recipe.dose.routes["IT"], recipe.dose.routes["IV"]
    assert spinal.cells_per_kg.value == venous.cells_per_kg.value == 1e6
    assert spinal.volume_max.value == 2 and (venous.volume_min.value, venous.volume_max.value) == (50, 60)
    assert venous.rate is not None and venous.rate.value == 120 and spinal.rate is None
    assert (spinal.endotoxin_max.value, venous.endotoxin_max.value) == (0.2, 5)


def test_every_entry_says_where_it_comes_from(recipe: Recipe) -> None:
    found = entries(recipe)
    assert len(found) > 50
    for entry in found:
        assert entry.origin
        assert entry.is_default or re.match(r"T [23]\.\d", entry.origin), entry


def test_the_hash_is_that_of_the_file(recipe: Recipe, text: str) -> None:
    assert recipe.sha256 == hashlib.sha256(text.encode()).hexdigest()
    assert find_recipe(NAME, recipe.sha256) == recipe
    with pytest.raises(ConfigError, match=rf"recipe {NAME}: the batch pins sha256 0{{12}}.*install the version"):
        find_recipe(NAME, "0" * 64)


def test_a_recipe_of_one_s_own(tmp_path: Path, text: str) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(text.replace(f'name = "{NAME}"', 'name = "mine"').replace("version = 2", "version = 4"))
    assert load_recipe(file).label == "mine v4"
    with pytest.raises(ConfigError, match="no recipe is named 'nothing'; known: karussis_2010, tavakol"):
        load_recipe("nothing")
    with pytest.raises(ConfigError, match=r"absent\.toml: can't be read"):
        load_recipe(tmp_path / "absent.toml")


def line_of(text: str, start: str) -> int:
    return next(number for number, line in enumerate(text.splitlines(), 1) if line.startswith(start))


def _replace(old: str, new: str) -> Callable[[str], str]:
    def edit(text: str) -> str:
        assert text.count(old) == 1, old
        return text.replace(old, new)

    return edit


CO2 = 'co2 = { value = 5.0, unit = "%", source = "T 2.4" }'


@pytest.mark.parametrize(
    ("edit", "line", "said"),
    [
        (
            _replace('value = 5.0, unit = "%"', 'value = 500, unit = "%"'),
            "co2 =",
            "expected a number from 0 to 100",
        ),
        (
            _replace('value = 5.0, unit = "%"', 'value = nan, unit = "%"'),
            "co2 =",
            "expected a number from 0 to 100",
        ),
        (_replace('value = 5.0, unit = "%"', 'value = "5", unit = "%"'), "co2 =", "expected a number, not '5'"),
        (
            _replace('value = 5.0, unit = "%"', 'value = 5.0, unit = "ppm"'),
            "co2 =",
            "expected one of %, not 'ppm'",
        ),
        (_replace(CO2, 'co2 = { value = 5.0, unit = "%" }'), "co2 =", "source: is missing"),
        (_replace(CO2, 'co2 = { value = 5.0, unit = "%", default = true }'), "co2 =", "reference: is missing"),
        (
            _replace(CO2, 'co2 = { value = 5.0, unit = "%", default = true, reference = "x", source = "T" }'),
            "co2 =",
            "a default has a reference and no source",
        ),
        (_replace(CO2, CO2.replace("source", "sauce")), "co2 =", "source: is missing"),
        (_replace(CO2, CO2[:-1] + ", extra = 1 }"), "co2 =", "extra: unknown key"),
        (_replace(CO2 + "\n", ""), "[culture]", "co2: is missing"),
        (_replace(CO2, "co2 = 5.0"), "co2 =", "expected a table"),
        (_replace(CO2, CO2 + '\nco3 = { value = 1, unit = "%", source = "T" }'), "co3 =", "did you mean 'co2'"),
        (_replace("max = { value = 3,", "max = { value = 2.5,"), "max =", "expected a whole number"),
        (_replace("max = { value = 3,", "max = { value = 1,"), "harvest_min =", "2 is above max 1"),
        (
            _replace('texts = ["CD34", "CD45"]', "texts = []"),
            "negative_markers =",
            "expected at least one text",
        ),
        (_replace("version = 2\n", "version = 0\n"), "version =", "expected a number from 1"),
        (_replace("[transport]", "[transport"), None, "not valid TOML"),
        (
            _replace('name = "tavakol_afshari_2021"', 'name = "Tavakol 2021"'),
            "name =",
            "expected small letters",
        ),
    ],
)
def test_a_wrong_recipe_is_refused_with_file_and_line(
    text: str, edit: Callable[[str], str], line: str | None, said: str
) -> None:
    wrong = edit(text)
    with pytest.raises(ConfigError) as refused:
        parse_recipe(wrong.encode(), "mine.toml")
    message = str(refused.value)
    assert said in message and "\n" not in message
    place = "mine.toml:" if line is None else f"mine.toml:{line_of(wrong, line)}:"
    assert message.startswith(place), message


def test_bytes_that_are_no_text() -> None:
    with pytest.raises(ConfigError, match=r"mine\.toml: not UTF-8 text"):
        parse_recipe(b"\xff\xfe", "mine.toml")
