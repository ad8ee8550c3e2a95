"""Commands on the audit trail; they only read, also beside a running lab."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cultureops.cli.shell import AsJson, DataDir, command_group, finish

__all__ = ["group"]

group = command_group("The audit trail: who did what, when and why, with old and new values.")

Batch = Annotated[str, typer.Option(metavar="ID", help="Only this batch.")]
Person = Annotated[str, typer.Option(metavar="ID", help="Only where this account acted, witnessed or signed.")]
OfRole = Annotated[str, typer.Option(metavar="ROLE", help="Only what was done in this role, e.g. OP.")]
Kind = Annotated[str, typer.Option("--type", metavar="TYPE", help="Only this type of event, e.g. corrected.")]
Stream = Annotated[str, typer.Option(metavar="PREFIX", help="Only streams that begin so, e.g. lot: or alarm:.")]
Since = Annotated[str, typer.Option("--from", metavar="ISO", help="Recorded at or after this time, with UTC offset.")]
Until = Annotated[str, typer.Option("--to", metavar="ISO", help="Recorded before this time, with UTC offset.")]
Text = Annotated[str, typer.Option(metavar="TEXT", help="Only what holds this text anywhere.")]
OnlyThese = Annotated[
    list[str] | None,
    typer.Option("--only", metavar="WHAT", help="corrections, late-entries, refusals or signatures; may be repeated."),
]


@group.command("list")
def audit_list(
    batch: Batch = "",
    person: Person = "",
    role: OfRole = "",
    kind: Kind = "",
    stream: Stream = "",
    since: Since = "",
    until: Until = "",
    text: Text = "",
    only: OnlyThese = None,
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="How many rows at most.")] = 100,
    cursor: Annotated[int | None, typer.Option(min=0, help="Go on behind this position.")] = None,
    oldest_first: Annotated[bool, typer.Option("--oldest-first", help="Begin with the oldest.")] = False,
    data_dir: DataDir = Path("data"),
    as_json: AsJson = False,
) -> None:
    """Show the audit trail, the newest first: who, what with old and new value, when, why."""
    from cultureops.audit import Chosen
    from cultureops.keeping.audit import list_audit

    said = dict(batch=batch, person=person, role=role, kind=kind, stream=stream, since=since, until=until, text=text)
    finish(
        lambda: list_audit(
            data_dir, Chosen.of({**said, "only": only}), limit, cursor, oldest_first=oldest_first, as_json=as_json
        )
    )


@group.command("export")
def audit_export(
    out: Annotated[
        Path, typer.Argument(metavar="FILE", help="A new .csv or .jsonl file; - is CSV on standard output.")
    ],
    batch: Batch = "",
    person: Person = "",
    role: OfRole = "",
    kind: Kind = "",
    stream: Stream = "",
    since: Since = "",
    until: Until = "",
    text: Text = "",
    only: OnlyThese = None,
    bom: Annotated[bool, typer.Option("--bom", help="Mark the CSV as UTF-8 for spreadsheets.")] = False,
    data_dir: DataDir = Path("data"),
) -> None:
    """Write the audit trail to a file that opens in a spreadsheet and can be compared with the ledger later."""
    from cultureops.audit import Chosen
    from cultureops.keeping.audit import export_audit

    said = dict(batch=batch, person=person, role=role, kind=kind, stream=stream, since=since, until=until, text=text)
    finish(lambda: export_audit(data_dir, out, Chosen.of({**said, "only": only}), has_bom=bom))


@group.command("verify")
def audit_verify(
    export: Annotated[Path, typer.Argument(metavar="EXPORT", help="A file that `audit export` wrote.")],
    data_dir: DataDir = Path("data"),
    as_json: AsJson = False,
) -> None:
    """Compare an export with the ledger: name the first row that was edited, left out or put in."""
    from cultureops.keeping.audit import verify_audit

    finish(lambda: verify_audit(data_dir, export, as_json=as_json))


@group.command("alcoa")
def audit_alcoa(data_dir: DataDir = Path("data"), as_json: AsJson = False) -> None:
    """Count what contradicts ALCOA++: late entries, shared accounts, gaps, missing signatures and the like."""
    from cultureops.keeping.evaluation import count_alcoa

    finish(lambda: count_alcoa(data_dir, as_json=as_json))
