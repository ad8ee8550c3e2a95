"""Commands on the periodic evaluation."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cultureops.cli.shell import Actor, AsJson, DataDir, finish

__all__ = ["group"]

group = typer.Typer(help="The periodic evaluation: access, deviations, changes, backups, audit trail of a period.")

Report = Annotated[Path, typer.Argument(metavar="FILE.json", help="The JSON that `evaluate write` wrote.")]


@group.command("write")
def evaluate_write(
    out: Annotated[Path, typer.Option("--out", metavar="FILE.pdf", help="A new PDF; the JSON goes beside it.")],
    since: Annotated[str, typer.Option("--from", metavar="ISO", help="Start, with UTC offset.")],
    until: Annotated[str | None, typer.Option("--to", metavar="ISO", help="End, not included; now if not.")] = None,
    data_dir: DataDir = Path("data"),
    as_json: AsJson = False,
) -> None:
    """Compile what a period's records say of the system, as PDF and JSON; unsigned until QA signs."""
    from cultureops.keeping.evaluation import write_evaluation

    finish(lambda: write_evaluation(data_dir, since, until, out, as_json=as_json))


@group.command("sign")
def evaluate_sign(
    report: Report,
    actor: Actor,
    conclusion: Annotated[str, typer.Option("--conclusion", help="What it found, and what is changed after it.")],
    password_file: Annotated[
        Path | None, typer.Option("--password-file", metavar="FILE", help="Holds the password; a prompt asks if not.")
    ] = None,
    data_dir: DataDir = Path("data"),
) -> None:
    """Sign a report as quality assurance: its SHA-256 goes into the ledger."""
    from cultureops.keeping.evaluation import sign_evaluation
    from cultureops.keeping.proof import Secret

    finish(lambda: sign_evaluation(data_dir, report, conclusion, actor, Secret(password_file)))


@group.command("show")
def evaluate_show(report: Report, data_dir: DataDir = Path("data"), as_json: AsJson = False) -> None:
    """Say who has signed a report as it is; exit code 1 where nobody has."""
    from cultureops.keeping.evaluation import standing_of_evaluation

    finish(lambda: standing_of_evaluation(data_dir, report, as_json=as_json))
