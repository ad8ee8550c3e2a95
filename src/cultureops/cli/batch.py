"""Commands on batches; they only read, also beside a running lab."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cultureops.cli.shell import AsJson, DataDir, command_group, finish

__all__ = ["group"]

group = command_group("Batches: where they stand, what they have lived through, and what is due.")

Id = Annotated[str, typer.Argument(metavar="BATCH", help="The batch's id.")]


@group.command("list")
def batch_list(
    state: Annotated[str | None, typer.Option(help="Only those in this state, e.g. CULTURE.")] = None,
    data_dir: DataDir = Path("data"),
    as_json: AsJson = False,
) -> None:
    """Name all batches, the one opened last first, with what is due next."""
    from cultureops.keeping.batches import list_batches

    finish(lambda: list_batches(data_dir, state, as_json=as_json))


@group.command("show")
def batch_show(batch: Id, data_dir: DataDir = Path("data"), as_json: AsJson = False) -> None:
    """Show one batch as it stands: counts, vials, washes, clocks, deviations, lineage, what is due."""
    from cultureops.keeping.batches import show_batch

    finish(lambda: show_batch(data_dir, batch, as_json=as_json))


@group.command("history")
def batch_history(batch: Id, data_dir: DataDir = Path("data"), as_json: AsJson = False) -> None:
    """Tell all that was recorded of a batch, corrections and refusals included."""
    from cultureops.keeping.batches import show_history

    finish(lambda: show_history(data_dir, batch, as_json=as_json))


@group.command("due")
def batch_due(
    role: Annotated[str | None, typer.Option(help="Only what this role has to do, e.g. OP.")] = None,
    data_dir: DataDir = Path("data"),
    as_json: AsJson = False,
) -> None:
    """List what is due over all batches, soonest first."""
    from cultureops.keeping.batches import list_due

    finish(lambda: list_due(data_dir, role, as_json=as_json))


@group.command("exposure")
def batch_exposure(
    batch: Id,
    data_dir: DataDir = Path("data"),
    site: Annotated[Path | None, typer.Option(help="The site file; site.toml in the data folder by default.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show what every chamber did while the batch stood in it, within the limits of its recipe."""
    from cultureops.keeping.batches import show_exposure

    finish(lambda: show_exposure(data_dir, batch, site, as_json=as_json))


@group.command("labels")
def batch_labels(
    batch: Id,
    kind: Annotated[str, typer.Argument(metavar="KIND", help="vessels, vials or containers.")],
    out: Annotated[Path, typer.Argument(metavar="FILE.html", help="File to write.")],
    data_dir: DataDir = Path("data"),
    as_json: AsJson = False,
) -> None:
    """Write a page of labels, each with a Data Matrix of its name and a QR code of the patient's token."""
    from cultureops.keeping.labels import write_labels

    finish(lambda: write_labels(data_dir, batch, kind, out, as_json=as_json))


Printer = Annotated[str | None, typer.Option("--actor", metavar="ID", help="Who prints it; else the account here.")]
Site = Annotated[Path | None, typer.Option(help="The site file; site.toml in the data folder by default.")]


@group.command("record")
def batch_record(
    batch: Id,
    out: Annotated[Path | None, typer.Option(metavar="FILE.pdf", help="Write the PDF/A to this new file.")] = None,
    actor: Printer = None,
    data_dir: DataDir = Path("data"),
    site: Site = None,
    as_json: AsJson = False,
) -> None:
    """Write the batch record: every step, person, lot, instrument, alarm, deviation and signature, with plots."""
    from cultureops.keeping.batch_record import write_record

    finish(lambda: write_record(data_dir, batch, out, actor, site, as_json=as_json))


@group.command("forms")
def batch_forms(
    what: Annotated[str, typer.Argument(metavar="RECIPE|BATCH", help="A recipe or its .toml file, or a batch.")],
    out: Annotated[Path, typer.Option(metavar="FILE.pdf", help="Write the PDF/A to this new file.")],
    actor: Printer = None,
    data_dir: DataDir = Path("data"),
    site: Site = None,
    as_json: AsJson = False,
) -> None:
    """Write paper forms, one for each step, for the time when no lab runs to type into."""
    from cultureops.keeping.batch_record import write_forms

    finish(lambda: write_forms(data_dir, what, out, actor, site, as_json=as_json))


@group.command("review")
def batch_review(batch: Id, data_dir: DataDir = Path("data"), site: Site = None, as_json: AsJson = False) -> None:
    """List only what a person must judge, with the release checklist; everything else is in the record."""
    from cultureops.keeping.reviewing import review_batch

    finish(lambda: review_batch(data_dir, batch, site, as_json=as_json))
