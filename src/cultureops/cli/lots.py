"""Commands on lots of material: what may be used, and which batches a lot touched."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cultureops.cli.shell import Actor, AsJson, AsOf, At, DataDir, PasswordFile, Reason, Role, command_group, finish

__all__ = ["group"]

group = command_group("Lots of material: what came in, whether it may be used, and which batches it touched.")

Id = Annotated[str, typer.Argument(metavar="LOT", help="The lot, as batches name it.")]
Why = Annotated[str, typer.Option("--reason", help="Why.")]


@group.command("list")
def lots_list(
    status: Annotated[
        str | None, typer.Option(help="Only quarantined, released, expired, recalled or rejected ones.")
    ] = None,
    data_dir: DataDir = Path("data"),
    at: AsOf = None,
    as_json: AsJson = False,
) -> None:
    """Name all lots with their status."""
    from cultureops.keeping.lots import list_lots

    finish(lambda: list_lots(data_dir, status, at, as_json=as_json))


@group.command("show")
def lots_show(lot: Id, data_dir: DataDir = Path("data"), at: AsOf = None, as_json: AsJson = False) -> None:
    """Show one lot, all that was recorded of it, and the batches that it touched."""
    from cultureops.keeping.lots import show_lot

    finish(lambda: show_lot(data_dir, lot, at, as_json=as_json))


@group.command("receive")
def lots_receive(
    lot: Id,
    material: Annotated[str, typer.Option(help="What it is.")],
    supplier: Annotated[str, typer.Option(help="Whom it came from.")],
    quantity: Annotated[float, typer.Option(help="How much came, in --unit.")],
    unit: Annotated[str, typer.Option(help="UCUM code such as mL, g, or 1 for pieces.")],
    expires_at: Annotated[str, typer.Option(metavar="ISO", help="From when it must not be used, with UTC offset.")],
    actor: Actor,
    role: Role,
    certificate: Annotated[str, typer.Option(help="The maker's certificate, where it came along.")] = "",
    reason: Reason = "",
    at: At = None,
    password_file: PasswordFile = None,
    data_dir: DataDir = Path("data"),
    as_json: AsJson = False,
) -> None:
    """Record that a lot came in; it waits in quarantine until it is released."""
    from cultureops.keeping.entry import Entry, instant
    from cultureops.keeping.lots import keep_lot
    from cultureops.material.events import LotReceived

    def details() -> LotReceived:
        return LotReceived(
            material=material,
            supplier=supplier,
            quantity=quantity,
            unit=unit,
            expires_at=instant(expires_at, "--expires-at"),
            certificate=certificate,
        )

    finish(lambda: keep_lot(data_dir, lot, details, Entry(actor, role, reason, at, password_file), as_json=as_json))


@group.command("release")
def lots_release(
    lot: Id,
    actor: Actor,
    role: Role,
    certificate: Annotated[str, typer.Option(help="The certificate, where it did not come with the lot.")] = "",
    reason: Reason = "",
    at: At = None,
    password_file: PasswordFile = None,
    data_dir: DataDir = Path("data"),
    as_json: AsJson = False,
) -> None:
    """Let a lot be used."""
    from cultureops.keeping.entry import Entry
    from cultureops.keeping.lots import keep_lot
    from cultureops.material.events import LotReleased

    entry = Entry(actor, role, reason, at, password_file)
    finish(lambda: keep_lot(data_dir, lot, lambda: LotReleased(certificate=certificate), entry, as_json=as_json))


@group.command("quarantine")
def lots_quarantine(
    lot: Id,
    reason: Why,
    actor: Actor,
    role: Role,
    at: At = None,
    password_file: PasswordFile = None,
    data_dir: DataDir = Path("data"),
    as_json: AsJson = False,
) -> None:
    """Keep a released lot from being used until somebody has decided."""
    from cultureops.keeping.entry import Entry
    from cultureops.keeping.lots import keep_lot
    from cultureops.material.events import LotQuarantined

    finish(
        lambda: keep_lot(data_dir, lot, LotQuarantined, Entry(actor, role, reason, at, password_file), as_json=as_json)
    )


@group.command("reject")
def lots_reject(
    lot: Id,
    reason: Why,
    actor: Actor,
    role: Role,
    at: At = None,
    password_file: PasswordFile = None,
    data_dir: DataDir = Path("data"),
    as_json: AsJson = False,
) -> None:
    """Keep a lot from being used for ever."""
    from cultureops.keeping.entry import Entry
    from cultureops.keeping.lots import keep_lot
    from cultureops.material.events import LotRejected

    finish(lambda: keep_lot(data_dir, lot, LotRejected, Entry(actor, role, reason, at, password_file), as_json=as_json))


@group.command("recall")
def lots_recall(
    lot: Id,
    reason: Why,
    actor: Actor,
    role: Role,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    at: At = None,
    password_file: PasswordFile = None,
    data_dir: DataDir = Path("data"),
    as_json: AsJson = False,
) -> None:
    """Name the batches that a lot touched, then record its recall."""
    from cultureops.keeping.entry import Entry
    from cultureops.keeping.lots import recall_lot

    finish(lambda: recall_lot(data_dir, lot, Entry(actor, role, reason, at, password_file), yes=yes, as_json=as_json))
