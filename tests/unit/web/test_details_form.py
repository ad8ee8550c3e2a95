"""Forms are built from the fields of a command; what comes back is the command or is refused by name."""

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cultureops.batch import commands as do
from cultureops.clock import parse_iso
from cultureops.errors import BatchError
from cultureops.field import Unfit
from cultureops.web.form.details_filled import details_from, details_from_json, instant_text, number_of
from cultureops.web.form.details_form import as_filled, form_fields, label
from cultureops.web.quality.signing import STEPS, told

BERLIN = ZoneInfo("Europe/Berlin")


def test_every_step_that_is_signed_has_a_field_for_each_of_its_fields() -> None:
    known = {"text", "words", "flag", "number", "choice", "time", "names", "rows"}
    for step, model in STEPS.items():
        fields = form_fields(model, {}, {})
        assert [field.name for field in fields] == list(model.model_fields), step
        assert {field.kind for field in fields} <= known, step


def test_a_filled_form_is_the_command() -> None:
    plan = {"deviation_id": "D-1", "action_id": "A-1", "action": "x\r\ny", "owner": "Q", "due_at": "2026-07-01T08:00"}
    assert details_from(do.PlanAction, plan, BERLIN) == do.PlanAction(
        deviation_id="D-1", action_id="A-1", action="x\ny", owner="Q", due_at=parse_iso("2026-07-01T06:00:00Z")
    )
    release = {"clinician": "C", "notification_plan": "call", "notify_within_h": "2.5", "unknown": "left out"}
    assert details_from(do.ReleaseConditionally, release, BERLIN).notify_within_h == 2.5
    rows = {
        "audit_trail_read": "true", "version": "7",
        "assessments.0.subject": "alarm-1", "assessments.0.impact": "none",
        "assessments.1.subject": "alarm-2", "assessments.1.impact": " ",
        "assessments.2.subject": "gap-1", "assessments.2.impact": "short",
    }  # fmt: skip
    review = details_from(do.Review, rows, BERLIN)
    assert [one.subject for one in review.assessments] == ["alarm-1", "gap-1"], "what nobody judged is not said"
    assert review.version == 7 and review.audit_trail_read
    assert details_from(do.Review, {}, BERLIN).audit_trail_read is False
    assert as_filled(do.Review, rows)["assessments"][1] == {"subject": "alarm-2", "impact": " "}


@pytest.mark.parametrize(
    ("typed", "number"),
    [("18,9", 18.9), ("0,125", 0.125), ("36 000 000", 36e6), ("38,600,000", 38.6e6), ("3.6e7", 36e6), ("-1,25", -1.25)],
)
def test_a_number_is_read_as_tablets_and_pages_write_it(typed: str, number: float) -> None:
    assert number_of(typed) == number


@pytest.mark.parametrize("typed", ["1,234", "10,000", "1,23,456", "1,5e3", "1.234,5"])
def test_a_comma_that_may_mean_either_is_refused(typed: str) -> None:
    with pytest.raises(ValueError, match="a comma may mean either"):
        number_of(typed)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"notify_within_h": "two"}, "expected a number"),
        ({"notify_within_h": "nan"}, "notify_within_h"),
        ({"notify_within_h": "-1"}, "notify_within_h"),
        ({"notify_within_h": "1e999"}, "notify_within_h"),
        ({"clinician": ""}, "clinician"),
        ({"clinician": "a\x00b"}, "clinician"),
        ({"notification_plan": "x" * 2_001}, "notification_plan"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(fields: dict[str, str], said: str) -> None:
    whole = {"clinician": "C", "notification_plan": "call", "notify_within_h": "2"}
    with pytest.raises(Unfit) as refused:
        details_from(do.ReleaseConditionally, whole | fields, BERLIN)
    assert said in str(refused.value) or said in refused.value.problems
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "due", ["soon", "0001-01-01T00:00", "9999-12-31T23:59", "1969-01-01T00:00", "2026-07-01T25:00"]
)
def test_a_time_that_is_none_is_refused(due: str) -> None:
    plan = {"deviation_id": "D-1", "action_id": "A-1", "action": "x", "owner": "Q", "due_at": due}
    if due.startswith("9999"):
        assert details_from(do.PlanAction, plan, BERLIN).due_at > 0
        return
    with pytest.raises(BatchError):
        details_from(do.PlanAction, plan, BERLIN)


@settings(max_examples=40)
@given(st.dictionaries(st.sampled_from(["version", "audit_trail_read", "assessments.0.subject"]), st.text()), st.text())
def test_any_text_is_a_command_or_a_refusal(form: dict[str, str], text: str) -> None:
    for make in (lambda: details_from(do.Review, form, BERLIN), lambda: details_from_json(do.Review, text)):
        try:
            assert told(make())
        except BatchError as refusal:
            assert "\n" not in str(refusal)


def test_labels_are_words_with_units() -> None:
    assert label("notify_within_h") == "Notify within [h]"
    assert label("due_at") == "Due"
    assert label("root_cause") == "Root cause"


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("2026-03-29T02:30", "clocks were put forward"),
        ("2026-10-25T02:30", r"came twice: write 2026-10-25T02:30\+02:00 or 2026-10-25T02:30\+01:00"),
        ("2026-01-05", "expected a time such as"),
        ("20260105", "expected a time such as"),
    ],
)
def test_a_time_that_could_be_two_or_none_is_not_guessed(typed: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        instant_text(typed, ZoneInfo("Europe/Berlin"))


def test_a_time_with_its_offset_and_any_time_of_a_zone_without_summer_are_read() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    assert instant_text("2026-10-25T02:30+01:00", berlin) == "2026-10-25T01:30:00.000Z"
    assert instant_text("2026-10-25T03:00", berlin) == "2026-10-25T02:00:00.000Z"
    assert instant_text("2026-10-25T02:30", ZoneInfo("Asia/Tehran")) == "2026-10-24T23:00:00.000Z"


def test_a_number_too_small_to_be_written_is_no_zero() -> None:
    with pytest.raises(ValueError, match="too small"):
        number_of("1e-400")
    assert number_of("0.00") == number_of("0e5") == 0
