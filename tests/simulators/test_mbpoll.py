"""A client nobody here wrote reads the virtual incubator."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from typing import Any

import pytest


@pytest.fixture
def mbpoll() -> str:
    program = shutil.which("mbpoll")
    if program is None:
        reason = "mbpoll is not installed (Debian package mbpoll; `make services` installs it)"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return program


def read(program: str, address: str, reference: int, count: int, form: str) -> list[float]:
    host, port = address.split(":")
    command = [program, "-m", "tcp", "-a", "1", "-p", port, "-t", form, "-B", "-0", "-r", str(reference)]
    ended = subprocess.run(
        [*command, "-c", str(count), "-1", "-q", host], capture_output=True, text=True, timeout=10.0, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return [float(value) for value in re.findall(r"^\[\d+\]:\s+(-?[\d.]+)", ended.stdout, re.MULTILINE)]


def test_mbpoll_agrees_with_what_the_incubator_shows(fleet: Any, mbpoll: str) -> None:
    fleet.do("act", act="door", chamber="incubator_1", open_s=600)
    fleet.step(6)
    shown = fleet.do("truth")["devices"]["incubator_1"]["shown"]
    address = fleet.devices["incubator_1"]["tcp"]
    floats = read(mbpoll, address, 0, 6, "3:float")
    names = ("temperature", "co2", "humidity", "o2", "temperature_setpoint", "co2_setpoint")
    assert floats == pytest.approx([shown[name] for name in names], rel=1e-4)
    assert read(mbpoll, address, 12, 4, "3") == [1, shown["alarm_bits"], 1, 0]
    assert shown["alarm_bits"] == 0b111
