"""How a connection to PostgreSQL is made: the password out of its file each time, TLS, deadlines for everything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.pool import NullPool, Pool

from cultureops.errors import ConfigError, StorageError
from cultureops.ledger.postgres_settings import PostgresSettings, is_near
from cultureops.ledger.storage import WAIT_S

if TYPE_CHECKING:
    from cultureops.ledger.postgres_wait import ConnectionInTime, Hearing

__all__ = ["DURABLE", "check_durable", "connect", "engine_of", "open_connection"]

DURABLE: Final = (
    "CASE WHEN current_setting('synchronous_commit') = 'off' THEN set_config('synchronous_commit', 'on', true) END, "
    "current_setting('fsync') AS fsync"
)
"""What a transaction asks for at its begin, so that its commit is on disk however the server was set meanwhile."""
STATEMENT_S: Final = 60
"""No statement of ours takes so long on a record of millions of events [OWN]."""
_GRACE_S: Final = 5.0
"""A server that is well says by itself that a statement took too long."""
_SILENT_WRITER_S: Final = 30.0
"""Who writes waits no longer than those who wait for it do."""
_SILENT_MS: Final = 10_000
"""A lab that took the lock and went silent, its machine without power, holds up the others for no longer [OWN]."""
_KEEPALIVE: Final[dict[str, Any]] = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}


def connect(
    settings: PostgresSettings,
    *,
    application: str = "cultureops",
    is_read_only: bool = False,
    is_locking: bool = False,
    hearing: Hearing | None = None,
) -> ConnectionInTime:
    """Open a connection that ends where the server is silent, see ``postgres_wait``; ``hearing`` is what others know.

    Raises psycopg.Error, and ConfigError for a password that can't be read.
    """
    import psycopg  # with what waits for it: a lab on a file has no use for either

    from cultureops.ledger.postgres_wait import AT_ONCE_S, ConnectionInTime, Hearing, is_on_loop

    hearing = hearing or Hearing()
    deadline_s = settings.connect_timeout_s
    if is_read_only and is_on_loop():
        hearing.check()
        deadline_s = min(deadline_s, AT_ONCE_S)
    options = {
        "search_path": "public",
        "statement_timeout": STATEMENT_S * 1000,
        "lock_timeout": round(WAIT_S * 1000),
        "tcp_keepalives_idle": _KEEPALIVE["keepalives_idle"],
        "tcp_keepalives_interval": _KEEPALIVE["keepalives_interval"],
        "tcp_keepalives_count": _KEEPALIVE["keepalives_count"],
        "default_transaction_isolation": r"read\ committed",  # what follows the lock must see what came before it
        "default_transaction_read_only": "on" if is_read_only else "off",
    }
    if is_locking:
        options["idle_in_transaction_session_timeout"] = _SILENT_MS
    if settings.ca_file is None and not is_near(settings.host):
        raise ConfigError(f"{settings.name}: another machine, and no ca_file to know it by; name one")
    tls: dict[str, Any] = {"sslmode": "disable" if settings.ca_file is None else "verify-full"}
    if settings.ca_file is not None:
        tls["sslrootcert"] = str(settings.ca_file)
    try:
        made = ConnectionInTime.connect(
            host=settings.host,
            port=settings.port,
            dbname=settings.database,
            user=settings.user,
            password=settings.password(),
            connect_timeout=max(2, round(deadline_s)),
            application_name=application,
            client_encoding="UTF8",
            gssencmode="disable",
            options=" ".join(f"-c {name}={value}" for name, value in options.items()),
            **_KEEPALIVE,
            **tls,
        )
    except psycopg.errors.ConnectionTimeout:
        hearing.missed()
        raise
    made.hearing, made.silent_s = hearing, _SILENT_WRITER_S if is_locking else STATEMENT_S + _GRACE_S
    made.spares_loops = is_read_only
    return made


def check_durable(fsync: str) -> None:
    """Raise StorageError where the server would call something kept that a cut of the power takes."""
    if fsync != "on":
        raise StorageError("the server has fsync off and can lose what it said it keeps; turn it on; none was recorded")


@contextmanager
def open_connection(
    settings: PostgresSettings, *, application: str = "cultureops", is_read_only: bool = False
) -> Iterator[Connection]:
    """Give one connection for a while; raises SQLAlchemyError, and ConfigError for a password that can't be read."""
    with engine_of(settings, NullPool, application=application, is_read_only=is_read_only).connect() as connection:
        yield connection


def engine_of(
    settings: PostgresSettings,
    pool: type[Pool],
    options: Mapping[str, Any] | None = None,
    *,
    application: str = "cultureops",
    is_read_only: bool = False,
    is_locking: bool = False,
    hearing: Hearing | None = None,
) -> Engine:
    """Return what opens connections when they are asked for; ``options`` are those of SQLAlchemy."""

    def make() -> ConnectionInTime:
        return connect(
            settings, application=application, is_read_only=is_read_only, is_locking=is_locking, hearing=hearing
        )

    # Its look for a type that no table here has would cost every first connection a question.
    return create_engine(
        "postgresql+psycopg://", creator=make, poolclass=pool, use_native_hstore=False, **options or {}
    )
