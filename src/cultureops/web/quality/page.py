"""What waits for quality assurance, over all batches: what, since when, for whom, and the page where it is done."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final
from urllib.parse import quote

from cultureops.audit.walking import walk
from cultureops.backup.records import FAILED, MADE
from cultureops.backup.records import STREAM as BACKUPS
from cultureops.batch.batch import Batch
from cultureops.batch.shelf import RecipeShelf, due_by
from cultureops.batch.signed import Validity, signatures_of
from cultureops.batch.signed_steps import wants_signature
from cultureops.batch.state import State
from cultureops.clock import DAY_MS, Instant, iso
from cultureops.conduct import REFUSALS
from cultureops.errors import CultureOpsError
from cultureops.ledger.event import Event
from cultureops.ledger.ledger import Ledger
from cultureops.ledger.search import Search
from cultureops.web.context import WebContext
from cultureops.web.quality.deviations import DeviationRow, deviation_rows

__all__ = ["Overview", "Standing", "Waiting", "overview"]

REFUSALS_MS: Final = 7 * DAY_MS
MOST_REFUSALS: Final = 50
BACKUP_OLD_MS: Final = 26 * 3_600_000
"""A nightly backup that is older was missed [OWN]."""
_FINISHED: Final = frozenset({State.CLOSED, State.DESTROYED})


@dataclass(frozen=True, slots=True)
class Waiting:
    """One thing that waits: of which batch, what, since when [ms UTC], for whom, and the page where it is done."""

    batch_id: str
    what: str
    since: Instant | None
    roles: str
    link: str
    due_at: Instant | None = None
    who: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """How something that serves all batches stands; ``is_well`` is False where somebody has to look at it."""

    name: str
    said: str
    is_well: bool
    link: str = ""
    at: Instant | None = None


@dataclass(frozen=True, slots=True)
class Overview:
    """All of it, at one time."""

    review: tuple[Waiting, ...]
    release: tuple[Waiting, ...]
    holds: tuple[Waiting, ...]
    decisions: tuple[Waiting, ...]
    deviations: tuple[DeviationRow, ...]
    results: tuple[Waiting, ...]
    alarms: tuple[Waiting, ...]
    unsigned: tuple[Waiting, ...]
    corrections: tuple[Waiting, ...]
    refusals: tuple[Waiting, ...]
    standings: tuple[Standing, ...]

    @property
    def counts(self) -> Sequence[tuple[str, str, int, bool]]:
        """Anchor, words, how many, and whether any of it keeps a product from its patient or hides something."""
        return (
            ("review", "to review", len(self.review), False),
            ("release", "to release", len(self.release), False),
            ("holds", "on hold", len(self.holds), True),
            ("deviations", "deviations open", len(self.deviations), any(d.is_overdue for d in self.deviations)),
            ("results", "results pending", len(self.results), False),
            ("alarms", "alarms to assess", len(self.alarms), True),
            ("unsigned", "without a sound signature", len(self.unsigned), True),
            ("corrections", "corrected since review", len(self.corrections), True),
        )


async def overview(context: WebContext, now: Instant) -> Overview:
    """Gather what waits; the batches are gone through beside the loop."""
    batches, recipes = context.batches.batches(), context.recipes
    found = await asyncio.to_thread(_of_batches, batches, recipes, now)
    refusals = await asyncio.to_thread(_refusals, context.ledger, batches, now)
    record = await asyncio.to_thread(lambda: (_backup(context.ledger, now), *_records(context)))
    review = context.access.review()
    standings = (
        Standing(
            "Access review",
            "a review is due" if review.is_due else "reviewed in time",
            not review.is_due,
            "/access-review",
            review.reviewed_at,
        ),
        *record,
    )
    open_ = tuple(row for row in deviation_rows(batches, now) if row.deviation.closed_at is None or row.roles)
    return Overview(**found, deviations=open_, refusals=refusals, standings=standings)


def _of_batches(batches: Iterable[Batch], recipes: RecipeShelf, now: Instant) -> dict[str, Any]:
    """Return what waits of the batches; blocks for as long as it takes to check every signature."""
    kinds: Mapping[str, Callable[[Batch, Instant], Iterator[Waiting]]] = {
        "review": _review,
        "release": _release,
        "holds": _holds,
        "decisions": _decisions,
        "alarms": _alarms,
        "unsigned": _unsigned,
        "corrections": _corrections,
    }
    live = [batch for batch in batches if batch.state not in _FINISHED]
    found = {name: _sorted(row for batch in live for row in find(batch, now)) for name, find in kinds.items()}
    return found | {"results": _sorted(row for batch in live for row in _results(batch, recipes))}


def _sorted(rows: Iterable[Waiting]) -> tuple[Waiting, ...]:
    return tuple(sorted(rows, key=lambda row: (row.due_at or row.since or 0, row.batch_id)))


def _page(batch: Batch, rest: str = "") -> str:
    return f"/batches/{quote(batch.id, safe='')}{rest}"


def _review(batch: Batch, now: Instant) -> Iterator[Waiting]:
    changed = batch.reviewed_version is not None and batch.reviewed_version < batch.changed_version
    if batch.state is State.FORMULATED or (batch.state is State.REVIEWED and changed):
        what = "changed since its review" if changed else "ready for review"
        until = None if batch.resuspension is None else batch.resuspension.expires_at
        yield Waiting(batch.id, what, batch.since, "RV", _page(batch, "/review"), until)
    elif batch.state is State.CRYO and (batch.reviewed_version or 0) < batch.changed_version:
        yield Waiting(batch.id, "frozen: review before the thaw", batch.since, "RV", _page(batch, "/review"))


def _release(batch: Batch, now: Instant) -> Iterator[Waiting]:
    until = None if batch.resuspension is None else batch.resuspension.expires_at
    if batch.state is State.REVIEWED:
        yield Waiting(batch.id, "release decision", batch.since, "QP", _page(batch, "/review#next"), until)
    elif batch.state is State.CONDITIONALLY_RELEASED or (batch.is_conditional and batch.released_by is not None):
        pending = [one.sample_id for one in batch.qc if not any(reading.final for reading in one.readings)]
        if pending:
            what = f"released conditionally; final reading of {', '.join(pending)} pending"
            yield Waiting(batch.id, what, batch.since, "QC", _page(batch))


def _holds(batch: Batch, now: Instant) -> Iterator[Waiting]:
    if batch.state is State.HOLD:
        held = next((event for event in reversed(batch.history) if event.type == "held"), None)
        who, why = ("", "") if held is None else (held.actor.id, held.reason)
        since = batch.since if held is None else held.occurred_at
        yield Waiting(batch.id, why or "on hold", since, "QA, QP", _page(batch, "/review#next"), who=who)


def _decisions(batch: Batch, now: Instant) -> Iterator[Waiting]:
    if batch.state is State.CRYO:
        yield Waiting(batch.id, "authorise the thaw", batch.since, "QA", _page(batch, "/sign/AuthoriseThaw"))
    elif batch.state is State.ADMINISTERED and all(dose.given_at is not None for dose in batch.doses):
        yield Waiting(batch.id, "close the record", batch.since, "QA", _page(batch, "/sign/Close"))
    elif batch.state in (State.REJECTED, State.RECALLED):
        yield Waiting(batch.id, f"{batch.state.lower()}: destroy what is left", batch.since, "OP, ST", _page(batch))


def _results(batch: Batch, recipes: RecipeShelf) -> Iterator[Waiting]:
    try:
        coming = due_by(recipes, batch)
    except CultureOpsError:
        return  # a recipe that is nowhere is told by the review
    for due in coming:
        if due.role == "QC":
            link = _page(batch, "/do/RecordQcResult")
            yield Waiting(batch.id, due.text, None, "QC", link, due.at)


def _alarms(batch: Batch, now: Instant) -> Iterator[Waiting]:
    for one in batch.exposures:
        if one.wants_assessment and one.id not in batch.assessed:
            yield Waiting(batch.id, f"{one.rule_id}: {one.text}", one.raised_at, "RV", _page(batch, "/review#open"))


def _unsigned(batch: Batch, now: Instant) -> Iterator[Waiting]:
    signed, link = set(), _page(batch, "/review#signatures")
    for one in signatures_of(batch):
        signed.add(one.event_id)
        if one.validity is not Validity.VALID:
            who = "" if one.signature is None else one.signature.printed_name
            at = None if one.signature is None else one.signature.signed_at
            yield Waiting(batch.id, f"{one.step.replace('_', ' ')}: {one.text}", at, "", link, who=who)
    for event in batch.history:
        if event.event_id not in signed and wants_signature(event):
            what = f"{event.type.replace('_', ' ')} carries no signature"
            yield Waiting(batch.id, what, event.occurred_at, "", link, who=event.actor.id)


def _corrections(batch: Batch, now: Instant) -> Iterator[Waiting]:
    if batch.reviewed_version is None:
        return
    for event in batch.history:
        if event.type == "corrected" and event.version > batch.reviewed_version:
            what = f"{event.data.get('field', '')} corrected: {event.reason}"
            yield Waiting(batch.id, what, event.occurred_at, "RV", _audit(batch, event), who=event.actor.id)


def _audit(batch: Batch, event: Event) -> str:
    return _page(batch, f"/audit?order=oldest&cursor={event.position - 1}#p{event.position}")


def _refusals(ledger: Ledger, batches: Iterable[Batch], now: Instant) -> tuple[Waiting, ...]:
    """Return what was refused in the last days, the newest first: of batches, and of everything else."""
    since = now - REFUSALS_MS
    of_batches = [
        Waiting(batch.id, f"{one.command}: {one.message}", one.at, "", _page(batch, "/audit?only=refusals"),
                who=one.actor_id)
        for batch in batches
        for one in batch.refusals
        if one.at >= since
    ]  # fmt: skip
    search = Search(streams=(REFUSALS,), since=iso(since))
    found = islice(walk(ledger, search, lambda _: True, ledger.head().position, None, MOST_REFUSALS), MOST_REFUSALS)
    others = [
        Waiting("", f"{event.data.get('command', '')}: {event.data.get('message', '')}", event.occurred_at, "",
                f"/audit?order=oldest&cursor={event.position - 1}#p{event.position}", who=event.actor.id)
        for event in found
    ]  # fmt: skip
    return tuple(sorted((*of_batches, *others), key=lambda row: -(row.since or 0)))[:MOST_REFUSALS]


def _backup(ledger: Ledger, now: Instant) -> Standing:
    search = Search(streams=(BACKUPS,))
    told = walk(ledger, search, lambda event: event.type in (MADE, FAILED), ledger.head().position, None, 20)
    last = next(told, None)
    link = "/audit?stream=backup"
    if last is None:
        return Standing("Backup", "no backup is on record", False, link)
    if last.type == FAILED:
        return Standing("Backup", f"the last one failed: {last.data.get('error')}", False, link, last.recorded_at)
    is_old = now - last.recorded_at > BACKUP_OLD_MS
    said = f"{last.data.get('backup')}, {'older than a night' if is_old else 'as it should be'}"
    return Standing("Backup", said, not is_old, link, last.recorded_at)


def _records(context: WebContext) -> Iterator[Standing]:
    """Yield how the record itself stands, as the running lab knows it."""
    health, head = context.health(), context.ledger.head()
    failure, unread = health.get("ledger_failure"), health.get("unreadable_events")
    positions = list(unread) if isinstance(unread, list | tuple) else []
    said = f"every hash followed up to position {head.position}"
    if failure is not None:
        said = f"can't be written: {failure}"
    elif positions:
        said = f"{len(positions)} events can't be read by this program, the first at position {positions[0]}"
    yield Standing("Ledger", said, failure is None and not positions, "/health")
    heads = context.ledger.signed_heads()
    if not heads:
        yield Standing("Signed head", "no head of the ledger is signed", False, "/health")
    else:
        behind = head.position - heads[-1].size
        yield Standing(
            "Signed head", f"signed up to position {heads[-1].size}, {behind} events behind", True, "/health"
        )
