"""The demo's site file is read like any other, and leaves calibration to the record."""

from pathlib import Path

from cultureops.demo.lab import BATH, CENTRIFUGE, COLD_ROOM, CRYOSTORE, fleet_devices
from cultureops.demo.site_file import site_text
from cultureops.lab import Lab
from cultureops.site import read_site


def written(folder: Path, period_s: int, *, thaws: bool = True) -> Path:
    names = [str(device["name"]) for device in fleet_devices(folder, folder, thaws=thaws)]
    wires = {name: {"tcp": f"127.0.0.1:{port}", "pty": f"/tmp/{name}"} for port, name in enumerate(names, 5000)}
    file = folder / "site.toml"
    file.write_text(site_text(wires, folder, 0, period_s), encoding="utf-8")
    return file


def test_it_is_read_with_its_rooms_chambers_and_alarms(tmp_path: Path) -> None:
    site = read_site(written(tmp_path, 60))
    classes = {chamber.id: chamber.chamber_class for chamber in site.chambers.values()}
    assert classes[BATH] == "bath" and classes[CENTRIFUGE] == "centrifuge"
    assert (classes[COLD_ROOM], classes["clean_room_1"]) == ("refrigerator", "room")
    assert classes[CRYOSTORE] == "cryostore"
    assert site.chambers["incubator_1"].room == "clean_room_1"
    _, rules = Lab.plan(site)
    assert {rule.chamber for rule in rules} == {
        *("incubator_1", "incubator_2", "incubator_3", "incubator_4"),
        *("cryostore_1", "cryostore_2", COLD_ROOM),
    }


def test_it_states_no_calibration_and_marks_every_source_as_simulated(tmp_path: Path) -> None:
    site = read_site(written(tmp_path, 60))
    assert all(chamber.calibrated_until is None for chamber in site.chambers.values())
    assert all(device.calibrated_until is None and device.simulated for device in site.devices)


def test_incubators_are_asked_as_often_as_was_said(tmp_path: Path) -> None:
    periods = {device.id: device.period_ms for device in read_site(written(tmp_path, 600)).devices}
    assert periods["incubator_1"] == periods["heracell_4"] == 600_000
    assert periods["mve_1"] == 300_000


def test_a_lab_that_never_thaws_has_no_instruments_for_it(tmp_path: Path) -> None:
    site = read_site(written(tmp_path, 60, thaws=False))
    assert {BATH, CENTRIFUGE}.isdisjoint(device.id for device in site.devices)
    assert {BATH, CENTRIFUGE} <= set(site.chambers)
