"""Run by Alembic: takes the connection that it is given, and leaves the transaction to whoever gave it."""

from alembic import context

__all__: list[str] = []

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
