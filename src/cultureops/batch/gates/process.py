"""Hard gates of the process: people, equipment, environment, record. Each says what is wrong, or nothing."""

from __future__ import annotations

from typing import Any

from cultureops.batch.batch import Batch
from cultureops.batch.case import Case, Plan, Verdict
from cultureops.batch.clocks import clocks, minutes_out_of_storage
from cultureops.batch.commands import Administer
from cultureops.batch.identification import STOP, misidentified, named_in
from cultureops.batch.lineage import lots_used
from cultureops.batch.parts import Deviation
from cultureops.batch.signed import is_review_signed
from cultureops.clock import MINUTE_MS, Instant, iso

__all__ = [
    "chain_of_identity",
    "consent",
    "environment",
    "equipment",
    "four_eyes",
    "in_date",
    "lots",
    "passage_limit",
    "review",
    "time_out_of_storage",
]


def consent(case: Case, plan: Plan) -> Verdict:
    """Refuse an intake without consent and eligibility."""
    eligible = case.batch.is_eligible
    problem = "" if eligible else "no consent with eligibility is on record; record it before the intake"
    return Verdict(problem, {"eligible": eligible})


def chain_of_identity(case: Case, plan: Plan) -> Verdict:
    """Compare what was scanned with the batch: two scans of its token, container and token before the step, or both.

    A scan never shows which patient it was.
    """
    scans: tuple[str, str] | None = getattr(case.details, "scans", None)
    used: dict[str, Any] = {}
    problems: list[str] = []
    if scans is not None or case.identified is None:
        wrong = [n for n, scan in enumerate(scans or ("", ""), 1) if scan != case.batch.patient_token]
        used["scans_equal"] = not wrong
        if wrong:
            problems.append(f"scan {' and '.join(map(str, wrong))} is not this batch's patient")
    if case.identified is not None:
        wrong_pair = misidentified(case.batch, case.identified, named_in(case.batch, case.details))
        used |= {"container": case.identified.container, "identified": not wrong_pair}
        problems += [wrong_pair] if wrong_pair else []
    return Verdict(f"{' and '.join(problems)}; {STOP}" if problems else "", used)


def equipment(case: Case, plan: Plan) -> Verdict:
    """Judge every chamber and device that the step uses; what is unknown is not fit for use."""
    used: dict[str, Any] = {}
    problems: list[str] = []
    for name in plan.devices:
        fact = case.facts.equipment.get(name)
        due = None if fact is None or fact.calibrated_until is None else iso(fact.calibrated_until)
        used[name] = {"in_service": fact is not None and fact.in_service, "calibrated_until": due}
        if fact is None:
            problems.append(f"nothing is on record about {name}")
        elif not fact.in_service:
            problems.append(f"{name} is out of service")
        elif fact.calibrated_until is None:
            problems.append(f"{name} has no calibration on record")
        elif fact.calibrated_until <= case.at:
            problems.append(f"the calibration of {name} ended {due}")
    return Verdict(f"{' and '.join(problems)}; use another one" if problems else "", used)


def lots(case: Case, plan: Plan) -> Verdict:
    """Judge the lots that the step uses; a step that uses none is judged by all that were used so far.

    What has expired since it was used is no problem, what has been quarantined or recalled since is one.
    """
    used: dict[str, Any] = {}
    problems: list[str] = []
    names = plan.lots or lots_used(case.batch.history)
    for name in names:
        fact = case.facts.lots.get(name)
        if fact is None:
            used[name] = None
            problems.append(f"nothing is on record about lot {name}")
            continue
        used[name] = {"status": fact.status, "expires_at": None if fact.expires_at is None else iso(fact.expires_at)}
        has_expired = fact.expires_at is not None and fact.expires_at <= case.at
        if plan.lots and (has_expired or fact.status == "expired"):
            problems.append(f"lot {name} has expired")
        elif fact.status not in ("released", "expired"):
            problems.append(f"lot {name} is {fact.status}")
    return Verdict(f"{' and '.join(problems)}; use a released lot" if problems else "", used)


def passage_limit(case: Case, plan: Plan) -> Verdict:
    """Compare the passage that the step leads to with the recipe's last."""
    limit = int(case.facts.recipe.passage.max.value)
    problem = f"P{plan.passage} is beyond the last allowed passage P{limit}" if plan.passage > limit else ""
    return Verdict(problem, {"passage": plan.passage, "max": limit})


