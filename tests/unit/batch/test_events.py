"""The vocabulary is closed: what is unknown, not finite or out of range is refused by its name."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.batch.conftest import Lab, count, formulate, look, passage, process, receive, seed

from cultureops.batch import commands as do
from cultureops.batch.events import EVENT_TYPES, EVENTS, data_of, read_event
from cultureops.errors import BatchError


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: look(0, math.nan), "ObserveConfluence: confluence_pct: Input should be a finite number"),
        (lambda: look(0, 100.1), "confluence_pct: Input should be less than or equal to 100"),
        (lambda: look(0, -0.0), "confluence_pct: a negative zero is no measurement"),
        (lambda: look(0, "80"), "confluence_pct: Input should be a valid number"),
        (lambda: look(0, True), "confluence_pct"),
        (lambda: seed(n_vessels=0), "Seed: n_vessels: Input should be greater than 0"),
        (lambda: seed(n_vessels=1.5), "n_vessels"),
        (lambda: seed(cells_total=1e6), "cells_total: Input should be a valid integer"),
        (lambda: seed(cells_total=10**14), "cells_total"),
        (lambda: seed(area_cm2=math.inf), "area_cm2"),
        (lambda: seed(medium_lot=""), "medium_lot"),
        (lambda: seed(medium_lot="   "), "medium_lot"),
        (lambda: seed(medium_lot="a\nb"), "medium_lot"),
        (lambda: seed(weather="fine"), "Seed: weather: Extra inputs are not permitted"),
        (lambda: receive(marrow_ml=0.0), "marrow_ml"),
        (lambda: receive(marrow_ml=501.0), "marrow_ml: Input should be less than or equal to 500"),
        (lambda: receive(scans=("one",)), "scans"),
        (lambda: receive(collected_at="yesterday"), "collected_at: 'yesterday' is not an ISO 8601"),
        (lambda: receive(collected_at=-1), "collected_at"),
        (lambda: receive(collected_at=True), "collected_at"),
        (lambda: formulate(doses=()), "doses"),
        (lambda: formulate(weight_kg=0.0), "weight_kg"),
        (lambda: passage(1, exposure_min=-1.0), "exposure_min"),
        (lambda: count("x-1", viability=100.1), "viability_pct"),
        (lambda: do.RecordConsent(form="f", eligible="yes"), "eligible"),  # type: ignore[arg-type]
        (lambda: do.Note(text=""), "text"),
    ],
)
def test_a_wrong_field_is_refused_by_name(make: Any, said: str) -> None:
    with pytest.raises(BatchError) as refused:
        make()
    assert said in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.parametrize("token", ["Erika Musterfrau", "erika1", "MUSTERFRAU", "A1", "", "COI 7", "É-12345"])
def test_a_name_is_no_patient_token_and_is_not_repeated(token: str) -> None:
    with pytest.raises(BatchError, match="expected a token") as refused:
        do.CreateBatch(patient_token=token, recipe="r")
    assert not token or token not in str(refused.value)


async def test_every_event_of_the_process_reads_back_as_it_was(lab: Lab) -> None:
    batch = await lab.play("end")
    assert batch is not None
    for event in batch.history:
        recorded = read_event(event.type, event.data)
        assert data_of(recorded) == dict(event.data)
        assert EVENT_TYPES[type(recorded)] == event.type
    assert len({event.type for event in batch.history}) >= 20


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 10**6) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from(sorted(EVENTS)), st.dictionaries(st.text(max_size=12), JSON, max_size=5))
def test_garbage_is_refused_in_one_line(event_type: str, data: dict[str, Any]) -> None:
    try:
        read_event(event_type, data)
    except BatchError as refused:
        assert "\n" not in str(refused)
    else:
        assert event_type in ("released", "rejected", "closed", "held", "resumed")


@given(st.sampled_from([step.details for step in process().values()]), st.data())
def test_one_bent_field_never_crashes(details: Any, data: st.DataObject) -> None:
    fields = {name: getattr(details, name) for name in type(details).model_fields}
    if not fields:
        return
    name = data.draw(st.sampled_from(sorted(fields)))
    try:
        type(details)(**fields | {name: data.draw(JSON)})
    except BatchError as refused:
        assert name in str(refused) and "\n" not in str(refused)
