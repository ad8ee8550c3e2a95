"""The benchmarks at a size that shows they work; sizes that show the truth are for `make bench`."""

import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
QUIET = (("influx", "COLD_S", 0), ("influx", "QUIET_S", 0.3), ("victoria", "QUIET_S", 0.1))


@pytest.fixture
def benchmark_of(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], ModuleType]:
    """Import a module of the benchmarks, whose files go to ``tmp_path``."""
    monkeypatch.syspath_prepend(ROOT)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    for name, constant, seconds in QUIET:
        monkeypatch.setattr(import_module(f"benchmarks.contestants.{name}"), constant, seconds)
    return lambda name: import_module(f"benchmarks.{name}")


@pytest.fixture
def servers() -> None:
    """Skip where a peer's program is missing."""
    require_program = sys.modules["tests.conftest"].require_program
    for name in ("influxd", "victoria-metrics"):
        require_program(name)
