"""Kept dialogues of every byte and Modbus driver, played back: the driver asks the same and reads the same values."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cultureops.clock import SteppedClock
from cultureops.commissioning import check_devices
from cultureops.device.transport.replay import replay_link
from cultureops.errors import ProtocolError
from cultureops.site import read_site
from cultureops_drivers.modbus import shipped_profiles

HERE = Path(__file__).parent
CAPTURES = sorted(HERE.glob("*/captures/*.txt"))
NOON = 1_800_000_000_000
STX_GOODBYE = "> 43 51 0d"
SITE = """
[site]
name = "lab"

[[device]]
id = "device"
driver = "{driver}"
link = "replay://{file}"
simulated = true
period_s = 10
options = {{ {options} }}
"""


@dataclass(frozen=True)
class Head:
    """What the comments of a capture say."""

    title: str
    driver: str
    options: dict[str, Any]
    values: dict[str, float | None]

    @classmethod
    def of(cls, file: Path) -> "Head":
        driver, options, values = "", {}, {}
        title, *lines = [line[2:] for line in file.read_text("ascii").splitlines() if line.startswith("# ")]
        for line in lines:
            match line.split(" ", 1):
                case ["driver", name]:
                    driver = name
                case ["options", text]:
                    options = json.loads(text)
                case ["value", row]:
                    name, text = row.split(" ")
                    values[name] = json.loads(text)
        return cls(title, driver, options, values)


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kept dialogue needs no gaps between commands and no breaks; the loop still turns."""
    turn: Callable[[float], Awaitable[None]] = asyncio.sleep
    monkeypatch.setattr(asyncio, "sleep", lambda _delay_s: turn(0))


def site_of(file: Path, head: Head, folder: Path) -> Path:
    """Write the site that a user would, to read a kept dialogue."""
    options = ", ".join(f"{name} = {json.dumps(value)}" for name, value in head.options.items())
    site = folder / "site.toml"
    site.write_text(SITE.format(driver=head.driver, file=file, options=options))
    return site


async def values_of(site: Path) -> dict[str, float | None]:
    (report,) = await check_devices(read_site(site).devices, SteppedClock(NOON))
    if report.error:
        raise ProtocolError(report.error)
    return {reading.channel.removeprefix("device/"): reading.value for reading in report.readings}


def named(file: Path) -> str:
    return f"{file.parent.parent.name}-{file.stem}"


@pytest.mark.parametrize("file", CAPTURES, ids=named)
async def test_a_capture_gives_the_values_of_its_head(file: Path, tmp_path: Path, no_waiting: None) -> None:
    head = Head.of(file)
    assert head.driver == file.parent.parent.name
    assert head.values
    assert await values_of(site_of(file, head, tmp_path)) == head.values


@pytest.mark.parametrize("file", CAPTURES, ids=named)
async def test_a_capture_with_another_answer_gives_other_values(file: Path, tmp_path: Path, no_waiting: None) -> None:
    """The values come out of the dialogue: where its last answer is another one, they are not those of the head."""
    head = Head.of(file)
    lines = file.read_text("ascii").splitlines()
    last = max(n for n, line in enumerate(lines) if line.startswith("< ") and lines[n - 1] != STX_GOODBYE)
    spoiled = tmp_path / "spoiled.txt"
    spoiled.write_text("\n".join([*lines[:last], "< 3f 0d 0a", *lines[last + 1 :], ""]), "ascii")
    try:
        found = await values_of(site_of(spoiled, head, tmp_path))
    except ProtocolError:
        return
    assert found != head.values


@pytest.mark.parametrize("file", CAPTURES, ids=named)
def test_a_capture_tells_where_it_comes_from(file: Path) -> None:
    text = file.read_text("ascii")
    assert re.match(r"captured 20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00(, simulated)?: \w", Head.of(file).title)
    assert "/home" not in text and "/work" not in text and "/tmp" not in text
    replay_link(file)


def test_every_dialogue_driver_and_profile_has_a_capture() -> None:
    heads = [Head.of(file) for file in CAPTURES]
    assert {head.driver for head in heads} >= {
        "ami_185", "hettich_rotanta", "julabo", "liconic_stx", "mettler_sics", "modbus", "mve_tec3000",
        "thermo_cytomat", "thermo_heracell", "thermo_tsx",
    }  # fmt: skip
    assert {head.options.get("profile") for head in heads} >= set(shipped_profiles())
