"""The transition table: in which states a step is allowed, by whom, with whom, and through which gates.

Every pair that does not stand here is refused (21 CFR 11.10(f)).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from cultureops.access import Meaning, Role
from cultureops.batch import commands as asked
from cultureops.batch.case import Case, Plan
from cultureops.batch.field import Details
from cultureops.batch.state import State
from cultureops.batch.steps import cryo, culture, product, quality, record, vessels
from cultureops.batch.steps.exception import release_exceptionally

__all__ = ["RULES", "Rule", "asks_for_gaps"]


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of the transition table; ``witnesses`` are the roles of the second person where one is needed.

    ``in_order`` steps can't have happened before the last change of state, passage or chamber. ``now_only`` steps are
    decisions: a signature is of now and never entered late. ``signed`` is what the signature of who carries out the
    step says, ``countersigned`` that of the second person; None where none is needed.
    """

    plan: Callable[[Case, Any], Plan]
    states: frozenset[State]
    roles: frozenset[Role]
    gates: tuple[str, ...] = ()
    witnesses: frozenset[Role] = frozenset()
    in_order: bool = True
    now_only: bool = False
    signed: Meaning | None = None
    countersigned: Meaning | None = None


OP, RV, QC, QA = Role.OPERATOR, Role.REVIEWER, Role.QUALITY_CONTROL, Role.QUALITY_ASSURANCE
QP, ST, CL, DEV = Role.QUALIFIED_PERSON, Role.STORAGE, Role.CLINIC, Role.DEVICE

_ALL: Final = frozenset(State)
_ENDED: Final = frozenset({State.CLOSED, State.REJECTED, State.RECALLED, State.DESTROYED})
_OUT: Final = frozenset(
    {State.RELEASED, State.CONDITIONALLY_RELEASED, State.SHIPPED, State.RECEIVED_AT_SITE, State.ADMINISTERED}
)
_BEFORE_RELEASE: Final = _ALL - _ENDED - _OUT - {State.CREATED, State.HOLD}
_SAMPLED: Final = _BEFORE_RELEASE - {State.RECEIVED, State.ISOLATED}
_READ: Final = (_SAMPLED | _OUT | {State.HOLD}) | (_ENDED - {State.CLOSED})
_HELD: Final = _ALL - _ENDED - {State.HOLD}
_OPEN: Final = _ALL - {State.CLOSED}
_REJECTABLE: Final = _ALL - _ENDED - {State.ADMINISTERED}
_STORED: Final = _OUT | {
    *(State.CRYO, State.THAW_AUTHORISED, State.IN_TRANSFER, State.RECEIVED_LAB, State.THAWED, State.WASHED),
    *(State.LABELLING, State.RESUSPENDED, State.FORMULATED, State.REVIEWED, State.HOLD),
}
"""Where vials may stand in a store: those not thawed stay behind, and a hold must not keep them in a failing tank."""
_PEOPLE: Final = frozenset({OP, RV, QC, QA, QP, ST, CL})
_RELEASE_GATES: Final = (
    *("G1", "G4", "G5", "G6", "G7", "G8", "G9", "G10", "G11", "G12", "G13", "G14", "G15"),
    "G17",
)


_LEAVING_GATES: Final = ("G1", "G2", "G4", "G6", "G9", "G10", "G11", "G12", "G15")
"""What must still hold when the product leaves the house and at the bedside: a result may have come since."""


def _one(state: State) -> frozenset[State]:
    return frozenset({state})


def _by(*roles: Role) -> frozenset[Role]:
    return frozenset(roles)


def _decision(plan: Callable[[Case, Any], Plan], states: frozenset[State], roles: frozenset[Role],
              gates: tuple[str, ...] = (), *, signed: Meaning = Meaning.APPROVED, **more: Any) -> Rule:  # fmt: skip
    """Make a row of a step that is decided now, and signed."""
    return Rule(plan, states, roles, gates, now_only=True, signed=signed, **more)


_CULTURE: Final = _one(State.CULTURE)
_RELEASED: Final = frozenset({State.RELEASED, State.CONDITIONALLY_RELEASED})

