"""Paper forms: for every step of a recipe what its command asks for, printed while nothing runs."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.report.dossiers import TREE, ZONE, bare, pages_of

from cultureops.batch.recipe import load_recipe, recipe_names
from cultureops.batch.rules import RULES
from cultureops.ledger.head import Head
from cultureops.report.document import Imprint
from cultureops.report.step_forms import FormsFor, forms_pdf, step_forms

IMPRINT = Imprint("Forms", "Lab 7", "qa-1", 1_772_000_000_000, ZONE, Head(77, "cd" * 32), TREE)


def forms_of(name: str, **batch: str) -> dict[str, Any]:
    return step_forms(FormsFor(load_recipe(name), **batch), IMPRINT)


@pytest.mark.parametrize("name", recipe_names())
def test_each_form_asks_for_every_field_of_its_step(name: str) -> None:
    known = {command.__name__: command for command in RULES}
    forms = forms_of(name)["forms"]
    for form in forms:
        assert [field["field"] for field in form["fields"]] == list(known[form["step"]].model_fields), form["step"]
        assert form["roles"] and all(gate["sentence"] for gate in form["gates"])
    assert len({form["step"] for form in forms}) == len(forms)


FRESH = "tavakol_afshari_2021"


def test_a_frozen_process_has_forms_for_freezing_and_washing_a_fresh_one_has_not() -> None:
    frozen, fresh = ({form["step"] for form in forms_of(name)["forms"]} for name in ("karussis_2010", FRESH))
    assert frozen - fresh >= {"Freeze", "Thaw", "Wash", "TransferOut", "StartLabelling"} and not fresh - frozen


def test_decisions_have_no_form_for_they_are_never_entered_late() -> None:
    forms = forms_of("karussis_2010")
    asked = {form["title"] for form in forms["forms"]}
    assert {"Release", "Review", "Authorise thaw"} <= set(forms["decisions"]) and not asked & set(forms["decisions"])


def test_bounds_and_limits_are_those_of_record_and_recipe() -> None:
    by_step = {form["step"]: form for form in forms_of("karussis_2010")["forms"]}
    marrow = {field["field"]: field for field in by_step["ReceiveMarrow"]["fields"]}
    assert (marrow["marrow_ml"]["unit"], marrow["marrow_ml"]["takes"]) == ("mL", "0 to 500")
    assert marrow["collected_at"]["takes"] == "date, time" and marrow["scans"]["kind"] == "scans"
    assert {"entry": "intake: marrow volume", "value": "200 mL", "is_default": False} in by_step["ReceiveMarrow"][
        "limits"
    ]
    viability = next(field for field in by_step["Isolate"]["fields"] if field["field"] == "viability_pct")
    assert viability["takes"] == "0 to 100" and by_step["Freeze"]["witnesses"] and not by_step["Isolate"]["witnesses"]
    assert next(field for field in by_step["Freeze"]["fields"] if field["field"] == "vials")["columns"] == [
        "vial",
        "place",
    ]


@pytest.mark.requirement("R23")
def test_the_forms_print_with_the_head_on_every_page_and_boxes_for_persons() -> None:
    pages = pages_of(forms_pdf(forms_of(FRESH, batch_id="B-1", patient_token="COI-7F3K2", stage="CULTURE(P0)")))
    text = "".join(pages)
    assert all(
        bare(f"tree head of 77 events, root {TREE.root}") in page and str(TREE.printed) in page for page in pages
    )
    for words in ("done by (printed name", "witness (printed name", "lot stickers", "position in the ledger", "scan 2"):
        assert bare(words) in text
    assert text.count("COI-7F3K2") > 10 and bare("is never entered late") not in text
