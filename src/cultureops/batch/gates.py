"""Hard gates: what must hold, whoever asks.

Each gate looks at one ``Case`` and says what is wrong, or nothing, and which facts it used. ``GATES`` is the registry;
the order is that of the process. G4 (material lots), G7 (washes), G16 (conditional release) and G17 (time out of
storage) need records that do not exist yet and will stand between these.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cultureops.analysis.dose import endotoxin_eu_per_kg
from cultureops.batch.batch import Batch, QcSample
from cultureops.batch.counts import CountsUnusable, pool
from cultureops.batch.event import Check
from cultureops.batch.facts import Facts
from cultureops.batch.field import Details
from cultureops.clock import DAY_MS, HOUR_MS, MINUTE_MS, Instant, iso
from cultureops.errors import GateFailed

__all__ = ["GATES", "Case", "Gate", "Verdict", "pass_gates"]


@dataclass(frozen=True, slots=True)
class Case:
    """What a gate looks at: the batch as it stands, what is asked, and the lab; ``passage`` is where it leads."""

    batch: Batch
    details: Details
    facts: Facts
    at: Instant
    devices: tuple[str, ...] = ()
    passage: int = 0


@dataclass(frozen=True, slots=True)
class Verdict:
    """``problem`` is empty when the gate is open; ``used`` are the facts it looked at, JSON-ready."""

    problem: str
    used: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Gate:
    """One gate: what must hold in one sentence, where that comes from, and the function that tells."""

    id: str
    sentence: str
    source: str
    judge: Callable[[Case], Verdict]


def pass_gates(gate_ids: Sequence[str], case: Case) -> tuple[Check, ...]:
    """Return the checks of gates that are all open; raise GateFailed naming every gate that is not."""
    verdicts = [(GATES[gate_id], GATES[gate_id].judge(case)) for gate_id in gate_ids]
    if failed := [(gate, verdict) for gate, verdict in verdicts if verdict.problem]:
        said = "; ".join(f"{gate.id}: {verdict.problem}" for gate, verdict in failed)
        raise GateFailed(f"batch {case.batch.id}: {said}")
    return tuple(Check(gate=gate.id, used=dict(verdict.used)) for gate, verdict in verdicts)


def _consent(case: Case) -> Verdict:
    eligible = case.batch.is_eligible
    problem = "" if eligible else "no consent with eligibility is on record; record it before the intake"
    return Verdict(problem, {"eligible": eligible})


def _identity_of_patient(case: Case) -> Verdict:
    """Compare what two scans read with the batch's token; a scan never shows which patient it was."""
    scans: tuple[str, str] = getattr(case.details, "scans", ("", ""))
    wrong = [str(number) for number, scan in enumerate(scans, 1) if scan != case.batch.patient_token]
    problem = f"scan {' and '.join(wrong)} is not this batch's patient; stop and fetch a second person"
    return Verdict(problem if wrong else "", {"scans_equal": not wrong})


def _equipment(case: Case) -> Verdict:
    used: dict[str, Any] = {}
    problems: list[str] = []
    for name in case.devices:
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


def _passage_limit(case: Case) -> Verdict:
    limit = int(case.facts.recipe.passage.max.value)
    problem = f"P{case.passage} is beyond the last allowed passage P{limit}" if case.passage > limit else ""
    return Verdict(problem, {"passage": case.passage, "max": limit})


def _sterility(case: Case) -> Verdict:
    """Every passage so far: each demanded test read negative, sterility after its shortest incubation."""
    recipe, problems = case.facts.recipe.qc, []
    for passage in range((case.batch.passage or 0) + 1):
        for test in recipe.per_passage.texts:
            samples = [s for s in _samples(case.batch, test) if s.passage == passage and s.stage == "passage"]
            if problem := _not_negative(samples, recipe.sterility_release_read.value):
                problems.append(f"P{passage} {test} {problem}")
    used = {"passages": (case.batch.passage or 0) + 1, "tests": list(recipe.per_passage.texts)}
    return Verdict(", ".join(problems), used)


