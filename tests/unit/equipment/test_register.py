"""What the register answers is as of a time, and a record wins over the site file."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.signing import keep_equipment as execute

from cultureops.clock import DAY_MS, Instant, SeededEntropy, SteppedClock, iso, parse_iso
from cultureops.conduct import REFUSALS, Command
from cultureops.equipment import Declared, EquipmentRegister, Service
from cultureops.equipment.events import (
    PREFIX,
    Calibrated,
    Commissioned,
    Retired,
    ReturnedToService,
    TakenOutOfService,
)
from cultureops.errors import BatchError, ConcurrencyError, TransitionRefused
from cultureops.field import Details
from cultureops.ledger import Actor, Event, NewEvent, Source, SqlLedger
from cultureops.ledger.store import Group

START = parse_iso("2026-01-05T08:00:00Z")
QA = Actor("qa-1", "QA")
DECLARED = Declared("incubator_1", "incubator", "Incubator 1", True, START + 10 * DAY_MS)


class Kept:
    """A ledger on a disk, a register that follows it, and a clock that is turned by days."""

    def __init__(self, folder: Path, declared: Declared | None) -> None:
        self.clock = SteppedClock(START)
        self.ledger = SqlLedger.open(folder / "ledger.sqlite", self.clock, SeededEntropy(1))
        self.declared = declared
        self.register = EquipmentRegister(chambers=() if declared is None else (declared,))
        self.ledger.on_append.append(self._follow)

    def _follow(self, events: tuple[Event, ...]) -> None:
        for event in events:
            self.register.apply(event)

    async def on_day(self, day: int, details: Details, at_day: int | None = None) -> None:
        self.clock.advance(START + day * DAY_MS - self.clock.now())
        at = None if at_day is None else START + at_day * DAY_MS
        name = "incubator_1" if self.declared is None else self.declared.id
        await execute(self.ledger, self.declared, Command(name, details, at, "why"), self.clock.now(), QA)

    def service(self, day: float) -> str:
        state = self.register.fact("incubator_1", day_of(day))
        return "unknown" if state is None else state.service

    def until(self, day: float) -> float | None:
        state = self.register.fact("incubator_1", day_of(day))
        assert state is not None
        return None if state.calibrated_until is None else (state.calibrated_until - START) / DAY_MS


def day_of(day: float) -> Instant:
    return START + round(day * DAY_MS)


def calibrated(day: int, due: int) -> Calibrated:
    return Calibrated(certificate=f"K-{day}", calibrated_at=day_of(day), due=day_of(due))


async def test_a_record_wins_over_the_site_file(tmp_path: Path) -> None:
    kept = Kept(tmp_path, DECLARED)
    assert (kept.service(0), kept.until(0)) == ("in service", 10)
    await kept.on_day(2, TakenOutOfService())
    await kept.on_day(4, calibrated(3, 400))
    await kept.on_day(5, ReturnedToService())
    assert [kept.service(day) for day in (1.9, 2, 4.9, 5)] == [
        "in service", "out of service", "out of service", "in service",
    ]  # fmt: skip
    assert [kept.until(day) for day in (2.9, 3, 20)] == [10, 400, 400]
    state = kept.register.fact("incubator_1", day_of(5))
    assert state is not None and (state.certificate, state.reason, state.since) == ("K-3", "why", day_of(5))
    await kept.ledger.close()


async def test_the_calibration_done_last_counts_whenever_it_was_entered(tmp_path: Path) -> None:
    kept = Kept(tmp_path, DECLARED)
    await kept.on_day(6, calibrated(5, 100))
    await kept.on_day(7, calibrated(2, 400))  # an older certificate that comes later
    assert [kept.until(day) for day in (1, 2, 4.9, 5, 7)] == [10, 400, 400, 100, 100]
    await kept.ledger.close()


async def test_what_no_site_file_names_is_unknown_until_it_is_commissioned(tmp_path: Path) -> None:
    kept = Kept(tmp_path, None)
    with pytest.raises(TransitionRefused, match="nothing is on record; commission it first"):
        await kept.on_day(0, calibrated(0, 100))
    await kept.on_day(3, Commissioned(document="IQ-1", title="Incubator", serial_number="7"), at_day=1)
    assert [kept.service(day) for day in (0.9, 1)] == ["unknown", "in service"]
    state = kept.register.fact("incubator_1", day_of(3))
    assert state is not None and (state.title, state.document, state.serial_number) == ("Incubator", "IQ-1", "7")
    assert (state.calibrated_until, state.calibration_ended(day_of(9999))) == (None, False)
    await kept.on_day(4, Retired())
    assert kept.service(4) == "retired" and kept.register.ids() == ("incubator_1",)
    (refused,) = kept.ledger.read(REFUSALS)
    assert (refused.type, refused.actor, refused.data["command"], refused.data["error"]) == (
        "command_refused", QA, "Calibrated", "TransitionRefused",
    )  # fmt: skip
    assert "incubator_1" in str(refused.data["message"])
    await kept.ledger.close()


async def test_a_calibration_from_before_the_commissioning_counts(tmp_path: Path) -> None:
    kept = Kept(tmp_path, None)
    await kept.on_day(3, Commissioned(document="IQ-1", title="Incubator"))
    await kept.on_day(3, calibrated(1, 100))
    assert [kept.service(day) for day in (0, 1, 3)] == ["unknown", "out of service", "in service"]
    state = kept.register.fact("incubator_1", day_of(4))
    assert state is not None and (state.title, kept.until(4)) == ("Incubator", 100)
    await kept.ledger.close()


async def test_what_is_due(tmp_path: Path) -> None:
    kept = Kept(tmp_path, DECLARED)
    assert [row.equipment.id for row in kept.register.due(START, 10)] == ["incubator_1"]
    assert kept.register.due(START, 9.9) == ()
    (over,) = kept.register.due(day_of(10), 0)
    assert over.is_over and over.due == day_of(10)
    await kept.on_day(1, calibrated(1, 300))
    assert kept.register.due(day_of(10), 30) == ()
    await kept.on_day(2, Retired())
    assert kept.register.due(day_of(400), 30) == ()
    await kept.ledger.close()


def test_a_device_that_bears_its_chambers_name() -> None:
    def of(kind: str, until: Instant | None) -> Declared:
        return Declared("incubator_1", kind, "x", True, until)

    def over(chamber: Instant | None, device: Instant | None, at: Instant) -> bool:
        register = EquipmentRegister(devices=[of("device", device)], chambers=[of("incubator", chamber)])
        fact = register.fact("incubator_1", at)
        assert fact is not None and (fact.kind, fact.calibrated_until) == ("incubator", chamber)
        return register.is_out_of_calibration("incubator_1", at)

    assert not over(None, None, 100)
    assert [over(50, None, at) for at in (49, 50)] == [False, True]
    assert [over(None, 50, at) for at in (49, 50)] == [False, True]
    assert [over(10, 50, at) for at in (49, 50)] == [False, True]
    assert not EquipmentRegister().is_out_of_calibration("nobody", 1)


def test_a_certificate_ends_what_the_site_file_said() -> None:
    device = Declared("probe_1", "device", "probe_1", True, day_of(1))
    register = EquipmentRegister(devices=[device])
    data = {"certificate": "K-1", "calibrated_at": iso(day_of(3)), "due": iso(day_of(9))}
    register.apply(recorded("calibrated", data, stream="equipment:probe_1"))
    assert [register.is_out_of_calibration("probe_1", day_of(day)) for day in (0, 1, 2.9, 3, 8.9, 9)] == [
        False, True, True, False, False, True,
    ]  # fmt: skip


def recorded(event_type: str, data: dict[str, str], stream: str = "equipment:x") -> Event:
    return Event(
        1, stream, 1, "e", event_type, data, QA, Source.HUMAN, START, START, "", 1, "local", "", b"", "",
    )  # fmt: skip


def test_an_event_of_a_newer_program_is_not_passed_over() -> None:
    register = EquipmentRegister()
    register.apply(recorded("melted", {}, stream="device:x"))
    with pytest.raises(BatchError, match="use a newer one"):
        register.apply(recorded("melted", {}))


async def test_who_appended_first_wins_and_the_other_is_decided_anew(tmp_path: Path) -> None:
    kept = Kept(tmp_path, DECLARED)

    class Overtaken:
        """A ledger to which somebody else appends between reading and appending."""

        def __init__(self, times: int) -> None:
            self.times = times

        read = staticmethod(kept.ledger.read)
        append = staticmethod(kept.ledger.append)

        async def append_many(self, groups: Sequence[Group]) -> tuple[Event, ...]:
            stream = groups[0][0]
            if self.times and stream.startswith(PREFIX):
                self.times -= 1
                other = NewEvent("calibrated", calibrated(0, 50).model_dump(mode="json"), QA, Source.HUMAN)
                await kept.ledger.append(stream, [other], None)
            return await kept.ledger.append_many(groups)

    command = Command("incubator_1", TakenOutOfService(), None, "why")
    back = Command("incubator_1", ReturnedToService(), None, "why")
    state = await execute(Overtaken(1), DECLARED, command, START, QA)  # type: ignore[arg-type]
    assert (state.service, state.certificate) == (Service.OUT_OF_SERVICE, "K-0")
    with pytest.raises(TransitionRefused, match="the record has changed since it was shown"):
        await execute(Overtaken(1), DECLARED, back, START, QA)  # type: ignore[arg-type]
    retire = Command("incubator_1", Retired(), None, "why")
    with pytest.raises(ConcurrencyError):
        await execute(Overtaken(2), DECLARED, retire, START, QA)  # type: ignore[arg-type]
    await kept.ledger.close()


@pytest.mark.parametrize("name", ["", " ", " x", "x\n", "x" * 101, "\ud800"])
async def test_what_can_be_no_id(tmp_path: Path, name: str) -> None:
    kept = Kept(tmp_path, None)
    with pytest.raises(BatchError, match="is no id"):
        await execute(kept.ledger, None, Command(name, Commissioned(document="IQ")), START, QA)
    await kept.ledger.close()
