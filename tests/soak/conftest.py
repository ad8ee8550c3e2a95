"""The proofs are a package that tests import and child processes run; strace watches or refuses system calls."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def strace() -> str:
    path: str = sys.modules["tests.conftest"].require_program("strace")
    return path
