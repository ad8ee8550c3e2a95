"""Text in one line: whatever stands in a rule or a name makes no line of its own. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Final

from cultureops.alarms.rule import BatchRef
from cultureops.alarms.text import exposed
from cultureops.field import printable

__all__ = ["LONGEST_SUBJECT", "one_line", "subject_line"]

LONGEST_SUBJECT: Final = 160
LONGEST_BATCHES: Final = 80
"""Characters of a subject that the names of batches may take; those that don't fit are counted [OWN]."""


def one_line(text: str) -> str:
    """Return a text without line breaks and control characters, which become blanks; the rest is printable."""
    blanked = "".join(" " if char.isspace() or unicodedata.category(char) == "Cc" else char for char in text)
    return printable(" ".join(blanked.split()))


def subject_line(what: str, batches: Sequence[BatchRef] | None = None) -> str:
    """Write a subject of at most 160 characters in which what is wrong gives way to whose cells are in danger."""
    inside = "" if batches is None else f"; {_named(batches)}"
    said = one_line(what)
    longest = LONGEST_SUBJECT - len(inside)
    return (said if len(said) <= longest else said[: longest - 3] + "...") + inside


def _named(batches: Sequence[BatchRef]) -> str:
    """Name the batches that fit, and say how many there are."""
    said = one_line(exposed(batches))
    if len(said) <= LONGEST_BATCHES:
        return said
    names, head = [one_line(batch) for batch in batches], f"{len(batches)} batches inside: "
    while names and len(head) + len(", ".join((*names, "..."))) > LONGEST_BATCHES:
        names.pop()
    return head + ", ".join((*names, "..."))
