"""One module for each group of addresses."""

__all__: list[str] = []
