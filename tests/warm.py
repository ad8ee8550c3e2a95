"""A process that has imported cultureops and starts commands by forking itself: see tests/command_line.py.

It reads one JSON list a line, [arguments, folder, file for stdin, for stdout, for stderr], and answers with the exit
status. A terminal for stdin becomes the command's own.
"""

import gc
import importlib
import json
import os
import pkgutil
import runpy
import signal
import sys

import cultureops.commissioning.commands
import cultureops.keeping
import cultureops.lab

for found in pkgutil.iter_modules(cultureops.keeping.__path__):
    importlib.import_module(f"cultureops.keeping.{found.name}")

gc.collect()
gc.freeze()
for order in iter(sys.stdin.readline, ""):
    arguments, folder, given, out, err = json.loads(order)
    child = os.fork()
    if child == 0:
        os.setsid()  # the first terminal that is opened from here on is its own
        for number, path, flags in (
            (0, given, os.O_RDONLY),
            (1, out, os.O_WRONLY | os.O_CREAT),
            (2, err, os.O_WRONLY | os.O_CREAT),
        ):
            os.dup2(os.open(path, flags, 0o600), number)
        if given != os.devnull:  # who sits there is asked
            for name in ("CULTUREOPS_PASSWORD_FILE", "CULTUREOPS_WITNESS_PASSWORD_FILE"):
                os.environ.pop(name, None)
        os.chdir(folder)
        signal.alarm(60)  # nobody waits longer
        sys.argv = ["cultureops", *arguments]
        runpy.run_module("cultureops", run_name="__main__", alter_sys=True)
        sys.exit(0)
    _, status = os.waitpid(child, 0)
    print(os.waitstatus_to_exitcode(status), flush=True)
