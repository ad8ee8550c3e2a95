"""What every event of a batch may carry besides its own fields."""

from __future__ import annotations

from typing import Any

from cultureops.batch.commands.base import Collected
from cultureops.batch.field import Details, Name, Part, Text

__all__ = ["Check", "Recorded"]


class Check(Part):
    """A hard gate that held nothing up, with the facts it looked at."""

    gate: Name
    used: dict[str, Any]


class Recorded(Details):
    """What every event may carry besides its own fields.

    ``signatures`` are read by ``access.signature``; ``collected`` are the fields that an instrument gave.
    """

    checks: tuple[Check, ...] = ()
    warnings: tuple[Text, ...] = ()
    witness_id: Name | None = None
    signatures: tuple[dict[str, Any], ...] = ()
    collected: tuple[Collected, ...] = ()
