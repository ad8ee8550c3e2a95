"""What keeps a ledger on PostgreSQL append-only: triggers that bind everybody, and grants that bind the lab.

The triggers hold for replicated changes too (``ENABLE ALWAYS``). Who owns the tables or rules the server is bound by
neither: that is what signed heads are for.
"""

from __future__ import annotations

from typing import Final

__all__ = ["FUNCTIONS", "RIGHTS", "SEARCHED", "TRIGGERS", "grants", "guards"]

SEARCHED: Final = "pg_catalog, public"
"""Where the functions look for tables, whatever whoever appends has set."""
_STAY: Final = """
BEGIN
    RAISE EXCEPTION 'the ledger is append-only: % of % is refused', lower(TG_OP), TG_TABLE_NAME
        USING ERRCODE = 'integrity_constraint_violation';
END
"""
_FOLLOW: Final = """
BEGIN
    IF NOT ({rule}) THEN
        RAISE EXCEPTION 'the ledger is append-only: {what}' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END
"""
_NEXT_POSITION: Final = "NEW.position = (SELECT coalesce(max(position), 0) + 1 FROM events)"
_NEXT_VERSION: Final = "NEW.version = (SELECT coalesce(max(version), 0) + 1 FROM events WHERE stream = NEW.stream)"
_NEXT_HEAD: Final = "NEW.number = (SELECT coalesce(max(number), 0) + 1 FROM heads)"
_LONGER: Final = "NEW.size > (SELECT coalesce(max(size), 0) FROM heads)"
_NEXT_STAMP: Final = "NEW.number = (SELECT coalesce(max(number), 0) + 1 FROM stamps)"

FUNCTIONS: Final = {
    "ledger_stays": _STAY,
    "events_follow": _FOLLOW.format(
        rule=f"{_NEXT_POSITION} AND {_NEXT_VERSION}", what="positions and versions have no gaps"
    ),
    "heads_follow": _FOLLOW.format(rule=f"{_NEXT_HEAD} AND {_LONGER}", what="heads have no gaps"),
    "stamps_follow": _FOLLOW.format(rule=_NEXT_STAMP, what="time stamps have no gaps"),
}
"""The bodies of the functions that triggers run, by name."""

TRIGGERS: Final = {
    (table, name): (when, function)
    for table in ("events", "heads", "stamps")
    for name, when, function in (
        (f"{table}_stay", "BEFORE UPDATE OR DELETE OR TRUNCATE", "ledger_stays"),
        (f"{table}_follow", "BEFORE INSERT", f"{table}_follow"),
    )
}
"""When each trigger of a table runs, and what."""

RIGHTS: Final = {
    "events": "SELECT, INSERT",
    "heads": "SELECT, INSERT",
    "stamps": "SELECT, INSERT",
    "claims": "SELECT, INSERT, DELETE",
    "secrets": "SELECT, INSERT, UPDATE, DELETE",
    "alembic_version": "SELECT",
}
"""All that the lab's role may do, by table: claims are made anew from the events, secrets are no record."""


def guards() -> list[str]:
    """Return the statements that make the guards, or make them anew."""
    made = [
        f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql "
        f"SET search_path = {SEARCHED} AS $guard${body}$guard$"
        for name, body in FUNCTIONS.items()
    ]
    for (table, name), (when, function) in TRIGGERS.items():
        each = "ROW" if when == "BEFORE INSERT" else "STATEMENT"
        made.append(f"CREATE OR REPLACE TRIGGER {name} {when} ON {table} FOR EACH {each} EXECUTE FUNCTION {function}()")
        made.append(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}")
    return made


def grants(role: str) -> list[str]:
    """Return the statements that let a role [quoted] do what a lab does, and take all else from it and everybody."""
    made = ["REVOKE CREATE ON SCHEMA public FROM PUBLIC", f"REVOKE ALL ON SCHEMA public FROM {role}"]
    made.append(f"GRANT USAGE ON SCHEMA public TO {role}")
    for table, rights in RIGHTS.items():
        made.append(f"REVOKE ALL ON {table} FROM PUBLIC, {role}")
        made.append(f"GRANT {rights} ON {table} TO {role}")
    return made
