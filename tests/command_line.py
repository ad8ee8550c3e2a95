"""The command line as people use it: each command is a process of its own, with its own output and exit code.

An interpreter needs a second or two to import cultureops, a command a tenth of that. So one process imports it once and
forks for each command. What a cold start adds is shown by demos, labs and simulators, which are started cold, and by
``test_each_command_module_can_be_the_first``.
"""

import atexit
import json
import os
import subprocess
import sys
import tempfile
import threading
from functools import cache
from pathlib import Path

from tests.hired import hire, password_file

__all__ = ["at_terminal", "cultureops"]

_one_at_a_time = threading.Lock()


@cache
def _warm() -> "subprocess.Popen[str]":
    proof = dict.fromkeys(("CULTUREOPS_PASSWORD_FILE", "CULTUREOPS_WITNESS_PASSWORD_FILE"), str(password_file()))
    started = subprocess.Popen(
        [sys.executable, "-P", str(Path(__file__).parent / "warm.py")],
        env=os.environ | proof,  # the test that asks first may have taken them away for itself
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    def end() -> None:
        started.communicate(timeout=10)

    atexit.register(end)
    return started


def cultureops(*arguments: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run one command to its end, a minute at most, and return its exit code and what it said.

    Whoever it names with --actor or --witness has an account in its data folder, and proves it by a password file.
    """
    hire(folder or Path.cwd(), arguments)
    with tempfile.TemporaryDirectory() as said:
        out, err = Path(said, "out"), Path(said, "err")
        code = _run(arguments, folder, os.devnull, str(out), str(err))
        texts = [file.read_text(encoding="utf-8") for file in (out, err)]
        return subprocess.CompletedProcess(("cultureops", *arguments), code, *texts)


def at_terminal(*arguments: str, terminal: str) -> int:
    """Run one command to its end at a terminal, named by its path, and return its exit code."""
    return _run(arguments, None, terminal, terminal, terminal)


def _run(arguments: tuple[str, ...], folder: Path | None, given: str, out: str, err: str) -> int:
    with _one_at_a_time:
        warm = _warm()
        assert warm.stdin is not None and warm.stdout is not None
        warm.stdin.write(json.dumps([arguments, str(folder or Path.cwd()), given, out, err]) + "\n")
        warm.stdin.flush()
        code = warm.stdout.readline()
        assert code, "the process that starts commands has ended"
        return int(code)
