"""Decisions are signed: by whom, for what, of exactly what was shown, once; and what becomes of a signature later."""

import json
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
import rfc8785
from tests.signing import signature, signatures_for
from tests.unit.batch.bench import Bench, before, dispose, held
from tests.unit.batch.conftest import BATCH_ID, OP, QA, QP, RV, WITNESS, Lab, Step, count
from tests.unit.batch.table import EXAMPLES, ROLES, SIGNED, STATES, deviation, pending

from cultureops.access import Meaning, Role
from cultureops.access.signature import CLAIM
from cultureops.batch import commands as do
from cultureops.batch.decide import decide
from cultureops.batch.facts import Facts
from cultureops.batch.field import Details
from cultureops.batch.handler import execute
from cultureops.batch.recipe import find_recipe
from cultureops.batch.signed import Validity, shown_of, signatures_of
from cultureops.batch.state import State
from cultureops.clock import DAY_MS, MINUTE_MS
from cultureops.errors import BatchError, ClaimTaken, TransitionRefused
from cultureops.ledger import Actor
from cultureops.ledger.event import NewEvent


def _ready(*asked: type[Details], step: str = "P0 first medium", kind: str = "fresh") -> Callable[[], Bench]:
    def make() -> Bench:
        bench = before(step, kind)
        for each in asked:
            bench.ask(EXAMPLES[each])
        return bench

    return make


def _out_of_panel() -> Bench:
    """A reviewed batch whose identity panel is out of its limits, as an exceptional release would have it."""
    bench = before("read identity")
    bench.alter("read identity", panel={"CD73": 98.5, "CD90": 99.0, "CD34": 9.9, "CD45": 0.6})
    bench.ask("read identity")
    dispose(bench)
    bench.ask("review")
    return bench


def _with_fever() -> tuple[Bench, Step]:
    bench = before("give IV")
    return bench, replace(EXAMPLES[do.RecordAdverseEvent], details=_fever(bench.now))


def _fever(at: int) -> do.RecordAdverseEvent:
    return do.RecordAdverseEvent(term="fever", grade=1, onset_at=at, seriousness="not serious")


_STORE, _KEPT = "check storage", "frozen"
READY: dict[type[Details], Callable[[], Bench]] = {
    **{
        type(step.details): (lambda name=name, kind=kind: before(name, kind))  # type: ignore[misc]
        for kind in ("fresh", "labelled")
        for name, step in before("end", kind).steps.items()
    },
    **dict.fromkeys((do.Move, do.Split, do.Discard, do.HandOver, do.HoldCount), _ready()),
    **dict.fromkeys((do.RejectResultFile, do.Note, do.OpenDeviation, do.Hold, do.Reject), _ready()),
    do.Pool: _ready(do.Split),
    do.AcceptCount: _ready(do.HoldCount),
    do.Resume: _ready(do.Hold),
    do.Destroy: _ready(do.Reject),
    **dict.fromkeys((do.InvestigateDeviation, do.PlanAction), _ready(do.OpenDeviation)),
    do.CheckEffectiveness: _ready(do.OpenDeviation, do.PlanAction),
    do.CloseDeviation: _ready(do.OpenDeviation, do.InvestigateDeviation),
    do.Recall: lambda: before("arrive"),
    **dict.fromkeys((do.MoveVials, do.DiscardVials), _ready(step=_STORE, kind=_KEPT)),
    do.ReleaseConditionally: pending,
    do.ReleaseExceptionally: _out_of_panel,
    do.RecordAdverseEvent: lambda: before("give IV"),
    do.Correct: _ready(do.Note),
}


