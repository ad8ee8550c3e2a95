"""Commands on the hash-chained record of events."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from cultureops.cli.shell import Actor, AsJson, DataDir, PasswordFile, Reason, Role, command_group, finish

__all__ = ["group"]

group = command_group("The hash-chained record of events.")


@group.command("verify")
def ledger_verify(
    data_dir: DataDir = Path("data"),
    as_json: AsJson = False,
    known: Annotated[
        str | None, typer.Option(metavar="HEAD", help="A head noted elsewhere that must still be there.")
    ] = None,
) -> None:
    """Hash every stored event again; name the first bad one."""
    from cultureops.keeping.stores import verify_ledger

    finish(lambda: verify_ledger(data_dir, known, as_json=as_json))


Keys = Annotated[
    Path | None, typer.Option(metavar="FOLDER", help="Where the keys are; keys/ in the data folder if not given.")
]


@group.command("rotate-key")
def ledger_rotate_key(
    actor: Actor,
    reason: Reason,
    role: Role = "AD",
    data_dir: DataDir = Path("data"),
    keys: Keys = None,
    password_file: PasswordFile = None,
    as_json: AsJson = False,
) -> None:
    """Make a new key for the ledger's heads, signed by the one before it, which is destroyed."""
    from cultureops.keeping.entry import Entry
    from cultureops.keeping.heads import rotate_key

    entry = Entry(actor, role, reason, None, password_file)
    finish(lambda: asyncio.run(rotate_key(data_dir, keys, entry, as_json=as_json)))


@group.command("introduce-key")
def ledger_introduce_key(
    actor: Actor,
    reason: Reason,
    role: Role = "AD",
    data_dir: DataDir = Path("data"),
    keys: Keys = None,
    password_file: PasswordFile = None,
    as_json: AsJson = False,
) -> None:
    """Make a new key in place of one that was lost; who did it and why stays visible for good."""
    from cultureops.keeping.entry import Entry
    from cultureops.keeping.heads import introduce_key

    entry = Entry(actor, role, reason, None, password_file)
    finish(lambda: asyncio.run(introduce_key(data_dir, keys, entry, as_json=as_json)))


@group.command("heads")
def ledger_heads(data_dir: DataDir = Path("data"), as_json: AsJson = False) -> None:
    """Show the keys of the ledger, and its newest signed head as it is printed on paper."""
    from cultureops.keeping.heads import print_heads

    finish(lambda: asyncio.run(print_heads(data_dir, as_json=as_json)))


@group.command("where")
def ledger_where(data_dir: DataDir = Path("data"), as_json: AsJson = False) -> None:
    """Say where the ledger of a data folder is: in its file, or in which database."""
    from cultureops.keeping.ledger_place import print_where

    finish(lambda: print_where(data_dir, as_json=as_json))


@group.command("prepare")
def ledger_prepare(
    site: Annotated[Path, typer.Argument(help="The site file with [ledger.postgresql].")],
    owner: Annotated[str, typer.Option(metavar="USER", help="Who owns the database; never the lab's own role.")],
    password_file: Annotated[
        Path | None, typer.Option("--password-file", help="File with the owner's password, where one is asked for.")
    ] = None,
    sql: Annotated[bool, typer.Option("--sql", help="Only print the SQL that makes roles and database.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make or update a ledger's tables in a PostgreSQL database, and grant the lab's role what it needs."""
    from cultureops.keeping.ledger_place import prepare_database, print_roles

    finish(lambda: print_roles(site, owner) if sql else prepare_database(site, owner, password_file, as_json=as_json))


@group.command("move")
def ledger_move(
    data_dir: DataDir = Path("data"),
    to_postgresql: Annotated[
        Path | None, typer.Option(metavar="SITE", help="Into the database that this site file names.")
    ] = None,
    to_sqlite: Annotated[bool, typer.Option("--to-sqlite", help="Back into the data folder.")] = False,
    reason: Reason = "",
    as_json: AsJson = False,
) -> None:
    """Move a ledger and its secrets, compare every row, then point to the new place; the old one stays."""
    from cultureops.keeping.ledger_place import move_ledger

    finish(lambda: move_ledger(data_dir, to_postgresql, reason, to_sqlite=to_sqlite, as_json=as_json))
