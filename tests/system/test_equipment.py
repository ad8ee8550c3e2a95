"""Records of equipment in a running lab: they reach the readings of a real instrument's simulator, and the gates."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.hired import hire
from tests.signing import keep_equipment as execute
from tests.signing import keep_lot as execute_on_lot

from cultureops.batch.commands import Command as BatchCommand
from cultureops.batch.commands import Note, Resuspend
from cultureops.clock import DAY_MS, HOUR_MS, MINUTE_MS, SeededEntropy, SteppedClock, parse_iso
from cultureops.conduct import Command
from cultureops.device.reading import Quality, Reason
from cultureops.device.registry import driver_folder
from cultureops.equipment.events import Calibrated, ReturnedToService, TakenOutOfService
from cultureops.field import Details
from cultureops.lab import Lab, open_lab
from cultureops.ledger import Actor
from cultureops.material.events import LotRecalled, LotReceived, LotReleased
from cultureops.site import read_site
from cultureops_simulators.fleet import Fleet, parse_fleet

START = parse_iso("2026-01-05T08:00:00Z")
QA, OP = Actor("qa-1", "QA"), Actor("operator-1", "OP")
PROFILE = "cultureops_virtual_incubator"
SITE = """
[site]
name = "lab"
[[chamber]]
id = "incubator_1"
class = "incubator"
[[device]]
id = "probe_1"
chamber = "incubator_1"
driver = "modbus"
link = "modbus+tcp://{address}"
simulated = true
calibrated_until = "2026-01-05T08:02:00Z"
options = {{ profile = "cultureops_virtual_incubator" }}
[[device]]
id = "probe_2"
chamber = "incubator_1"
driver = "modbus"
link = "modbus+tcp://{address}"
simulated = true
options = {{ profile = "cultureops_virtual_incubator", unit_id = 1 }}
"""


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock(START)


@pytest.fixture
async def fleet() -> AsyncIterator[Fleet]:
    options = {"profile": str(driver_folder("modbus") / "profiles" / f"{PROFILE}.toml")}
    device = {"name": "probe_1", "kind": "virtual_incubator", "wire": {"tcp": "127.0.0.1:0"}, "options": options}
    with closing(Fleet(parse_fleet({"seed": 7, "devices": [device]}))) as running:
        yield running


@pytest.fixture
async def lab(tmp_path: Path, clock: SteppedClock, fleet: Fleet) -> AsyncIterator[Lab]:
    site = tmp_path / "site.toml"
    site.write_text(SITE.format(address=fleet.addresses["probe_1"]["tcp"]))
    async with open_lab(read_site(site), tmp_path, clock, SeededEntropy(1)) as opened:
        yield opened


async def minute(lab: Lab, clock: SteppedClock) -> dict[str, tuple[Quality, Reason]]:
    """Poll once, let it be stored, and return how the temperatures were judged."""
    await lab.recorder.accept(await lab.acquisition.poll_once(clock.advance(MINUTE_MS)))
    await lab.store.flush()
    latest = lab.store.latest()
    assert all(latest[f"{name}/temperature"].value is not None for name in ("probe_1", "probe_2"))
    return {
        name: (latest[f"{name}/temperature"].quality, latest[f"{name}/temperature"].reason)
        for name in ("probe_1", "probe_2")
    }


async def record(lab: Lab, name: str, details: Details, actor: Actor = QA) -> None:
    command = Command(name, details, None, "why")
    await execute(lab.ledger, lab.equipment.declared(name), command, lab.clock.now(), actor)


GOOD, OVER = (Quality.GOOD, Reason.NONE), (Quality.UNCERTAIN, Reason.OUT_OF_CALIBRATION)


async def test_readings_are_uncertain_from_the_end_of_the_calibration_on(lab: Lab, clock: SteppedClock) -> None:
    judged = [await minute(lab, clock) for _ in range(3)]
    assert [row["probe_1"] for row in judged] == [GOOD, OVER, OVER]
    assert [row["probe_2"] for row in judged] == [GOOD] * 3  # no calibration on record: the site decides
    now = clock.now()
    await record(lab, "probe_1", Calibrated(certificate="K-1", calibrated_at=now, due=now + 2 * MINUTE_MS))
    assert [(await minute(lab, clock))["probe_1"] for _ in range(3)] == [GOOD, OVER, OVER]
    series = await lab.store.series("probe_1/temperature", START, clock.now() + 1)
    assert [reading.quality for reading in series.readings("probe_1/temperature")] == [
        Quality.GOOD, *[Quality.UNCERTAIN] * 2, Quality.GOOD, *[Quality.UNCERTAIN] * 2,
    ]  # fmt: skip
    data = Calibrated(certificate="K-2", calibrated_at=START, due=START + 60_000)
    await record(lab, "probe_2", data)
    assert (await minute(lab, clock))["probe_2"] == OVER


async def test_what_a_decision_sees_is_what_the_records_say(lab: Lab, clock: SteppedClock) -> None:
    async def seen(at: int | None = None) -> tuple[bool, int | None]:
        facts = await lab.desk.facts("B-1", OP, None, BatchCommand("B-1", Note(text="x"), at))
        return facts.equipment["incubator_1"].in_service, facts.equipment["incubator_1"].calibrated_until

    assert await seen() == (True, None)
    due = START + DAY_MS
    await record(lab, "incubator_1", Calibrated(certificate="K-1", calibrated_at=START, due=due))
    assert await seen() == (True, due)
    clock.advance(HOUR_MS)
    await record(lab, "incubator_1", TakenOutOfService(), OP)
    assert await seen() == (False, due)
    assert await seen(clock.now() - 1) == (True, due)  # a late entry is judged at its own time
    clock.advance(HOUR_MS)
    await record(lab, "incubator_1", ReturnedToService())
    assert await seen() == (True, due)


async def test_a_late_use_of_a_lot_and_a_late_release(lab: Lab, clock: SteppedClock) -> None:
    receipt = LotReceived(
        material="saline", supplier="maker", quantity=1.0, unit="L", expires_at=START + DAY_MS, certificate="C-1"
    )
    for details, actor in ((receipt, OP), (LotReleased(), QA), (LotRecalled(), QA)):
        await execute_on_lot(lab.ledger, Command("S-1", details, None, "why"), clock.now(), actor)
        clock.advance(HOUR_MS)
    use = Resuspend(diluent="saline", diluent_lot="S-1", volume_ml=5.0, viable_density_1e6_per_ml=1.0)
    in_between = START + HOUR_MS + MINUTE_MS
    for step, status in ((use, "released"), (Note(text="stands for any step that uses no lot"), "recalled")):
        facts = await lab.desk.facts("B-1", OP, None, BatchCommand("B-1", step, in_between))
        assert facts.lots["S-1"].status == status


async def test_a_command_beside_the_running_lab_reaches_it(lab: Lab, tmp_path: Path) -> None:
    asked = ("equipment", "out-of-service", "probe_1", "--reason", "door", "--actor", "operator-1", "--role", "OP")
    folder = ("--data-dir", str(tmp_path), "--site", str(tmp_path / "site.toml"))
    await asyncio.to_thread(hire, tmp_path, (*asked, *folder))
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "cultureops", *asked, *folder)
    async with asyncio.timeout(60):
        assert await process.wait() == 0
    await lab.ledger.catch_up()
    (event,) = lab.ledger.read("equipment:probe_1")
    state = lab.equipment.fact("probe_1", event.occurred_at)
    assert state is not None and (state.in_service, state.reason) == (False, "door")


async def test_records_outlive_a_restart(tmp_path: Path, clock: SteppedClock) -> None:
    (tmp_path / "site.toml").write_text(SITE.format(address="127.0.0.1:1"))
    site = read_site(tmp_path / "site.toml")
    receipt = LotReceived(
        material="DMEM", supplier="maker", quantity=1.0, unit="L", expires_at=START + DAY_MS, certificate="C-1"
    )
    async with open_lab(site, tmp_path, clock, SeededEntropy(1)) as lab:
        await record(lab, "probe_1", Calibrated(certificate="K-1", calibrated_at=START, due=START + DAY_MS))
        await execute_on_lot(lab.ledger, Command("M-17", receipt), START, OP)
        await execute_on_lot(lab.ledger, Command("M-17", LotReleased()), START, QA)
        facts = lab.equipment.fact("probe_1", START), lab.lots.fact("M-17", START)
    async with open_lab(site, tmp_path, clock, SeededEntropy(2)) as lab:
        assert (lab.equipment.fact("probe_1", START), lab.lots.fact("M-17", START)) == facts
        assert facts[1] is not None and facts[1].is_usable