@cache
def ready(kind: type[Details]) -> tuple[Bench, Step]:
    """Return a batch on which a step may be carried out, and that step."""
    bench, step = READY[kind](), EXAMPLES[kind]
    named = {type(s.details): s for s in bench.steps.values()}
    step = named.get(kind, step) if kind not in (do.Resume, do.RecordQcResult) else step
    last = {type(s.details): name for name, s in bench.steps.items()}.get(kind)
    if last is not None and kind in named:
        step = bench.steps[last]
    bench.now += step.after_ms
    if kind is do.AcceptCount:
        step = replace(step, witness=WITNESS)
    if kind is do.Correct:
        step = replace(step, details=do.Correct(event_id=bench.events[-1].event_id, field="text", value="looked"))
    if kind is do.RecordAdverseEvent:
        step = replace(step, details=_fever(bench.now - MINUTE_MS))
    return bench, step


def facts_of(bench: Bench, step: Step, **changes: Any) -> Facts:
    facts = Facts(bench.now, step.actor, bench.recipe, step.witness, equipment=bench.equipment, lots=bench.lots)
    return replace(facts, **changes)


def asked_of(bench: Bench, step: Step) -> do.Command:
    from tests.unit.batch.conftest import ending_at

    return do.Command(BATCH_ID, ending_at(step.details, bench.now), reason=step.reason)


@pytest.mark.requirement("R4", "R13", "R14", "R20", "G13", "G14")
@pytest.mark.parametrize("kind", list(STATES), ids=lambda kind: kind.__name__)
def test_every_step_by_every_role_with_and_without_a_signature(kind: type[Details]) -> None:
    bench, step = ready(kind)
    command, allowed = asked_of(bench, step), ROLES[kind]
    second = step.witness
    for role in (str(role) for role in Role):
        actor = step.actor if role == step.actor.role else Actor("somebody-else", role)
        if second is not None and second.id == actor.id:
            actor = Actor("somebody-else", role)
        signed = signatures_for(bench.batch, command, actor, second, bench.now)
        asked = facts_of(bench, step, actor=actor)
        if role not in allowed:
            for signatures in ((), signed):
                with pytest.raises(TransitionRefused, match=f"{kind.__name__} is not for role {role}, only for"):
                    decide(bench.batch, command, replace(asked, signatures=signatures))
            continue
        (first, *_) = decide(bench.batch, command, replace(asked, signatures=signed))
        carried: Any = first.data.get("signatures", [])
        assert [(one["username"], one["meaning"]) for one in carried] == [
            (person.id, meaning)
            for person, meaning in zip((actor, second), SIGNED.get(kind, (None, None)), strict=True)
            if meaning is not None and person is not None
        ]
        if kind in SIGNED:
            with pytest.raises(TransitionRefused, match=rf"{kind.__name__} must be signed \({SIGNED[kind][0]}\)"):
                decide(bench.batch, command, asked)
        else:
            assert decide(bench.batch, command, asked)
            unasked = signature(shown_of(bench.known, command), Actor("qa-9", "QA"), Meaning.APPROVED, bench.now)
            with pytest.raises(TransitionRefused, match="is not for qa-9 to sign; leave the signature out"):
                decide(bench.batch, command, replace(asked, signatures=(unasked,)))


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "of another person": ({"username": "somebody-else"}, "must be signed"),
    "of another role": ({"role": Role.ADMINISTRATOR}, "is by AD, not by"),
    "of a device": ({"role": Role.DEVICE}, "is by DEV, not by"),
    "of another meaning": ({"meaning": "other"}, "says"),
    "of a time to come": ({"later": 1}, "not of now"),
    "of long ago": ({"later": -6 * MINUTE_MS}, "not of now"),
    "of a program": ({"method": "token"}, "proved to be themselves"),
    "of nobody": ({"printed_name": " "}, "proved to be themselves"),
    "copied out of another event": ({"content_sha256": "ab" * 32}, "is that of another record already"),
    "of another batch": ({"shown": {"stream": "batch:B-2"}}, "is of batch:B-2"),
    "of an earlier version": ({"shown": {"version": 1}}, "has changed since it was shown"),
    "of another history": ({"shown": {"stream_hash": "0" * 64}}, "has changed since it was shown"),
    "of another step": ({"shown": {"step": "Note"}}, "is of another step"),
    "of other fields": ({"shown": {"details_sha256": "0" * 64}}, "is of another step, or of other fields"),
}


