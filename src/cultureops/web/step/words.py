"""What is said beside a step and its fields: short help where a name alone does not tell what to do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["help_of", "label_of"]

_FIELDS: Final[Mapping[str, str]] = {
    "new_vessels": "The name that stands on the new labels.",
    "n_vessels": "How many vessels.",
    "area_cm2": "Growth area of one vessel.",
    "discarded_cells": "Cells that went into no vessel or vial; 0 where all did.",
    "cells_total": "All vessels together.",
    "cells_seeded": "All vessels together.",
    "suspension_ml": "What the cells were taken up in; the counts of this suspension say how many there are.",
    "medium_lot": "Scan the bottle.",
    "diluent_lot": "Scan the bottle.",
    "enzyme_lot": "Scan the bottle.",
    "cryo_medium_lot": "Scan the bottle.",
    "reagent_lots": "Scan each bottle.",
    "agent_lots": "Scan each bottle.",
    "n_fields": "Fields of view that were looked at.",
    "donor_markers": "Results for infections, such as negative, and of which report.",
    "form": "Number or version of the signed form.",
    "trace_sha256": "SHA-256 of the logger's file, 64 hexadecimal digits.",
    "out_of_range_min": "As the logger says.",
    "rate_ml_per_h": "Where the route has a rate.",
    "level": "Where a lumbar puncture goes in, such as L4/5.",
    "index": "Which wash since the thaw or the labelling this is.",
    "stored_in": "The refrigerator that keeps the filled containers; leave it open where none does.",
    "retained_cells": "Cells that went into no container.",
    "final": "No further reading of this sample will come.",
    "repeats": "Only for a repeat of a failed test: the first sample.",
    "sample_id": "What stands on the label; type the same into the instrument.",
}
"""By field, whatever the step."""

_OF_STEP: Final[Mapping[tuple[str, str], str]] = {
    ("OpenDeviation", "deviation_id"): "The next free number; change it only where your site numbers otherwise.",
    ("OpenDeviation", "subject"): "What it is about, in a few words.",
    ("SampleQc", "deviation_id"): "The out-of-specification record that the repeat belongs to.",
    ("Thaw", "volume_ml"): "What the vials hold together.",
    ("ChangeMedium", "volume_ml"): "Fresh medium for all vessels of the group.",
    ("Resuspend", "volume_ml"): "Volume of the whole suspension.",
    ("Administer", "volume_ml"): "What was given.",
    ("Correct", "value"): "As it should have been entered; the first value stays on record.",
    ("RecordQcResult", "sample_id"): "",
    ("AcceptCount", "sample_id"): "",
}


_LABELS: Final[Mapping[tuple[str, str], str]] = {
    ("Correct", "field"): "What is to be corrected",
    ("Correct", "value"): "New value",
    ("RecordConsent", "form"): "Consent form",
    ("RecordConsent", "eligible"): "The patient is eligible",
    ("RecordConsent", "label_arm"): "The cells are to be labelled with iron",
    ("ChangeMedium", "removed_nonadherent"): "Non-adherent cells were removed",
    ("RecordQcResult", "final"): "This reading is final",
    ("Split", "into"): "Parts",
    ("Pool", "into"): "Name of the new group",
    ("Seed", "vessels"): "Name of the vessels",
    ("Passage", "vessels"): "Vessels that are detached",
}
"""Where the name of a field is no good question."""


def label_of(step: str, field: str, otherwise: str) -> str:
    """Return how a field of a step is asked for."""
    return _LABELS.get((step, field), otherwise)


def help_of(step: str, field: str) -> str:
    """Return what is said below a field of a step, empty where its name says enough."""
    return _OF_STEP.get((step, field), _FIELDS.get(field, ""))
