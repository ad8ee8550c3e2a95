"""What all commands share: their common options, one-line errors and exit codes.

Exit codes: 0 done, 1 the work failed, 2 wrong use or configuration, 130 interrupted.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from cultureops.errors import ConfigError, CultureOpsError

__all__ = ["AsJson", "DataDir", "SiteFile", "command_group", "finish"]

DataDir = Annotated[Path, typer.Option("--data-dir", help="Folder that holds ledger.sqlite and telemetry/.")]
SiteFile = Annotated[Path, typer.Option("--site", help="The site file.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON alone on standard output.")]


def command_group(about: str) -> typer.Typer:
    """Return an empty group of commands that says what it is about when it is called alone."""
    return typer.Typer(help=about, no_args_is_help=True)


def finish(work: Callable[[], object]) -> None:
    """Do the work; turn what a user can mend into one line and an exit code."""
    try:
        work()
    except ConfigError as error:
        complain(error, 2)
    except CultureOpsError as error:
        complain(error, 1)
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except BrokenPipeError:
        sys.stderr.close()
        raise SystemExit(1) from None


def complain(error: CultureOpsError, code: int) -> NoReturn:
    print(f"cultureops: {error}", file=sys.stderr)
    raise SystemExit(code)