@pytest.mark.requirement("R6", "R8", "G13", "G14", "G16")
@pytest.mark.parametrize("kind", list(SIGNED), ids=lambda kind: kind.__name__)
def test_a_signature_that_does_not_fit_is_refused(kind: type[Details]) -> None:
    bench, step = ready(kind)
    command = asked_of(bench, step)
    fitting = signatures_for(bench.batch, command, step.actor, step.witness, bench.now)
    assert decide(bench.batch, command, facts_of(bench, step, signatures=fitting))
    for number in range(len(fitting)):
        for changes, said in WRONG.values():
            wrong = list(fitting)
            wrong[number] = _changed(fitting[number], changes)
            with pytest.raises(TransitionRefused, match=said) as refused:
                decide(bench.batch, command, facts_of(bench, step, signatures=tuple(wrong)))
            assert BATCH_ID in str(refused.value) and "\n" not in str(refused.value)
        left = fitting[:number] + fitting[number + 1 :]
        with pytest.raises(TransitionRefused, match="must be signed"):
            decide(bench.batch, command, facts_of(bench, step, signatures=left))
    for other in (replace(command, reason=command.reason + "!"), replace(command, occurred_at=bench.now)):
        with pytest.raises(TransitionRefused, match="of another step, or of other fields, time or reason"):
            decide(bench.batch, other, facts_of(bench, step, signatures=fitting))


def _changed(one: Any, changes: dict[str, Any]) -> Any:
    changes = dict(changes)
    if "shown" in changes:
        changes["shown"] = replace(one.shown, **changes["shown"])
    if "later" in changes:
        changes["signed_at"] = one.signed_at + changes.pop("later")
    if changes.get("meaning") == "other":
        changes["meaning"] = Meaning.WITNESSED if one.meaning is not Meaning.WITNESSED else Meaning.AUTHORED
    return replace(one, **changes)


@pytest.mark.requirement("R4", "G13")
def test_a_release_without_review_signature_is_refused() -> None:
    bench = before("review")
    with pytest.raises(TransitionRefused, match="Review must be signed"):
        decide(bench.batch, asked_of(bench, bench.steps["review"]), facts_of(bench, bench.steps["review"]))
    bench.ask("review")
    unsigned = json.loads(json.dumps(dict(bench.events[-1].data)))
    del unsigned["signatures"]
    other = before("review")
    other.now = bench.now
    other.record(NewEvent("reviewed", unsigned, RV, bench.events[-1].source))
    held(other, "G13", "release", "G13: the review carries no signature that is valid")
    assert bench.ask("release").state is State.RELEASED


@pytest.mark.requirement("R20")
async def test_only_a_qualified_person_releases_and_who_else_tries_is_on_record(lab: Lab) -> None:
    await lab.play("release")
    for role in (role for role in Role if role is not Role.QUALIFIED_PERSON):
        with pytest.raises(TransitionRefused, match=f"Release is not for role {role}, only for QP"):
            await lab.do(Step(do.Release(), Actor(f"person-{role.lower()}", role)))
        last = lab.batch().history[-1]
        assert (last.type, last.actor.role, last.data["command"]) == ("command_refused", role, "Release")
    released = await lab.do("release")
    (standing,) = [one for one in signatures_of(released) if one.step == "released"]
    assert standing.signature is not None and standing.signature.username == QP.id == released.released_by