def environment(case: Case, plan: Plan) -> Verdict:
    """No major deviation open, nor one drafted by an alarm; critical alarms over and assessed, long gaps assessed."""
    batch, facts = case.batch, case.facts
    problems = [_open(deviation) for deviation in batch.open_deviations if _holds_up(deviation)]
    problems += [
        f"alarm {e.id} is not assessed" for e in batch.exposures if e.wants_assessment and e.id not in batch.assessed
    ]
    chambers = {stay.chamber for stay in batch.occupancies}
    problems += [
        f"alarm {alarm.rule_id} is still open since {iso(alarm.raised_at)}"
        for alarm in facts.open_alarms
        if alarm.gmp_critical
        and alarm.chamber in chambers
        and _stood_there_since(batch, alarm.chamber, alarm.raised_at)
    ]
    longest = facts.recipe.culture.max_gap.value * MINUTE_MS
    gaps = [gap for gap in facts.telemetry_gaps if gap.chamber in chambers and gap.end - gap.start > longest]
    problems += [f"gap {gap.id} is not assessed" for gap in gaps if gap.id not in batch.assessed]
    used = {
        "alarms": [e.id for e in batch.exposures if e.withdrawn_at is None],
        "gaps": [gap.id for gap in gaps],
        "open_deviations": [deviation.id for deviation in batch.open_deviations],
    }
    return Verdict(", ".join(problems), used)


def _holds_up(deviation: Deviation) -> bool:
    """Whether a deviation must be closed first; an alarm's draft whatever its grade: a person disposes of it."""
    return deviation.drafted or deviation.severity != "minor"


def _open(deviation: Deviation) -> str:
    if not deviation.drafted:
        return f"{deviation.severity} deviation {deviation.id} is open"
    drafted = f"{deviation.severity} deviation {deviation.id} drafted by alarm {deviation.subject}"
    wanted = "close it" if deviation.investigated_at is not None else "investigate and close it"
    return f"{drafted} is open ({wanted})"


def _stood_there_since(batch: Batch, chamber: str, since: Instant) -> bool:
    return any(s.chamber == chamber and (s.taken is None or s.taken > since) for s in batch.occupancies)


def review(case: Case, plan: Plan) -> Verdict:
    """Hold up a release until a signed review covers every event but notes and refusals."""
    reviewed, changed = case.batch.reviewed_version, case.batch.changed_version
    used = {"reviewed_version": reviewed, "changed_version": changed}
    if reviewed is None:
        return Verdict("the record was not reviewed", used)
    if reviewed < changed:
        return Verdict("the record has changed since it was reviewed; review it again", used)
    problem = "" if is_review_signed(case.batch) else "the review carries no signature that is valid; review it again"
    return Verdict(problem, used)


def four_eyes(case: Case, plan: Plan) -> Verdict:
    """Keep decisions away from those who worked on the batch or reviewed it."""
    witness = case.facts.witness
    signers = (case.facts.actor.id, *(() if witness is None else (witness.id,)))
    for signer in signers:
        hands_on, reviewed = case.batch.was_handled_by(signer), case.batch.was_reviewed_by(signer)
        if problem := "operated on this batch" if hands_on else "reviewed it" if reviewed else "":
            return Verdict(f"{signer} {problem}; somebody else must decide", {"signers": list(signers)})
    return Verdict("", {"signers": list(signers)})


def in_date(case: Case, plan: Plan) -> Verdict:
    """Compare with the expiry that was set at resuspension."""
    made = case.batch.resuspension
    if made is None:
        return Verdict("there is no product with an expiry", {})
    problem = f"the product expired {iso(made.expires_at)}" if case.at >= made.expires_at else ""
    return Verdict(problem, {"expires_at": iso(made.expires_at)})


def time_out_of_storage(case: Case, plan: Plan) -> Verdict:
    """Add up the time out of controlled storage, stage by stage and in all; what nobody knows counts in full."""
    recipe = case.facts.recipe
    at = case.details.started_at if isinstance(case.details, Administer) else case.at
    stages = clocks(case.batch, recipe)
    used: dict[str, Any] = {clock.stage: round(clock.minutes(at), 1) for clock in stages}
    problems = [
        f"{clock.stage} took {clock.minutes(at):.0f} min, allowed are {clock.limit_min:g}"
        for clock in stages
        if clock.is_over(at)
    ]
    if recipe.hold is not None:
        total, limit = minutes_out_of_storage(case.batch, recipe, at), recipe.hold.total_max.value
        used |= {"total": round(total, 1), "max": limit}
        if total > limit:
            problems.append(f"{total:.0f} min out of controlled storage in all, allowed are {limit:g}")
    return Verdict("; ".join(problems), used)
