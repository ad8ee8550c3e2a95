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

__all__ = [
    "Actor",
    "AsJson",
    "AsOf",
    "At",
    "DataDir",
    "PasswordFile",
    "Reason",
    "Role",
    "SiteFile",
    "WitnessPasswordFile",
    "command_group",
    "contents_of",
    "finish",
]

DataDir = Annotated[Path, typer.Option("--data-dir", help="The lab's folder: ledger, or where it is; telemetry/.")]
SiteFile = Annotated[Path, typer.Option("--site", help="The site file.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON alone on standard output.")]
Actor = Annotated[str, typer.Option("--actor", metavar="ID", help="Who enters it.")]
Role = Annotated[str, typer.Option("--role", help="In which role: OP, RV, QC, QA, QP, ST, CL, EQ or AD.")]
PasswordFile = Annotated[
    Path | None,
    typer.Option(
        "--password-file",
        envvar="CULTUREOPS_PASSWORD_FILE",
        help="File with the actor's password, for them alone to read; asked for without it.",
    ),
]
WitnessPasswordFile = Annotated[
    Path | None,
    typer.Option(
        "--witness-password-file",
        envvar="CULTUREOPS_WITNESS_PASSWORD_FILE",
        help="File with the second person's password; asked for without it.",
    ),
]
Reason = Annotated[str, typer.Option("--reason", help="Why; a late entry needs it.")]
At = Annotated[str | None, typer.Option("--at", metavar="ISO", help="When it happened, with UTC offset; now if not.")]
AsOf = Annotated[str | None, typer.Option("--at", metavar="ISO", help="As of when, with UTC offset; now if not.")]


def command_group(about: str) -> typer.Typer:
    """Return an empty group of commands that says what it is about when it is called alone."""
    return typer.Typer(help=about, no_args_is_help=True)


def finish(work: Callable[[], object]) -> None:
    """Do the work; turn what a user can mend into one line and an exit code."""
    from cultureops.logs import log_to_stderr

    log_to_stderr()
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


def contents_of(file: Path) -> bytes:
    """Return what a file holds; raise ConfigError when it can't be read."""
    try:
        return file.read_bytes()
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror or error}; name a file that can be read") from None


def complain(error: CultureOpsError, code: int) -> NoReturn:
    print(f"cultureops: {error}", file=sys.stderr)
    raise SystemExit(code)
