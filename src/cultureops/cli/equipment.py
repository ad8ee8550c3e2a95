"""Commands on equipment: what may be used, and until when its calibration holds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cultureops.cli.shell import Actor, AsJson, AsOf, At, DataDir, PasswordFile, Reason, Role, command_group, finish

__all__ = ["group"]

group = command_group("What stands in the lab: in service or not, and until when its calibration holds.")

Site = Annotated[
    Path | None, typer.Option("--site", help="The site file; site.toml of this folder where there is one.")
]
Id = Annotated[str, typer.Argument(metavar="ID", help="A chamber, room or device of the site file, or any other id.")]


@group.command("list")
def equipment_list(
    data_dir: DataDir = Path("data"), site: Site = None, at: AsOf = None, as_json: AsJson = False
) -> None:
    """Name all equipment with its service state and calibration."""
    from cultureops.keeping.equipment import list_equipment

    finish(lambda: list_equipment(data_dir, site, at, as_json=as_json))


@group.command("show")
def equipment_show(
    equipment_id: Id, data_dir: DataDir = Path("data"), site: Site = None, at: AsOf = None, as_json: AsJson = False
) -> None:
    """Show one piece of equipment and all that was recorded of it."""
    from cultureops.keeping.equipment import show_equipment

    finish(lambda: show_equipment(data_dir, site, equipment_id, at, as_json=as_json))


@group.command("due")
def equipment_due(
    within_days: Annotated[float, typer.Option(min=0, max=36_500, help="Days to look ahead.")] = 30.0,
    data_dir: DataDir = Path("data"),
    site: Site = None,
    as_json: AsJson = False,
) -> None:
    """Name the calibrations that end soon or have ended."""
    from cultureops.keeping.equipment import list_due

    finish(lambda: list_due(data_dir, site, within_days, as_json=as_json))


@group.command("commission")
def equipment_commission(
    equipment_id: Id,
    document: Annotated[str, typer.Option(help="Report of the qualification.")],
    actor: Actor,
    role: Role,
    title: Annotated[str, typer.Option(help="What people call it.")] = "",
    serial_number: Annotated[str, typer.Option(help="As the maker wrote it.")] = "",
    reason: Reason = "",
    at: At = None,
    password_file: PasswordFile = None,
    data_dir: DataDir = Path("data"),
    site: Site = None,
    as_json: AsJson = False,
) -> None:
    """Record that it was qualified and put into service."""
    from cultureops.equipment.events import Commissioned
    from cultureops.keeping.entry import Entry
    from cultureops.keeping.equipment import keep_equipment

    def details() -> Commissioned:
        return Commissioned(document=document, title=title, serial_number=serial_number)

    entry = Entry(actor, role, reason, at, password_file)
    finish(lambda: keep_equipment(data_dir, site, equipment_id, details, entry, as_json=as_json))


@group.command("calibrate")
def equipment_calibrate(
    equipment_id: Id,
    certificate: Annotated[str, typer.Option(help="Number of the certificate.")],
    calibrated_at: Annotated[str, typer.Option(metavar="ISO", help="When it was calibrated, with UTC offset.")],
    due: Annotated[str, typer.Option(metavar="ISO", help="Until when that holds, with UTC offset.")],
    actor: Actor,
    role: Role,
    reason: Reason = "",
    at: At = None,
    password_file: PasswordFile = None,
    data_dir: DataDir = Path("data"),
    site: Site = None,
    as_json: AsJson = False,
) -> None:
    """Record a calibration; it counts from when it was done, however late its certificate comes."""
    from cultureops.equipment.events import Calibrated
    from cultureops.keeping.entry import Entry, instant
    from cultureops.keeping.equipment import keep_equipment

    def details() -> Calibrated:
        return Calibrated(
            certificate=certificate,
            calibrated_at=instant(calibrated_at, "--calibrated-at"),
            due=instant(due, "--due"),
        )

    entry = Entry(actor, role, reason, at, password_file)
    finish(lambda: keep_equipment(data_dir, site, equipment_id, details, entry, as_json=as_json))


def _keeps(name: str, event: str, about: str) -> None:
    """Add a command that takes no more than a reason."""

    def keep(
        equipment_id: Id,
        reason: Annotated[str, typer.Option(help="Why.")],
        actor: Actor,
        role: Role,
        at: At = None,
        password_file: PasswordFile = None,
        data_dir: DataDir = Path("data"),
        site: Site = None,
        as_json: AsJson = False,
    ) -> None:
        from cultureops.equipment import events
        from cultureops.keeping.entry import Entry
        from cultureops.keeping.equipment import keep_equipment

        entry = Entry(actor, role, reason, at, password_file)
        finish(lambda: keep_equipment(data_dir, site, equipment_id, getattr(events, event), entry, as_json=as_json))

    group.command(name, help=about)(keep)


_keeps("out-of-service", "TakenOutOfService", "Record that it must not be used.")
_keeps("return", "ReturnedToService", "Record that it may be used again.")
_keeps("retire", "Retired", "Record that it is gone for good.")
