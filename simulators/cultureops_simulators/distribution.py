"""Distributions that are declared as data, each entry with where it comes from, and drawn one at a time."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any, Final

import numpy as np

__all__ = ["CULTURE_FILE", "Distribution", "draw", "factor"]

CULTURE_FILE: Final = "culture.toml"


@dataclass(frozen=True, slots=True)
class Distribution:
    """Even between ``low`` and ``high``; ``unit`` is a UCUM code, ``source`` says whose figures they are."""

    low: float
    high: float
    unit: str
    source: str

    def draw(self, rng: np.random.Generator) -> float:
        """Draw one value."""
        return float(rng.uniform(self.low, self.high))


@lru_cache(maxsize=1)
def _declared() -> Mapping[str, Mapping[str, Any]]:
    text = (resources.files("cultureops_simulators") / CULTURE_FILE).read_text(encoding="utf-8")
    return tomllib.loads(text)


@lru_cache(maxsize=64)
def _distribution(section: str, name: str) -> Distribution:
    row = _declared()[section][name]
    return Distribution(float(row["low"]), float(row["high"]), row["unit"], row["source"])


def draw(section: str, name: str, rng: np.random.Generator) -> float:
    """Draw one value of an entry of ``culture.toml``; KeyError for one that is not declared."""
    return _distribution(section, name).draw(rng)


def factor(section: str, name: str) -> float:
    """Return a fixed number of ``culture.toml``; KeyError for one that is not declared."""
    return float(_declared()[section][name]["value"])
