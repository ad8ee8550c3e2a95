"""The simulator of any map, read by the driver's own decoder: every point of every shipped profile comes back."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from cultureops.device.profile import Profile, Settings, load_profile
from cultureops.device.register import decode, plan
from cultureops_simulators.instrument import SimulatorError
from cultureops_simulators.register_map import build
from cultureops_simulators.register_map.points import read_map

PROFILES = sorted((Path(__file__).parents[2] / "drivers/cultureops_drivers/modbus/profiles").glob("*.toml"))
OPTIONS = {"word_order": "low_first", "decimals": 1, "unit_code": 4096}


def shown(profile: Profile, path: Path, forced: dict[str, float]) -> dict[str, float]:
    """Force values and read the registers as the driver does; raw numbers are scaled."""
    simulator = build("x", {"profile": str(path), **OPTIONS}, np.random.default_rng(1))
    for name, value in forced.items():
        simulator.panel.force(name, value)
    simulator.step(1.0)
    found: dict[str, float] = {}
    for request in plan([row.point for row in profile.points], profile.max_gap, profile.blocks):
        data = simulator._reader(request.function)(request.address, request.count)
        assert data is not None
        words = [int.from_bytes(data[index : index + 2], "big") for index in range(0, len(data), 2)]
        for point in request.points:
            found[point.name] = point.scaled(decode(point, request.address, words))
    return found


@pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.stem)
def test_every_point_is_shown_as_it_is_forced(path: Path) -> None:
    profile = load_profile(path).settled(Settings("low_first", 1, 4096))
    wanted = {}
    parts = {(row.point.function, row.point.address) for row in profile.points if row.point.bitmask}
    for row in profile.points:
        point = row.point
        if not point.bitmask and (point.function, point.address) in parts:
            continue
        is_small = point.type == "bit" or bool(point.bitmask)
        wanted[point.name] = point.scaled(1.0 if is_small else 42.0)
    found = shown(profile, path, wanted)
    assert {name: found[name] for name in wanted} == pytest.approx(wanted, rel=1e-6)


@pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.stem)
def test_at_rest_every_status_says_that_all_is_well(path: Path) -> None:
    profile = load_profile(path).settled(Settings("low_first", 1, 4096))
    found = shown(profile, path, {})
    for row in profile.points:
        raw = (found[row.point.name] - row.point.offset) / row.point.scale
        assert not row.point.expect or raw in row.point.expect
        assert raw not in row.point.sentinels
        for rule in row.point.status:
            status = round(found[rule.point])
            assert not status & rule.bad_bits and not rule.good_bits & ~status
            assert not rule.expect or status in rule.expect


def test_what_a_register_can_not_hold_ends_at_its_range(tmp_path: Path) -> None:
    file = tmp_path / "p.toml"
    file.write_text(
        '[device]\n[[point]]\nname = "a"\naddress = 0\nfunction = 3\ntype = "int16"\nscale = 0.1\n', encoding="utf-8"
    )
    (point,) = read_map("x", {"profile": str(file)}).points
    assert [point.words(value) for value in (-0.1, 4000.0, -4000.0)] == [(0xFFFF,), (0x7FFF,), (0x8000,)]
    assert math.isclose(point.scale, 0.1)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "KeyError"),
        ("[device", "TOMLDecodeError"),
        ('[device]\n[[point]]\nname = "a"\naddress = 0\nfunction = 2\ntype = "bit"\n', "functions 3 and 4"),
        ('[device]\n[[point]]\nname = "a"\naddress = 0\nfunction = 3\ntype = "text"\n', "functions 3 and 4"),
        ('[device]\n[[point]]\nname = "a"\naddress = 0\nbase = 7\nfunction = 3\ntype = "int16"\n', "base 7"),
        ("point = 3\n[device]\n", "can't be read"),
    ],
)
def test_a_profile_that_can_not_be_served_is_refused(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "p.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(SimulatorError, match=said):
        build("x", {"profile": str(file)}, np.random.default_rng(1))


def test_a_wrong_unit_id_is_refused() -> None:
    with pytest.raises(SimulatorError, match="unit_id"):
        build("x", {"profile": str(PROFILES[0]), "unit_id": 300}, np.random.default_rng(1))
    with pytest.raises(SimulatorError, match="can't be read"):
        build("x", {}, np.random.default_rng(1))
