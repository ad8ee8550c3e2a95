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
