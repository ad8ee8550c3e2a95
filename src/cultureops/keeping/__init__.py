"""Keeping records from the command line: what the commands on batches, counts, equipment, lots and recipes do."""

__all__: list[str] = []
