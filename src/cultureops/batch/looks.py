"""Every look at the cells of a batch as its events tell it: how much was covered, how that is known, and who looked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from cultureops.batch.batch import Batch
from cultureops.batch.events import ConfluenceObserved, read_event
from cultureops.batch.lineage import present_data
from cultureops.clock import Instant

__all__ = ["Evidence", "Look", "looks", "owners_of_image"]


@dataclass(frozen=True, slots=True)
class Evidence:
    """One image's reading, within ``low_pct`` to ``high_pct`` [%]; ``reason`` says why it is unsure."""

    image_sha256: str
    low_pct: float
    high_pct: float
    is_unsure: bool
    reason: str
    method: str


@dataclass(frozen=True, slots=True)
class Look:
    """One look at one group of vessels, as it reads now; ``position`` is that of its event in the ledger."""

    at: Instant
    position: int
    passage: int
    vessels: str
    pct: float
    method: str
    n_fields: int
    actor_id: str
    evidence: tuple[Evidence, ...]
    image_sha256: str | None

    @property
    def is_unsure(self) -> bool:
        """Whether an image of it may be far off."""
        return any(one.is_unsure for one in self.evidence)

    @property
    def images(self) -> tuple[str, ...]:
        """The SHA-256 of every image it rests on or names, each once."""
        named = () if self.image_sha256 is None else (self.image_sha256,)
        return tuple(dict.fromkeys([*(one.image_sha256 for one in self.evidence), *named]))


def looks(batch: Batch) -> tuple[Look, ...]:
    """Return every look in the order of time, as corrected."""
    found = []
    for event, data in zip(batch.history, present_data(batch.history), strict=True):
        if event.type != "confluence_observed":
            continue
        seen = read_event(event.type, data)
        assert isinstance(seen, ConfluenceObserved)
        evidence = tuple(
            Evidence(one.image_sha256, one.low_pct, one.high_pct, one.unsure, one.reason, one.method)
            for one in seen.evidence
        )
        where = event.occurred_at, event.position, seen.passage, seen.vessels
        what = seen.confluence_pct, seen.method, seen.n_fields, event.actor.id
        found.append(Look(*where, *what, evidence, seen.image_sha256))
    return tuple(sorted(found, key=lambda look: look.at))


def owners_of_image(batches: Iterable[Batch], sha256: str) -> tuple[str, ...]:
    """Return the batches of which an image is evidence already; more than one would be a mix-up."""
    return tuple(batch.id for batch in batches if any(sha256 in look.images for look in looks(batch)))
