"""Names of people as they are typed: which can be one, and whether two are the same person's.

Until accounts are known to the program a name is only text, so that it is at least compared as people read it.
"""

from __future__ import annotations

import unicodedata
from typing import Final

__all__ = ["folded", "is_name", "looks_like", "same_person"]

LONGEST: Final = 200
_ALIKE: Final = str.maketrans("ilo", "110")
_SCRIPTS: Final = frozenset({"LATIN", "GREEK", "CYRILLIC", "ARMENIAN", "HEBREW", "ARABIC", "CHEROKEE"})
"""Scripts with letters that look alike: a name is written in one of them."""


def is_name(text: str) -> bool:
    """Whether a text can be a person's: printable, with two letters or digits at least, in one script."""
    if len(text) > LONGEST or not text.isprintable():
        return False
    scripts = {unicodedata.name(char, "").partition(" ")[0] for char in text if char.isalpha()}
    return sum(char.isalnum() for char in text) >= 2 and len(scripts & _SCRIPTS) <= 1


def same_person(one: str, other: str) -> bool:
    """Whether two names read the same, however they were typed."""
    return folded(one) == folded(other)


def looks_like(one: str, other: str) -> bool:
    """Whether two names are taken for each other on a screen or on paper: ``qa-1`` and ``qa-l``, ``op-0`` and ``op-o``.

    Too strict to say that they are one person's, but nobody needs both.
    """
    return folded(one).translate(_ALIKE) == folded(other).translate(_ALIKE)


def folded(name: str) -> str:
    """Return a name without what nobody tells apart: width, case, kinds of dash, blanks."""
    text = unicodedata.normalize("NFKC", name).casefold()
    return "".join("-" if unicodedata.category(char) == "Pd" else char for char in text if not char.isspace())
