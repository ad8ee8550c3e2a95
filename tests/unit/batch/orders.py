"""Orders of commands that nobody planned: a process begun anywhere, with whatever comes between its steps."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeAlias

from tests.unit.batch import karussis
from tests.unit.batch.bench import Bench, before, course
from tests.unit.batch.conftest import BATCH_ID, CL, LAB, OP, QA, QP, RV, ST, WITNESS, Step, result
from tests.unit.batch.invariants import check, hold_claims
from tests.unit.batch.table import EXAMPLES, conditionally, deviation, exceptionally, move_vials

from cultureops.batch import commands as do
from cultureops.batch.evolve import fold
from cultureops.batch.steps.record import CORRECTABLE
from cultureops.clock import HOUR_MS, MINUTE_MS
from cultureops.errors import BatchError
from cultureops.ledger import Actor

__all__ = ["EXTRAS", "KINDS", "Act", "Walk", "actions_at_random", "walk"]

KINDS: Final = ("fresh", "frozen", "labelled")
QA2: Final = Actor("qa-2", "QA")


def _split(bench: Bench) -> Step:
    present = bench.known.groups[0] if bench.batch is not None and bench.batch.groups else None
    name, n = ("none", 2) if present is None else (present.id, present.n_vessels)
    number = len(bench.events)
    into = tuple(do.Share(vessels=f"s{number}-{i}", n_vessels=m) for i, m in enumerate((max(1, n // 2), n - n // 2)))
    return Step(do.Split(vessels=name, into=into if n > 1 else (into[0], into[0])))


def _pool(bench: Bench) -> Step:
    groups = [] if bench.batch is None else [group.id for group in bench.batch.groups]
    return Step(do.Pool(vessels=tuple(groups) if len(groups) > 1 else ("a", "b"), into=f"p{len(bench.events)}"))


def _of_present(make: Callable[[str], Step]) -> Callable[[Bench], Step]:
    """Let a step be of vessels that are there now."""

    def step(bench: Bench) -> Step:
        groups = () if bench.batch is None else bench.batch.groups
        return make(groups[-1].id if groups else "none")

    return step


def _close_deviation(bench: Bench) -> Step:
    open_now = () if bench.batch is None else bench.batch.open_deviations
    name = open_now[0].id if open_now else "none"
    if open_now and open_now[0].investigated_at is None:
        return Step(do.InvestigateDeviation(deviation_id=name, root_cause="found", impact="none"), QA2)
    return Step(do.CloseDeviation(deviation_id=name, conclusion="no effect", effectiveness="seen"), QA2)


def _correct(bench: Bench) -> Step:
    """Change the last correctable field there is, to another value of its kind."""
    for event in reversed(bench.events):
        for name in sorted(CORRECTABLE.get(event.type, ())):
            value = event.data.get(name)
            if isinstance(value, bool) or not isinstance(value, str | int | float):
                continue
            other: Any = value + " indeed" if isinstance(value, str) else min(100, value + 1)
            if name.endswith("chamber"):
                other = "incubator_2" if value == "incubator_3" else "incubator_3"
            return Step(do.Correct(event_id=event.event_id, field=name, value=other), reason="slip of the pen")
    return Step(do.Correct(event_id="none", field="text", value="x"), reason="slip of the pen")


def _discard_vials(bench: Bench) -> Step:
    stored = () if bench.batch is None else bench.batch.vials_in("stored", "authorised")
    names = tuple(vial.id for vial in stored[-2:]) or ("none",)
    return Step(do.DiscardVials(vials=names), ST, WITNESS, reason="cracked")


EXTRAS: Final[dict[str, Callable[[Bench], Step]]] = {
    "hold": lambda b: EXAMPLES[do.Hold],
    "resume": lambda b: EXAMPLES[do.Resume],
    "reject": lambda b: EXAMPLES[do.Reject],
    "recall": lambda b: EXAMPLES[do.Recall],
    "destroy": lambda b: EXAMPLES[do.Destroy],
    "deviation": lambda b: Step(deviation(f"DEV-{len(b.events)}"), OP),
    "minor deviation": lambda b: Step(deviation(f"MIN-{len(b.events)}", "minor"), CL),
    "close deviation": _close_deviation,
    "correct": _correct,
    "split": _split,
    "pool": _pool,
    "move": _of_present(lambda name: Step(do.Move(vessels=name, to_chamber="incubator_3"))),
    "move back": _of_present(lambda name: Step(do.Move(vessels=name, to_chamber="incubator_1"))),
    "discard": _of_present(lambda name: Step(do.Discard(vessels=name, n_vessels=1), OP, WITNESS, reason="leaked")),
    "move vials": lambda b: Step(move_vials(), ST, WITNESS),
    "move all vials": lambda b: Step(move_vials(karussis.N_VIALS, "cryostore_2"), ST, WITNESS),
    "discard vials": _discard_vials,
    "warm store": lambda b: Step(do.CheckStorage(store="cryostore_1", temperature_c=-120.0), ST),
    "hand over": lambda b: EXAMPLES[do.HandOver],
    "note": lambda b: EXAMPLES[do.Note],
    "review": lambda b: Step(do.Review(audit_trail_read=True), Actor("reviewer-2", "RV")),
    "release": lambda b: Step(do.Release(), QP),
    "release by an operator": lambda b: Step(do.Release(), Actor(OP.id, "QP")),
    "release by a reviewer": lambda b: Step(do.Release(), Actor(RV.id, "QP")),
    "conditional": lambda b: Step(conditionally(), QP),
    "exceptional": lambda b: Step(exceptionally("G12"), QP, QA, reason="letter"),
    "exceptional for time": lambda b: Step(exceptionally("G17"), QP, QA, reason="letter"),
    "adverse event": lambda b: Step(
        do.RecordAdverseEvent(term="fever", grade=1, onset_at=b.now, seriousness="serious"), CL
    ),
    "grown": lambda b: Step(result("P0-sterility", outcome="positive"), LAB),
    "third wash": lambda b: Step(karussis.wash(3, vol_before_ml=1.0)),
    "first wash": lambda b: Step(karussis.wash(1)),
    "label": lambda b: Step(karussis.start_labelling(), witness=RV),
    "wait": lambda b: Step(do.Note(text="waited"), after_ms=3 * HOUR_MS),
}
Act: TypeAlias = tuple[str, Any]
"""``("go", n)``: the next n steps of the process; ``("skip", n)``, ``("back", n)``: go on elsewhere in it;
``("extra", name)``: one of EXTRAS, ``("late extra", name)``: as of 20 min ago; ``("late", minutes)``: the next step, as
of some minutes ago."""


def actions_at_random(rng: random.Random) -> tuple[str, int, list[Act]]:
    """Return a process, where in it to begin, and what to do then."""
    acts: list[Act] = []
    for _ in range(rng.randint(1, 14)):
        what = rng.choices(("go", "extra", "late extra", "late", "skip", "back"), (5, 6, 2, 2, 1, 1))[0]
        if what.endswith("extra"):
            acts.append((what, rng.choice(list(EXTRAS))))
        else:
            acts.append((what, rng.randint(1, 60) if what == "late" else rng.randint(1, 9)))
    return rng.choice(KINDS), rng.randint(0, 54), acts


@dataclass
class Walk:
    """One batch on its way through an order of commands; ``refused`` counts the commands that were refused."""

    bench: Bench
    at: int
    claims: set[str] = field(default_factory=set)
    seen: int = 0
    done: int = 0
    refused: int = 0

    def ask(self, step: Step | str, ago_ms: int = 0) -> None:
        """Ask for one step, and look whether everything still holds."""
        present = self.bench.batch
        asked = self.bench.steps[step] if isinstance(step, str) else step
        try:
            self.bench.ask(asked, self.bench.now + asked.after_ms - ago_ms if ago_ms else None)
        except BatchError as refusal:
            assert self.bench.batch is present and "\n" not in str(refusal) and len(str(refusal)) > len(BATCH_ID)
            self.refused += 1
            return
        self.done += 1
        for event in self.bench.events[self.seen :]:
            hold_claims(self.claims, event)
        self.seen = len(self.bench.events)
        check(present, self.bench.known, self.bench.events, self.claims)

    def act(self, act: Act) -> None:
        """Carry out one action."""
        what, how = act
        names = list(self.bench.steps)
        if what in ("extra", "late extra"):
            step = EXTRAS[how](self.bench)
            late = replace(step, reason=step.reason or "entered late")
            self.ask(step if what == "extra" else late, 0 if what == "extra" else 20 * MINUTE_MS)
        elif what == "skip":
            self.at += how
        elif what == "back":
            self.at = max(0, self.at - how)
        else:
            for name in names[self.at : self.at + (how if what == "go" else 1)]:
                step = self.bench.steps[name]
                late = replace(step, reason=step.reason or "entered late")
                self.ask(late if what == "late" else step, how * MINUTE_MS if what == "late" else 0)
                self.at += 1


def walk(kind: str, begin: int, acts: Sequence[Act]) -> Walk:
    """Begin a process somewhere, do what nobody planned, then go on to its end; an AssertionError says what broke."""
    names = list(course(kind)[1])
    begin = min(begin, len(names) - 1)
    walked = Walk(before(names[begin], kind), begin)
    for event in walked.bench.events:
        hold_claims(walked.claims, event)
    walked.seen = len(walked.bench.events)
    for act in acts:
        walked.act(act)
    walked.act(("go", len(names)))
    for name in ("resume", "review", "release"):
        walked.act(("extra", name))
    assert fold(walked.bench.events) == walked.bench.batch
    return walked
