"""A driver that somebody else ships as a wheel of their own is found, and named with its package."""

import base64
import hashlib
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

DRIVER = '''
"""A thermometer of another company."""

from cultureops.device.channel import Channel
from cultureops.device.driver import Identity
from cultureops.device.reading import Sample


class Thermometer:
    check_bits = 16
    channels = (Channel("temperature", "Cel"),)

    async def connect(self):
        ...

    async def disconnect(self):
        ...

    async def identify(self):
        return Identity("Another company", "Thermometer")

    async def read(self):
        return (Sample("temperature", 36.5),)


def create(device, link, options):
    return Thermometer()
'''
INFO = "another_thermometer-2.1.dist-info"
FILES = {
    "another_thermometer/__init__.py": DRIVER,
    f"{INFO}/METADATA": "Metadata-Version: 2.1\nName: another-thermometer\nVersion: 2.1\n",
    f"{INFO}/WHEEL": "Wheel-Version: 1.0\nGenerator: by hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    f"{INFO}/entry_points.txt": "[cultureops.drivers]\nanother_thermometer = another_thermometer:create\n"
    "broken_thermometer = another_thermometer.absent:create\n",
}
SITE = """
[site]
name = "lab"
[[device]]
id = "t_1"
driver = "another_thermometer"
link = "tcp://127.0.0.1:1"
"""


def wheel(folder: Path) -> Path:
    """Write the wheel as the packaging standard says (PEP 427)."""
    path = folder / "another_thermometer-2.1-py3-none-any.whl"
    rows = []
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in FILES.items():
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
            rows.append(f"{name},sha256={digest},{len(text.encode())}")
            archive.writestr(name, text)
        archive.writestr(f"{INFO}/RECORD", "\n".join([*rows, f"{INFO}/RECORD,,", ""]))
    return path


def test_a_wheel_of_another_company_is_a_driver_like_any_other(tmp_path: Path) -> None:
    target = tmp_path / "site-packages"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(target)]
    subprocess.run([*pip, str(wheel(tmp_path))], check=True, timeout=60)
    site = tmp_path / "site.toml"
    site.write_text(SITE)

    def cultureops(*arguments: str) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(target), os.environ.get("PYTHONPATH", "")])}
        command = [sys.executable, "-m", "cultureops", *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment)

    drivers = {row["name"]: row for row in json.loads(cultureops("devices", "list", "--json").stdout)["drivers"]}
    assert drivers["another_thermometer"] == {
        "name": "another_thermometer", "distribution": "another-thermometer", "version": "2.1",
        "summary": "A thermometer of another company.",
    }  # fmt: skip
    assert drivers["thermo_heracell"]["distribution"] == "cultureops"
    assert drivers["broken_thermometer"]["summary"] == "can't be loaded"
    (report,) = json.loads(cultureops("devices", "check", str(site), "--json").stdout)
    assert (report["identity"]["vendor"], report["readings"][0]["value"]) == ("Another company", 36.5)
    site.write_text(SITE.replace('"another_thermometer"', '"broken_thermometer"'))
    done = cultureops("devices", "check", str(site))
    assert done.returncode == 2 and "'broken_thermometer'" in done.stderr and "can't be loaded" in done.stderr
