"""Instruments that mean harm, on each kind of wire: a failure with its reason, within its time, and no more memory."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import subprocess
import sys
import threading
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from tests.hostile.watch import Watch, watched

from cultureops.device.driver import Driver
from cultureops.device.registry import driver_folder
from cultureops.device.transport.open import open_link
from cultureops.errors import DriverError
from cultureops_drivers import (
    ami_185,
    hettich_rotanta,
    julabo,
    memmert_atmoweb,
    mettler_sics,
    modbus,
    mve_tec3000,
    thermo_cytomat,
    thermo_tsx,
)

DEADLINE_S = 0.1
CPU_MS, GROWN_MB = 100, 64
PROFILE = driver_folder("modbus") / "profiles" / "cultureops_virtual_incubator.toml"
Create = Callable[[str], Driver]


def over(scheme: str, create: Callable[..., Driver], **options: object) -> Create:
    return lambda address: create("d", open_link(f"{scheme}://{address}", DEADLINE_S), options)


BYTES: dict[str, Create] = {
    "mettler_sics": over("tcp", mettler_sics.create),
    "ami_185": over("tcp", ami_185.create),
    "hettich_rotanta": over("tcp", hettich_rotanta.create, address="T"),
    "julabo": over("tcp", julabo.create, min_gap_ms=10),
    "mve_tec3000": over("tcp", mve_tec3000.create),
    "thermo_tsx": over("tcp", thermo_tsx.create),
    "thermo_cytomat": over("tcp", thermo_cytomat.create),
}
MODBUS: dict[str, Create] = {
    "tcp": over("modbus+tcp", modbus.create, profile=str(PROFILE)),
    "rtu": over("modbus+rtu+tcp", modbus.create, profile=str(PROFILE)),
    "ascii": over("modbus+ascii+tcp", modbus.create, profile=str(PROFILE)),
}
HTTP = over("http", memmert_atmoweb.create)


@contextmanager
def harms(family: str) -> Iterator[dict[str, int]]:
    """The ports of a family of hostile instruments, by what they do."""
    command = (sys.executable, str(Path(__file__).with_name("device.py")), family)
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield json.loads(process.stdout.readline())
    finally:
        process.kill()
        process.communicate()


async def asked(driver: Driver, times: int = 2) -> tuple[list[float], float]:
    """Ask again and again; return the values that came, and the longest time that a call took [s]."""
    values, longest_s = [], 0.0
    for _ in range(times):
        for call in (driver.connect, driver.read):
            began = time.monotonic()
            with suppress(DriverError):
                if (samples := await call()) is not None:
                    values += [sample.value for sample in samples if sample.value is not None]
            longest_s = max(longest_s, time.monotonic() - began)
    await driver.disconnect()
    return values, longest_s


def check(seen: Watch) -> None:
    assert seen.cpu_ms < CPU_MS and seen.grown_mb < GROWN_MB, seen


async def endure(create: Create, ports: dict[str, int], values: dict[str, list[float]]) -> None:
    for name, port in ports.items():
        async with asyncio.timeout(20):
            got, longest_s = await asked(create(f"127.0.0.1:{port}"))
        assert all(value in values.get(name, ()) for value in got), (name, got)
        assert longest_s < 5, (name, longest_s)


RIGHT = {"right_then_flood": [12.345, 1.0]}


async def test_a_line_of_bytes() -> None:
    with harms("bytes") as ports:
        async with watched() as seen:
            await endure(BYTES["mettler_sics"], ports, RIGHT)
    check(seen)


async def test_an_instrument_that_floods_between_questions_is_hung_up_on() -> None:
    with harms("bytes") as ports:
        driver = BYTES["mettler_sics"](f"127.0.0.1:{ports['right_then_flood']}")
        await driver.connect()
        weight, *_ = await driver.read()
        assert weight.value == 12.345
        link = driver.link  # type: ignore[attr-defined]
        async with asyncio.timeout(5):
            while link.is_open:
                await asyncio.sleep(0.01)
        await driver.disconnect()


async def test_http() -> None:
    with harms("http") as ports:
        async with watched() as seen:
            await endure(HTTP, ports, {})
    check(seen)


@pytest.mark.parametrize(
    "framing", [pytest.param(framing, marks=() if framing == "tcp" else pytest.mark.soak) for framing in MODBUS]
)
async def test_modbus(framing: str) -> None:
    with harms("modbus") as ports:
        async with watched() as seen:
            await endure(MODBUS[framing], ports, {})
    check(seen)


async def test_a_serial_line_that_never_ends() -> None:
    master, port = pty.openpty()
    tty.setraw(master)
    stops = threading.Event()

    def flood() -> None:
        with suppress(OSError):
            while not stops.is_set():
                os.write(master, b"9" * 4096)

    os.set_blocking(master, True)
    flooding = threading.Thread(target=flood, daemon=True)
    flooding.start()
    try:
        async with watched() as seen:
            driver = mettler_sics.create("d", open_link(f"serial://{os.ttyname(port)}?baudrate=9600", DEADLINE_S), {})
            values, longest_s = await asked(driver)
        assert not values and longest_s < 5
    finally:
        stops.set()
        os.close(port)
        os.close(master)
        flooding.join(2)
    check(seen)


@pytest.mark.soak
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", BYTES)
async def test_every_driver_on_a_line_of_bytes(name: str, record_property: Callable[[str, object], None]) -> None:
    with harms("bytes") as ports:
        async with watched() as seen:
            for _ in range(5):
                await endure(BYTES[name], ports, RIGHT if name == "mettler_sics" else {})
    record_property("harms", len(ports))
    for figure in ("cpu_ms", "wall_ms", "grown_mb"):
        record_property(f"worst_{figure}", round(getattr(seen, figure), 1))
    check(seen)
