"""Commands on the readings."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from cultureops.cli.shell import Actor, AsJson, DataDir, PasswordFile, Role, command_group, finish

__all__ = ["group"]

group = command_group("The readings.")

Source = Annotated[
    Path,
    typer.Option("--data-dir", help="Folder that holds ledger.sqlite and telemetry/, or an archive file or folder."),
]
Zone = Annotated[
    str | None, typer.Option(metavar="NAME", help="Time zone of the UTC offsets; that of the site by default, or UTC.")
]


@group.command("verify")
def telemetry_verify(data_dir: Source = Path("data"), as_json: AsJson = False) -> None:
    """Compare every reading's frame or chunk with its checksum, and sealed hours with their roots in the ledger.

    Of an archive, compare the readings with the SHA-256 that it notes.
    """
    from cultureops.keeping.stores import verify_telemetry

    finish(lambda: verify_telemetry(data_dir, as_json=as_json))


@group.command("export")
def telemetry_export(
    out: Annotated[
        Path,
        typer.Argument(help="File to write, Parquet when it ends with .parquet, else CSV; '-' is standard output."),
    ],
    data_dir: Source = Path("data"),
    channel: Annotated[list[str] | None, typer.Option(help="Channel, e.g. incubator_1/co2; all by default.")] = None,
    start: Annotated[str | None, typer.Option(help="ISO 8601 with offset.")] = None,
    end: Annotated[str | None, typer.Option(help="ISO 8601 with offset.")] = None,
    zone: Zone = None,
) -> None:
    """Write readings with unit, quality, reason, UTC times and the site's UTC offset."""
    from cultureops.keeping.stores import export_telemetry

    finish(lambda: export_telemetry(data_dir, out, channel, start, end, zone))


@group.command("archive")
def telemetry_archive(
    month: Annotated[str, typer.Option(help="Month in UTC, e.g. 2026-10.")],
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Folder to write 2026-10.parquet into.")],
    data_dir: DataDir = Path("data"),
    zone: Zone = None,
    so_far: Annotated[bool, typer.Option("--so-far", help="Take a month that is not over or not sealed yet.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write all readings of one month to a Parquet file and read it back; nothing is taken out of the store."""
    from cultureops.keeping.stores import archive_telemetry

    finish(lambda: archive_telemetry(data_dir, month, out, zone, so_far=so_far, as_json=as_json))


@group.command("import")
def telemetry_import(
    source: Annotated[Path, typer.Argument(help="CSV or .parquet file as written by export or archive.")],
    actor: Actor,
    role: Role,
    password_file: PasswordFile = None,
    data_dir: DataDir = Path("data"),
) -> None:
    """Read exported readings back, all of them or, on the first bad row, none; not beside a running lab."""
    from cultureops.keeping.entry import Entry
    from cultureops.keeping.importing import import_telemetry

    entry = Entry(actor, role, password_file=password_file)
    finish(lambda: asyncio.run(import_telemetry(data_dir, source, entry)))


@group.command("import-trace")
def telemetry_import_trace(
    source: Annotated[Path, typer.Argument(help="File that a logger's program wrote, as it is.")],
    mapping: Annotated[
        str, typer.Option(metavar="NAME", help="How its columns are read: elitech_rc5, or a .toml file of your own.")
    ],
    device: Annotated[str, typer.Option(metavar="NAME", help="Device that the logger counts as, e.g. shipper_7.")],
    zone: Annotated[str, typer.Option(metavar="NAME", help="Time zone that the logger's clock was set to.")],
    actor: Actor,
    role: Role,
    password_file: PasswordFile = None,
    data_dir: DataDir = Path("data"),
    simulated: Annotated[bool, typer.Option("--simulated", help="The file is a simulated logger's.")] = False,
) -> None:
    """Take in a logger's file as late readings, all or none, and record its SHA-256; not beside a running lab."""
    from cultureops.keeping.entry import Entry
    from cultureops.keeping.importing import import_trace

    entry = Entry(actor, role, password_file=password_file)
    finish(lambda: asyncio.run(import_trace(data_dir, source, mapping, device, zone, entry, simulated=simulated)))


SiteFile = Annotated[Path | None, typer.Option("--site", help="The site file; the one in the data folder without it.")]
Batch = Annotated[str | None, typer.Option("--batch", metavar="ID", help="What this batch lived through.")]
Channels = Annotated[list[str] | None, typer.Option("--channel", help="Channel, e.g. incubator_1/co2; all by default.")]
From = Annotated[str | None, typer.Option("--from", metavar="ISO", help="From when, with UTC offset; all if not.")]
To = Annotated[
    str | None, typer.Option("--to", metavar="ISO", help="Until before when, with UTC offset; a minute ago if not.")
]


@group.command("compare")
def telemetry_compare(
    site: SiteFile = None,
    data_dir: DataDir = Path("data"),
    batch: Batch = None,
    channel: Channels = None,
    start: From = None,
    end: To = None,
    as_json: AsJson = False,
) -> None:
    """Read back whether the mirror's server holds exactly what the store holds; ends with 1 where it does not."""
    from cultureops.keeping.mirrored import Wanted, compare_mirror

    wanted = Wanted(batch, channel, start, end)
    finish(lambda: _or_fail(compare_mirror(data_dir, _site_file(site, data_dir), wanted, as_json=as_json)))


@group.command("backfill")
def telemetry_backfill(
    site: SiteFile = None,
    data_dir: DataDir = Path("data"),
    batch: Batch = None,
    channel: Channels = None,
    start: From = None,
    end: To = None,
    most_per_s: Annotated[
        float, typer.Option(metavar="N", min=1, help="How many readings are sent in a second at most.")
    ] = 50_000,
    as_json: AsJson = False,
) -> None:
    """Send readings to the mirror's server again and read them back; interrupted, the same command goes on."""
    from cultureops.keeping.mirrored import Wanted, backfill_mirror

    wanted = Wanted(batch, channel, start, end)
    finish(lambda: _or_fail(backfill_mirror(data_dir, _site_file(site, data_dir), wanted, most_per_s, as_json=as_json)))


def _site_file(site: Path | None, data_dir: Path) -> Path:
    return data_dir / "site.toml" if site is None else site


def _or_fail(holds: bool) -> None:
    if not holds:
        raise SystemExit(1)
