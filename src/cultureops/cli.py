"""The command line: thin commands, one-line errors, exit codes, no logic.

Exit codes: 0 done, 1 the work failed, 2 wrong use or configuration, 130 interrupted.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from cultureops.errors import ConfigError, CultureOpsError

__all__ = ["app", "main"]

app = typer.Typer(
    help="Watch the chambers and the batches inside them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
ledger_app = typer.Typer(help="The hash-chained record of events.", no_args_is_help=True)
telemetry_app = typer.Typer(help="The readings.", no_args_is_help=True)
devices_app = typer.Typer(help="What can be connected, and what a device says.", no_args_is_help=True)
app.add_typer(ledger_app, name="ledger")
app.add_typer(telemetry_app, name="telemetry")
app.add_typer(devices_app, name="devices")

DataDir = Annotated[Path, typer.Option("--data-dir", help="Folder that holds ledger.sqlite and telemetry/.")]
Source = Annotated[
    Path,
    typer.Option("--data-dir", help="Folder that holds ledger.sqlite and telemetry/, or an archive file or folder."),
]
Zone = Annotated[
    str | None, typer.Option(metavar="NAME", help="Time zone of the UTC offsets; that of the site by default, or UTC.")
]
SiteFile = Annotated[Path, typer.Option("--site", help="The site file.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON alone on standard output.")]


@app.command()
def demo(
    headless: Annotated[bool, typer.Option(help="Run flat out without pages and end with the batch.")] = False,
    as_json: AsJson = False,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same ledger head.")] = 7,
    recipe: Annotated[str, typer.Option(help="Name of the recipe to play.")] = "tavakol_afshari_2021",
    data_dir: Annotated[
        Path | None, typer.Option(help="An empty or new folder; a fresh temporary one by default.")
    ] = None,
    speed: Annotated[float, typer.Option(min=1.0, max=100_000.0, help="Lab seconds per second.")] = 3600.0,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the pages; 0 takes a free one.")] = 8080,
    days: Annotated[float | None, typer.Option(min=0.0, help="Stop after this many lab days.")] = None,
    influxdb: Annotated[str | None, typer.Option(metavar="URL", help="Mirror the readings to this server.")] = None,
) -> None:
    """Play one autologous batch from marrow to dose in a simulated lab."""
    from cultureops.app import DemoOptions, run_demo

    options = DemoOptions(headless, as_json, seed, recipe, data_dir, speed, port, days, influxdb)
    _finish(lambda: run_demo(options))


@app.command()
def run(
    site: Annotated[Path, typer.Argument(help="The site file.")],
    data_dir: DataDir = Path("data"),
) -> None:
    """Run a lab: poll, store, alarm and serve the pages until interrupted."""
    from cultureops.app import run_site

    _finish(lambda: run_site(site, data_dir))


@app.command()
def check(
    site: Annotated[Path, typer.Argument(help="The site file.")] = Path("site.toml"), as_json: AsJson = False
) -> None:
    """Read a site file with its profiles and rules and say what is wrong, without touching a device."""
    from cultureops.app import check_site

    _finish(lambda: check_site(site, as_json=as_json))


@app.command()
def init(
    out: Annotated[Path, typer.Argument(help="Site file to write.")] = Path("site.toml"), as_json: AsJson = False
) -> None:
    """Write a commented site file to start from; never over one that exists."""
    from cultureops.commissioning.commands import write_draft

    _finish(lambda: write_draft(out, as_json=as_json))


@app.command()
def simulate(
    name: Annotated[str, typer.Argument(help="Kind of instrument; 'list' shows them.")],
    tcp: Annotated[str | None, typer.Option(metavar="HOST:PORT", help="Serve on this address.")] = None,
    pty: Annotated[
        str | None, typer.Option(metavar="LINK", help="Serve on a pseudo-terminal behind this link.")
    ] = None,
    mqtt: Annotated[str | None, typer.Option(metavar="HOST:PORT", help="Publish to this broker.")] = None,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FAULT[,KEY=VALUE]", help="A fault from the beginning: silent, garbage, cut, slow,delay_s=2, ..."
        ),
    ] = None,
    option: Annotated[list[str] | None, typer.Option(metavar="KEY=VALUE", help="Option of the simulator.")] = None,
    control: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Control port: faults and acts at run time.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run one simulated instrument in real time until interrupted."""
    from cultureops.app import simulator_command

    def become_simulator() -> NoReturn:
        where = {"--tcp": tcp, "--pty": pty, "--mqtt": mqtt}
        command = simulator_command(name, where, seed, fault or (), option or (), control)
        command += ["--json"] if as_json and name != "list" else []
        os.execv(command[0], command)

    _finish(become_simulator)


