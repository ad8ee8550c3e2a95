"""A lab with a mirror: its lag is a reading and an alarm of the system itself, and pages show it."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from cultureops.alarms.engine import describe
from cultureops.clock import SeededEntropy, SteppedClock, parse_iso
from cultureops.errors import ConfigError
from cultureops.lab import open_lab
from cultureops.lab_health import health_of
from cultureops.site import read_site

START = parse_iso("2026-01-05T08:00:00Z")
SITE = """
[site]
name = "lab"
[influxdb]
url = "http://127.0.0.1:1"
bucket = "lab"
timeout_s = 1
[[alarm]]
chamber = "cultureops"
channel = "mirror_lag"
kind = "high"
limit = 60
deadband = 30
priority = "low"
consequence = "Dashboards miss the last minutes."
response = "Start the server; what is missing is sent then."
"""


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


async def test_a_mirror_that_falls_behind_raises_an_alarm(tmp_path: Path) -> None:
    (tmp_path / "site.toml").write_text(SITE)
    clock = SteppedClock(START)
    async with open_lab(read_site(tmp_path / "site.toml"), tmp_path, clock, SeededEntropy(1)) as lab:
        work = asyncio.create_task(lab.run())
        await until(lambda: "cultureops/mirror_lag" in lab.store.latest())
        assert lab.store.latest()["cultureops/mirror_lag"].value == 0
        await lab.store.flush()
        for _ in range(8):
            before = lab.store.latest()["cultureops/mirror_lag"]
            clock.advance(10_000)
            await until(lambda before=before: lab.store.latest()["cultureops/mirror_lag"] is not before)
        (alarm,) = lab.engine.active()
        said = describe(alarm.rule, alarm.value, ())
        assert said.startswith("cultureops: cultureops/mirror_lag ") and "the high limit 60 s" in said
        mirror = health_of(lab)["influxdb"]
        assert isinstance(mirror, dict) and mirror["lag_s"] >= 60 and mirror["sent"] == 0
        await until(lambda: "can't be reached" in str(lab.mirror and lab.mirror.status().last_error))
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work


@pytest.mark.parametrize("kind", ["chamber", "device"])
def test_nothing_else_may_bear_the_programs_name(tmp_path: Path, kind: str) -> None:
    text = f'[site]\nname = "lab"\n[[{kind}]]\nid = "cultureops"\nclass = "incubator"\ndriver = "d"\nlink = "l"\n'
    (tmp_path / "site.toml").write_text(
        text.replace('driver = "d"\nlink = "l"\n', "")
        if kind == "chamber"
        else text.replace('class = "incubator"\n', "")
    )
    with pytest.raises(ConfigError, match=r"site.toml:4: \[.*\] id: 'cultureops' is this program itself"):
        read_site(tmp_path / "site.toml")