@pytest.mark.requirement("R6")
async def test_a_signature_serves_once_and_a_replay_is_refused_and_recorded(lab: Lab) -> None:
    await lab.play("isolate")
    command = do.Command(BATCH_ID, EXAMPLES[do.Hold].details, reason="looked into")
    facts = lab.facts(QA, signed=command)
    batch = await execute(lab.ledger, find_recipe, command, facts)
    (used,) = facts.signatures
    assert CLAIM + used.id in batch.history[-1].claims
    resume = replace(command, details=do.Resume())
    with pytest.raises(TransitionRefused, match="has changed since it was shown"):
        await execute(lab.ledger, find_recipe, resume, replace(facts, now=lab.clock.now()))
    forged = replace(used, shown=shown_of(lab.batch(), resume))
    with pytest.raises(TransitionRefused, match="this signature was used already; sign anew"):
        await execute(lab.ledger, find_recipe, resume, replace(facts, signatures=(forged,)))
    refusals = [event.data["message"] for event in lab.batch().history if event.type == "command_refused"]
    assert len(refusals) == 2 and lab.batch().state is State.HOLD
    with pytest.raises(ClaimTaken):
        stolen = batch.history[-1]
        await lab.ledger.append(
            "batch:B-2", [NewEvent(stolen.type, stolen.data, stolen.actor, stolen.source, claims=stolen.claims)], 0
        )


@pytest.mark.requirement("R6")
async def test_what_changed_between_view_and_sign_is_not_signed(lab: Lab) -> None:
    await lab.play("isolate")
    command = do.Command(BATCH_ID, do.Hold(), reason="looked into")
    facts = lab.facts(QA, signed=command)
    await lab.do(Step(do.Note(text="one thing more")))
    with pytest.raises(TransitionRefused, match=r"is of version \d+; the record has changed since it was shown"):
        await execute(lab.ledger, find_recipe, command, facts)
    assert [event.type for event in lab.batch().history[-2:]] == ["noted", "command_refused"]


@pytest.mark.requirement("G14")
@pytest.mark.parametrize("name", [OP.id, OP.id.upper(), "Operator‐1", " operator-1", RV.id.title()])
def test_nobody_releases_what_they_had_a_hand_in_however_the_name_is_typed(name: str) -> None:
    held(before("release"), "G14", Step(do.Release(), Actor(name, "QP")), "G14: .* somebody else must decide")


@pytest.mark.requirement("G14")
@pytest.mark.parametrize("name", [OP.id, OP.id.upper(), "Operator‐1"])
def test_nobody_reviews_what_they_worked_on_nor_witnesses_themselves(name: str) -> None:
    bench = before("review")
    with pytest.raises(TransitionRefused, match="operated on this batch; somebody else must review it"):
        bench.ask(Step(do.Review(audit_trail_read=True), Actor(name, "RV")))
    bench = before("receive")
    with pytest.raises(TransitionRefused, match="needs a second person"):
        bench.ask(replace(bench.steps["receive"], witness=Actor(name, "OP")))


def test_nobody_counts_as_a_second_signer_of_what_they_reviewed() -> None:
    bench = _out_of_panel()
    step = replace(EXAMPLES[do.ReleaseExceptionally], witness=Actor(RV.id, "QA"))
    held(bench, "G14", step, "G14: reviewer-1 reviewed it; somebody else must decide")


@pytest.mark.requirement("R5", "R6")
def test_a_signature_stands_until_what_it_covers_is_corrected() -> None:
    bench = before("ship")
    signed = {one.step: one for one in signatures_of(bench.known)}
    assert set(signed) == {"reviewed", "released"}
    assert {one.text for one in signed.values()} == {"VALID"}
    release = signed["released"].signature
    assert release is not None
    assert (release.printed_name, release.username, release.role, release.meaning, release.zone) == (
        *("Qp 1", QP.id, "QP", "released"),
        "Europe/Berlin",
    )
    counted = next(event for event in bench.events if event.type == "medium_changed")
    slip = do.Correct(event_id=counted.event_id, field="volume_ml", value=290.0)
    batch = bench.ask(Step(slip, OP, reason="slip of the pen"))
    standings = signatures_of(batch)
    assert {one.validity for one in standings} == {Validity.CHANGED}
    corrected = bench.events[-2]
    assert standings[0].text == (f"UNSIGNED: corrected since by operator-1 (OP), at {_iso(corrected.recorded_at)}")
    (opened,) = batch.open_deviations
    assert (opened.severity, opened.subject) == ("major", "release")
    held(bench, "G12", "ship", "G12: major deviation B-2026-001.DEV-1 is open")


