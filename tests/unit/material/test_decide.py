"""Lots: every pair of status and step that is not in the table is refused, and so is whoever may not."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cultureops.access import Role
from cultureops.clock import DAY_MS, HOUR_MS, MINUTE_MS, Instant, parse_iso
from cultureops.conduct import Command
from cultureops.errors import BatchError, TransitionRefused
from cultureops.field import Details, data_of
from cultureops.ledger import Actor
from cultureops.material.decide import RULES, decide
from cultureops.material.events import (
    LotQuarantined,
    LotRecalled,
    LotReceived,
    LotRejected,
    LotReleased,
    read_event,
)
from cultureops.material.lot import LotState, Status, aged, fold
from cultureops.timeline import Happening

NOW = parse_iso("2026-01-05T08:00:00Z")
EXPIRY = NOW + 100 * DAY_MS
QA, OP = Actor("qa-1", "QA"), Actor("operator-1", "OP")


def received(**changes: Any) -> LotReceived:
    fields: dict[str, Any] = {
        "material": "DMEM, low glucose",
        "supplier": "maker",
        "quantity": 500.0,
        "unit": "mL",
        "expires_at": EXPIRY,
        "certificate": "C-1",
    }
    return LotReceived(**fields | changes)


STEPS: dict[type[Details], Details] = {
    LotReceived: received(),
    LotReleased: LotReleased(),
    LotQuarantined: LotQuarantined(),
    LotRecalled: LotRecalled(),
    LotRejected: LotRejected(),
}
WHO = {LotReceived: "OP", LotReleased: "QC", LotQuarantined: "OP", LotRecalled: "QA", LotRejected: "QC"}


def lot(status: Status, certificate: str = "C-1") -> LotState:
    """A lot as people left it; an expired one is one whose time is over."""
    since = NOW - DAY_MS
    expires_at = NOW if status is Status.EXPIRED else EXPIRY
    kept = Status.RELEASED if status is Status.EXPIRED else status
    return LotState("M-17", kept, since, "", "DMEM", "maker", 500.0, "mL", expires_at, certificate, since)


def ask(details: Details, at: Instant | None = None, reason: str = "because") -> Command:
    return Command("M-17", details, at, reason)


ALLOWED = [
    (None, LotReceived),
    (Status.QUARANTINED, LotReleased),
    (Status.QUARANTINED, LotRejected),
    (Status.QUARANTINED, LotRecalled),
    (Status.RELEASED, LotQuarantined),
    (Status.RELEASED, LotRecalled),
    (Status.EXPIRED, LotQuarantined),
    (Status.EXPIRED, LotRejected),
    (Status.EXPIRED, LotRecalled),
    (Status.REJECTED, LotRecalled),
]
REFUSED = [(status, step) for status in (None, *Status) for step in STEPS if (status, step) not in ALLOWED]


def test_the_two_lists_name_every_pair() -> None:
    assert set(STEPS) == set(RULES) and len(ALLOWED) + len(REFUSED) == 6 * 5


@pytest.mark.parametrize(("status", "step"), REFUSED)
def test_a_pair_that_is_not_in_the_table_is_refused(status: Status | None, step: type[Details]) -> None:
    with pytest.raises(
        TransitionRefused, match=f"lot M-17: is {status or 'not on record'}; {step.__name__} is allowed"
    ):
        decide(None if status is None else lot(status), ask(STEPS[step]), NOW, Actor("x", WHO[step]))


@pytest.mark.parametrize(("status", "step"), ALLOWED)
def test_a_pair_of_the_table_is_carried_out(status: Status | None, step: type[Details]) -> None:
    event = decide(None if status is None else lot(status), ask(STEPS[step]), NOW, Actor("x", WHO[step]))
    assert read_event(event.type, event.data) == STEPS[step]
    assert event.data == data_of(STEPS[step])
    assert (event.occurred_at, event.reason) == (NOW, "because")


@pytest.mark.parametrize("step", list(STEPS))
@pytest.mark.parametrize("role", [role.value for role in Role] + ["", "boss"])
def test_roles(step: type[Details], role: str) -> None:
    before = {LotReceived: None, LotQuarantined: lot(Status.RELEASED)}.get(step, lot(Status.QUARANTINED))
    may = {
        LotReceived: {"OP", "ST"},
        LotReleased: {"QA", "QC"},
        LotQuarantined: {"OP", "RV", "QC", "QA", "QP", "ST", "CL", "EQ"},
        LotRecalled: {"QA"},
        LotRejected: {"QA", "QC"},
    }[step]
    if role in may:
        decide(before, ask(STEPS[step]), NOW, Actor("x", role))
    else:
        with pytest.raises(TransitionRefused, match=f"is not for role {role}, only for"):
            decide(before, ask(STEPS[step]), NOW, Actor("x", role))


def test_nothing_is_released_without_a_certificate() -> None:
    bare = lot(Status.QUARANTINED, certificate="")
    for none in ("", "  "):
        with pytest.raises(TransitionRefused, match="no certificate is on record"):
            decide(bare, ask(LotReleased(certificate=none)), NOW, QA)
    assert decide(bare, ask(LotReleased(certificate="C-2")), NOW, QA).data == {"certificate": "C-2"}


def test_whether_it_had_expired_is_judged_at_the_commands_own_time() -> None:
    began = NOW - 9 * DAY_MS
    over = LotState("M-17", Status.QUARANTINED, began, "", "DMEM", "maker", 1.0, "mL", NOW, "C-1", began)
    with pytest.raises(TransitionRefused, match=r"expired 2026-01-05.* before it was ever released; reject it"):
        decide(over, ask(LotReleased()), NOW, QA)
    assert decide(over, ask(LotReleased(), NOW - 1), NOW, QA).type == "lot_released"
    assert decide(over, ask(LotRecalled(), NOW - DAY_MS), NOW, QA).occurred_at == NOW - DAY_MS


def test_a_quarantine_is_lifted_after_the_expiry_and_the_lot_stays_expired() -> None:
    stopped = replace(lot(Status.QUARANTINED), expires_at=NOW - HOUR_MS, released_at=NOW - 9 * DAY_MS)
    event = decide(stopped, ask(LotReleased()), NOW, QA)
    kept = [Happening(NOW - 9 * DAY_MS, 1, received(expires_at=NOW - HOUR_MS), "")]
    kept += [Happening(NOW - 8 * DAY_MS, 2, LotReleased(), ""), Happening(NOW - DAY_MS, 3, LotQuarantined(), "smell")]
    after = fold("M-17", [*kept, Happening(NOW, 4, read_event(event.type, event.data), "")], NOW)
    assert after is not None and not aged(after, NOW).is_usable
    assert (aged(after, NOW).status, aged(after, NOW).since) == (Status.EXPIRED, NOW)
    before = fold("M-17", kept, NOW)
    assert before is not None and aged(before, NOW).status is Status.QUARANTINED  # stopped, whatever its date


def test_times() -> None:
    waiting = lot(Status.QUARANTINED)
    with pytest.raises(TransitionRefused, match=r"a late entry .* needs a reason"):
        decide(waiting, ask(LotReleased(), NOW - HOUR_MS, ""), NOW, QA)
    assert decide(waiting, ask(LotReleased(), NOW - 5 * MINUTE_MS, ""), NOW, QA)
    with pytest.raises(TransitionRefused, match="before it happens"):
        decide(waiting, ask(LotReleased(), NOW + 1), NOW, QA)
    with pytest.raises(TransitionRefused, match="would lie before 2026-01-04"):
        decide(waiting, ask(LotReleased(), NOW - 2 * DAY_MS), NOW, QA)


@pytest.mark.parametrize("step", [LotQuarantined, LotRecalled, LotRejected])
def test_what_stops_a_lot_says_why(step: type[Details]) -> None:
    before = lot(Status.RELEASED if step is LotQuarantined else Status.QUARANTINED)
    with pytest.raises(TransitionRefused, match="needs a reason"):
        decide(before, ask(STEPS[step], reason=" "), NOW, QA)


def test_a_step_of_something_else() -> None:
    class Sold(Details):
        pass

    with pytest.raises(TransitionRefused, match="Sold is no step of a lot"):
        decide(lot(Status.RELEASED), ask(Sold()), NOW, QA)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"quantity": 0.0}, "quantity"),
        ({"quantity": -1.0}, "quantity"),
        ({"quantity": float("nan")}, "quantity"),
        ({"quantity": float("inf")}, "quantity"),
        ({"quantity": "5"}, "quantity"),
        ({"quantity": True}, "quantity"),
        ({"unit": "bottles"}, "UCUM"),
        ({"unit": ""}, "UCUM"),
        ({"material": ""}, "material"),
        ({"supplier": "a\tb"}, "supplier"),
        ({"expires_at": "next year"}, "expires_at"),
        ({"expires_at": None}, "expires_at"),
        ({"expires_at": 1.5}, "expires_at"),
        ({"colour": "red"}, "colour"),
        ({"certificate": None}, "certificate"),
        ({"certificate": "x" * 3000}, "certificate"),
    ],
)
def test_garbage_is_no_receipt(changes: dict[str, object], said: str) -> None:
    with pytest.raises(BatchError, match=said) as error:
        received(**changes)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("event_type", "data"),
    [("lot_melted", {}), ("lot_received", {}), ("lot_recalled", {"why": "x"}), ("lot_released", {"certificate": 5})],
)
def test_garbage_is_no_event(event_type: str, data: dict[str, object]) -> None:
    with pytest.raises(BatchError):
        read_event(event_type, data)


ASKED = st.tuples(
    st.sampled_from(list(STEPS)),
    st.sampled_from([role.value for role in Role]),
    st.integers(0, 40),
    st.integers(0, 40),
    st.booleans(),
)


@given(st.lists(ASKED, max_size=25), st.sampled_from(["", "C-1"]))
def test_no_order_of_commands_reaches_an_illegal_state(
    asked: list[tuple[type[Details], str, int, int, bool]], certificate: str
) -> None:
    happenings: list[Happening] = []
    now, was_recalled, was_rejected = NOW, False, False
    for step, role, days_on, days_late, has_reason in asked:
        now += days_on * DAY_MS
        details = received(certificate=certificate) if step is LotReceived else STEPS[step]
        command = ask(details, now - days_late * DAY_MS, "because" if has_reason else "")
        before = fold("M-17", sorted(happenings), now)
        try:
            event = decide(before, command, now, Actor("somebody", role))
        except TransitionRefused:
            continue
        assert role not in ("AD", "DEV")
        assert event.occurred_at is not None and event.occurred_at <= now
        happenings.append(Happening(event.occurred_at, len(happenings) + 1, details, event.reason))
        kept = fold("M-17", sorted(happenings), now)
        assert kept is not None
        after = aged(kept, event.occurred_at)
        assert (before is None) == (step is LotReceived)
        if after.is_usable:
            assert step is LotReleased and role in ("QA", "QC")
            assert kept.certificate and event.occurred_at < kept.expires_at
        if step is LotReleased:
            assert kept.released_at is not None and kept.released_at < kept.expires_at
        was_recalled |= step is LotRecalled
        was_rejected |= step is LotRejected
        for day in (0, 1, 50, 101, 1000):  # no later time makes a stopped lot usable again
            later = aged(kept, event.occurred_at + day * DAY_MS)
            assert not (later.is_usable and (was_recalled or was_rejected))
            assert later.status is not Status.RELEASED or later.expires_at > event.occurred_at + day * DAY_MS
        assert (kept.status is Status.RECALLED) == was_recalled
