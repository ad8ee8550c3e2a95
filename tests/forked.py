"""Commands of cultureops as processes of their own that need not import it anew: forked off one that has.

Run by itself, it reads one JSON list a line: ["start", arguments, log file] answers with the process id, ["wait", id]
with the exit status.
"""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

__all__ = ["Forked", "forking"]


class Forked:
    """Starts commands; each runs until it ends or is ended by its id."""

    def __init__(self, mother: "subprocess.Popen[str]") -> None:
        self._mother = mother
        self.running: set[int] = set()

    def start(self, arguments: Sequence[str], log: Path) -> int:
        """Start `cultureops` with these arguments and return its process id; what it says goes to the log."""
        pid = self._ask("start", list(arguments), str(log))
        self.running.add(pid)
        return pid

    def end(self, pid: int, number: int) -> int:
        """Send a signal, wait for the end and return the exit status."""
        os.kill(pid, number)
        self.running.discard(pid)
        return self._ask("wait", pid)

    def _ask(self, *order: object) -> int:
        assert self._mother.stdin is not None and self._mother.stdout is not None
        print(json.dumps(order), file=self._mother.stdin, flush=True)
        return int(self._mother.stdout.readline())


@contextlib.contextmanager
def forking() -> Iterator[Forked]:
    """Have a process that starts commands; what still runs at the end is killed."""
    command = [sys.executable, __file__]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as mother:
        forked = Forked(mother)
        try:
            yield forked
        finally:
            for pid in tuple(forked.running):
                forked.end(pid, 9)
            assert mother.stdin is not None
            mother.stdin.close()


def _serve() -> None:
    import gc
    import runpy

    import cultureops.app  # noqa: F401 - imported once for all

    gc.collect()
    gc.freeze()
    for line in iter(sys.stdin.readline, ""):
        what, *order = json.loads(line)
        if what == "wait":
            print(os.waitstatus_to_exitcode(os.waitpid(order[0], 0)[1]), flush=True)
            continue
        arguments, log = order
        if (child := os.fork()) == 0:
            os.setsid()
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            os.dup2(out, 1)
            os.dup2(out, 2)
            sys.argv = ["cultureops", *arguments]
            runpy.run_module("cultureops", run_name="__main__", alter_sys=True)
            sys.exit(0)
        print(child, flush=True)


if __name__ == "__main__":
    _serve()
