"""Equipment: every pair of state and step that is not in the table is refused, and so is whoever may not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cultureops.access import Role
from cultureops.clock import DAY_MS, HOUR_MS, MINUTE_MS, Instant, parse_iso
from cultureops.conduct import Command
from cultureops.equipment.decide import RULES, decide
from cultureops.equipment.events import (
    Calibrated,
    Commissioned,
    Retired,
    ReturnedToService,
    TakenOutOfService,
    read_event,
)
from cultureops.equipment.state import Declared, EquipmentState, Service, state_at
from cultureops.errors import BatchError, TransitionRefused
from cultureops.field import Details, data_of
from cultureops.ledger import Actor
from cultureops.timeline import Happening

NOW = parse_iso("2026-01-05T08:00:00Z")
QA, EQ, OP, AD = Actor("qa-1", "QA"), Actor("eq-1", "EQ"), Actor("operator-1", "OP"), Actor("admin-1", "AD")
CALIBRATED = Calibrated(certificate="K-1", calibrated_at=NOW - DAY_MS, due=NOW + 365 * DAY_MS)
STEPS: dict[type[Details], Details] = {
    Commissioned: Commissioned(document="IQ-1"),
    Calibrated: CALIBRATED,
    TakenOutOfService: TakenOutOfService(),
    ReturnedToService: ReturnedToService(),
    Retired: Retired(),
}


def state(service: Service, since: Instant | None = NOW - DAY_MS) -> EquipmentState:
    return EquipmentState("balance_1", "", "balance_1", service, since)


def ask(details: Details, at: Instant | None = None, reason: str = "because") -> Command:
    return Command("balance_1", details, at, reason)


REFUSED = [
    (None, Calibrated),
    (None, TakenOutOfService),
    (None, ReturnedToService),
    (None, Retired),
    (Service.IN_SERVICE, Commissioned),
    (Service.IN_SERVICE, ReturnedToService),
    (Service.OUT_OF_SERVICE, Commissioned),
    (Service.OUT_OF_SERVICE, TakenOutOfService),
    *((Service.RETIRED, step) for step in STEPS),
]
ALLOWED = [
    (None, Commissioned),
    (Service.IN_SERVICE, Calibrated),
    (Service.IN_SERVICE, TakenOutOfService),
    (Service.IN_SERVICE, Retired),
    (Service.OUT_OF_SERVICE, Calibrated),
    (Service.OUT_OF_SERVICE, ReturnedToService),
    (Service.OUT_OF_SERVICE, Retired),
]


def test_the_two_lists_name_every_pair() -> None:
    assert len(REFUSED) + len(ALLOWED) == len(set(REFUSED + ALLOWED)) == (len(Service) + 1) * len(RULES)


@pytest.mark.parametrize(("service", "step"), REFUSED)
def test_a_pair_that_is_not_in_the_table_is_refused(service: Service | None, step: type[Details]) -> None:
    with pytest.raises(TransitionRefused, match="equipment balance_1: "):
        decide(None if service is None else state(service), ask(STEPS[step]), NOW, QA)


@pytest.mark.parametrize(("service", "step"), ALLOWED)
def test_a_pair_of_the_table_is_carried_out(service: Service | None, step: type[Details]) -> None:
    event = decide(None if service is None else state(service), ask(STEPS[step]), NOW, QA)
    assert read_event(event.type, event.data) == STEPS[step]
    assert event.data == data_of(STEPS[step])
    assert (event.occurred_at, event.actor, event.reason) == (NOW, QA, "because")


@pytest.mark.parametrize("step", list(STEPS))
@pytest.mark.parametrize("role", [role.value for role in Role] + ["", "boss"])
def test_roles(step: type[Details], role: str) -> None:
    before = {Commissioned: None, ReturnedToService: state(Service.OUT_OF_SERVICE)}.get(step, state(Service.IN_SERVICE))
    may = {
        Commissioned: {"QA", "EQ"},
        Calibrated: {"QA", "EQ", "QC"},
        TakenOutOfService: {"OP", "RV", "QC", "QA", "QP", "ST", "CL", "EQ"},
        ReturnedToService: {"QA", "EQ"},
        Retired: {"QA", "EQ"},
    }[step]
    if role in may:
        decide(before, ask(STEPS[step]), NOW, Actor("x", role))
    else:
        with pytest.raises(TransitionRefused, match=f"is not for role {role}, only for"):
            decide(before, ask(STEPS[step]), NOW, Actor("x", role))


def test_what_a_site_file_declares_can_be_commissioned_once() -> None:
    declared = state(Service.IN_SERVICE, since=None)
    assert decide(declared, ask(STEPS[Commissioned]), NOW, EQ).type == "commissioned"
    with pytest.raises(TransitionRefused, match="return it to service instead"):
        decide(state(Service.OUT_OF_SERVICE), ask(STEPS[Commissioned]), NOW, EQ)


def test_times() -> None:
    in_service = state(Service.IN_SERVICE, since=NOW - 2 * DAY_MS)
    late = NOW - HOUR_MS
    assert decide(in_service, ask(TakenOutOfService(), late), NOW, OP).occurred_at == late
    with pytest.raises(TransitionRefused, match=r"a late entry .* needs a reason"):
        decide(in_service, ask(CALIBRATED, late, ""), NOW, QA)
    assert decide(in_service, ask(CALIBRATED, NOW - 5 * MINUTE_MS, ""), NOW, QA)
    for wrong in (NOW + 1, -1):
        with pytest.raises(TransitionRefused, match="before it happens"):
            decide(in_service, ask(TakenOutOfService(), wrong), NOW, OP)
    with pytest.raises(TransitionRefused, match=r"would lie before 2026-01-03"):
        decide(in_service, ask(TakenOutOfService(), NOW - 3 * DAY_MS), NOW, OP)
    with pytest.raises(TransitionRefused, match="is not done yet"):
        ahead = Calibrated(certificate="K", calibrated_at=NOW + 1, due=NOW + DAY_MS)
        decide(in_service, ask(ahead), NOW, QA)


@pytest.mark.parametrize("step", [TakenOutOfService, ReturnedToService, Retired])
@pytest.mark.parametrize("reason", ["", "  "])
def test_a_change_of_service_needs_its_reason(step: type[Details], reason: str) -> None:
    before = state(Service.OUT_OF_SERVICE if step is ReturnedToService else Service.IN_SERVICE)
    with pytest.raises(TransitionRefused, match="needs a reason"):
        decide(before, ask(STEPS[step], reason=reason), NOW, QA)


def test_a_step_of_something_else() -> None:
    class Sold(Details):
        pass

    with pytest.raises(TransitionRefused, match="Sold is no step of equipment"):
        decide(state(Service.IN_SERVICE), ask(Sold()), NOW, QA)


@pytest.mark.parametrize(
    ("event_type", "data", "said"),
    [
        ("melted", {}, "'melted' of equipment is not known"),
        ("commissioned", {}, "document"),
        ("commissioned", {"document": " "}, "blank"),
        ("commissioned", {"document": "a\nb"}, "printable"),
        ("commissioned", {"document": 7}, "document"),
        ("commissioned", {"document": "IQ", "colour": "red"}, "colour"),
        ("taken_out_of_service", {"why": "x"}, "why"),
        ("calibrated", {"certificate": "K", "calibrated_at": 5, "due": 5}, "after the calibration"),
        ("calibrated", {"certificate": "K", "calibrated_at": 5, "due": float("nan")}, "due"),
        ("calibrated", {"certificate": "K", "calibrated_at": True, "due": 9}, "calibrated_at"),
        ("calibrated", {"certificate": "K", "calibrated_at": "2026-01-05", "due": 9}, "calibrated_at"),
        ("calibrated", {"certificate": "K", "calibrated_at": -1, "due": 9}, "calibrated_at"),
        ("calibrated", {"certificate": "K", "calibrated_at": 1, "due": 10**18}, "due"),
        ("calibrated", {"certificate": "\ud800", "calibrated_at": 1, "due": 9}, "certificate"),
    ],
)
def test_garbage_is_no_event(event_type: str, data: dict[str, object], said: str) -> None:
    with pytest.raises(BatchError, match=said) as error:
        read_event(event_type, data)
    assert "\n" not in str(error.value)


ROLES = st.sampled_from([role.value for role in Role])
ASKED = st.tuples(st.sampled_from(list(STEPS)), ROLES, st.integers(0, 3), st.integers(0, 4), st.booleans())
NEXT = {
    (None, Commissioned): Service.IN_SERVICE,
    (Service.IN_SERVICE, TakenOutOfService): Service.OUT_OF_SERVICE,
    (Service.OUT_OF_SERVICE, ReturnedToService): Service.IN_SERVICE,
    (Service.IN_SERVICE, Retired): Service.RETIRED,
    (Service.OUT_OF_SERVICE, Retired): Service.RETIRED,
}


@given(st.lists(ASKED, max_size=25), st.sampled_from([None, True, False]))
def test_no_order_of_commands_reaches_an_illegal_state(
    asked: list[tuple[type[Details], str, int, int, bool]], declared_in_service: bool | None
) -> None:
    declared = None
    if declared_in_service is not None:
        declared = Declared("balance_1", "device", "balance_1", declared_in_service, None)
    happenings: list[Happening] = []
    now = NOW
    for step, role, hours_on, hours_late, has_reason in asked:
        now += hours_on * HOUR_MS
        command = ask(STEPS[step], now - hours_late * HOUR_MS, "because" if has_reason else "")
        before = state_at("balance_1", declared, sorted(happenings), now)
        try:
            event = decide(before, command, now, Actor("somebody", role))
        except TransitionRefused:
            continue
        assert role not in ("AD", "DEV")
        details = read_event(event.type, event.data)
        assert event.occurred_at is not None and event.occurred_at <= now
        at = details.calibrated_at if isinstance(details, Calibrated) else event.occurred_at
        happenings.append(Happening(at, len(happenings) + 1, details, event.reason))
        after = state_at("balance_1", declared, sorted(happenings), now)
        assert after is not None
        was = None if before is None else before.service
        if step is Calibrated:
            assert was is not Service.RETIRED and after.service is was
            assert after.calibrated_until == CALIBRATED.due
        elif step is Commissioned:
            assert before is None or before.since is None
            assert after.service is Service.IN_SERVICE
        else:
            assert after.service is NEXT[was, step]
        assert after.since is None or after.since <= now


def test_an_administrator_never() -> None:
    for step in STEPS.values():
        for before in (None, *map(state, Service)):
            with pytest.raises(TransitionRefused):
                decide(before, ask(step), NOW, AD)
