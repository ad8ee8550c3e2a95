"""The image's steps one after the other, in a folder: what they make runs a lab, and needs to be nobody's root."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.deploy.conftest import NOBODY, ROOT, make_secrets, nobody, placed
from tests.deploy.test_image import steps
from tests.ports import free_port

INSTALLING_S = 900


@pytest.fixture(scope="module")
def built() -> Iterator[Path]:
    """The first stage: sources copied and commands run as they stand there, elsewhere than in /."""
    with tempfile.TemporaryDirectory(prefix="cultureops-image-", dir="/var/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "src").mkdir()
        for word, rest in steps()[0]:
            if word == "COPY":
                *sources, target = rest.split()
                for source in sources:
                    copy(ROOT / source, folder / "src" / (target if target != "./" else source))
            elif word == "RUN":
                command = rest.replace("/opt/cultureops", str(folder / "opt")).replace("/wheel", str(folder / "wheel"))
                done = subprocess.run(
                    ["sh", "-ec", command], cwd=folder / "src", timeout=INSTALLING_S, capture_output=True, text=True,
                    env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
                )  # fmt: skip
                assert done.returncode == 0, (command, done.stderr[-2000:])
        shutil.rmtree(folder / "src")
        yield folder


def copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(source, target)


def as_nobody(folder: Path, data: Path) -> dict[str, Any]:
    """Where and with what a container would run it."""
    environment = {"PATH": f"{folder / 'opt' / 'bin'}:/usr/bin:/bin", "HOME": "/nonexistent", "PYTHONUNBUFFERED": "1",
                   "PYTHONDONTWRITEBYTECODE": "1"}  # fmt: skip
    return {"cwd": data, "env": environment}


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_what_the_image_holds_runs_a_lab_as_nobody(
    built: Path, compose: dict[str, Any], record_property: Callable[[str, object], None]
) -> None:
    data = built / "data"
    data.mkdir(mode=0o700)
    secrets = built / "secrets"
    assert make_secrets(secrets, "lab.example").returncode == 0
    port = free_port()
    text = placed((ROOT / "deploy" / "site" / "lab.toml").read_text(), secrets, compose)
    text = re.sub(r"port = 8443", f"port = {port}", text).replace("0.0.0.0", "127.0.0.1")
    site = built / "site.toml"
    site.write_text(text.replace("modbus+tcp://192.0.2.17:502", "modbus+tcp://127.0.0.1:1"))
    if os.geteuid() == 0:
        for file in (data, *secrets.iterdir()):
            os.chown(file, NOBODY, NOBODY)
    run: dict[str, Any] = as_nobody(built, data)
    for command in (["cultureops", "--help"], ["cultureops", "check", str(site)]):
        told = subprocess.run(nobody(*command), **run, capture_output=True, text=True, timeout=120)
        assert told.returncode == 0, told.stderr
    absent = subprocess.run(nobody("python", "-m", "pip", "--version"), **run, capture_output=True, timeout=60)
    assert absent.returncode != 0, "no installer is in the image"
    began = time.monotonic()
    with (built / "log").open("wb") as log:
        lab = subprocess.Popen(nobody("cultureops", "run", str(site), "--data-dir", str(data)), **run, stderr=log)
    try:
        healthy = nobody("python", "-m", "cultureops.healthy", str(site))
        while subprocess.run(healthy, **run, capture_output=True, timeout=60).returncode != 0:
            assert lab.poll() is None and time.monotonic() < began + 120, (built / "log").read_text()[-2000:]
            time.sleep(0.2)
        record_property("healthy_after_s", round(time.monotonic() - began, 1))
        lab.send_signal(signal.SIGTERM)
        began = time.monotonic()
        assert lab.wait(60) == 0, (built / "log").read_text()[-2000:]
        record_property("stopped_after_s", round(time.monotonic() - began, 1))
    finally:
        lab.kill()
        lab.wait()
    size = sum(file.stat().st_size for file in (built / "opt").rglob("*") if file.is_file() and not file.is_symlink())
    record_property("environment_mb", round(size / 1e6))
