"""One module for each step."""

__all__: list[str] = []