def _iso(at: int) -> str:
    from cultureops.clock import iso

    return iso(at)


@pytest.mark.requirement("R6", "G13")
def test_a_correction_before_the_release_closes_the_gate_until_a_new_review() -> None:
    bench = before("release")
    changed = next(event for event in bench.events if event.type == "medium_changed")
    slip = do.Correct(event_id=changed.event_id, field="volume_ml", value=290.0)
    bench.ask(Step(slip, OP, reason="slip of the pen"))
    assert [one.validity for one in signatures_of(bench.known)] == [Validity.CHANGED]
    assert not bench.known.open_deviations
    held(bench, "G13", "release", "G13: the record has changed since it was reviewed; review it again")
    bench.ask(Step(do.Review(audit_trail_read=True), RV))
    assert [one.validity for one in signatures_of(bench.known)] == [Validity.CHANGED, Validity.VALID]
    assert bench.ask("release").state is State.RELEASED


@pytest.mark.requirement("R6")
def test_a_late_entry_changes_what_was_signed_and_a_timely_one_does_not() -> None:
    bench = before("ship")
    at = bench.now - 30 * MINUTE_MS
    bench.now += 10 * MINUTE_MS
    late = replace(Step(do.RecordConsent(form="consent v4", eligible=True), OP), reason="form was in the post")
    batch = bench.ask(late, at)
    assert {one.validity for one in signatures_of(batch)} == {Validity.CHANGED}
    assert "consent recorded entered late since by operator-1 (OP)" in signatures_of(batch)[0].text
    (opened,) = batch.open_deviations
    assert opened.description.startswith("the record was given an entry as of")
    timely = before("ship")
    timely.play("ship", "give IV")
    assert {one.validity for one in signatures_of(timely.known)} == {Validity.VALID}
    timely.ask(Step(do.Note(text="as of before"), OP, reason="entered late"), timely.known.since - DAY_MS)
    assert {one.validity for one in signatures_of(timely.known)} == {Validity.VALID}, "a note changes nothing"


def test_a_decision_on_a_deviation_is_signed_of_that_deviation_alone() -> None:
    bench = before("P0 look")
    bench.ask(Step(deviation(), OP))
    opened = bench.events[-1]
    bench.ask(EXAMPLES[do.InvestigateDeviation])
    changed = next(event for event in bench.events if event.type == "medium_changed")
    slip = do.Correct(event_id=changed.event_id, field="volume_ml", value=290.0)
    bench.ask(Step(slip, OP, reason="slip of the pen"))
    assert [one.validity for one in signatures_of(bench.known)] == [Validity.VALID]
    reworded = do.Correct(event_id=opened.event_id, field="description", value="the box fell twice")
    bench.ask(Step(reworded, OP, reason="heard later"))
    assert [one.validity for one in signatures_of(bench.known)] == [Validity.CHANGED]


