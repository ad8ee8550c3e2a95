"""How the tables of a ledger on PostgreSQL came to be, step by step; run by ``postgres_schema.prepare``."""

__all__: list[str] = []
