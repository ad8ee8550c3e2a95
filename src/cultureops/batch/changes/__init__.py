"""What each event changes in the picture of a batch; nothing is judged here, what was recorded has happened."""

from __future__ import annotations

from cultureops.batch.changes.base import Change
from cultureops.batch.changes.cryo import CRYO
from cultureops.batch.changes.culture import CULTURE
from cultureops.batch.changes.product import PRODUCT
from cultureops.batch.changes.quality import QUALITY
from cultureops.batch.changes.record import RECORD
from cultureops.batch.events import Recorded

__all__ = ["CHANGES", "Change"]

CHANGES: dict[type[Recorded], Change] = {**CULTURE, **CRYO, **PRODUCT, **QUALITY, **RECORD}
