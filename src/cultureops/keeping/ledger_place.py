"""What the commands on where a ledger is do and show: where, prepare, move."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Final

from cultureops.config import load
from cultureops.errors import ConfigError
from cultureops.keeping.entry import print_json
from cultureops.keeping.moving import Moved, move_to_database, move_to_file
from cultureops.ledger.pointer import pointed
from cultureops.ledger.postgres_settings import PostgresSettings
from cultureops.ledger.settings import ledger_from
from cultureops.ledger.whereabouts import storage_at
from cultureops.progress import steps
from cultureops.recording import existing_ledger_in

__all__ = ["database_in", "move_ledger", "prepare_database", "print_roles", "print_where"]

_SECTION: Final = "ledger"


def print_where(data_dir: Path, *, as_json: bool) -> None:
    """Print where the ledger of a data folder is; no server is asked. Raises ConfigError where it is nowhere."""
    name, database = storage_at(existing_ledger_in(data_dir)).name, pointed(data_dir)
    if as_json:
        print_json({"engine": "sqlite" if database is None else "postgresql", "ledger": name})
    else:
        print(name)


def prepare_database(site_file: Path, owner: str, password_file: Path | None, *, as_json: bool) -> None:
    """Make or bring up to date the tables of a ledger in the database that a site file names, and what its role may.

    Raises ConfigError for a site file that names none, StorageError where the owner may not or can't be reached.
    """
    from cultureops.ledger.postgres_schema import prepare

    settings = database_in(site_file)
    if owner == settings.user:
        raise ConfigError(f"--owner: {owner} is the lab's own role, which must not own the record; name another one")
    prepare(replace(settings, user=owner, password_file=password_file), settings.user)
    if as_json:
        print_json({"ledger": settings.name, "owner": owner, "role": settings.user})
    else:
        print(f"{settings.name}: prepared; {settings.user} may read and append, and nothing else")


def print_roles(site_file: Path, owner: str) -> None:
    """Print the SQL that makes the owner, the lab's role and the database, for who rules the server."""
    print("\n".join(_roles(database_in(site_file), owner)))


def _roles(settings: PostgresSettings, owner: str) -> Iterator[str]:
    """Neither role rules anything else; passwords are set at a prompt, so that no history of commands has them."""
    lab, database = _quoted(settings.user), _quoted(settings.database)
    yield "-- once, as a superuser, with psql"
    for role in (_quoted(owner), lab):
        yield f"CREATE ROLE {role} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION;"
        yield f"\\password {role}"
    yield f"CREATE DATABASE {database} OWNER {_quoted(owner)} ENCODING 'UTF8' TEMPLATE template0;"
    yield f"REVOKE ALL ON DATABASE {database} FROM PUBLIC;"
    yield f"GRANT CONNECT ON DATABASE {database} TO {lab};"


def move_ledger(data_dir: Path, site_file: Path | None, reason: str, *, to_sqlite: bool, as_json: bool) -> None:
    """Move the ledger of a data folder to the database that a site file names, or back into the folder.

    Raises ConfigError for what is asked wrongly, StorageError, ChainBroken or Unreadable as ``moving`` does.
    """
    if to_sqlite == (site_file is not None):
        raise ConfigError("expected either --to-postgresql SITE.toml or --to-sqlite")
    with steps(f"moving the ledger of {data_dir}") as show:
        if site_file is None:
            moved = move_to_file(data_dir, reason, show)
        else:
            moved = move_to_database(data_dir, database_in(site_file), reason, show)
    if as_json:
        print_json({"from": moved.source, "to": moved.target, **_counted(moved)})
        return
    print(f"{moved.source}: {moved.head.position} events moved to {moved.target}, head {moved.head}, all compared")
    print(
        "the file stays under another name; keep it until the next backup"
        if site_file is not None
        else "the rows in the database stay; take [ledger.postgresql] out of the site file, and connect nobody to them"
    )


def _counted(moved: Moved) -> dict[str, object]:
    return {name: value for name, value in asdict(moved).items() if name in ("events", "secrets")} | {
        "position": moved.head.position, "head": moved.head.hash,
    }  # fmt: skip


def database_in(site_file: Path) -> PostgresSettings:
    """Return the database that a site file names; raises ConfigError where it names none."""
    settings = ledger_from(load(site_file).optional_table(_SECTION), site_file.parent).postgresql
    if settings is None:
        raise ConfigError(f"{site_file}: has no section [ledger.postgresql]; add it, with host, database and user")
    return settings


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
