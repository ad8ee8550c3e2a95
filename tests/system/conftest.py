"""A lab on real files and a clock of its own, for whoever asks for ``opened``."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from cultureops.clock import SeededEntropy, SteppedClock, parse_iso
from cultureops.lab import Lab, open_lab
from cultureops.site import read_site

START = parse_iso("2026-01-05T08:00:00Z")
SITE = """
[site]
name = "lab"
[[chamber]]
id = "incubator_1"
class = "incubator"
calibrated_until = "2026-12-31T00:00:00Z"
[[chamber]]
id = "incubator_2"
class = "incubator"
[[device]]
id = "incubator_1"
chamber = "incubator_1"
driver = "modbus"
link = "modbus+tcp://127.0.0.1:1"
options = {{ profile = "cultureops_virtual_incubator" }}
[[device]]
id = "counter_1"
driver = "cell_counter_files"
link = "folder://{counts}"
calibrated_until = "2026-12-31T00:00:00Z"
options = {{ atomic = true }}
[[alarm]]
chamber = "incubator_1"
channel = "co2"
kind = "low"
limit = 4.0
on_delay_s = 600
priority = "high"
gmp_critical = true
consequence = "The medium turns alkaline."
response = "Check the gas."
"""
OpenLab = Callable[[], AbstractAsyncContextManager[Lab]]


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock(START)


@pytest.fixture
def opened(tmp_path: Path, clock: SteppedClock) -> OpenLab:
    counts = tmp_path / "counts"
    counts.mkdir()
    (tmp_path / "site.toml").write_text(SITE.format(counts=counts))
    site = read_site(tmp_path / "site.toml")
    return lambda: open_lab(site, tmp_path, clock, SeededEntropy(1))
