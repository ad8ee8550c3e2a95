"""``python -m cultureops`` is the ``cultureops`` command."""

from cultureops.cli import main

__all__: list[str] = []

main()