@devices_app.command("list")
def devices_list(as_json: AsJson = False) -> None:
    """Name the installed drivers, with the packages they come from, and the profiles of devices that need no code."""
    from cultureops.commissioning.commands import list_devices

    _finish(lambda: list_devices(as_json=as_json))


@devices_app.command("show")
def devices_show(
    name: Annotated[str, typer.Argument(help="A driver or a profile, as `devices list` names it.")],
    as_json: AsJson = False,
) -> None:
    """Show what is known of a device: each point with its source, or the driver's notes and quality."""
    from cultureops.commissioning.commands import show_device

    _finish(lambda: show_device(name, as_json=as_json))


@devices_app.command("check")
def devices_check(
    site: Annotated[Path, typer.Argument(help="The site file.")] = Path("site.toml"), as_json: AsJson = False
) -> None:
    """Connect to every device of a site, ask who it is and read it once; not beside a running lab."""
    from cultureops.commissioning.commands import check_site_devices

    _finish(lambda: check_site_devices(site, as_json=as_json))


@devices_app.command("read")
def devices_read(
    device: Annotated[str, typer.Argument(help="The device's id in the site file.")],
    site: SiteFile = Path("site.toml"),
    as_json: AsJson = False,
) -> None:
    """Read one device once."""
    from cultureops.commissioning.commands import read_site_device

    _finish(lambda: read_site_device(site, device, as_json=as_json))


@devices_app.command("scan")
def devices_scan(
    port: Annotated[str, typer.Argument(help="Serial port, e.g. /dev/ttyUSB0, or HOST:PORT of a terminal server.")],
    only: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Only this driver or profile.")] = None,
    deadline_s: Annotated[float, typer.Option(min=0.05, max=10.0, help="Seconds an answer may take.")] = 0.5,
    as_json: AsJson = False,
) -> None:
    """Look for known devices on a port, with harmless questions only."""
    from cultureops.commissioning.commands import scan_port

    _finish(lambda: scan_port(port, only or (), deadline_s, as_json=as_json))


@devices_app.command("import-log")
def devices_import_log(
    source: Annotated[Path, typer.Argument(help="The log as it was copied from the device.")],
    driver: Annotated[str, typer.Option(metavar="NAME", help="Driver that reads such logs, e.g. mve_tec3000.")],
    mapping: Annotated[Path, typer.Option(metavar="FILE.toml", help="How its columns are read.")],
    device: Annotated[str, typer.Option(metavar="NAME", help="Device that the log belongs to.")],
    zone: Annotated[str, typer.Option(metavar="NAME", help="Time zone that the device's clock was set to.")],
    data_dir: DataDir = Path("data"),
    as_json: AsJson = False,
) -> None:
    """Record the events that a device kept by itself, with the file's SHA-256; not beside a running lab."""
    from cultureops.importing import import_event_log

    _finish(lambda: asyncio.run(import_event_log(data_dir, source, driver, mapping, device, zone, as_json=as_json)))


