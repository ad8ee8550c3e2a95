"""What a command imports when it is called: enough to start with, and no more than it needs.

Other tests start commands from a process that has imported everything: see tests/command_line.py.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import cultureops.cli

SOURCES = sorted(Path(cultureops.cli.__file__).parent.glob("*.py"))
CALLED_FOR = re.compile(r"^ +from (cultureops\S*) import", re.MULTILINE)
LATER = sorted({name for file in SOURCES for name in CALLED_FOR.findall(file.read_text())})
IN_TURN = """
import os, sys
import fastapi, numpy, pydantic, rich.console, sqlalchemy, structlog, typer
for name in sys.argv[1:]:
    if (child := os.fork()) == 0:
        __import__(name)
        os._exit(0)
    if os.waitpid(child, 0)[1] != 0:
        print(name)
"""


def test_commands_import_most_when_they_are_called() -> None:
    assert {"cultureops.app", "cultureops.keeping.batches", "cultureops.keeping.stores"} <= set(LATER)


@pytest.mark.soak
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system starts no process as a copy of another")
def test_each_command_module_can_be_the_first() -> None:
    """It finds all it needs in a process that has imported nothing else of ours."""
    done = subprocess.run(
        [sys.executable, "-c", IN_TURN, *LATER], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "", done.stderr


def test_looking_at_a_record_imports_no_lab_and_no_pages() -> None:
    """What a command does not need costs whoever waits for it a second."""
    code = "import sys, cultureops.keeping.stores; print(*(name for name in sys.argv[1:] if name in sys.modules))"
    unwanted = ("cultureops.lab", "cultureops.demo", "cultureops.web", "fastapi", "pymodbus", "scipy")
    done = subprocess.run(
        [sys.executable, "-c", code, *unwanted], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == ""
