"""What tests may ask for: other people's programs, and data that is not ours to ship."""

import os
import shutil
from pathlib import Path

import pytest


def absent(what: str) -> None:
    """Skip and say what is missing; on CI nothing may be missing."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what}; CI must have it")
    pytest.skip(what)


@pytest.fixture
def mbpoll() -> str:
    if (found := shutil.which("mbpoll")) is None:
        absent("mbpoll is not installed; `make services` installs it")
    return str(found)


@pytest.fixture(scope="session")
def chromium() -> str:
    if (found := shutil.which("chromium")) is None:
        absent("chromium is not installed; `make services` installs it")
    return str(found)


@pytest.fixture(scope="session")
def acceptance_data() -> Path:
    folder = os.environ.get("CULTUREOPS_ACCEPTANCE_DATA")
    if folder is None:
        pytest.skip("CULTUREOPS_ACCEPTANCE_DATA is not set to the folder of acceptance data")
    return Path(folder)
