"""What is kept beside the batches, and who carries out what people decide on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from cultureops.access.signature import Signature
from cultureops.clock import Instant
from cultureops.conduct import Command, Rule
from cultureops.ledger.event import Actor

__all__ = ["Kind", "SiteFile", "Upkeep"]


class Kind(StrEnum):
    """What is kept; the value begins its addresses."""

    EQUIPMENT = "equipment"
    LOT = "lots"
    RECIPE = "recipes"
    SITE = "site"


@dataclass(frozen=True, slots=True)
class SiteFile:
    """The text that the lab runs on, since when [ms UTC] and by whom, and how the file differs from it, if it does.

    ``signature`` is None for the text of the first start; ``problem`` says why the file can't be compared.
    """

    text: str
    since: Instant
    reason: str
    signature: Signature | None
    diff: tuple[str, ...]
    problem: str


class Upkeep(Protocol):
    """Carries out what people decide; raises AccessError or BatchError when it is refused."""

    site_rule: Rule

    async def keep(self, kind: Kind, command: Command, actor: Actor, signatures: Sequence[Signature] = ()) -> None:
        """Carry out one command."""
        ...

    async def site_file(self) -> SiteFile | None:
        """Return how the site file stands; None where none is kept."""
        ...

    async def approving_site(self, reason: str) -> Command:
        """Return the command that approves the site file as it is."""
        ...
