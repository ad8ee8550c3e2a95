"""Was every planted deviation caught in time, and how often was somebody called for nothing."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from tests.alarm_life.month import ORIGIN, Course
from tests.alarm_life.plan import Deviation, Plan

from cultureops.alarms import Transition

__all__ = ["Nuisance", "Outcome", "Verdict", "judge"]


@dataclass(frozen=True)
class Outcome:
    """One planted deviation: from when on it endangered, until when it had to be caught, and when it was [s]."""

    deviation: Deviation
    danger_s: float | None
    caught_s: float | None

    @property
    def due_s(self) -> float:
        """The latest acceptable time."""
        return (self.deviation.start_s if self.danger_s is None else self.danger_s) + self.deviation.kind.within_s

    @property
    def is_in_time(self) -> bool:
        """Whether it endangered anything at all, as planted, and was caught by then."""
        return self.danger_s is not None and self.caught_s is not None and self.caught_s <= self.due_s

    @property
    def took_min(self) -> float:
        """From the beginning of the danger to the alarm; negative where the alarm was first."""
        assert self.danger_s is not None and self.caught_s is not None
        return (self.caught_s - self.danger_s) / 60


@dataclass(frozen=True)
class Nuisance:
    """An activation that belongs to no planted deviation."""

    at_s: float
    transition: Transition


@dataclass(frozen=True)
class Verdict:
    """Every planted deviation's outcome and every nuisance."""

    outcomes: tuple[Outcome, ...]
    nuisances: tuple[Nuisance, ...]
    chamber_weeks: float

    @property
    def missed(self) -> list[Outcome]:
        """Deviations that were not caught, or too late."""
        return [outcome for outcome in self.outcomes if not outcome.is_in_time]

    @property
    def nuisances_per_chamber_week(self) -> float:
        """How often somebody was called for nothing."""
        return len(self.nuisances) / self.chamber_weeks

    @property
    def worst_chamber(self) -> tuple[str, float]:
        """The chamber with most nuisances, and how many a week."""
        counts = Counter(nuisance.transition.rule.chamber for nuisance in self.nuisances)
        return counts.most_common(1)[0] if counts else ("", 0)

    def table(self) -> str:
        """Return both tables as text."""
        lines = [f"{'planted':26}{'n':>4}{'in time':>9}{'median':>9}{'slowest':>9}{'allowed':>9}  minutes from danger"]
        by_kind: dict[str, list[Outcome]] = defaultdict(list)
        for outcome in self.outcomes:
            by_kind[outcome.deviation.kind.name].append(outcome)
        for name, of_kind in by_kind.items():
            took = [one.took_min for one in of_kind if one.caught_s is not None and one.danger_s is not None]
            allowed = of_kind[0].deviation.kind.within_s / 60
            figures = f"{median(took):9.1f}{max(took):9.1f}" if took else f"{'-':>9}{'-':>9}"
            lines.append(f"{name:26}{len(of_kind):4}{sum(o.is_in_time for o in of_kind):9}{figures}{allowed:9.0f}")
        lines += [
            f"not in time: {one.deviation.kind.name} in {one.deviation.chamber} from {_at(one.deviation.start_s)},"
            f" danger {_at(one.danger_s)}, caught {_at(one.caught_s)}, due {_at(one.due_s)}"
            for one in self.missed
        ]
        lines.append(
            f"nuisances: {len(self.nuisances)} in {self.chamber_weeks:.0f} chamber-weeks"
            f" = {self.nuisances_per_chamber_week:.3f} per chamber and week"
        )
        lines += [f"  {count:5}  {name}" for name, count in self.nuisances_by_rule().most_common()]
        return "\n".join(lines)

    def nuisances_by_rule(self) -> Counter[str]:
        """Count nuisances by class of chamber's rule: channel, kind and level."""
        return Counter(n.transition.rule.id.partition("/")[2] for n in self.nuisances)


def judge(course: Course, plan: Plan, chambers: int, days: int) -> Verdict:
    """Say of every planted deviation whether it was caught in time, and of every activation whether it is of one."""
    called = [
        ((change.at - ORIGIN) / 1000, change)
        for change in course.transitions
        if change.is_annunciated
    ]  # fmt: skip
    by_chamber: dict[str, list[tuple[float, Transition]]] = defaultdict(list)
    for at_s, change in called:
        by_chamber[change.rule.chamber].append((at_s, change))
    outcomes = []
    for number, deviation in enumerate(plan.deviations):
        during = [
            at_s
            for at_s, change in by_chamber[deviation.chamber]
            if deviation.start_s <= at_s <= deviation.over_s and _answers(deviation, change)
        ]
        outcomes.append(Outcome(deviation, course.danger_s.get(number), min(during, default=None)))
    nuisances = tuple(
        Nuisance(at_s, change) for at_s, change in called if not _belongs(at_s, change.rule.chamber, plan.deviations)
    )
    return Verdict(tuple(outcomes), nuisances, chambers * days / 7)


def _belongs(at_s: float, chamber: str, deviations: Sequence[Deviation]) -> bool:
    return any(one.chamber == chamber and one.start_s <= at_s <= one.over_s for one in deviations)


def _answers(deviation: Deviation, change: Transition) -> bool:
    name = (change.rule.channel or "").rpartition("/")[2]
    if deviation.fault is not None and deviation.fault.channel not in ("", name):
        return False
    return any(
        channel in (name, "*") and change.rule.kind in kinds.split() for channel, kinds in deviation.kind.answers
    )


def _at(seconds: float | None) -> str:
    if seconds is None:
        return "never"
    days, rest = divmod(round(seconds), 86_400)
    return f"day {days} {rest // 3600:02}:{rest % 3600 // 60:02}"
