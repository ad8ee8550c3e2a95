"""What the clinic says of a patient: a token, never a name; the weight; and the marrow that its courier brings."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from cultureops.clock import DAY_MS, HOUR_MS, Instant
from cultureops.demo.patient import FRESH, FROZEN, Patient

__all__ = ["ASPIRATES", "Box", "Referral", "Referrals"]

ASPIRATES: Final[Mapping[str, str]] = {FRESH: "small_aspirate", FROZEN: "large_aspirate"}
_MARROW_ML: Final = {FRESH: (11.5, 13.0), FROZEN: (190.0, 215.0)}
_WEIGHED_H: Final = 6
"""Patients are weighed in the morning [h UTC]."""


@dataclass(frozen=True, slots=True)
class Referral:
    """A patient whom a clinic has announced."""

    token: str
    recipe: str
    weight_kg: float


@dataclass(frozen=True, slots=True)
class Box:
    """What the courier brought, as its papers and a thermometer say."""

    marrow_ml: float
    temperature_c: float
    collected_at: Instant
    anticoagulant: str = "heparin"
    donor_markers: str = "HIV, HBV, HCV, syphilis negative"


class Referrals:
    """Patients by their token; one whom nobody has announced is as real as the others."""

    def __init__(self, announced: Sequence[Patient], seed: int) -> None:
        self.announced = tuple(Referral(one.token, one.recipe, one.weight_kg) for one in announced)
        self._seed = seed

    def of(self, token: str, recipe: str) -> Referral:
        """Return what the clinic says of a patient."""
        known = next((one for one in self.announced if one.token == token), None)
        return known or Referral(token, recipe, round(self._rng("weight", token).uniform(48.0, 96.0), 1))

    def box(self, token: str, recipe: str, now: Instant) -> Box:
        """Return what the courier brings now."""
        rng = self._rng("marrow", token)
        marrow_ml = rng.uniform(*_MARROW_ML.get(recipe, _MARROW_ML[FRESH]))
        return Box(round(marrow_ml, 1), round(rng.uniform(18.0, 22.0), 1), now - 2 * HOUR_MS)

    @staticmethod
    def weighed_at(now: Instant) -> Instant:
        """Return when the ward weighed its patients last."""
        today = now // DAY_MS * DAY_MS + _WEIGHED_H * HOUR_MS
        return today if today <= now else today - DAY_MS

    def _rng(self, what: str, token: str) -> random.Random:
        return random.Random(f"{what} {self._seed} {token}")
