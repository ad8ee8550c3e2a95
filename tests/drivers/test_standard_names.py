"""Pages, rules and reports ask for channels by standard names: what a driver delivers is among its class's."""

from __future__ import annotations

import pytest

from cultureops.device.channel import STANDARD_NAMES
from cultureops.device.driver import Driver
from cultureops.testing import MemoryLink
from cultureops.units import UCUM
from cultureops_drivers import ami_185, hettich_rotanta, julabo, mettler_sics, mve_tec3000, thermo_tsx

LINK = MemoryLink(lambda _: None)
DRIVERS = [
    ("cryostore", mve_tec3000.create("d", LINK, {})),
    ("cryostore", ami_185.create("d", LINK, {})),
    ("cryostore", ami_185.create("d", LINK, {"unit": "cm"})),
    ("freezer", thermo_tsx.create("d", LINK, {"status_address": "frame"})),
    ("bath", julabo.create("d", LINK, {})),
    ("balance", mettler_sics.create("d", LINK, {})),
    ("centrifuge", hettich_rotanta.create("d", LINK, {"address": "T"})),
]


@pytest.mark.parametrize(("device_class", "driver"), DRIVERS)
def test_names_and_units_are_the_standard_ones(device_class: str, driver: Driver) -> None:
    names = [channel.name for channel in driver.channels]
    assert set(names) <= STANDARD_NAMES[device_class]
    assert len(names) == len(set(names))
    assert {channel.unit for channel in driver.channels} <= set(UCUM)
