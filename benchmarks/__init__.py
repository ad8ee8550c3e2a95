"""Claims measured against a named peer in the same run; `make bench` writes bench.json."""

__all__: list[str] = []
