"""A challenge never touches an instrument: every link is replaced, and nothing but loopback is reached."""

import asyncio
import socket
from dataclasses import fields
from pathlib import Path

import pytest

from cultureops.challenge.loopback import NotLoopback, is_loopback, loopback_only
from cultureops.challenge.twin import KEPT, OUTLETS, Twin, twin_of, twin_site
from cultureops.errors import ConfigError
from cultureops.site import Site, read_site

DEVICES = {
    "inc": ("modbus", "modbus+tcp://192.0.2.1:502", 'profile = "cultureops_virtual_incubator"'),
    "other_unit": ("modbus", "modbus+tcp://192.0.2.1:502", 'profile = "cultureops_virtual_incubator", unit_id = 9'),
    "probe": ("modbus", "modbus+rtu:///dev/ttyUSB0?baudrate=19200&stopbits=2", 'profile = "vaisala_gmp252"'),
    "heracell": ("thermo_heracell", "serial:///dev/ttyUSB1?baudrate=9600", ""),
    "mve": ("mve_tec3000", "tcp://mve.lab.example:4001", ""),
    "memmert": ("memmert_atmoweb", "http://192.0.2.7:80", ""),
    "pio": ("pioreactor", "mqtt://broker.lab.example:1883", 'unit = "pio1", experiment = "one"'),
}
OUTLET_SECTIONS = """
[influxdb]
url = "http://192.0.2.9:8086"
bucket = "lab"
[mqtt]
host = "broker.lab.example"
"""


def site_of(folder: Path, more: str = "") -> Site:
    rows = "".join(
        f'[[device]]\nid = "{name}"\nchamber = "c"\ndriver = "{driver}"\nlink = "{link}"\noptions = {{ {options} }}\n'
        for name, (driver, link, options) in DEVICES.items()
    )
    file = folder / "site.toml"
    file.write_text(f'[site]\nname = "S"\n[[chamber]]\nid = "c"\nclass = "incubator"\n{rows}{more}', "utf-8")
    return read_site(file)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return site_of(tmp_path)


def test_no_link_of_the_site_is_left(site: Site) -> None:
    twins = {row.id: twin for row in site.devices if isinstance(twin := twin_of(row), Twin)}
    assert set(DEVICES) - set(twins) == {"pio"}
    wires = {
        name: {"pty": f"/tmp/x/{name}"} if "pty" in dict(twin.entry)["wire"] else {"tcp": "127.0.0.1:4711"}  # type: ignore[operator]
        for name, twin in twins.items()
    }
    twinned = twin_site(site, twins, wires, set(DEVICES))
    links = {row.id: row.link for row in twinned.devices}
    assert links == {
        "inc": "modbus+tcp://127.0.0.1:4711",
        "other_unit": "modbus+tcp://127.0.0.1:4711",
        "probe": "modbus+rtu:///tmp/x/probe?baudrate=19200&stopbits=2",
        "heracell": "serial:///tmp/x/heracell?baudrate=9600",
        "mve": "tcp://127.0.0.1:4711",
        "memmert": "http://127.0.0.1:4711",
        "pio": "mqtt://127.0.0.1:9",
    }
    assert all(row.simulated for row in twinned.devices)
    assert [row.id for row in twin_site(site, twins, wires, ()).devices] == list(twins)


def test_a_simulator_that_is_set_as_the_site_says_is_chosen(site: Site) -> None:
    rows = {row.id: row for row in site.devices}
    kinds = {name: twin.kind for name, row in rows.items() if isinstance(twin := twin_of(row), Twin)}
    assert kinds["inc"] == "virtual_incubator" and kinds["other_unit"] == "register_map"
    assert kinds["probe"] == "vaisala_gmp252" and kinds["heracell"] == "thermo_heracell"
    by_map = twin_of(rows["probe"], by_map=True)
    assert isinstance(by_map, Twin) and by_map.kind == "register_map"
    assert "no simulator speaks pioreactor" in str(twin_of(rows["pio"]))


@pytest.mark.parametrize("address", ["192.0.2.1:502", "0.0.0.0:502", "mve.lab.example:4001", "[2001:db8::1]:1"])
def test_a_simulator_anywhere_else_is_refused(site: Site, address: str) -> None:
    twin = twin_of(site.devices[0])
    assert isinstance(twin, Twin)
    with pytest.raises(NotLoopback, match="nothing was opened"):
        twin.link({"tcp": address})
    with pytest.raises(NotLoopback):
        twin.link({})


def test_nothing_is_sent_out_and_every_part_of_a_site_was_judged(tmp_path: Path) -> None:
    site = site_of(tmp_path, OUTLET_SECTIONS)
    assert site.influxdb is not None and site.mqtt is not None
    twinned = twin_site(site, {}, {}, ())
    assert {name: getattr(twinned, name) for name in OUTLETS} == OUTLETS
    assert not twinned.ledger.files and not twinned.ledger.authorities and twinned.ledger.keys is None
    unjudged = {part.name for part in fields(Site)} - KEPT - set(OUTLETS)
    assert not unjudged, f"say in twin.py whether {unjudged} sends something out"


def test_loopback_is_recognised() -> None:
    assert all(is_loopback(host) for host in ("127.0.0.1", "127.8.8.8", "::1", "localhost"))
    assert not any(is_loopback(host) for host in ("0.0.0.0", "10.0.0.1", "localhost.example", "", "128.0.0.1"))


def test_the_fence_lets_nothing_out() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        pytest.raises(NotLoopback, match=r"192\.0\.2\.1:502"),
        loopback_only(),
    ):
        socket.create_connection(server.getsockname()).close()
        with socket.socket() as outward, pytest.raises(NotLoopback):
            outward.settimeout(0.2)
            outward.connect(("192.0.2.1", 502))


def test_the_fence_holds_for_what_swallows_errors_and_for_asyncio() -> None:
    async def poll() -> None:
        try:
            await asyncio.open_connection("192.0.2.1", 502)
        except Exception:
            return

    with pytest.raises(NotLoopback), loopback_only():
        asyncio.run(poll())


def test_the_fence_looks_up_no_name_and_opens_no_line() -> None:
    with pytest.raises(NotLoopback, match=r"lab\.example"), loopback_only(), pytest.raises(NotLoopback):
        socket.getaddrinfo("mve.lab.example", 4001)
    with pytest.raises(NotLoopback, match="/dev/ttyUSB0"), loopback_only(), pytest.raises(NotLoopback):
        Path("/dev/ttyUSB0").read_bytes()


def test_outside_the_fence_nothing_is_refused() -> None:
    with loopback_only():
        pass
    with pytest.raises(FileNotFoundError):
        Path("/dev/ttyNOSUCH9").read_bytes()


def test_a_part_of_a_site_that_nobody_judged_is_refused(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cultureops.challenge.twin.KEPT", KEPT - {"recipes"})
    with pytest.raises(ConfigError, match="recipes"):
        twin_site(site, {}, {}, ())
