"""What the director does with what nobody planted, and how lab time is paced."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cultureops.clock import SeededEntropy, SteppedClock, parse_iso
from cultureops.demo.director import Director, UnplannedMiss
from cultureops.demo.fleet import Fleet, FleetFailed, start_fleet
from cultureops.demo.lab import LAB_DAY_ONE, fleet_devices, folders
from cultureops.demo.pace import DemoPace
from cultureops.demo.patient import patients_of
from cultureops.demo.site_file import site_text
from cultureops.demo.technician import Technician
from cultureops.demo.trouble import Troubles
from cultureops.device.registry import driver_folder
from cultureops.lab import open_lab
from cultureops.site import read_site

Stage = tuple[Director, Fleet, SteppedClock]


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    """The demo's lab with its simulators, nothing planted."""
    for inbox in folders(tmp_path):
        inbox.mkdir()
    devices = fleet_devices(driver_folder("modbus") / "profiles", tmp_path)
    async with start_fleet(tmp_path / "fleet.json", 1, LAB_DAY_ONE, devices) as fleet:
        (tmp_path / "site.toml").write_text(site_text(fleet.wires, tmp_path, 0))
        clock = SteppedClock(parse_iso(LAB_DAY_ONE))
        async with open_lab(read_site(tmp_path / "site.toml"), tmp_path, clock, SeededEntropy(1)) as lab:
            technician = Technician(lab, fleet, patients_of("tavakol_afshari_2021"), 1)
            pace = DemoPace(clock, 3600.0, headless=True)
            yield Director(lab, fleet, technician, Troubles(clock.now(), ()), pace), fleet, clock


async def test_a_miss_that_nobody_planted_ends_the_run_by_name(stage: Stage) -> None:
    director, fleet, _ = stage
    for _ in range(3):
        await director.step()
    await fleet.plant("incubator_2", "silent")
    with pytest.raises(UnplannedMiss, match=r"incubator_2 was missed at 2026-01-05T08:04:00\.000Z and nobody"):
        await director.step()


async def test_garbage_on_a_serial_line_is_a_miss_too(stage: Stage) -> None:
    director, fleet, _ = stage
    await director.step()
    await fleet.plant("heracell_4", "garbage")
    with pytest.raises(UnplannedMiss, match="heracell_4"):
        await director.step()


async def test_the_simulators_say_what_they_refuse(stage: Stage) -> None:
    _, fleet, _ = stage
    with pytest.raises(FleetFailed, match="teapot"):
        await fleet.plant("teapot", "silent")
    with pytest.raises(FleetFailed, match="harvest"):
        await fleet.act("harvest", culture="nobody", volume_ml=1.0)


async def test_lab_time_stands_still_when_paused() -> None:
    clock = SteppedClock(0)
    pace = DemoPace(clock, 3600.0, headless=False)
    assert pace.progress() == (0, 10 * 86_400_000)
    pace.paused = True
    assert pace.paused
    pace.paused = False
    await pace.before_step()
    assert not pace.paused
