"""The tables of a ledger in a PostgreSQL database: made by who owns it, looked at by the lab before each start."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from cultureops.errors import ConfigError, StorageError
from cultureops.ledger.postgres_connect import open_connection
from cultureops.ledger.postgres_guard import FUNCTIONS, RIGHTS, SEARCHED, TRIGGERS, grants, guards
from cultureops.ledger.postgres_settings import PostgresSettings
from cultureops.ledger.storage import cause

__all__ = ["REVISION", "Condition", "condition_of", "prepare", "revision_of", "why_not_readable", "why_not_writable"]

REVISION: Final = "0001"
"""The newest step in ``migrations/versions``; each is numbered by four digits."""
_OLDEST_SERVER: Final = 140_000
_ROLE = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_PREPARE: Final = "run `cultureops ledger prepare` as the owner of the database"
_RECORD: Final = ("events", "heads", "stamps")
_ALL_RIGHTS: Final = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER")


@dataclass(frozen=True, slots=True)
class Condition:
    """A database as the lab's role finds it: what the server does, which tables there are, and what the role may do.

    ``server`` is the version as a number (150014), ``missing_rights`` what the role lacks, ``surplus`` what it could do
    to the record, ``broken_guards`` the triggers and functions that are not as they were made, ``strange`` what else
    somebody gave the tables, by which rows could be withheld or lost.
    """

    server: int
    encoding: str
    is_standby: bool
    fsync: str
    synchronous_commit: str
    revision: str | None
    missing_rights: tuple[str, ...] = ()
    surplus: tuple[str, ...] = ()
    broken_guards: tuple[str, ...] = ()
    strange: tuple[str, ...] = ()


def revision_of(connection: Connection) -> str | None:
    """Return which step the tables are at, None where there are none."""
    if connection.execute(text("SELECT to_regclass('public.alembic_version')")).scalar_one() is None:
        return None
    found = connection.execute(text("SELECT version_num FROM public.alembic_version")).scalar_one_or_none()
    return None if found is None else str(found)


def condition_of(connection: Connection) -> Condition:
    """Ask the server for everything that a start depends on."""
    server, encoding, is_standby, fsync, synchronous_commit = connection.execute(_SERVER).one()
    revision = revision_of(connection)
    if revision != REVISION:
        return Condition(server, encoding, is_standby, fsync, synchronous_commit, revision)
    missing, surplus = _rights(connection)
    broken = tuple(_broken_guards(connection))
    strange = tuple(connection.execute(_STRANGE, {"tables": list(RIGHTS), "guards": [*_GUARDS]}).scalars())
    return Condition(
        server, encoding, is_standby, fsync, synchronous_commit, revision, missing, surplus, broken, strange
    )


def why_not_readable(revision: str | None) -> str | None:
    """Say why tables of a step can't be read by this program; None where they can."""
    if revision is None:
        return f"a database, but not a ledger; {_PREPARE}"
    if revision > REVISION:
        return f"prepared by a newer cultureops (step {revision}, known here {REVISION}); install that one"
    if revision < REVISION:
        return f"prepared by an older cultureops (step {revision}, needed here {REVISION}); {_PREPARE}"
    return None


def why_not_writable(found: Condition) -> str | None:
    """Say why a lab may not write its record there; None where it may."""
    if found.server < _OLDEST_SERVER:
        return f"the server is older than PostgreSQL {_OLDEST_SERVER // 10_000}; update it"
    if found.encoding != "UTF8":
        return f"the database is encoded in {found.encoding}; make one in UTF8"
    if found.is_standby:
        return "the server is a standby and can't be written; name the primary"
    if found.fsync != "on":
        return "the server has fsync off and can lose what it said it keeps; turn it on"
    if found.synchronous_commit == "off":
        return "synchronous_commit is off for this role, so that a commit can be lost; turn it on"
    if (unreadable := why_not_readable(found.revision)) is not None:
        return unreadable
    if found.surplus:
        return f"this role could change the record ({', '.join(found.surplus)}); name the role that was prepared for it"
    if found.missing_rights:
        return f"this role may not {', '.join(found.missing_rights)}; {_PREPARE}"
    if found.broken_guards:
        wrong = ", ".join(found.broken_guards)
        return f"its guards are not as they were made ({wrong}); find out who changed them, then {_PREPARE}"
    if found.strange:
        return f"its tables have what could withhold or lose rows ({', '.join(found.strange)}); have it taken away"
    return None


def prepare(owner: PostgresSettings, role: str) -> str:
    """Make or update the tables as their owner, and let ``role`` use them as a lab does; return the step they are at.

    All in one transaction, and as often as wanted: guards that somebody took away are made anew. Raises ConfigError for
    a role that is not fit, StorageError where the server refuses.
    """
    if not _ROLE.fullmatch(role):
        raise ConfigError(f"{role!r} is not the name of a role; use small letters, digits and _")
    if role == owner.user:
        raise ConfigError(f"{role!r} would own the record and could change it; name two roles, one for the owner")
    try:
        with open_connection(owner, application="cultureops prepare") as connection, connection.begin():
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _PREPARE_LOCK})
            if connection.execute(_HAS_ROLE, {"role": role}).scalar_one() == 0:
                raise StorageError(f"{owner.name}: there is no role {role!r}; CREATE ROLE {role} LOGIN PASSWORD ...")
            if (encoding := connection.execute(_SERVER).one()[1]) != "UTF8":
                raise StorageError(f"{owner.name}: the database is encoded in {encoding}; make one in UTF8")
            found = revision_of(connection)
            if found is not None and found > REVISION:
                raise StorageError(f"{owner.name}: {why_not_readable(found)}")
            _migrate(connection)
            for statement in (*guards(), *grants(f'"{role}"')):
                connection.execute(text(statement))
            return revision_of(connection) or ""
    except SQLAlchemyError as error:
        raise StorageError(f"{owner.name}: can't be prepared: {cause(error)}; nothing was changed") from None


