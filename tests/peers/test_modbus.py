"""Modbus programs of others: clients read our simulators, and our driver reads their servers."""

from __future__ import annotations

import ctypes.util
import json
import re
import struct
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import absent
from tests.peers.environment import Peer, listening
from tests.ports import free_port

from cultureops.device.transport.open import open_link
from cultureops_drivers.modbus import create

SCRIPTS = Path(__file__).parent / "scripts"
FindPeer = Callable[[str], Peer]
StartSimulator = Callable[..., Any]
Words = dict[int, int]


def shown(simulator: Any, kind: str) -> Mapping[str, float]:
    """Let an hour pass and say what the instrument shows."""
    for _ in range(60):
        simulator.do("step", dt_s=60.0)
    values: Mapping[str, float] = simulator.do("truth")["devices"][kind]["shown"]
    return values


def test_minimalmodbus_reads_modbus_ascii(peer: FindPeer, start_simulator: StartSimulator) -> None:
    simulator = start_simulator("lighthouse_remote")
    values = shown(simulator, "lighthouse_remote")
    port = simulator.devices["lighthouse_remote"]["pty"]
    wanted = ["4:0:long_high", "4:8:long_high", "4:10:long_high", "4:14:long_high", "4:73:uint16", "3:0:uint16"]
    names = ("record_time", "particles_1", "particles_2", "particles_4")
    said = peer("minimalmodbus").run("minimalmodbus_client.py", port, "ascii", "1", *wanted)
    assert said == [*(values[name] for name in names), 0x000F, 135]


def test_minimalmodbus_reads_modbus_rtu(peer: FindPeer, start_simulator: StartSimulator) -> None:
    simulator = start_simulator("hamilton_ph_arc")
    values = shown(simulator, "hamilton_ph_arc")
    port = simulator.devices["hamilton_ph_arc"]["pty"]
    wanted = ["3:2091:float_low", "4:2411:float_low", "3:2089:long_low", "3:2409:long_low"]
    ph, temperature, *units = peer("minimalmodbus").run("minimalmodbus_client.py", port, "rtu", "1", *wanted)
    assert (ph, temperature) == pytest.approx((values["ph"], values["temperature"]), rel=1e-6)
    assert units == [0x1000, 4]


def test_mbpoll_reads_modbus_rtu(mbpoll: str, start_simulator: StartSimulator) -> None:
    simulator = start_simulator("binder_mb1")
    values = shown(simulator, "binder_mb1")
    command = [mbpoll, "-m", "rtu", "-a", "1", "-b", "9600", "-P", "none", "-t", "4:float", "-0", "-1", "-q", "-c", "1"]
    port = simulator.devices["binder_mb1"]["pty"]
    for address, name in ((0x11A9, "temperature"), (0x11CD, "humidity"), (0x1077, "temperature_setpoint")):
        ended = subprocess.run(
            [*command, "-r", str(address), port], capture_output=True, text=True, timeout=10.0, check=False
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        (value,) = re.findall(r"^\[\d+\]:\s+(-?[\d.]+)", ended.stdout, re.MULTILINE)
        assert float(value) == pytest.approx(values[name], rel=1e-4)


def low_first(address: int, value: float) -> Words:
    high, low = struct.unpack(">HH", struct.pack(">f", value))
    return {address: low, address + 1: high}


ARC: Words = {
    **{2089: 0x1000, 2090: 0, 2093: 0, 2094: 0, 2409: 4, 2410: 0, 2413: 0, 2414: 0},
    **(low_first(2091, 4.02503) | low_first(2095, 0.0) | low_first(2097, 14.0)),
    **(low_first(2411, 24.35834) | low_first(2415, -20.0) | low_first(2417, 130.0)),
}
PRINTED = {"ph": pytest.approx(4.02503), "temperature": pytest.approx(24.35834)}


async def read(link: str, profile: str) -> dict[str, float | None]:
    driver = create("probe_1", open_link(link, 5.0), {"profile": profile})
    try:
        await driver.connect()
        return {sample.name: sample.value for sample in await driver.read()}
    finally:
        await driver.disconnect()


@pytest.mark.parametrize(
    ("framer", "scheme"), [("socket", "modbus+tcp"), ("rtu", "modbus+rtu+tcp"), ("ascii", "modbus+ascii+tcp")]
)
async def test_our_driver_reads_a_pymodbus_server(peer: FindPeer, framer: str, scheme: str) -> None:
    port = free_port()
    server = [str(SCRIPTS / "pymodbus_server.py"), str(port), framer, "1", json.dumps({3: ARC})]
    with peer("pymodbus").serving("python", "-I", *server, port=port):
        assert await read(f"{scheme}://127.0.0.1:{port}", "hamilton_ph_arc") == PRINTED


async def test_our_driver_reads_a_libmodbus_server() -> None:
    if ctypes.util.find_library("modbus") is None:
        absent("libmodbus5 is not installed; `make services` installs it with mbpoll")
    port = free_port()
    oven = {4: {0: 370, 1: 0, 2: 0, 3: 1, 4: 1}}
    command = [sys.executable, "-I", str(SCRIPTS / "libmodbus_server.py"), str(port)]
    with listening([*command, json.dumps({3: ARC})], port):
        assert await read(f"modbus+tcp://127.0.0.1:{port}", "hamilton_ph_arc") == PRINTED
    port = free_port()
    command[-1] = str(port)
    with listening([*command, json.dumps(oven)], port):
        found = await read(f"modbus+tcp://127.0.0.1:{port}", "hettich_hettcube")
    assert found == {"temperature": pytest.approx(37.0), "door": 1.0, "alarms": 1.0}
