"""Drivers by name."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from cultureops.device import registry
from cultureops.device.registry import create_driver, known_drivers
from cultureops.device.transport.open import open_link
from cultureops.errors import ConfigError

OURS = ("astm_counter", "cell_counter_files", "image_folder", "incucyte", "modbus", "mve_tec3000", "thermo_heracell")


def test_our_drivers_are_installed() -> None:
    assert set(OURS) <= set(known_drivers())


def test_a_driver_is_created_by_its_name(tmp_path: Path) -> None:
    assert hasattr(create_driver("cell_counter_files", "counter_1", tmp_path, {}), "collect")
    driver = create_driver("thermo_heracell", "heracell_4", open_link("tcp://127.0.0.1:9", 1.0), {})
    assert not hasattr(driver, "collect")


def test_an_unknown_name_lists_the_known() -> None:
    with pytest.raises(ConfigError, match=r"^x_1: there is no driver 'modbuss'; known drivers: .*modbus.*") as raised:
        create_driver("modbuss", "x_1", Path(), {})
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("value", ["no_such_package_here:create", "cultureops.errors:no_such_name"])
def test_a_broken_driver_is_one_line(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    entries = {"broken": EntryPoint("broken", value, registry.GROUP)}
    monkeypatch.setattr(registry, "installed", lambda: entries)
    with pytest.raises(ConfigError, match=r"x_1: driver 'broken' .* can't be loaded"):
        create_driver("broken", "x_1", Path(), {})


def test_an_empty_installation_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "installed", dict)
    with pytest.raises(ConfigError, match="is the package installed"):
        create_driver("modbus", "x_1", Path(), {})