_PREPARE_LOCK: Final = 0x63756C7475726501
_HAS_ROLE: Final = text("SELECT count(*) FROM pg_catalog.pg_roles WHERE rolname = :role")
_SERVER: Final = text(
    "SELECT current_setting('server_version_num')::int, pg_encoding_to_char(encoding), pg_is_in_recovery(), "
    "current_setting('fsync'), current_setting('synchronous_commit') "
    "FROM pg_catalog.pg_database WHERE datname = current_database()"
)
_HELD: Final = text(
    "SELECT relname, CASE WHEN pg_has_role(relowner, 'MEMBER') THEN 'OWN' END, "
    + ", ".join(f"CASE WHEN has_table_privilege(oid, '{right}') THEN '{right}' END" for right in _ALL_RIGHTS)
    + ", CASE WHEN has_any_column_privilege(oid, 'UPDATE') AND NOT has_table_privilege(oid, 'UPDATE') "
    "THEN 'UPDATE a column of' END "
    "FROM pg_catalog.pg_class WHERE relkind = 'r' AND relnamespace = CAST('public' AS regnamespace)"
)
_RULES: Final = text(
    "SELECT 'CREATE in its schema' WHERE has_schema_privilege('public', 'CREATE') UNION ALL "
    "SELECT 'be a member of ' || rolname FROM pg_catalog.pg_roles WHERE pg_has_role(oid, 'MEMBER') "
    "AND rolname IN ('pg_write_server_files', 'pg_execute_server_program') UNION ALL "
    "SELECT 'CREATEROLE' FROM pg_catalog.pg_roles WHERE rolname = current_user AND rolcreaterole UNION ALL "
    "SELECT 'OWN ' || proname FROM pg_catalog.pg_proc "
    "WHERE pronamespace = CAST('public' AS regnamespace) AND pg_has_role(proowner, 'MEMBER')"
)
"""What would make a role more than it is: other roles, files of the server, functions of the guards."""
_STRANGE: Final = text(
    "WITH ours AS (SELECT * FROM pg_catalog.pg_class "
    "WHERE relnamespace = CAST('public' AS regnamespace) AND relname = ANY(:tables)) "
    "SELECT 'trigger ' || tgname || ' on ' || relname FROM pg_catalog.pg_trigger JOIN ours ON ours.oid = tgrelid "
    "WHERE NOT tgisinternal AND tgname <> ALL(:guards) UNION ALL "
    "SELECT 'rule ' || rulename || ' on ' || relname FROM pg_catalog.pg_rewrite JOIN ours ON ours.oid = ev_class "
    "UNION ALL SELECT 'row security of ' || relname FROM ours WHERE relrowsecurity UNION ALL "
    "SELECT relname || ' unlogged' FROM ours WHERE relpersistence <> 'p'"
)
_GUARDS: Final = frozenset(name for _, name in TRIGGERS)
_TRIGGERS: Final = text(
    "SELECT relname, tgname, proname, CAST(tgenabled AS text) FROM pg_catalog.pg_trigger "
    "JOIN pg_catalog.pg_class ON pg_class.oid = tgrelid JOIN pg_catalog.pg_proc ON pg_proc.oid = tgfoid "
    "WHERE NOT tgisinternal AND pg_class.relnamespace = CAST('public' AS regnamespace)"
)
_BODIES: Final = text(
    "SELECT proname, prosrc, proconfig FROM pg_catalog.pg_proc WHERE pronamespace = CAST('public' AS regnamespace)"
)


def _migrate(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "cultureops.ledger:migrations")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _rights(connection: Connection) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what the role lacks, and what it could do to the record besides appending."""
    found: dict[str, set[str | None]] = {table: set() for table in RIGHTS}
    found |= {table: {*rights} for table, *rights in connection.execute(_HELD)}
    wanted = {table: rights.split(", ") for table, rights in RIGHTS.items()}
    missing = [f"{right} {table}" for table, rights in wanted.items() for right in rights if right not in found[table]]
    surplus = [
        f"{right} {table}" for table in _RECORD for right in sorted({*filter(None, found[table])} - {*wanted[table]})
    ]
    if not surplus:
        surplus += connection.execute(_RULES).scalars()
    return tuple(missing), tuple(surplus)


def _broken_guards(connection: Connection) -> list[str]:
    """Return the names of triggers and functions that are not as they were made."""
    triggers = {(table, name): (function, enabled) for table, name, function, enabled in connection.execute(_TRIGGERS)}
    bodies = {name: (body, settings) for name, body, settings in connection.execute(_BODIES)}
    broken = [name for (table, name), (_, runs) in TRIGGERS.items() if triggers.get((table, name)) != (runs, "A")]
    return broken + [
        name for name, body in FUNCTIONS.items() if bodies.get(name) != (body, [f"search_path={SEARCHED}"])
    ]