_CULTURE_RULES: Final[Mapping[type[Details], Rule]] = {
    asked.RecordConsent: Rule(record.record_consent, _ALL - _ENDED, _by(OP, CL), in_order=False),
    asked.ReceiveMarrow: Rule(culture.receive_marrow, _one(State.CREATED), _by(OP), ("G1", "G2"), witnesses=_PEOPLE),
    asked.Isolate: Rule(culture.isolate, _one(State.RECEIVED), _by(OP), ("G4",)),
    asked.Seed: Rule(culture.seed, _one(State.ISOLATED), _by(OP), ("G3", "G4")),
    asked.ChangeMedium: Rule(culture.change_medium, _CULTURE, _by(OP), ("G3", "G4")),
    asked.ObserveConfluence: Rule(culture.observe_confluence, _CULTURE, _by(OP)),
    asked.Move: Rule(vessels.move, _CULTURE, _by(OP), ("G3",)),
    asked.Split: Rule(vessels.split, _CULTURE, _by(OP)),
    asked.Pool: Rule(vessels.pool, _CULTURE, _by(OP)),
    asked.Discard: Rule(vessels.discard, _CULTURE, _by(OP), witnesses=_PEOPLE),
    asked.Passage: Rule(culture.passage, _CULTURE, _by(OP), ("G3", "G4", "G5")),
    asked.Harvest: Rule(culture.harvest, _CULTURE, _by(OP), ("G4", "G5")),
}
_CRYO_RULES: Final[Mapping[type[Details], Rule]] = {
    asked.Freeze: Rule(cryo.freeze, _one(State.HARVESTED), _by(OP), ("G3", "G4"), witnesses=_PEOPLE),
    asked.MoveVials: Rule(cryo.move_vials, _STORED, _by(OP, ST), ("G3",), witnesses=_PEOPLE),
    asked.DiscardVials: Rule(cryo.discard_vials, _STORED | {State.CLOSED}, _by(OP, ST), witnesses=_PEOPLE),
    asked.CheckStorage: Rule(cryo.check_storage, _STORED, _by(OP, ST), in_order=False),
    asked.AuthoriseThaw: _decision(cryo.authorise_thaw, _one(State.CRYO), _by(QA), ("G1", "G6", "G12")),
    asked.TransferOut: Rule(cryo.transfer_out, _one(State.THAW_AUTHORISED), _by(ST), ("G2",)),
    asked.TransferIn: Rule(cryo.transfer_in, _one(State.IN_TRANSFER), _by(ST, OP), ("G2",)),
    asked.Thaw: Rule(cryo.thaw, _one(State.RECEIVED_LAB), _by(OP), ("G3",), witnesses=_PEOPLE),
    asked.Wash: Rule(cryo.wash, frozenset({State.THAWED, State.WASHED}), _by(OP), ("G3", "G4")),
    asked.StartLabelling: Rule(cryo.start_labelling, _one(State.WASHED), _by(OP), ("G3", "G4"), witnesses=_by(RV, QA)),
    asked.EndLabelling: Rule(cryo.end_labelling, _one(State.LABELLING), _by(OP), witnesses=_by(RV, QA)),
}
_PRODUCT_RULES: Final[Mapping[type[Details], Rule]] = {
    asked.Resuspend: Rule(product.resuspend, frozenset({State.HARVESTED, State.WASHED}), _by(OP), ("G4", "G7", "G8")),
    asked.Formulate: Rule(product.formulate, _one(State.RESUSPENDED), _by(OP), ("G3",), witnesses=_PEOPLE),
    asked.Review: _decision(
        product.review, frozenset({State.CRYO, State.FORMULATED, State.REVIEWED}), _by(RV), signed=Meaning.REVIEWED
    ),
    asked.Release: _decision(product.release, _one(State.REVIEWED), _by(QP), _RELEASE_GATES, signed=Meaning.RELEASED),
    asked.ReleaseConditionally: _decision(
        product.release_conditionally,
        _one(State.REVIEWED),
        _by(QP),
        (*_RELEASE_GATES, "G16"),
        signed=Meaning.RELEASED,
    ),
    asked.ReleaseExceptionally: _decision(
        release_exceptionally,
        _one(State.REVIEWED),
        _by(QP),
        _RELEASE_GATES,
        signed=Meaning.RELEASED,
        witnesses=_by(QA),
        countersigned=Meaning.APPROVED,
    ),
    asked.Reject: _decision(product.reject, _REJECTABLE, _by(QP, QA), signed=Meaning.REJECTED),
    asked.Ship: Rule(product.ship, _RELEASED, _by(ST), _LEAVING_GATES, now_only=True),
    asked.ReceiveAtSite: Rule(product.receive_at_site, _one(State.SHIPPED), _by(CL, ST), ("G2",)),
    asked.Administer: Rule(
        product.administer,
        frozenset({State.RECEIVED_AT_SITE, State.ADMINISTERED}),
        _by(CL),
        (*_LEAVING_GATES, "G17"),
        witnesses=_by(CL),
    ),
    asked.RecordAdverseEvent: Rule(product.record_adverse_event, _one(State.ADMINISTERED), _by(CL), in_order=False),
    asked.Close: _decision(product.close, _one(State.ADMINISTERED), _by(QA)),
}
_QUALITY_RULES: Final[Mapping[type[Details], Rule]] = {
    asked.OpenDeviation: Rule(quality.open_deviation, _OPEN, _PEOPLE, in_order=False),
    asked.InvestigateDeviation: _decision(quality.investigate_deviation, _OPEN, _by(QA, QC), in_order=False),
    asked.PlanAction: _decision(quality.plan_action, _OPEN, _by(QA), in_order=False),
    asked.CheckEffectiveness: _decision(quality.check_effectiveness, _OPEN, _by(QA), in_order=False),
    asked.CloseDeviation: _decision(quality.close_deviation, _OPEN, _by(QA), in_order=False),
    asked.Hold: _decision(quality.hold, _HELD, _by(QA, QP)),
    asked.Resume: _decision(quality.resume, _one(State.HOLD), _by(QA, QP)),
    asked.Destroy: Rule(
        quality.destroy,
        frozenset({State.REJECTED, State.RECALLED}),
        _by(OP, ST),
        witnesses=_by(QA, OP, ST),
        signed=Meaning.AUTHORED,
        countersigned=Meaning.WITNESSED,
    ),
    asked.Recall: _decision(quality.recall, _OUT | {State.HOLD}, _by(QA)),
    asked.HandOver: Rule(
        quality.hand_over,
        _ALL - _ENDED - {State.CREATED, State.HOLD},
        _by(OP, ST, CL),
        ("G2",),
        witnesses=_PEOPLE,
    ),
}
_RECORD_RULES: Final[Mapping[type[Details], Rule]] = {
    asked.Count: Rule(record.count, _BEFORE_RELEASE, _by(OP, QC, DEV), ("G3",), in_order=False),
    asked.HoldCount: Rule(record.hold_count, _BEFORE_RELEASE, _by(OP, QC, DEV), ("G3",), in_order=False),
    asked.AcceptCount: Rule(
        record.accept_count, _BEFORE_RELEASE, _by(OP, QC), ("G3",), witnesses=_PEOPLE, in_order=False
    ),
    asked.RejectResultFile: Rule(record.reject_result_file, _ALL, _by(OP, QC, DEV), in_order=False),
    asked.SampleQc: Rule(record.sample_qc, _SAMPLED, _by(OP, QC)),
    asked.RecordQcResult: Rule(record.record_qc_result, _READ, _by(QC), in_order=False),
    asked.Note: Rule(record.note, _ALL, _PEOPLE, in_order=False),
    asked.Correct: Rule(record.correct, _ALL - _ENDED, _PEOPLE, in_order=False),
}
RULES: Final[Mapping[type[Details], Rule]] = {
    **_CULTURE_RULES,
    **_CRYO_RULES,
    **_PRODUCT_RULES,
    **_QUALITY_RULES,
    **_RECORD_RULES,
}


def asks_for_gaps(command: asked.Command) -> bool:
    """Whether a decision looks at the gaps in the data of chambers; gathering them reads weeks of telemetry."""
    rule = RULES.get(type(command.details))
    return isinstance(command.details, asked.Review) or (rule is not None and "G12" in rule.gates)
