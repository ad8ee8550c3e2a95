"""The commands a technician connects devices with, on simulators in processes of their own."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.command_line import cultureops
from tests.ports import free_port

SITE = """
[site]
name = "lab"
[[chamber]]
id = "incubator_1"
class = "incubator"
[[device]]
id = "heracell_1"
chamber = "incubator_1"
driver = "thermo_heracell"
link = "serial://{pty}"
deadline_s = 1.0
simulated = true
[[device]]
id = "probe_1"
chamber = "incubator_1"
driver = "modbus"
link = "modbus+tcp://127.0.0.1:{port}"
deadline_s = 1.0
simulated = true
options = {{ profile = "cultureops_virtual_incubator" }}
"""


@contextmanager
def simulated(*arguments: str) -> Iterator[str]:
    """Run `cultureops simulate` and hand over the line it prints when it is ready."""
    command = [sys.executable, "-m", "cultureops", "simulate", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        ready = process.stdout.readline()
        assert ready, "the simulator ended before it was ready"
        yield ready
    finally:
        process.terminate()
        process.communicate(timeout=20)


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Path]:
    """A site file whose two devices answer."""
    pty, port = tmp_path / "heracell", free_port()
    site = tmp_path / "site.toml"
    site.write_text(SITE.format(pty=pty, port=port))
    with simulated("thermo_heracell", "--pty", str(pty)), simulated("virtual_incubator", "--tcp", f"127.0.0.1:{port}"):
        yield site


def test_list_names_drivers_with_their_packages_and_profiles() -> None:
    found = json.loads(cultureops("devices", "list", "--json").stdout)
    drivers = {row["name"]: row for row in found["drivers"]}
    assert drivers["thermo_heracell"]["distribution"] == "cultureops" and drivers["modbus"]["summary"]
    profiles = {row["name"]: row for row in found["profiles"]}
    assert profiles["vaisala_gmp252"]["vendor"] == "Vaisala" and profiles["vaisala_gmp252"]["driver"] == "modbus"
    assert "thermo_heracell" in cultureops("devices", "list").stdout


def test_show_tells_sources_and_what_is_unsure() -> None:
    found = json.loads(cultureops("devices", "show", "vaisala_gmp252", "--json").stdout)
    point = {row["name"]: row for row in found["point"]}["co2"]
    assert (point["address"], point["function"], point["confidence"]) == (0, 3, "V*") and point["source"]
    shown = cultureops("devices", "show", "thermo_heracell").stdout
    assert "printed_vectors_tested: done" in shown and "RS-232" in shown
    done = cultureops("devices", "show", "nobody")
    assert done.returncode == 2 and "devices list" in done.stderr and len(done.stderr.splitlines()) == 1


def test_check_asks_every_device_once(lab: Path) -> None:
    done = cultureops("devices", "check", str(lab), "--json")
    assert done.returncode == 0, done.stderr
    reports = {row["device"]: row for row in json.loads(done.stdout)}
    assert reports["heracell_1"]["identity"]["vendor"] == "Thermo Scientific"
    values = {row["channel"]: row for row in reports["heracell_1"]["readings"]}
    assert values["heracell_1/temperature"]["quality"] == "UNCERTAIN"
    assert 30 < values["heracell_1/temperature"]["value"] < 40
    assert all(row["quality"] == "GOOD" for row in reports["probe_1"]["readings"])
    assert "UNCERTAIN (address or meaning is second-hand)" in cultureops("devices", "check", str(lab)).stdout


def test_check_says_who_is_not_well(lab: Path) -> None:
    lab.write_text(lab.read_text() + '[[device]]\nid = "lost"\ndriver = "mve_tec3000"\nlink = "tcp://127.0.0.1:1"\n')
    done = cultureops("devices", "check", str(lab), "--json")
    assert done.returncode == 1 and "1 of 3 devices are not well: lost" in done.stderr
    assert [row["device"] for row in json.loads(done.stdout) if row["error"]] == ["lost"]


def test_read_reads_one(lab: Path) -> None:
    done = cultureops("devices", "read", "probe_1", "--site", str(lab), "--json")
    assert [row["channel"] for row in json.loads(done.stdout)["readings"]][:2] == ["probe_1/temperature", "probe_1/co2"]
    done = cultureops("devices", "read", "probe_9", "--site", str(lab))
    assert done.returncode == 2 and "its devices: heracell_1, probe_1" in done.stderr


@pytest.mark.parametrize("device", ["heracell_1", "probe_1"])
def test_a_captured_dialogue_plays_back_as_the_same_values(lab: Path, tmp_path: Path, device: str) -> None:
    tape = tmp_path / "tape.txt"
    done = cultureops("capture", device, str(tape), "--site", str(lab), "--json")
    assert done.returncode == 0 and json.loads(done.stdout)["file"] == str(tape), done.stderr
    noted = {
        name: json.loads(value)
        for name, _, value in (line[8:].partition(" ") for line in tape.read_text().splitlines() if "# value" in line)
    }
    text = lab.read_text()
    for link in ("serial://" + str(tmp_path / "heracell"), text.split('link = "')[2].split('"')[0]):
        text = text.replace(link, f"replay://{tape}")
    lab.write_text(text)
    played = json.loads(cultureops("devices", "read", device, "--site", str(lab), "--json").stdout)
    assert noted and {row["channel"].partition("/")[2]: row["value"] for row in played["readings"]} == noted
    assert cultureops("capture", device, str(tape), "--site", str(lab)).returncode == 2  # never over a file


def test_scan_finds_who_answers_and_asks_nothing_else(tmp_path: Path) -> None:
    pty = tmp_path / "heracell"
    with simulated("thermo_heracell", "--pty", str(pty)):
        done = cultureops("devices", "scan", str(pty), "--deadline-s", "0.1", "--json")
        found = json.loads(done.stdout)
        assert [row["driver"] for row in found] == ["thermo_heracell"] * len(found) and found
        assert found[0]["link"].startswith(f"serial://{pty}?baudrate=")
    done = cultureops("devices", "scan", str(tmp_path / "nowhere"), "--only", "thermo_heracell")
    assert done.returncode == 2 and "no such port" in done.stderr
    done = cultureops("devices", "scan", "127.0.0.1:1", "--only", "thermo_heracell", "--deadline-s", "0.1")
    assert done.returncode == 0 and "nobody answered" in done.stdout
    done = cultureops("devices", "scan", str(pty), "--only", "cell_counter_files")
    assert done.returncode == 2 and "declares no harmless question" in done.stderr


def test_a_simulator_has_faults_from_the_start_and_at_run_time(tmp_path: Path) -> None:
    port, control = free_port(), free_port()
    site = tmp_path / "site.toml"
    site.write_text(SITE.format(pty=tmp_path / "none", port=port))

    def read() -> subprocess.CompletedProcess[str]:
        return cultureops("devices", "read", "probe_1", "--site", str(site))

    where = ("--tcp", f"127.0.0.1:{port}", "--control", f"127.0.0.1:{control}")
    with simulated("virtual_incubator", *where, "--fault", "silent"):
        assert "no answer within" in read().stderr
        with socket.create_connection(("127.0.0.1", control), timeout=10) as line:
            line.sendall(b'{"cmd": "clear", "device": "virtual_incubator"}\n')
            assert json.loads(line.makefile().readline()) == {"ok": True}
        _until(lambda: read().returncode == 0)
    refused = cultureops("simulate", "virtual_incubator", "--tcp", "127.0.0.1:0", "--fault", "fire")
    assert refused.returncode == 2 and "expected one of silent" in refused.stderr


def _until(is_so: Callable[[], bool], deadline_s: float = 20) -> None:
    deadline = time.monotonic() + deadline_s
    while not is_so():
        assert time.monotonic() < deadline


def test_init_writes_a_site_file_that_check_accepts(tmp_path: Path) -> None:
    site = tmp_path / "site.toml"
    written = cultureops("init", str(site), "--json")
    assert written.returncode == 0 and json.loads(written.stdout) == {"file": str(site)}
    done = cultureops("check", str(site))
    assert done.returncode == 0 and "1 devices" in done.stdout
    again = cultureops("init", str(site))
    assert again.returncode == 2 and "exists already" in again.stderr
    with simulated("virtual_incubator", "--tcp", "127.0.0.1:0", "--json") as ready:
        port = json.loads(ready)["tcp"].rpartition(":")[2]
        site.write_text(site.read_text().replace("127.0.0.1:5020", f"127.0.0.1:{port}"))
        assert cultureops("devices", "check", str(site)).returncode == 0
