"""Commands on devices: what can be connected, and what a device says."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from cultureops.cli.shell import Actor, AsJson, DataDir, PasswordFile, Role, SiteFile, command_group, finish

__all__ = ["capture", "group"]

group = command_group("What can be connected, and what a device says.")


@group.command("list")
def devices_list(as_json: AsJson = False) -> None:
    """Name the installed drivers, with the packages they come from, and the profiles of devices that need no code."""
    from cultureops.commissioning.commands import list_devices

    finish(lambda: list_devices(as_json=as_json))


@group.command("show")
def devices_show(
    name: Annotated[str, typer.Argument(help="A driver or a profile, as `devices list` names it.")],
    as_json: AsJson = False,
) -> None:
    """Show what is known of a device: each point with its source, or the driver's notes and quality."""
    from cultureops.commissioning.commands import show_device

    finish(lambda: show_device(name, as_json=as_json))


@group.command("check")
def devices_check(
    site: Annotated[Path, typer.Argument(help="The site file.")] = Path("site.toml"), as_json: AsJson = False
) -> None:
    """Connect to every device of a site, ask who it is and read it once; not beside a running lab."""
    from cultureops.commissioning.commands import check_site_devices

    finish(lambda: check_site_devices(site, as_json=as_json))


@group.command("read")
def devices_read(
    device: Annotated[str, typer.Argument(help="The device's id in the site file.")],
    site: SiteFile = Path("site.toml"),
    as_json: AsJson = False,
) -> None:
    """Read one device once."""
    from cultureops.commissioning.commands import read_site_device

    finish(lambda: read_site_device(site, device, as_json=as_json))


@group.command("scan")
def devices_scan(
    port: Annotated[str, typer.Argument(help="Serial port, e.g. /dev/ttyUSB0, or HOST:PORT of a terminal server.")],
    only: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Only this driver or profile.")] = None,
    deadline_s: Annotated[float, typer.Option(min=0.05, max=10.0, help="Seconds an answer may take.")] = 0.5,
    as_json: AsJson = False,
) -> None:
    """Look for known devices on a port, with harmless questions only."""
    from cultureops.commissioning.commands import scan_port

    finish(lambda: scan_port(port, only or (), deadline_s, as_json=as_json))


@group.command("import-log")
def devices_import_log(
    source: Annotated[Path, typer.Argument(help="The log as it was copied from the device.")],
    driver: Annotated[str, typer.Option(metavar="NAME", help="Driver that reads such logs, e.g. mve_tec3000.")],
    mapping: Annotated[Path, typer.Option(metavar="FILE.toml", help="How its columns are read.")],
    device: Annotated[str, typer.Option(metavar="NAME", help="Device that the log belongs to.")],
    zone: Annotated[str, typer.Option(metavar="NAME", help="Time zone that the device's clock was set to.")],
    actor: Actor,
    role: Role,
    password_file: PasswordFile = None,
    data_dir: DataDir = Path("data"),
    as_json: AsJson = False,
) -> None:
    """Record the events that a device kept by itself, with the file's SHA-256; not beside a running lab."""
    from cultureops.keeping.entry import Entry
    from cultureops.keeping.importing import import_event_log

    entry = Entry(actor, role, password_file=password_file)
    finish(
        lambda: asyncio.run(import_event_log(data_dir, source, driver, mapping, device, zone, entry, as_json=as_json))
    )


def capture(
    device: Annotated[str, typer.Argument(help="The device's id in the site file.")],
    out: Annotated[Path, typer.Argument(help="File to write.")],
    site: SiteFile = Path("site.toml"),
    as_json: AsJson = False,
) -> None:
    """Write down one dialogue with a device, byte by byte, to be played back later."""
    from cultureops.commissioning.commands import capture_device

    finish(lambda: capture_device(site, device, out, as_json=as_json))
