"""Events as they were written, read as they would be written today. Pure: stored bytes never change.

When the data of an event type gets another form, its number in ``NEWEST`` goes up by one, and ``UPCASTS`` gets the
function that makes the new form from the one before. Nothing else in the program has to know the older forms.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

__all__ = ["NEWEST", "UPCASTS", "Upcast", "is_newer", "upcast"]

Upcast: TypeAlias = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""Makes the data of one version from that of the version before, and loses nothing."""

UPCASTS: Final[dict[tuple[str, int], Upcast]] = {}
"""By event type and the version that the function reads."""

NEWEST: Final[dict[str, int]] = {}
"""The version in which this program writes and reads a type, where that is not 1."""

_APART: Final = "signatures"
"""What is signed stays as it was signed; see ``access/signature.py``."""


def upcast(kind: str, version: int, data: Mapping[str, Any]) -> tuple[int, Mapping[str, Any]]:
    """Return the version and data that this program reads for what was written of a type; newer data as it is."""
    if (kind, version) not in UPCASTS:
        return version, data
    kept = {name: value for name, value in data.items() if name == _APART}
    found: Mapping[str, Any] = {name: value for name, value in data.items() if name != _APART}
    while (step := UPCASTS.get((kind, version))) is not None:
        found, version = step(found), version + 1
    return version, {**found, **kept}


def is_newer(kind: str, version: int) -> bool:
    """Whether data of a type has a form that this program does not know."""
    return version > NEWEST.get(kind, 1)
