"""What a deployment is made of, read once: the compose file, and the secrets that its script makes."""

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.conftest import require_program

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
NAMES = ("lab.example", "192.0.2.10")
NOBODY = 65534


@pytest.fixture(scope="session")
def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return found


def make_secrets(folder: Path, *names: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the script as whoever runs the tests."""
    require_program("openssl")
    return subprocess.run(
        [DEPLOY / "make-secrets.sh", *names],
        env=os.environ | {"SECRETS": str(folder)} | environment, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


@pytest.fixture(scope="session")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("deployed") / "secrets"
    made = make_secrets(folder, *NAMES)
    assert made.returncode == 0, made.stderr
    return folder


def placed(text: str, folder: Path, compose: dict[str, Any]) -> str:
    """Let a file of the deployment find its secrets where they lie here, in place of /run/secrets."""
    for name, secret in sorted(compose["secrets"].items(), key=lambda pair: -len(pair[0])):
        text = text.replace(f"/run/secrets/{name}", str(folder / Path(secret["file"]).name))
    return text


def nobody(*command: str) -> list[str]:
    """Let a command write only what is nobody's; the interpreter may lie in somebody's home, so it may read all."""
    if os.geteuid() != 0:
        return list(command)
    capabilities = "-all,+dac_read_search"
    user = [f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    return [
        require_program("setpriv"), *user, f"--inh-caps={capabilities}", f"--ambient-caps={capabilities}", *command
    ]  # fmt: skip
