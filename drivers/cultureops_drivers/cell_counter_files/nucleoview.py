"""What a NucleoView export says beside its figures: the parser drops a figure that carries a remark, and the remark."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["remarks"]

_FIGURES: Final = {
    "Viability (%)": "viability",
    "Live (cells/ml)": "viable_density",
    "Dead (cells/ml)": "dead_density",
    "Total (cells/ml)": "total_density",
}
_LINE: Final = re.compile(r'^"?(?P<title>[^:;,"]+?)"?(?::\t|[;,])[ \t"]*(?P<value>[^;,"]*)')
_NUMBER: Final = re.compile(r"[+-]?\d+(?:\.\d*)?(?:E[+-]?\d+)?", re.IGNORECASE | re.ASCII)


def remarks(text: str) -> tuple[str, ...]:
    """Return a flag for each figure of the count that is not a plain number, with what stands in its place."""
    found = list[str]()
    for line in text.splitlines():
        match = _LINE.match(line)
        name = _FIGURES.get(match["title"].strip()) if match else None
        if match is not None and name is not None and _NUMBER.fullmatch(match["value"].strip()) is None:
            found.append(f"instrument_remark:{name}:{match['value'].strip()[:60].replace(' ', '_')}")
    return tuple(found)
