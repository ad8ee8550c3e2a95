"""What the steps share: refusals, remarks on numbers off their target, the balance of cells."""

from __future__ import annotations

from cultureops.access import Role
from cultureops.analysis.dose import deviation_pct
from cultureops.batch.batch import Batch
from cultureops.batch.case import Case
from cultureops.batch.commands.quality import DeviationKind, Severity
from cultureops.batch.events import DeviationOpened
from cultureops.batch.recipe_schema import Quantity
from cultureops.clock import Instant
from cultureops.errors import TransitionRefused

__all__ = [
    "check_balance",
    "check_stated",
    "deviate",
    "doubt_of_viability",
    "free_deviation_id",
    "off_target",
    "refused",
]


def refused(case: Case, why: str) -> TransitionRefused:
    """Build the refusal of a step, naming the batch."""
    return TransitionRefused(f"batch {case.batch.id}: {why}")


def off_target(name: str, value: float, target: Quantity | None, tolerance: Quantity) -> tuple[str, ...]:
    """Remark a value that is further off the recipe's than its tolerance [%]; nothing where the recipe has none."""
    if target is None:
        return ()
    off = deviation_pct(value, target.value)
    if abs(off) <= tolerance.value:
        return ()
    return (f"{name} {value:.6g} {target.unit} is {off:+.0f} % off the recipe's {target.value:g}",)


def doubt_of_viability(case: Case, viability_pct: float) -> str:
    """Say what a second person must confirm of a viability that was typed: one below the recipe's floor, 9.5 for 95."""
    floor = case.facts.recipe.release.viability_floor
    if case.facts.actor.role == Role.DEVICE or viability_pct >= floor.value:
        return ""
    return f"viability {viability_pct:g} % was entered by hand and is below {floor.value:g} %"


def check_balance(case: Case, cells_out: int, cells_in: int, where: str) -> None:
    """Refuse more cells out of a step than came into it, but for counting error."""
    tolerance = case.facts.recipe.counting.balance_tolerance.value
    if cells_out > cells_in * (1 + tolerance / 100):
        raise refused(case, f"{cells_out:,} cells can't come from the {cells_in:,} that were {where}")


def check_stated(case: Case, used: int, discarded: int, cells_in: int, where: str) -> None:
    """Refuse a step in which cells vanish: what was not used is stated as discarded, but for counting error."""
    check_balance(case, used + discarded, cells_in, where)
    tolerance = case.facts.recipe.counting.balance_tolerance.value
    missing = cells_in - used - discarded
    if missing > cells_in * tolerance / 100:
        raise refused(
            case,
            f"{missing:,} of the {cells_in:,} cells that were {where} are not accounted for; "
            f"state them as discarded (allowed are {tolerance:g} %)",
        )


def deviate(
    case: Case,
    subject: str,
    description: str,
    severity: Severity,
    kind: DeviationKind = "deviation",
    due_at: Instant | None = None,
) -> DeviationOpened:
    """Build the deviation that a step opens by itself, under the next free name."""
    return DeviationOpened(
        deviation_id=free_deviation_id(case.batch),
        kind=kind,
        severity=severity,
        subject=subject,
        description=description,
        due_at=due_at,
    )


def free_deviation_id(batch: Batch) -> str:
    """Return the next name for a deviation of a batch that nobody has given to one yet."""
    taken = {deviation.id for deviation in batch.deviations}
    names = (f"{batch.id}.DEV-{number}" for number in range(len(taken) + 1, 2 * len(taken) + 2))
    return next(name for name in names if name not in taken)
