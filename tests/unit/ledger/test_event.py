"""Events become canonical bytes and come back the same; what does not fit is refused by name."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from decimal import Decimal
from enum import IntEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cultureops.errors import StorageError, Unreadable
from cultureops.ledger.event import MAX_INTEGER, Actor, NewEvent, Source, decode, draft, seal
from cultureops.ledger.head import GENESIS

NOW = 1_767_600_000_000
EVENT_ID = "019b8d00-0000-7000-8000-000000000001"


class Passage(IntEnum):
    P2 = 2


def event(data: Any, **more: Any) -> NewEvent:
    fields: dict[str, Any] = {"actor": Actor("tech-1", "technician"), "source": Source.HUMAN}
    return NewEvent("counted", data, **fields | more)


def canonical(new: NewEvent) -> bytes:
    return seal(draft(new, "batch:B-1", EVENT_ID, NOW, "local"), "batch:B-1", 3, 2, GENESIS)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-MAX_INTEGER, MAX_INTEGER)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text(), json_values, max_size=5))
def test_any_json_comes_back_with_the_same_value_and_the_same_bytes(data: dict[str, Any]) -> None:
    written = canonical(event(data))
    read = decode(written, GENESIS)
    assert read.data == data
    again = canonical(event(read.data))
    assert again == written


@given(st.dictionaries(st.text(), json_values, max_size=5))
def test_order_of_keys_does_not_matter(data: dict[str, Any]) -> None:
    assert canonical(event(dict(reversed(data.items())))) == canonical(event(data))


def test_bytes_are_those_of_the_example_in_rfc_8785() -> None:
    data = {
        "numbers": [333333333.33333329, 1e30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": "\u20ac$\u000f\u000aA'\u0042\u0022\u005c\\\"/",
        "literals": [None, True, False],
    }
    expected = (
        '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )
    assert f'"data":{expected},'.encode() in canonical(event(data))


def test_every_field_stands_in_the_bytes() -> None:
    new = event({"cells": 3}, occurred_at=NOW - 60_000, reason="late entry", schema_version=2)
    assert json.loads(canonical(new)) == {
        "algorithm": "sha256",
        "actor": {"id": "tech-1", "role": "technician"},
        "data": {"cells": 3},
        "event_id": EVENT_ID,
        "occurred_at": "2026-01-05T07:59:00.000Z",
        "origin": "local",
        "position": 3,
        "previous_stream_hash": GENESIS.hex(),
        "reason": "late entry",
        "recorded_at": "2026-01-05T08:00:00.000Z",
        "schema_version": 2,
        "source": "human",
        "stream": "batch:B-1",
        "type": "counted",
        "version": 2,
    }


def test_an_event_happened_when_it_was_recorded_unless_it_says_otherwise() -> None:
    assert decode(canonical(event({})), GENESIS).occurred_at == NOW
    assert decode(canonical(event({}, occurred_at=NOW - 5)), GENESIS).occurred_at == NOW - 5


def test_numbers_of_other_types_are_stored_as_plain_ones() -> None:
    read = decode(canonical(event({"passage": Passage.P2, "source": Source.DEVICE, "pair": (1, 2)})), GENESIS)
    assert read.data == {"passage": 2, "source": "device", "pair": [1, 2]}


deep: list[Any] = []
for _ in range(40):
    deep = [deep]


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        ({"counts": [{"viability": math.nan}]}, r"data\.counts\[0\]\.viability: nan is not a finite number"),
        ({"density": math.inf}, r"data\.density: inf is not a finite number"),
        ({"cells": 2**53}, r"data\.cells: 9007199254740992 is beyond 2\^53"),
        ({"cells": -(2**53)}, r"data\.cells: -9007199254740992 is beyond"),
        ({"raw": b"\x00"}, r"data\.raw: bytes is not a JSON value"),
        ({"at": datetime.now(UTC)}, r"data\.at: datetime is not a JSON value"),
        ({"volume_ml": Decimal("2.0")}, r"data\.volume_ml: Decimal is not a JSON value"),
        ({"vessels": {"a", "b"}}, r"data\.vessels: set is not a JSON value"),
        ({1: "one"}, r"data: key 1 is not text"),
        ({"note": "\ud800"}, r"data\.note: .* holds half a character"),
        ({"deep": deep}, r"nested deeper than 32 levels"),
        ([1, 2], r"data: list where a mapping is expected"),
    ],
)
def test_data_that_is_not_json_is_refused_by_its_path(data: Any, complaint: str) -> None:
    with pytest.raises(StorageError, match=complaint) as caught:
        canonical(event(data))
    assert "\n" not in str(caught.value)
    assert "stream 'batch:B-1', event 'counted'" in str(caught.value)


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        ({"actor": Actor("", "technician")}, "actor id: '' is not a name"),
        ({"actor": Actor("tech-1", "\n")}, "actor role: .* is not a name"),
        ({"source": "rumour"}, "source: 'rumour' is none of human, device, import, system"),
        ({"occurred_at": -1}, "occurred_at: -1 is not a time"),
        ({"occurred_at": 1.5}, r"occurred_at: 1\.5 is not a time"),
        ({"occurred_at": 10**15}, "occurred_at: .* is not a time"),
        ({"reason": None}, "reason: NoneType where text is expected"),
        ({"schema_version": 0}, "schema_version: 0 is not an integer from 1"),
        ({"schema_version": True}, "schema_version: True is not an integer from 1"),
    ],
)
def test_fields_that_do_not_fit_are_refused_by_name(more: dict[str, Any], complaint: str) -> None:
    with pytest.raises(StorageError, match=complaint):
        canonical(event({}, **more))


def test_an_event_without_type_is_refused() -> None:
    with pytest.raises(StorageError, match="type: '' is not a name"):
        canonical(NewEvent("", {}, Actor("tech-1", "technician"), Source.HUMAN))


@pytest.mark.parametrize(
    "stored",
    [b"", b"{", b"[]", b"{}", b"\xff\xfe", b'{"algorithm":"sha256"}', b"[" * 100_000, b'{"algorithm":NaN}'],
)
def test_bytes_that_hold_no_event_are_unreadable(stored: bytes) -> None:
    with pytest.raises(Unreadable, match="not an event"):
        decode(stored, GENESIS)


def test_an_unknown_field_and_an_unknown_algorithm_are_unreadable() -> None:
    fields = json.loads(canonical(event({})))
    with pytest.raises(Unreadable, match="unexpected keyword argument 'extra'"):
        decode(json.dumps(fields | {"extra": 1}).encode(), GENESIS)
    with pytest.raises(Unreadable, match="hashed by 'sha3-256'"):
        decode(json.dumps(fields | {"algorithm": "sha3-256"}).encode(), GENESIS)