@app.command("capture")
def capture(
    device: Annotated[str, typer.Argument(help="The device's id in the site file.")],
    out: Annotated[Path, typer.Argument(help="File to write.")],
    site: SiteFile = Path("site.toml"),
    as_json: AsJson = False,
) -> None:
    """Write down one dialogue with a device, byte by byte, to be played back later."""
    from cultureops.commissioning.commands import capture_device

    _finish(lambda: capture_device(site, device, out, as_json=as_json))


@ledger_app.command("verify")
def ledger_verify(
    data_dir: DataDir = Path("data"),
    as_json: AsJson = False,
    known: Annotated[
        str | None, typer.Option(metavar="POSITION:HASH", help="A head noted elsewhere that must still be there.")
    ] = None,
) -> None:
    """Hash every stored event again; name the first bad one."""
    from cultureops.app import verify_ledger

    _finish(lambda: verify_ledger(data_dir, known, as_json=as_json))


@telemetry_app.command("verify")
def telemetry_verify(data_dir: Source = Path("data"), as_json: AsJson = False) -> None:
    """Compare every reading's frame or chunk with its checksum, and sealed hours with their roots in the ledger.

    Of an archive, compare the readings with the SHA-256 that it notes.
    """
    from cultureops.app import verify_telemetry

    _finish(lambda: verify_telemetry(data_dir, as_json=as_json))


@telemetry_app.command("export")
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
    from cultureops.app import export_telemetry

    _finish(lambda: export_telemetry(data_dir, out, channel, start, end, zone))


@telemetry_app.command("archive")
def telemetry_archive(
    month: Annotated[str, typer.Option(help="Month in UTC, e.g. 2026-10.")],
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Folder to write 2026-10.parquet into.")],
    data_dir: DataDir = Path("data"),
    zone: Zone = None,
    so_far: Annotated[bool, typer.Option("--so-far", help="Take a month that is not over or not sealed yet.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write all readings of one month to a Parquet file and read it back; nothing is taken out of the store."""
    from cultureops.app import archive_telemetry

    _finish(lambda: archive_telemetry(data_dir, month, out, zone, so_far=so_far, as_json=as_json))


@telemetry_app.command("import")
def telemetry_import(
    source: Annotated[Path, typer.Argument(help="CSV or .parquet file as written by export or archive.")],
    data_dir: DataDir = Path("data"),
) -> None:
    """Read exported readings back, all of them or, on the first bad row, none; not beside a running lab."""
    from cultureops.importing import import_telemetry

    _finish(lambda: asyncio.run(import_telemetry(data_dir, source)))


@telemetry_app.command("import-trace")
def telemetry_import_trace(
    source: Annotated[Path, typer.Argument(help="File that a logger's program wrote, as it is.")],
    mapping: Annotated[
        str, typer.Option(metavar="NAME", help="How its columns are read: elitech_rc5, or a .toml file of your own.")
    ],
    device: Annotated[str, typer.Option(metavar="NAME", help="Device that the logger counts as, e.g. shipper_7.")],
    zone: Annotated[str, typer.Option(metavar="NAME", help="Time zone that the logger's clock was set to.")],
    data_dir: DataDir = Path("data"),
    simulated: Annotated[bool, typer.Option("--simulated", help="The file is a simulated logger's.")] = False,
) -> None:
    """Take in a logger's file as late readings, all or none, and record its SHA-256; not beside a running lab."""
    from cultureops.importing import import_trace

    _finish(lambda: asyncio.run(import_trace(data_dir, source, mapping, device, zone, simulated=simulated)))


def _finish(work: Callable[[], object]) -> None:
    """Do the work; turn what a user can mend into one line and an exit code."""
    try:
        work()
    except ConfigError as error:
        _complain(error, 2)
    except CultureOpsError as error:
        _complain(error, 1)
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except BrokenPipeError:
        sys.stderr.close()
        raise SystemExit(1) from None


def _complain(error: CultureOpsError, code: int) -> NoReturn:
    print(f"cultureops: {error}", file=sys.stderr)
    raise SystemExit(code)


def main() -> None:
    """Entry point of the ``cultureops`` command."""
    app()