@pytest.mark.requirement("R6")
@pytest.mark.parametrize("what", ["one byte of the event", "another batch", "its own hashes", "no signature at all"])
def test_an_altered_or_copied_signature_is_invalid(what: str) -> None:
    bench = before("ship")
    place = next(number for number, event in enumerate(bench.events) if event.type == "released")
    event = bench.events[place]
    data: Any = json.loads(json.dumps(dict(event.data)))
    match what:
        case "one byte of the event":
            data["warnings"] = ["x"]
        case "its own hashes":
            data["signatures"][0]["shown_sha256"] = "0" * 64
        case "no signature at all":
            data["signatures"] = ["QP 1"]
    stream = "batch:B-2" if what == "another batch" else event.stream
    canonical = rfc8785.dumps(json.loads(event.canonical) | {"data": data, "stream": stream})
    forged = replace(event, data=data, stream=stream, canonical=canonical)
    batch = bench.known.changed(history=(*bench.events[:place], forged, *bench.events[place + 1 :]))
    (standing,) = [one for one in signatures_of(batch) if one.step == "released"]
    assert standing.validity is Validity.INVALID and standing.text.startswith("INVALID: ")


@pytest.mark.requirement("R19")
async def test_viability_101_is_refused_and_9_5_for_95_needs_a_second_person(lab: Lab) -> None:
    with pytest.raises(BatchError, match="viability_pct"):
        count("P0-harvest-1", viability=101.0)
    await lab.play("P0 count 1")
    typed = Step(count("P0-harvest-1", viability=9.5), OP)
    with pytest.raises(
        TransitionRefused, match=r"viability 9.5 % was entered by hand and is below 70 %; Count needs a"
    ):
        await lab.do(typed)
    assert lab.batch().history[-1].type == "command_refused"
    with pytest.raises(TransitionRefused, match="needs a second person"):
        await lab.do(replace(typed, witness=Actor("OPERATOR-1", "QA")))
    batch = await lab.do(replace(typed, witness=WITNESS))
    assert batch.history[-1].data["witness_id"] == WITNESS.id and batch.counts[-1].viability_pct == 9.5
    counted = batch.history[-1]
    slip = Step(do.Correct(event_id=counted.event_id, field="viability_pct", value=9.6), OP, reason="misread")
    with pytest.raises(TransitionRefused, match=r"viability 9\.6 % was entered by hand"):
        await lab.do(slip)
    right = replace(slip, details=do.Correct(event_id=counted.event_id, field="viability_pct", value=95.0))
    assert (await lab.do(right)).counts[-1].viability_pct == 95.0


def test_an_instrument_is_believed_without_a_second_person() -> None:
    bench = before("P0 count 1")
    assert bench.ask(replace(bench.steps["P0 count 1"], details=count("P0-harvest-1", viability=9.5)))


def test_a_corrective_action_is_followed_until_it_works() -> None:
    bench = _ready(do.OpenDeviation, do.PlanAction, do.InvestigateDeviation)()
    close, check = EXAMPLES[do.CloseDeviation], EXAMPLES[do.CheckEffectiveness]
    past = EXAMPLES[do.PlanAction].details.model_copy(update={"action_id": "CAPA-2", "due_at": bench.now})
    with pytest.raises(TransitionRefused, match=r"action CAPA-2 is due .* which is over"):
        bench.ask(replace(EXAMPLES[do.PlanAction], details=past))
    failed = replace(check, details=check.details.model_copy(update={"is_effective": False}))
    bench.ask(failed)
    with pytest.raises(TransitionRefused, match="action CAPA-1 does not work; mend it, and check it again"):
        bench.ask(close)
    unknown = check.details.model_copy(update={"action_id": "CAPA-9"})
    with pytest.raises(TransitionRefused, match="no action CAPA-9 of deviation DEV-A"):
        bench.ask(replace(check, details=unknown))
    bench.ask(check)
    assert not bench.ask(close).open_deviations
    (reopened,) = bench.ask(failed).open_deviations
    assert (reopened.subject, reopened.severity) == ("DEV-A", "major")


def test_a_cause_of_blanks_is_none() -> None:
    bench = _ready(do.OpenDeviation)()
    blank = EXAMPLES[do.InvestigateDeviation].details.model_copy(update={"root_cause": "  "})
    with pytest.raises(TransitionRefused, match="say what the root cause was"):
        bench.ask(replace(EXAMPLES[do.InvestigateDeviation], details=blank))
