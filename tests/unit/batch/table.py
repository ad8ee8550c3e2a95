"""The transition table as the specification has it, told apart from the code's own; and an example of each command.

State by state and role by role; where the code allows less than the specification, a row says so.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tests.unit.batch import karussis
from tests.unit.batch.bench import Bench, before, course
from tests.unit.batch.conftest import BATCH_ID, CL, CL2, LAB, OP, QA, QP, RV, SCANS, ST, TOKEN, WITNESS, Step, result

from cultureops.batch import commands as do
from cultureops.batch.field import Details
from cultureops.batch.state import State as S
from cultureops.clock import DAY_MS, MINUTE_MS

ALL: Final = frozenset(S)
ENDED: Final = frozenset({S.CLOSED, S.REJECTED, S.RECALLED, S.DESTROYED})
RELEASED: Final = frozenset({S.RELEASED, S.CONDITIONALLY_RELEASED})
ON_THE_WAY: Final = RELEASED | {S.SHIPPED, S.RECEIVED_AT_SITE}
IN_HOUSE: Final = ALL - ENDED - ON_THE_WAY - {S.CREATED, S.HOLD, S.ADMINISTERED}
IN_STORE: Final = IN_HOUSE - {S.RECEIVED, S.ISOLATED, S.CULTURE, S.HARVESTED} | ON_THE_WAY | {S.ADMINISTERED, S.HOLD}

STATES: Final[dict[type[Details], frozenset[S]]] = {
    do.RecordConsent: ALL - ENDED,  # it may be taken back at any time
    do.ReceiveMarrow: frozenset({S.CREATED}),
    do.Isolate: frozenset({S.RECEIVED}),
    do.Seed: frozenset({S.ISOLATED}),
    **dict.fromkeys(
        (do.ChangeMedium, do.ObserveConfluence, do.Move, do.Split, do.Pool, do.Discard, do.Passage, do.Harvest),
        frozenset({S.CULTURE}),
    ),
    do.Freeze: frozenset({S.HARVESTED}),
    do.MoveVials: IN_STORE,
    do.CheckStorage: IN_STORE,
    do.DiscardVials: IN_STORE | {S.CLOSED},
    do.AuthoriseThaw: frozenset({S.CRYO}),
    do.TransferOut: frozenset({S.THAW_AUTHORISED}),
    do.TransferIn: frozenset({S.IN_TRANSFER}),
    do.Thaw: frozenset({S.RECEIVED_LAB}),
    do.Wash: frozenset({S.THAWED, S.WASHED}),
    do.StartLabelling: frozenset({S.WASHED}),  # the specification has HARVESTED too: an open point of the owner's
    do.EndLabelling: frozenset({S.LABELLING}),
    do.Resuspend: frozenset({S.HARVESTED, S.WASHED}),
    do.Formulate: frozenset({S.RESUSPENDED}),
    do.Review: frozenset({S.CRYO, S.FORMULATED, S.REVIEWED}),
    **dict.fromkeys((do.Release, do.ReleaseConditionally, do.ReleaseExceptionally), frozenset({S.REVIEWED})),
    do.Reject: ALL - ENDED - {S.ADMINISTERED},
    do.Ship: RELEASED,
    do.ReceiveAtSite: frozenset({S.SHIPPED}),
    do.Administer: frozenset({S.RECEIVED_AT_SITE, S.ADMINISTERED}),
    do.RecordAdverseEvent: frozenset({S.ADMINISTERED}),
    do.Close: frozenset({S.ADMINISTERED}),
    **dict.fromkeys((do.OpenDeviation, do.InvestigateDeviation, do.PlanAction, do.CloseDeviation), ALL - {S.CLOSED}),
    do.CheckEffectiveness: ALL - {S.CLOSED},
    do.Hold: ALL - ENDED - {S.HOLD},
    do.Resume: frozenset({S.HOLD}),
    do.Destroy: frozenset({S.REJECTED, S.RECALLED}),
    do.Recall: ON_THE_WAY | {S.ADMINISTERED, S.HOLD},  # while a dose may be left to give
    do.HandOver: ALL - ENDED - {S.CREATED, S.HOLD},
    **dict.fromkeys((do.Count, do.HoldCount, do.AcceptCount), IN_HOUSE),
    do.SampleQc: IN_HOUSE - {S.RECEIVED, S.ISOLATED},
    do.RecordQcResult: IN_HOUSE - {S.RECEIVED, S.ISOLATED} | ON_THE_WAY | {S.ADMINISTERED, S.HOLD} | ENDED - {S.CLOSED},
    **dict.fromkeys((do.RejectResultFile, do.Note), ALL),
    do.Correct: ALL - ENDED,
}

PEOPLE: Final = frozenset({"OP", "RV", "QC", "QA", "QP", "ST", "CL"})
ROLES: Final[dict[type[Details], frozenset[str]]] = {
    **dict.fromkeys(STATES, frozenset({"OP"})),
    do.RecordConsent: frozenset({"OP", "CL"}),
    **dict.fromkeys((do.MoveVials, do.CheckStorage, do.DiscardVials, do.Destroy), frozenset({"OP", "ST"})),
    do.AuthoriseThaw: frozenset({"QA"}),
    do.TransferOut: frozenset({"ST"}),
    do.TransferIn: frozenset({"OP", "ST"}),
    do.Review: frozenset({"RV"}),
    **dict.fromkeys((do.Release, do.ReleaseConditionally, do.ReleaseExceptionally), frozenset({"QP"})),
    do.Reject: frozenset({"QP", "QA"}),
    do.Ship: frozenset({"ST"}),
    do.ReceiveAtSite: frozenset({"CL", "ST"}),
    **dict.fromkeys((do.Administer, do.RecordAdverseEvent), frozenset({"CL"})),
    **dict.fromkeys((do.Close, do.PlanAction, do.CheckEffectiveness, do.CloseDeviation, do.Recall), frozenset({"QA"})),
    do.InvestigateDeviation: frozenset({"QA", "QC"}),
    **dict.fromkeys((do.Hold, do.Resume), frozenset({"QA", "QP"})),
    do.HandOver: frozenset({"OP", "ST", "CL"}),
    **dict.fromkeys((do.Count, do.HoldCount, do.RejectResultFile), frozenset({"OP", "QC", "DEV"})),
    **dict.fromkeys((do.AcceptCount, do.SampleQc), frozenset({"OP", "QC"})),
    do.RecordQcResult: frozenset({"QC"}),
    **dict.fromkeys((do.OpenDeviation, do.Note, do.Correct), PEOPLE),
}
WITNESSES: Final[dict[type[Details], frozenset[str]]] = {
    **dict.fromkeys(
        (
            *(do.ReceiveMarrow, do.Discard, do.Freeze, do.MoveVials, do.DiscardVials, do.Thaw, do.Formulate),
            *(do.HandOver, do.AcceptCount),
        ),
        PEOPLE,
    ),
    **dict.fromkeys((do.StartLabelling, do.EndLabelling), frozenset({"RV", "QA"})),
    do.ReleaseExceptionally: frozenset({"QA"}),
    do.Administer: frozenset({"CL"}),
    do.Destroy: frozenset({"QA", "OP", "ST"}),
}
SIGNED: Final[dict[type[Details], tuple[str, str | None]]] = {
    **dict.fromkeys(
        (
            *(do.AuthoriseThaw, do.InvestigateDeviation, do.PlanAction, do.CheckEffectiveness, do.CloseDeviation),
            *(do.Hold, do.Resume, do.Recall, do.Close),
        ),
        ("approved", None),
    ),
    do.Review: ("reviewed", None),
    **dict.fromkeys((do.Release, do.ReleaseConditionally), ("released", None)),
    do.ReleaseExceptionally: ("released", "approved"),
    do.Reject: ("rejected", None),
    do.Destroy: ("authored", "witnessed"),
}
"""What the signatures of who acts and of the second person say."""


def conditionally(**changes: object) -> do.ReleaseConditionally:
    fields: dict[str, object] = {
        "clinician": "clinic-1",
        "notification_plan": "by telephone to the ward, at any hour",
        "notify_within_h": 4.0,
    }
    return do.ReleaseConditionally(**fields | changes)


def exceptionally(*gates: str, **changes: object) -> do.ReleaseExceptionally:
    fields: dict[str, object] = {
        "failed_gates": gates,
        "justification": "no other treatment, the disease progresses within days",
        "physician": "clinic-1",
        "patient_informed": True,
    }
    return do.ReleaseExceptionally(**fields | changes)


def deviation(name: str = "DEV-A", severity: str = "major", **changes: object) -> do.OpenDeviation:
    fields: dict[str, object] = {"severity": severity, "subject": "transport", "description": "box fell"}
    return do.OpenDeviation.model_validate(fields | {"deviation_id": name} | changes)


def move_vials(n: int = 2, store: str = "cryostore_2") -> do.MoveVials:
    return do.MoveVials(
        vials=tuple(do.Vial(vial=vial.vial, place=karussis.place(f"A{i}", store)) for i, vial in _numbered(n))
    )


def _numbered(n: int) -> list[tuple[int, do.Vial]]:
    return list(enumerate(karussis.vials()[-n:], 1))


EXAMPLES: Final[dict[type[Details], Step]] = {
    **{type(step.details): step for kind in ("fresh", "labelled") for step in course(kind)[1].values()},
    do.Move: Step(do.Move(vessels=f"{BATCH_ID}-P0", to_chamber="incubator_2")),
    do.Split: Step(
        do.Split(
            vessels=f"{BATCH_ID}-P0",
            into=(do.Share(vessels="left", n_vessels=5), do.Share(vessels="right", n_vessels=7)),
        )
    ),
    do.Pool: Step(do.Pool(vessels=("left", "right"), into="both")),
    do.Discard: Step(do.Discard(vessels=f"{BATCH_ID}-P0", n_vessels=1), OP, WITNESS, reason="leaked"),
    do.MoveVials: Step(move_vials(), ST, WITNESS),
    do.DiscardVials: Step(do.DiscardVials(vials=(karussis.vials()[-1].vial,)), ST, WITNESS, reason="cracked"),
    do.ReleaseConditionally: Step(conditionally(), QP),
    do.ReleaseExceptionally: Step(exceptionally("G9"), QP, QA, reason="see the physician's letter"),
    do.Reject: Step(do.Reject(), QA, reason="contaminated"),
    do.RecordAdverseEvent: Step(
        do.RecordAdverseEvent(term="fever", grade=1, onset_at=0, seriousness="not serious"), CL
    ),
    do.OpenDeviation: Step(deviation(), OP),
    do.InvestigateDeviation: Step(
        do.InvestigateDeviation(deviation_id="DEV-A", root_cause="strap was loose", impact="none: no leak"), QA
    ),
    do.PlanAction: Step(
        do.PlanAction(deviation_id="DEV-A", action_id="CAPA-1", action="new straps", owner="st-1", due_at=2**41), QA
    ),
    do.CheckEffectiveness: Step(
        do.CheckEffectiveness(deviation_id="DEV-A", action_id="CAPA-1", is_effective=True, evidence="10 transports"), QA
    ),
    do.CloseDeviation: Step(do.CloseDeviation(deviation_id="DEV-A", conclusion="no effect on the product"), QA),
    do.Hold: Step(do.Hold(), QA, reason="the tank's alarm is looked into"),
    do.Resume: Step(do.Resume(), QA, reason="the tank was cold at all times"),
    do.Destroy: Step(do.Destroy(method="autoclave", everything_destroyed=True), OP, QA),
    do.Recall: Step(do.Recall(notified="clinic-1"), QA, reason="a culture has grown"),
    do.HandOver: Step(do.HandOver(from_place="room 1", to_place="room 2", scans=SCANS), OP, WITNESS),
    do.HoldCount: Step(
        do.HoldCount(
            sample_id=f"{BATCH_ID}.P0-harvest-9",
            device="counter_1",
            counted_at_local="2026-01-05T09:00:00",
            source_file="x.csv",
            source_sha256="ab" * 32,
            reasons=("viability is missing",),
            raw={"viability_pct": "-"},
        )
    ),
    do.AcceptCount: Step(
        do.AcceptCount(sample_id=f"{BATCH_ID}.P0-harvest-9", viability_pct=90.0, viable_density_1e6_per_ml=1.0),
        reason="read from the display",
    ),
    do.RejectResultFile: Step(
        do.RejectResultFile(source_file="x.csv", source_sha256="ab" * 32, moved_to="rejected", error="cut off")
    ),
    do.Note: Step(do.Note(text="seen")),
    do.Correct: Step(do.Correct(event_id="x", field="text", value="y"), reason="slip"),
    do.RecordQcResult: Step(result("P0-sterility"), LAB),
}


def _after(bench: Bench, *kinds: type[Details]) -> Bench:
    for kind in kinds:
        bench.ask(EXAMPLES[kind])
    return bench


def pending(step: str = "release") -> Bench:
    """Return a fresh batch whose last culture is young and negative to date, with a negative Gram stain."""
    bench = before("P2 look again")
    for name in [*bench.steps][[*bench.steps].index("P2 look again") : [*bench.steps].index("review")]:
        if name == "P2 read sterility":
            bench.ask(_early_reading(bench))
        elif name.startswith("P2 look again"):
            bench.change(name, after_ms=DAY_MS)
            bench.ask(name)
        else:
            bench.ask(name)
    fields = {"sample_id": f"{BATCH_ID}.gram", "test": "gram", "method": "stain", "stage": "passage"}
    bench.ask(Step(do.SampleQc.model_validate(fields)))
    bench.ask(Step(result("gram"), LAB))
    bench.ask("review")
    if step != "release":
        bench.ask(EXAMPLES[do.ReleaseConditionally])
        bench.play("ship", step)
    return bench


def _early_reading(bench: Bench) -> Step:
    return Step(result("P2-sterility", final=False), LAB, after_ms=MINUTE_MS)


REACHED: Final[dict[S, Callable[[], Bench]]] = {
    S.CREATED: lambda: before("consent"),
    S.RECEIVED: lambda: before("isolate"),
    S.ISOLATED: lambda: before("seed"),
    S.CULTURE: lambda: before("P0 first medium"),
    S.HARVESTED: lambda: before("resuspend"),
    S.CRYO: lambda: before("check storage", "frozen"),
    S.THAW_AUTHORISED: lambda: before("transfer out", "frozen"),
    S.IN_TRANSFER: lambda: before("transfer in", "frozen"),
    S.RECEIVED_LAB: lambda: before("thaw", "frozen"),
    S.THAWED: lambda: before("wash 1", "frozen"),
    S.WASHED: lambda: before("wash 2", "frozen"),
    S.LABELLING: lambda: before("end label", "labelled"),
    S.RESUSPENDED: lambda: before("formulate"),
    S.FORMULATED: lambda: before("review"),
    S.REVIEWED: lambda: before("release"),
    S.RELEASED: lambda: before("ship"),
    S.CONDITIONALLY_RELEASED: lambda: pending("ship"),
    S.SHIPPED: lambda: before("arrive"),
    S.RECEIVED_AT_SITE: lambda: before("give IT"),
    S.ADMINISTERED: lambda: before("give IV"),
    S.CLOSED: lambda: before("end"),
    S.HOLD: lambda: _after(before("transfer out", "frozen"), do.Hold),
    S.REJECTED: lambda: _after(before("passage 1"), do.Reject),
    S.RECALLED: lambda: _after(before("arrive"), do.Recall),
    S.DESTROYED: lambda: _after(before("passage 1"), do.Reject, do.Destroy),
}

__all__ = [
    "CL2", "EXAMPLES", "PEOPLE", "REACHED", "ROLES", "RV", "SIGNED", "STATES", "TOKEN", "WITNESSES", "conditionally",
    "deviation", "exceptionally", "move_vials", "pending",
]  # fmt: skip
