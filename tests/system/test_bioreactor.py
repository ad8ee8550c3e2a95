"""A batch in a bioreactor: a chamber like any other, whose vessel, alarms and record belong together."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from tests.people import act
from tests.system.test_lab import OPERATOR, START, seed_batch

from cultureops.batch import commands as do
from cultureops.batch.commands import Command
from cultureops.clock import MINUTE_MS, SeededEntropy, SteppedClock
from cultureops.device.registry import driver_folder
from cultureops.errors import ConfigError
from cultureops.lab import Lab, open_lab
from cultureops.site import read_site
from cultureops_simulators.arguments import Arguments
from cultureops_simulators.fleet import Fleet, parse_fleet

PROFILE = "cultureops_virtual_bioreactor"
SITE = """
[site]
name = "lab"
[[chamber]]
id = "reactor_1"
class = "bioreactor"
calibrated_until = "2026-12-31T00:00:00Z"
[[device]]
id = "reactor_1"
chamber = "reactor_1"
driver = "modbus"
link = "modbus+tcp://{address}"
simulated = true
options = {{ profile = "cultureops_virtual_bioreactor" }}
[[alarm]]
class = "bioreactor"
channel = "ph"
kind = "high"
limit = 7.6
on_delay_s = 120
priority = "high"
gmp_critical = true
consequence = "The cells stop growing."
response = "Check the CO2."
[[alarm]]
class = "bioreactor"
kind = "communication"
priority = "low"
consequence = "Nobody sees."
response = "Look."
"""


def fleet_with_reactor() -> Fleet:
    options = {"profile": str(driver_folder("modbus") / "profiles" / f"{PROFILE}.toml")}
    device = {"name": "reactor_1", "kind": "virtual_bioreactor", "wire": {"tcp": "127.0.0.1:0"}, "options": options}
    return Fleet(parse_fleet({"seed": 7, "devices": [device]}))


async def minutes(lab: Lab, fleet: Fleet, clock: SteppedClock, count: int) -> None:
    for _ in range(count):
        fleet.lab.step(60.0)
        await lab.recorder.accept(await lab.acquisition.poll_once(clock.advance(MINUTE_MS)))
        lab.recorder.tick(clock.now())
        await lab.settle()


async def test_occupancy_and_exposure_in_a_bioreactor(tmp_path: Path) -> None:
    clock = SteppedClock(START)
    with closing(fleet_with_reactor()) as fleet:
        (tmp_path / "site.toml").write_text(SITE.format(address=fleet.addresses["reactor_1"]["tcp"]))
        async with open_lab(read_site(tmp_path / "site.toml"), tmp_path, clock, SeededEntropy(1)) as lab:
            await seed_batch(lab, clock, "reactor_1")
            seeded = Arguments("seed", {"culture": "B-1-P0", "chamber": "reactor_1", "cells": 3.6e7, "n_vessels": 1,
                                        "area_cm2": 2100.0, "passage": 0})  # fmt: skip
            fleet.lab.act("seed", seeded)
            assert lab.batches.exposed("reactor_1", clock.now(), clock.now()) == ("B-1",)
            await minutes(lab, fleet, clock, 5)
            latest = lab.store.latest()
            assert latest["reactor_1/ph"].value == pytest.approx(7.4, abs=0.1)
            assert latest["reactor_1/agitation"].value == pytest.approx(60, abs=2)
            assert not lab.engine.active()
            fleet.set_fault("reactor_1", "co2_supply", Arguments("fault", {}))
            await minutes(lab, fleet, clock, 20)
            (raised,) = lab.ledger.read("alarm:reactor_1/ph/high")
            assert raised.data["batch_ids"] == ["B-1"] and "B-1" in str(raised.data["text"])
            batch = lab.batches.get("B-1")
            assert batch is not None and [(stay.chamber, stay.taken) for stay in batch.occupancies] == [
                ("reactor_1", None)
            ]
            assert [exposure.rule_id for exposure in batch.exposures] == ["reactor_1/ph/high"]
            fleet.clear("reactor_1")
            fleet.set_fault("reactor_1", "cut", Arguments("fault", {}))
            await minutes(lab, fleet, clock, 5)
            gaps = await lab.gaps_seen_by(batch)
            assert {(gap.chamber, gap.reason) for gap in gaps} == {("reactor_1", "no link to the device")}
            assert {gap.channel for gap in gaps} == set(lab.channels)


async def test_moved_out_of_it_a_batch_is_no_longer_exposed(tmp_path: Path) -> None:
    clock = SteppedClock(START)
    other = '[[chamber]]\nid = "incubator_1"\nclass = "incubator"\ncalibrated_until = "2026-12-31T00:00:00Z"\n'
    (tmp_path / "site.toml").write_text(SITE.format(address="127.0.0.1:1") + other)
    async with open_lab(read_site(tmp_path / "site.toml"), tmp_path, clock, SeededEntropy(1)) as lab:
        await seed_batch(lab, clock, "reactor_1")
        await act(lab, Command("B-1", do.Move(vessels="B-1-P0", to_chamber="incubator_1")), OPERATOR)
        now = clock.advance(MINUTE_MS)
        assert lab.batches.exposed("reactor_1", now, now) == ()
        assert lab.batches.exposed("incubator_1", now, now) == ("B-1",)


def test_a_class_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "site.toml").write_text(SITE.format(address="127.0.0.1:1").replace('"bioreactor"', '"fermenter"', 1))
    with pytest.raises(ConfigError, match="bioreactor"):
        read_site(tmp_path / "site.toml")
