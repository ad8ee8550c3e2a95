"""Events, claims, heads and stamps as a SQLite file has them, and the secrets of access that stand in one elsewhere."""

from collections.abc import Sequence

from alembic import op

__all__ = ["branch_labels", "depends_on", "down_revision", "downgrade", "revision", "upgrade"]

revision = "0001"
down_revision: str | None = None
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

# Names are ordered by their characters, as SQLite does, whatever the language of the database.
_TABLES = (
    """CREATE TABLE events (
    position BIGINT PRIMARY KEY,
    stream TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    canonical BYTEA NOT NULL,
    hash BYTEA NOT NULL CHECK (length(hash) = 32),
    UNIQUE (stream, version)
)""",
    """CREATE TABLE claims (
    name TEXT COLLATE "C" PRIMARY KEY,
    stream TEXT COLLATE "C" NOT NULL,
    position BIGINT NOT NULL
)""",
    """CREATE TABLE heads (
    number BIGINT PRIMARY KEY,
    size BIGINT NOT NULL UNIQUE,
    root BYTEA NOT NULL CHECK (length(root) = 32),
    chain_hash BYTEA NOT NULL CHECK (length(chain_hash) = 32),
    signed_at BIGINT NOT NULL,
    key_id TEXT NOT NULL,
    signature BYTEA NOT NULL CHECK (length(signature) = 64),
    origin TEXT NOT NULL
)""",
    """CREATE TABLE stamps (
    number BIGINT PRIMARY KEY,
    size BIGINT NOT NULL,
    authority TEXT COLLATE "C" NOT NULL,
    token BYTEA NOT NULL,
    UNIQUE (size, authority)
)""",
    """CREATE TABLE secrets (
    id TEXT COLLATE "C" PRIMARY KEY,
    kind TEXT NOT NULL,
    owner TEXT COLLATE "C" NOT NULL,
    value BYTEA NOT NULL,
    counter BIGINT
)""",
    # What is compressed on the way to the disk is slower to hash again than it is long.
    "ALTER TABLE events ALTER COLUMN canonical SET STORAGE EXTERNAL",
)


def upgrade() -> None:
    """Make the tables."""
    for statement in _TABLES:
        op.execute(statement)


def downgrade() -> None:
    """Refuse: a record is never taken away."""
    raise NotImplementedError("the record is never taken away; restore a backup into another database")
