"""What the commands `devices` and `init` do and print."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table as Grid

from cultureops.acquisition import DeviceRow
from cultureops.clock import SystemClock
from cultureops.commissioning.capturing import capture
from cultureops.commissioning.catalog import known_devices, shown_driver, shown_profile
from cultureops.commissioning.checking import DeviceReport, check_devices
from cultureops.commissioning.draft import site_draft
from cultureops.commissioning.scanning import Found, probes, scan
from cultureops.device.profile import Profile
from cultureops.device.reading import Reading
from cultureops.errors import ConfigError, DriverError
from cultureops.site import read_site

__all__ = [
    "capture_device", "check_site_devices", "list_devices", "read_site_device", "scan_port", "show_device",
    "write_draft",
]  # fmt: skip


def list_devices(*, as_json: bool) -> None:
    """Print the drivers installed here, with the packages they come from, and the profiles."""
    drivers, profiles = known_devices()
    if as_json:
        _print_json({"drivers": [asdict(row) for row in drivers], "profiles": [asdict(row) for row in profiles]})
        return
    _print_grid(
        ("driver", "what", "package"),
        [(row.name, row.summary, f"{row.distribution} {row.version}") for row in drivers],
    )
    _print_grid(
        ("profile", "device", "class", "points"),
        [
            (row.name, f"{row.vendor} {row.model}", row.device_class,
             f"{row.points}" + (f", {row.unverified} unverified" if row.unverified else ""))
            for row in profiles
        ],
    )  # fmt: skip


def show_device(name: str, *, as_json: bool) -> None:
    """Print all that is known of a profile, point by point, or of a driver; raises ConfigError for an unknown name."""
    profile = shown_profile(name)
    if profile is not None:
        _show_profile(profile[1], asdict(profile[0]), as_json=as_json)
        return
    entry, quality, readme = shown_driver(name)
    if as_json:
        _print_json({**asdict(entry), "quality": quality, "readme": readme})
        return
    print(f"{entry.name}: {entry.summary} ({entry.distribution} {entry.version})")
    for rule, state in quality.items():
        print(f"  {rule}: {state}")
    print(f"\n{readme}" if readme else "  it has no README")


def _show_profile(profile: Profile, head: dict[str, Any], *, as_json: bool) -> None:
    rows = [
        {"name": row.point.name, "function": row.point.function, "address": row.point.address, "type": row.point.type,
         "unit": row.channel.unit if row.channel else None, "confidence": row.confidence, "page": row.page,
         "source": row.source}
        for row in profile.points
    ]  # fmt: skip
    if as_json:
        said = {"configured": dict(profile.configured), "cautions": profile.cautions}
        _print_json({**head, "point": rows, **said})
        return
    print(f"{head['name']}: {profile.identity.vendor} {profile.identity.model}, read by driver = {head['driver']!r}")
    _print_grid(
        ("point", "function", "address", "type", "unit", "sure?", "source"),
        [
            (f"{row['name']}", f"{row['function']}", f"0x{row['address']:04X}", f"{row['type']}",
             f"{row['unit'] or ''}",
             "unverified" if row["confidence"] == "2" else "yes",
             f"{row['source']}" + (f", p{row['page']}" if row["page"] else ""))
            for row in rows
        ],
    )  # fmt: skip
    for name, where in profile.configured.items():
        print(f"option {name}, which the site file must say: {where}")
    for caution in profile.cautions:
        print(f"mind: {caution}")


def check_site_devices(site_file: Path, *, as_json: bool) -> None:
    """Ask every device of a site once and print what came of it; raises DriverError when one is not well."""
    reports = asyncio.run(check_devices(read_site(site_file).devices, SystemClock()))
    if as_json:
        _print_json([_report(report) for report in reports])
    else:
        for report in reports:
            _print_report(report)
    ill = [report.device for report in reports if not report.is_well]
    if ill:
        raise DriverError(f"{len(ill)} of {len(reports)} devices are not well: {', '.join(ill)}")


def read_site_device(site_file: Path, device: str, *, as_json: bool) -> None:
    """Ask one device of a site once; raises DriverError when it does not answer."""
    (report,) = asyncio.run(check_devices([_row(site_file, device)], SystemClock()))
    if report.error:
        raise DriverError(report.error)
    if as_json:
        _print_json(_report(report))
    else:
        _print_report(report)


def capture_device(site_file: Path, device: str, out: Path, *, as_json: bool) -> None:
    """Write one dialogue with a device to a new file."""
    if out.exists():
        raise ConfigError(f"{out} exists already; name a new file")
    report, text = asyncio.run(capture(_row(site_file, device), SystemClock()))
    try:
        out.write_text(text, encoding="ascii")
    except OSError as error:
        raise ConfigError(f"{out}: can't be written: {error}") from None
    if as_json:
        _print_json({"file": str(out), **_report(report)})
        return
    row = f'link = "replay://{out.resolve()}" and simulated = true'
    print(f"{out}: {len(report.readings)} values; play it back with {row}")


def scan_port(port: str, only: Sequence[str], deadline_s: float, *, as_json: bool) -> None:
    """Ask on a port for every device that may be asked for, and print who answered."""
    found = asyncio.run(_scan(port, only, deadline_s))
    if as_json:
        _print_json([
            {"driver": row.probe.driver, "profile": row.probe.profile, "link": row.link, **asdict(row.identity)}
            for row in found
        ])  # fmt: skip
        return
    for row in found:
        options = f"\n  options = {{ profile = {json.dumps(row.probe.profile)} }}" if row.probe.profile else ""
        who = " ".join(part for part in (row.identity.vendor, row.identity.model, row.identity.firmware) if part)
        print(f"{who}\n  driver = {json.dumps(row.probe.driver)}\n  link = {json.dumps(row.link)}{options}")
    if not found:
        print("nobody answered; check the cable, the device's own settings, and `cultureops devices list`")


async def _scan(port: str, only: Sequence[str], deadline_s: float) -> list[Found]:
    asked = probes(only)
    if port.startswith("/") and not await asyncio.to_thread(Path(port).exists):
        raise ConfigError(f"{port}: there is no such port; look in /dev/serial/by-id")
    found = []
    async for probe, answer in scan(port, asked, deadline_s):
        print(f"{probe.title}: {'answered' if answer else 'nobody'}", file=sys.stderr)
        if answer is not None:
            found.append(answer)
    return found


def write_draft(out: Path, *, as_json: bool) -> None:
    """Write a commented site file; never over one that exists."""
    try:
        with out.open("x", encoding="utf-8") as file:
            file.write(site_draft(*known_devices()))
    except FileExistsError:
        raise ConfigError(f"{out} exists already; name a new file") from None
    except OSError as error:
        raise ConfigError(f"{out}: can't be written: {error}") from None
    if as_json:
        _print_json({"file": str(out)})
        return
    print(f"{out} is written; `cultureops check {out}` reads it")


def _row(site_file: Path, device: str) -> DeviceRow:
    rows = {row.id: row for row in read_site(site_file).devices}
    if device not in rows:
        raise ConfigError(f"{site_file} has no device {device!r}; its devices: {', '.join(rows) or 'none'}")
    return rows[device]


def _report(report: DeviceReport) -> dict[str, object]:
    return {
        "device": report.device,
        "driver": report.driver,
        "link": report.link,
        "well": report.is_well,
        "error": report.error,
        "identity": asdict(report.identity) if report.identity else None,
        "took_ms": round(report.took_ms, 3),
        "readings": [_reading(reading) for reading in report.readings],
    }


def _reading(reading: Reading) -> dict[str, object]:
    return {
        "channel": reading.channel,
        "value": reading.value,
        "quality": reading.quality.name,
        "reason": reading.reason.text,
    }


def _print_report(report: DeviceReport) -> None:
    if report.error:
        print(f"{report.device}: {report.error}")
        return
    who = report.identity
    if who is None:
        print(f"{report.device}: hands over results when it has them; nothing is asked of it")
        return
    named = " ".join(part for part in (who.vendor, who.model, who.serial_number, who.firmware) if part)
    print(f"{report.device}: {named}, read in {report.took_ms:.0f} ms")
    for reading in report.readings:
        shown = "no value" if reading.value is None else f"{reading.value:g}"
        why = f" ({reading.reason.text})" if reading.reason else ""
        print(f"  {reading.channel.partition('/')[2]:24} {shown:>12}  {reading.quality.name}{why}")


def _print_grid(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    grid = Grid(*heads, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        grid.add_row(*row)
    Console(width=None if sys.stdout.isatty() else 200).print(grid)


def _print_json(found: object) -> None:
    print(json.dumps(found, indent=1, ensure_ascii=False))