def _samples(batch: Batch, test: str) -> list[QcSample]:
    return [sample for sample in batch.qc if sample.test == test]


def _not_negative(samples: Sequence[QcSample], incubation_d: float) -> str:
    """Say why samples of one test do not amount to a negative result; one positive reading is never outvoted."""
    if not samples:
        return "was not sampled"
    if any(reading.outcome == "positive" for sample in samples for reading in sample.readings):
        return "is positive"
    negative = [
        sample
        for sample in samples
        for reading in sample.readings
        if reading.outcome == "negative"
        and (sample.test != "sterility" or reading.at - sample.taken_at >= incubation_d * DAY_MS)
    ]
    if negative:
        return ""
    return f"has no reading after {incubation_d:g} d" if samples[0].test == "sterility" else "has no result"


def _viability(case: Case) -> Verdict:
    """Judge the counts of the harvest, or after resuspension those of the product."""
    batch, release, resuspension = case.batch, case.facts.recipe.release, case.batch.resuspension
    if resuspension is not None:
        what, counts = "product", batch.counts_of("product", None, resuspension.at)
    else:
        harvest = batch.harvest
        oldest = case.at - round(release.count_valid.value * HOUR_MS)
        what, counts = "harvest", batch.counts_of("harvest", harvest.passage if harvest else None, oldest)
    used: dict[str, Any] = {"stage": what, "samples": [count.sample_id for count in counts]}
    try:
        pooled = pool(counts, case.facts.recipe.counting)
    except CountsUnusable as unusable:
        return Verdict(f"{what} counts: {unusable}", used)
    used |= {"viability_pct": round(pooled.viability_pct, 2), "min_pct": release.viability_min.value}
    if pooled.viability_pct < release.viability_floor.value:
        limit = f"the floor of {release.viability_floor.value:g} %"
    elif pooled.viability_pct < release.viability_min.value:
        limit = f"{release.viability_min.value:g} %"
    else:
        return Verdict("", used)
    return Verdict(f"{what} viability {pooled.viability_pct:.1f} % is below {limit}", used)


def _cell_identity(case: Case) -> Verdict:
    release = case.facts.recipe.release
    panels = [dict(r.panel) for s in _samples(case.batch, "identity") for r in s.readings if r.panel]
    if not panels:
        return Verdict("no identity panel was read", {})
    problems = []
    for panel in panels:
        for marker in release.positive_markers.texts:
            if panel.get(marker, -1.0) < release.positive_min.value:
                problems.append(f"{marker} {_shown(panel, marker)}, expected >= {release.positive_min.value:g} %")
        for marker in release.negative_markers.texts:
            if panel.get(marker, 101.0) > release.negative_max.value:
                problems.append(f"{marker} {_shown(panel, marker)}, expected <= {release.negative_max.value:g} %")
    return Verdict(", ".join(problems), {"panels": panels})


def _shown(panel: Mapping[str, float], marker: str) -> str:
    return f"{panel[marker]:g} %" if marker in panel else "was not measured"


def _endotoxin(case: Case) -> Verdict:
    """Work out EU/kg for each dose from the highest reading of its own route's product sample."""
    problems: list[str] = []
    used: dict[str, Any] = {}
    batch = case.batch
    for dose in batch.doses:
        limit = case.facts.recipe.dose.routes[dose.route].endotoxin_max.value
        measured = [
            reading.value_eu_per_ml
            for sample in _samples(batch, "endotoxin")
            if sample.stage == "product" and sample.route == dose.route
            for reading in sample.readings
            if reading.value_eu_per_ml is not None
        ]
        if not measured or batch.weight_kg is None:
            problems.append(f"no endotoxin value of the {dose.route} dose")
            continue
        load = endotoxin_eu_per_kg(max(measured), dose.volume_ml, batch.weight_kg)
        used[dose.route] = {"eu_per_kg": round(load, 4), "max": limit}
        if load > limit:
            problems.append(f"{dose.route} dose brings {load:.3g} EU/kg, allowed are {limit:g}")
    if not batch.doses:
        problems.append("no dose was formulated")
    return Verdict(", ".join(problems), used)


