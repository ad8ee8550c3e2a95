"""Steps that handle vessels without touching the cells: carry, divide, unite, throw away."""

from __future__ import annotations

from cultureops.batch import events as happened
from cultureops.batch.case import Case, Plan
from cultureops.batch.commands import Discard, Move, Pool, Split
from cultureops.batch.parts import DOSES, LABELLED, VIALS, Vessels
from cultureops.batch.steps.base import refused

__all__ = ["check_group", "check_new", "claims_of", "discard", "move", "pool", "split"]


def check_group(case: Case, vessels: str) -> Vessels:
    """Return a group of vessels that is in culture; refused for any other name."""
    found = next((group for group in case.batch.groups if group.id == vessels), None)
    if found is None:
        present = " and ".join(repr(group.id) for group in case.batch.groups) or "none"
        raise refused(case, f"vessels {vessels!r} are not in culture; present are {present}")
    return found


def check_new(case: Case, *names: str) -> None:
    """Refuse names of vessels that this batch has used before, or twice."""
    used = {stay.vessels for stay in case.batch.occupancies}
    for name in names:
        if name.endswith((VIALS, DOSES, LABELLED)):
            raise refused(case, f"{name!r} ends like what is no vessel; choose another name")
    for number, name in enumerate(names):
        if name in used or name in names[:number]:
            raise refused(case, f"vessels {name!r} were used before; give the new ones their own name")


def claims_of(*vessels: str) -> tuple[str, ...]:
    """Return the names under which the ledger lets these vessels exist once, in whatever batch."""
    return tuple(f"vessels:{name}" for name in vessels)


def move(case: Case, details: Move) -> Plan:
    """Carry the vessels into another chamber."""
    check_group(case, details.vessels)
    stands_in = case.batch.chamber_of(details.vessels)
    if details.to_chamber == stands_in:
        raise refused(case, f"{details.vessels} already stand in {details.to_chamber}")
    return Plan(happened.Moved, {"from_chamber": stands_in or "nowhere"}, devices=(details.to_chamber,))


def split(case: Case, details: Split) -> Plan:
    """Divide a group of vessels; its parts make the whole."""
    whole = check_group(case, details.vessels)
    check_new(case, *(share.vessels for share in details.into))
    total = sum(share.n_vessels for share in details.into)
    if total != whole.n_vessels:
        raise refused(case, f"{total} vessels can't come from the {whole.n_vessels} of {whole.id}")
    return Plan(happened.VesselsSplit, claims=claims_of(*(share.vessels for share in details.into)))


def pool(case: Case, details: Pool) -> Plan:
    """Make one group of several that stand together and are of one kind."""
    if len(set(details.vessels)) < len(details.vessels):
        raise refused(case, "a group is named twice")
    groups = [check_group(case, vessels) for vessels in details.vessels]
    check_new(case, details.into)
    if len({(group.vessel_type, group.area_cm2) for group in groups}) > 1:
        raise refused(case, "only vessels of one kind can be pooled")
    chambers = {case.batch.chamber_of(group.id) for group in groups}
    if len(chambers) > 1:
        raise refused(case, f"groups stand in {len(chambers)} chambers; move them together first")
    n_vessels = sum(group.n_vessels for group in groups)
    return Plan(happened.VesselsPooled, {"n_vessels": n_vessels}, claims=claims_of(details.into))


def discard(case: Case, details: Discard) -> Plan:
    """Throw vessels away, never the last of a batch: that is a rejection."""
    group = check_group(case, details.vessels)
    if not case.reason:
        raise refused(case, "discarding vessels needs its reason")
    left = group.n_vessels - details.n_vessels
    if left < 0:
        raise refused(case, f"{group.id} has {group.n_vessels} vessels, not {details.n_vessels}")
    if left == 0 and len(case.batch.groups) == 1:
        raise refused(case, "these are the last vessels; reject the batch instead")
    return Plan(happened.VesselsDiscarded, {"vessels_left": left})
