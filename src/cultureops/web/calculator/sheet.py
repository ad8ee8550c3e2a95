"""What a calculator is made of: what it asks for, what it works out, and the one line it says of what it can't use."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from cultureops.batch.batch import Batch
from cultureops.batch.recipe_schema import Quantity, Recipe
from cultureops.clock import Instant
from cultureops.web.form.details_filled import number_of

__all__ = [
    "Asked",
    "Basis",
    "Calculator",
    "Numbers",
    "Result",
    "Sheet",
    "Unusable",
    "Work",
    "filled",
    "origin",
    "written",
]

_LARGEST: Final = 1e15
"""No figure of a laboratory is larger; what is can't be typed by mistake into a result."""


class Unusable(ValueError):
    """A number that was typed can't be used; says which one and what was expected."""


@dataclass(frozen=True, slots=True)
class Basis:
    """What a calculator knows before anybody types: the batch as it stands, what it follows, and the time."""

    batch: Batch
    recipe: Recipe
    at: Instant


@dataclass(frozen=True, slots=True)
class Asked:
    """One number that is asked for; ``value`` is what it holds as text, ``known`` says where that comes from."""

    name: str
    label: str
    unit: str
    value: str = ""
    known: str = ""
    is_needed: bool = True


@dataclass(frozen=True, slots=True)
class Result:
    """One number that was worked out, in words and as it is typed into ``field`` where it has one.

    ``verdict`` says how it stands to a limit: ``""`` where there is none, ``"within"`` or ``"beyond"``.
    """

    label: str
    shown: str
    unit: str
    formula: str
    source: str = ""
    field: str = ""
    typed: str = ""
    verdict: str = ""


class Numbers:
    """The numbers that a calculator was given, by name; asking for one that is missing raises Unusable."""

    def __init__(self, asked: Iterable[Asked]) -> None:
        self._asked = {one.name: one for one in asked}

    def get(self, name: str) -> float | None:
        """Return a number, None where the field is empty; raises Unusable for what is none."""
        one = self._asked[name]
        text = one.value.strip()
        if not text:
            return None
        try:
            value = number_of(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value) or abs(value) > _LARGEST:
            raise Unusable(f"{one.label}: expected a number such as 3.5 or 3e6, not {text[:40]!r}")
        return value

    def __getitem__(self, name: str) -> float:
        """Return a number; raises Unusable where the field is empty or holds no number."""
        value = self.get(name)
        if value is None:
            raise Unusable(f"{self._asked[name].label}: fill it in to see the result")
        return value


Work = Callable[[Numbers, Basis], Iterable[Result]]


@dataclass(frozen=True, slots=True)
class Calculator:
    """A calculator of a step: its name in addresses, its title, what it asks for given a batch, and how it works."""

    name: str
    title: str
    asks: Callable[[Basis], tuple[Asked, ...]]
    work: Work
    assumption: str = ""
    fits: Callable[[Basis], bool] = lambda basis: True
    """Whether the process of a batch has what the calculator is about."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A calculator filled in: ``said`` is why there is no result, in one line; ``is_open`` where somebody is at it."""

    name: str
    title: str
    asked: tuple[Asked, ...]
    results: tuple[Result, ...]
    said: str
    assumption: str
    is_open: bool = False

    def typed(self, field: str) -> str | None:
        """Return what a result types into a field, None where none does."""
        return next((one.typed for one in self.results if one.field == field), None)


def filled(calculator: Calculator, basis: Basis, given: Mapping[str, str] | None = None) -> Sheet:
    """Return a calculator with its results, out of what was given or else what is known of the batch."""
    asked = calculator.asks(basis)
    if given is not None:
        asked = tuple(_with(one, given[one.name]) if one.name in given else one for one in asked)
    results: tuple[Result, ...] = ()
    said = ""
    try:
        results = tuple(calculator.work(Numbers(asked), basis))
    except (ValueError, OverflowError, ZeroDivisionError) as problem:
        said = str(problem)
    return Sheet(calculator.name, calculator.title, asked, results, said, calculator.assumption if results else "")


def _with(one: Asked, value: str) -> Asked:
    is_known = value.strip() == one.value
    return Asked(one.name, one.label, one.unit, value, one.known if is_known else "", one.is_needed)


def written(value: float | int | None, digits: int = 6) -> str:
    """Write a number as it is typed into a field: without an exponent up to a million millions; "" for none."""
    if value is None:
        return ""
    if float(value).is_integer() and abs(value) < _LARGEST:
        return str(int(value))
    return f"{value:.{digits}g}" if abs(value) < 10**digits else str(round(value))


def origin(quantity: Quantity | None) -> str:
    """Return where a number of the recipe comes from, and that it is our own proposal where it is."""
    if quantity is None:
        return ""
    return f"proposed default: {quantity.origin}" if quantity.is_default else quantity.origin