def _mycoplasma(case: Case) -> Verdict:
    last = case.batch.passage or 0
    samples = _samples(case.batch, "mycoplasma")
    problem = _not_negative([sample for sample in samples if sample.passage == last], 0)
    if not problem and any(r.outcome == "positive" for sample in samples for r in sample.readings):
        problem = "was positive in an earlier passage"
    used = {"samples": [sample.sample_id for sample in samples]}
    return Verdict(f"mycoplasma {problem}" if problem else "", used)


def _environment(case: Case) -> Verdict:
    """Every critical alarm over and assessed, every long gap in a chamber's data assessed."""
    batch, facts = case.batch, case.facts
    problems = [
        f"alarm {e.id} is not assessed" for e in batch.exposures if e.gmp_critical and e.id not in batch.assessed
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
    used = {"alarms": [e.id for e in batch.exposures], "gaps": [gap.id for gap in gaps]}
    return Verdict(", ".join(problems), used)


def _stood_there_since(batch: Batch, chamber: str, since: Instant) -> bool:
    return any(s.chamber == chamber and (s.taken is None or s.taken > since) for s in batch.occupancies)


def _review(case: Case) -> Verdict:
    reviewed, changed = case.batch.reviewed_version, case.batch.changed_version
    used = {"reviewed_version": reviewed, "changed_version": changed}
    if reviewed is None:
        return Verdict("the record was not reviewed", used)
    problem = "the record has changed since it was reviewed; review it again" if reviewed < changed else ""
    return Verdict(problem, used)


def _four_eyes(case: Case) -> Verdict:
    signer = case.facts.actor.id
    hands_on = signer in case.batch.operators
    problem = "operated on this batch" if hands_on else "reviewed it" if signer in case.batch.reviewers else ""
    return Verdict(f"{signer} {problem}; somebody else must decide" if problem else "", {"signer": signer})


def _in_date(case: Case) -> Verdict:
    made = case.batch.resuspension
    if made is None:
        return Verdict("there is no product with an expiry", {})
    problem = f"the product expired {iso(made.expires_at)}" if case.at >= made.expires_at else ""
    return Verdict(problem, {"expires_at": iso(made.expires_at)})


_RULES: Final = "project specification of hard gates"
GATES: Final[Mapping[str, Gate]] = {
    gate.id: gate
    for gate in (
        Gate("G1", "Consent and eligibility are on record before the intake closes.", _RULES, _consent),
        Gate("G2", "Two independent scans equal the chain-of-identity token.", _RULES, _identity_of_patient),
        Gate("G3", "Chamber and device are in service and in calibration at use.", _RULES, _equipment),
        Gate("G5", "The passage is not beyond the recipe's last.", "T 3.1", _passage_limit),
        Gate("G6", "Each passage tested negative.", "T 3.1: after each passage", _sterility),
        Gate("G8", "Count and viability are in limits and recent.", "T 2.4; recipe", _viability),
        Gate("G9", "The identity panel is in its limits.", "T 3.1; ISCT limits", _cell_identity),
        Gate("G10", "Endotoxin is in its limit for each dose.", "USP <85>: K per kg and hour", _endotoxin),
        Gate("G11", "Mycoplasma is negative.", "T 2.4: RT-PCR", _mycoplasma),
        Gate("G12", "No critical alarm is open or unassessed, no long data gap either.", _RULES, _environment),
        Gate("G13", "The review covers the whole record.", "draft EU GMP Annex 11, 12.8", _review),
        Gate("G14", "Who decides neither operated nor reviewed.", _RULES, _four_eyes),
        Gate("G15", "The product is in date.", _RULES, _in_date),
    )
}
