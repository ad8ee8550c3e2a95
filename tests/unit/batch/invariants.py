"""What must hold for a batch whatever was asked of it, told apart from the code's own rules and gates."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any, Final

from cultureops.access.signature import signatures_in
from cultureops.batch.batch import Batch
from cultureops.batch.state import State as S
from cultureops.ledger.event import Event

__all__ = ["check", "hold_claims"]

NEXT: Final[dict[S | None, frozenset[S]]] = {
    state: frozenset(following)
    for state, following in {
        None: {S.CREATED},
        S.CREATED: {S.RECEIVED},
        S.RECEIVED: {S.ISOLATED},
        S.ISOLATED: {S.CULTURE},
        S.CULTURE: {S.HARVESTED},
        S.HARVESTED: {S.CRYO, S.RESUSPENDED},
        S.CRYO: {S.THAW_AUTHORISED},
        S.THAW_AUTHORISED: {S.IN_TRANSFER},
        S.IN_TRANSFER: {S.RECEIVED_LAB},
        S.RECEIVED_LAB: {S.THAWED},
        S.THAWED: {S.WASHED},
        S.WASHED: {S.LABELLING, S.RESUSPENDED},
        S.LABELLING: {S.WASHED},
        S.RESUSPENDED: {S.FORMULATED},
        S.FORMULATED: {S.REVIEWED},
        S.REVIEWED: {S.RELEASED, S.CONDITIONALLY_RELEASED},
        S.RELEASED: {S.SHIPPED, S.RECALLED},
        S.CONDITIONALLY_RELEASED: {S.SHIPPED, S.RECALLED},
        S.SHIPPED: {S.RECEIVED_AT_SITE, S.RECALLED},
        S.RECEIVED_AT_SITE: {S.ADMINISTERED, S.RECALLED},
        S.ADMINISTERED: {S.CLOSED, S.RECALLED},
        S.REJECTED: {S.DESTROYED},
        S.RECALLED: {S.DESTROYED},
        S.CLOSED: set(),
        S.DESTROYED: set(),
    }.items()
}
RELEASED: Final = frozenset({S.RELEASED, S.CONDITIONALLY_RELEASED})
DECISIONS: Final = frozenset(
    {
        *("reviewed", "released", "conditionally_released", "exceptionally_released", "rejected", "thaw_authorised"),
        *("deviation_investigated", "action_planned", "deviation_closed", "held", "resumed", "recalled", "closed"),
        *("effectiveness_checked", "destroyed"),
    }
)
ENDED: Final = frozenset({S.CLOSED, S.REJECTED, S.RECALLED, S.DESTROYED})


def hold_claims(claims: set[str], event: Event) -> None:
    """Hold names as the ledger does: one event at a time holds a name, and only what is held is released."""
    for name in event.releases:
        claims.remove(name)
    for name in event.claims:
        assert name not in claims, f"{name} is claimed twice"
        claims.add(name)


def check(earlier: Batch | None, batch: Batch, events: Sequence[Event], claims: set[str]) -> None:
    """Look whether a batch may be as it is."""
    _check_state(earlier, batch)
    _check_stays(batch)
    _check_vials(batch, claims)
    _check_cells(events)
    _check_signed(events)
    if batch.state is S.RESUSPENDED:
        _check_washed(batch)
    if earlier is not None and earlier.state is S.REVIEWED and batch.state in RELEASED:
        _check_released(earlier, batch)
    given = Counter(event.data["container"] for event in events if event.type == "administered")
    assert not given or max(given.values()) == 1, "a dose was given twice"
    assert batch.version == len(events) == len(batch.history)


def _check_state(earlier: Batch | None, batch: Batch) -> None:
    before, after = None if earlier is None else earlier.state, batch.state
    assert (batch.passage or 0) <= 3
    assert (batch.held_from is not None) == (after is S.HOLD)
    if earlier is None or before is after:
        assert earlier is not None or after in NEXT[None]
        return
    assert batch.since >= earlier.since, "time ran backwards"
    open_before = before not in ENDED and before is not S.ADMINISTERED
    if after is S.HOLD:
        assert batch.held_from is before and before not in ENDED
    elif before is S.HOLD:
        given = earlier.held_from is S.ADMINISTERED
        others = {S.RECALLED} if given else {S.REJECTED} | ({S.RECALLED} if earlier.released_by else set())
        assert after in {earlier.held_from, *others}
    elif after is S.REJECTED:
        assert open_before
    else:
        assert after in NEXT[before], f"{before} -> {after}"
    if before is S.HARVESTED and after in (S.CRYO, S.RESUSPENDED):
        assert (after is S.CRYO) == batch.recipe.name.startswith("karussis")
    if after is S.LABELLING:
        assert batch.label_arm and len(earlier.washes) >= 2


def _check_stays(batch: Batch) -> None:
    by_group: dict[tuple[str, str], list[tuple[int, int | None]]] = defaultdict(list)
    for stay in batch.occupancies:
        where = stay.chamber if stay.vessels.endswith("-vials") or _is_in_doubt(batch) else ""
        by_group[stay.vessels, where].append((stay.placed, stay.taken))
    for (group, _), stays in by_group.items():
        for (placed, taken), following in zip(stays, [*stays[1:], None], strict=True):
            assert taken is None or placed <= taken, f"{group} left before it came"
            assert following is None or (taken is not None and taken <= following[0]), f"{group} is in two places"
    standing = {stay.vessels for stay in batch.occupancies if stay.taken is None}
    if batch.state in ENDED:
        in_store = any(vial.place is not None for vial in batch.vials)
        assert standing == ({f"{batch.id}-vials"} if in_store else set())
        return
    present = {group.id for group in batch.groups}
    state = batch.held_from or batch.state
    assert standing & present == (present if state is S.CULTURE else set())
    assert (f"{batch.id}-vials" in standing) == any(vial.place is not None for vial in batch.vials)
    assert (f"{batch.id}-labelling" in standing) == (state is S.LABELLING)


def _is_in_doubt(batch: Batch) -> bool:
    """Whether a correction may say that vessels which were pooled had stood apart."""
    types = {str(event.data["field"]) for event in batch.history if event.type == "corrected"}
    return "to_chamber" in types and any(event.type == "vessels_pooled" for event in batch.history)


def _check_vials(batch: Batch, claims: set[str]) -> None:
    places = [vial.place.claim for vial in batch.vials if vial.place is not None]
    assert len(set(places)) == len(places), "two vials in one place"
    assert set(places) == {name for name in claims if name.startswith("place:")}
    assert {f"vial:{vial.id}".casefold() for vial in batch.vials} == {
        name for name in claims if name.startswith("vial:")
    }
    for vial in batch.vials:
        assert (vial.place is not None) == (vial.status in ("stored", "authorised")), vial
    assert {f"container:{dose.container}" for dose in batch.doses} == {c for c in claims if c.startswith("container:")}


def _check_cells(events: Sequence[Event]) -> None:
    """No cell comes out of nowhere: 5 % for counting, 10 % between a count and what is suspended or filled."""
    last: Any = events[-1].data
    kind = events[-1].type
    earlier: dict[str, Any] = {event.type: event.data for event in events[:-1]}
    if kind == "seeded":
        assert last["cells_total"] <= 1.05 * earlier["isolated"]["mnc_count"]
    elif kind == "passaged":
        assert last["cells_seeded"] + last.get("discarded_cells", 0) <= 1.05 * last["harvested_viable_cells"]
    elif kind == "frozen":
        assert len(last["vials"]) * last["cells_per_vial"] == last["frozen_cells"]
        assert last["frozen_cells"] <= 1.05 * earlier["harvested"]["harvested_viable_cells"]
    elif kind == "thawed":
        assert last["thawed_cells"] == len(last["vials"]) * earlier["frozen"]["cells_per_vial"] > 0
    elif kind == "formulated":
        filled = sum(dose["viable_cells"] for dose in last["doses"]) + last["retained_cells"]
        assert 0.9 <= filled / earlier["resuspended"]["viable_cells"] <= 1.1


def _check_signed(events: Sequence[Event]) -> None:
    """Whoever decides has signed, of the record as it stood."""
    new = next(event for event in reversed(events) if event.type != "deviation_opened" or event is events[0])
    if new.type in DECISIONS:
        (signed, *_) = signatures_in(new)
        assert (signed.username, signed.shown.version) == (new.actor.id, new.version - 1)


def _check_washed(batch: Batch) -> None:
    """Whatever was thawed or labelled was washed twice since."""
    types = [event.type for event in batch.history]
    starts = [index for index, kind in enumerate(types) if kind in ("thawed", "labelling_ended")]
    if starts:
        assert types[starts[-1] :].count("washed") >= 2, "resuspended with fewer than two washes"
    else:
        assert not batch.recipe.name.startswith("karussis")


def _check_released(earlier: Batch, batch: Batch) -> None:
    """What must be true of a released product, told apart from the gates' own code."""
    release = batch.history[-1]
    excepted = set(release.data.get("failed_gates", ()))  # type: ignore[arg-type]
    _check_washed(batch)
    assert batch.is_eligible and batch.released_by not in batch.operators | batch.reviewers
    assert "G12" in excepted or all(d.severity == "minor" for d in batch.open_deviations)
    made = batch.resuspension
    assert made is not None and release.occurred_at < made.expires_at
    counts = [count for count in batch.counts if count.stage == "product" and count.at >= made.at]
    assert len(counts) >= 2 and sum(count.viability_pct for count in counts) / len(counts) >= 80
    read = {(s.test, s.passage, r.outcome) for s in batch.qc for r in s.readings if s.stage == "passage"}
    assert not any(outcome == "positive" for _, _, outcome in read)
    if batch.recipe.name.startswith("karussis"):
        assert ("sterility", 0, "negative") in read and ("mycoplasma", batch.passage, "negative") in read
    else:
        assert batch.passage in (2, 3)
        tests = ("endotoxin", "mycoplasma", "sterility")
        assert {(t, p, "negative") for t in tests for p in range((batch.passage or 0) + 1)} <= read
    reviewed = max(event.version for event in earlier.history if event.type == "reviewed")
    since = {event.type for event in earlier.history[reviewed:]}
    assert since <= {"noted", "command_refused"}, f"changed since the review: {since}"
