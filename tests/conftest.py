"""What tests may ask for (programs of others, data that is not ours to ship), and the record of a soak run."""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest
from hypothesis import settings
from tests.requirements import Matrix

if TYPE_CHECKING:
    from tests.postgres import Database, PostgresServer

if TYPE_CHECKING:
    from tests.postgres import Database, PostgresServer

# A shared machine may stall any example; CI tries the same examples each time, so that a red run can be repeated.
settings.register_profile("here", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") == "true" else "here")

soaked: dict[str, dict[str, Any]] = {}


def absent(what: str) -> NoReturn:
    """Skip and say what is missing; on CI nothing may be missing."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what}; CI must have it")
    pytest.skip(what)


def require_program(name: str) -> str:
    """Path of a Debian program that `make services` installs."""
    found = shutil.which(name)
    if found is None:
        absent(f"{name} is not installed; `make services` installs it")
    return found


@pytest.fixture(scope="session")
def mbpoll() -> str:
    return require_program("mbpoll")


@pytest.fixture(scope="session")
def chromium() -> str:
    return require_program("chromium")


@pytest.fixture(scope="session")
def postgres_server() -> "Iterator[PostgresServer]":
    """Give a PostgreSQL of this process of tests, begun by the first test that asks."""
    from tests.postgres import PostgresServer

    server = PostgresServer.create()
    yield server
    server.destroy()


@pytest.fixture
def postgres(postgres_server: "PostgresServer") -> "Iterator[Database]":
    """Give a database with the empty tables of a ledger."""
    database = postgres_server.take()
    yield database
    postgres_server.give_back(database)


@pytest.fixture(scope="session")
def acceptance_data() -> Path:
    folder = os.environ.get("CULTUREOPS_ACCEPTANCE_DATA")
    if folder is None:
        pytest.skip("CULTUREOPS_ACCEPTANCE_DATA is not set to the folder of acceptance data")
    if not Path(folder).is_dir():
        pytest.fail(f"CULTUREOPS_ACCEPTANCE_DATA names {folder}, which is no folder")
    return Path(folder)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--requirements", type=Path, help="write which test shows which requirement, and how it went")
    parser.addoption("--soak-report", type=Path, help="write outcome, seconds and record_property values of soak tests")


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Matrix(config.getoption("--requirements")))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the demos, which take longest, one in each process; the rest follows."""
    items.sort(key=lambda item: item.path.name not in ("test_demo.py", "test_demo_frozen.py"))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if "soak" in report.keywords:
        entry = soaked.setdefault(report.nodeid, {"outcome": "passed", "seconds": 0.0})
        entry["seconds"] = round(entry["seconds"] + report.duration, 3)
        entry.update(report.user_properties)
        if not report.passed:
            entry["outcome"] = report.outcome


def pytest_sessionfinish(session: pytest.Session) -> None:
    target: Path | None = session.config.getoption("--soak-report")
    if target is not None and not hasattr(session.config, "workerinput"):
        target.write_text(json.dumps(soaked, indent=2, sort_keys=True) + "\n", encoding="utf-8")
