"""A signature is bound to the event that carries it and to what was shown, and to nothing else."""

from dataclasses import replace

import pytest

from cultureops.access.roles import Role
from cultureops.access.signature import (
    Meaning,
    Signature,
    check_signatures,
    details_sha256,
    shown,
    signatures_in,
    signed,
)
from cultureops.clock import SeededEntropy
from cultureops.errors import SignatureInvalid
from cultureops.ledger import Actor, Event, NewEvent, Source
from cultureops.ledger.chain import link
from cultureops.ledger.event import decode, draft, seal

STREAM = "batch:B-1"
QP = Actor("qualified-person-1", "QP")


def recorded(new: NewEvent, history: tuple[Event, ...], stream: str = STREAM) -> Event:
    version = len(history) + 1
    previous = bytes.fromhex(history[-1].hash) if history else b"\0" * 32
    fields = draft(new, stream, SeededEntropy(version).event_id(1_000), 1_000, "test")
    canonical = seal(fields, stream, version, version, previous)
    return decode(canonical, link(previous, canonical))


def decision(**data: float | str) -> NewEvent:
    return NewEvent("released", data, QP, Source.HUMAN, 1_000, "all gates are open")


def signature(history: tuple[Event, ...], signature_id: str = "S-1") -> Signature:
    record = shown(STREAM, history, "Release", details_sha256({}, "all gates are open", None))
    return Signature(
        signature_id, QP.id, "Qualified Person One", Role.QUALIFIED_PERSON, Meaning.RELEASED, 1_000, "Europe/Berlin",
        "password+totp", record,
    )  # fmt: skip


@pytest.fixture
def history() -> tuple[Event, ...]:
    first = recorded(NewEvent("batch_created", {"a": 1.5}, QP, Source.HUMAN, 1_000), ())
    return first, recorded(NewEvent("noted", {"text": "é"}, QP, Source.HUMAN, 1_000), (first,))


@pytest.mark.requirement("R5", "R6")
def test_an_event_tells_who_signed_it_and_what_for(history: tuple[Event, ...]) -> None:
    event = recorded(signed(decision(volume_ml=2.0), STREAM, [signature(history)]), history)
    (found,) = check_signatures(event, (*history, event))
    assert (found.printed_name, found.meaning, found.role, found.zone) == (
        "Qualified Person One", "released", "QP", "Europe/Berlin",
    )  # fmt: skip
    assert found.signed_at == 1_000 and found.shown.version == 2
    assert event.claims == ("signature:S-1",)


@pytest.mark.requirement("R6")
def test_a_signature_carried_to_another_event_is_none(history: tuple[Event, ...]) -> None:
    event = recorded(signed(decision(), STREAM, [signature(history)]), history)
    stolen = {"signatures": event.data["signatures"]}
    for forged in (
        recorded(NewEvent("exceptionally_released", stolen, QP, Source.HUMAN, 1_000, claims=event.claims), history),
        recorded(replace(decision(), data=stolen | {"more": 1}, claims=event.claims), history),
        recorded(replace(decision(), data=stolen, claims=event.claims), history, "batch:B-2"),
        recorded(replace(decision(), data=stolen, claims=event.claims, reason="another"), history),
        recorded(replace(decision(), data=stolen), history),
    ):
        with pytest.raises(SignatureInvalid):
            check_signatures(forged, (*history, forged))


@pytest.mark.requirement("R6")
def test_a_record_that_was_not_shown_is_not_signed(history: tuple[Event, ...]) -> None:
    event = recorded(signed(decision(), STREAM, [signature(history)]), history)
    other = recorded(NewEvent("noted", {"text": "e"}, QP, Source.HUMAN, 1_000), history[:1])
    with pytest.raises(SignatureInvalid, match="was shown another record"):
        check_signatures(event, (history[0], other, event))


@pytest.mark.parametrize("broken", ["x", 1, [1], [{}], [{"shown": {}}], {"a": 1}])
def test_what_is_no_signature_is_said_to_be_none(history: tuple[Event, ...], broken: object) -> None:
    event = recorded(NewEvent("released", {"signatures": broken}, QP, Source.HUMAN, 1_000), history)  # type: ignore[dict-item]
    with pytest.raises(SignatureInvalid, match=r"batch:B-1, position 3"):
        signatures_in(event)
