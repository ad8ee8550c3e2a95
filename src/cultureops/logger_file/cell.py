"""The cells of one column as numbers; where there is none, as the reason why."""

from __future__ import annotations

import re
from array import array
from dataclasses import dataclass, field
from typing import Final

from cultureops.device.reading import Reason
from cultureops.errors import Unreadable

__all__ = ["Column"]

_SHOWN: Final = 40
_MISSING: Final = frozenset({"", "na", "n/a", "#n/a", "null", "none", "-", "--", "---", "no data"})
_STATES: Final = {
    "true": 1.0, "on": 1.0, "open": 1.0, "yes": 1.0, "false": 0.0, "off": 0.0, "closed": 0.0, "no": 0.0,
}  # fmt: skip
_COMMA: Final = re.compile(r"[+-]?\d+,\d+(?:e[+-]?\d+)?", re.I | re.A)


@dataclass(slots=True)
class Column:
    """One column as it is read; ``dot_line`` and ``comma_line`` are where its decimal signs were first seen."""

    title: str
    place: int
    is_state: bool
    delimiter: str
    values: array[float] = field(default_factory=lambda: array("d"))
    reasons: bytearray = field(default_factory=bytearray)
    dot_line: int = 0
    comma_line: int = 0

    def take(self, text: str, line: int, file: str) -> None:
        """Take the next row's cell; raise Unreadable for one with another decimal sign than before."""
        try:
            value = float(text)
        except ValueError:
            value, reason = self._unusual(text, line, file)
        else:
            reason = 0
            if value - value != 0.0 or "_" in text:
                value, reason = float("nan"), Reason.NOT_FINITE
            elif not self.dot_line and "." in text:
                self.dot_line = line
                self._check_signs(text, line, file)
        self.values.append(value)
        self.reasons.append(reason)

    def _unusual(self, text: str, line: int, file: str) -> tuple[float, int]:
        text = text.strip()
        if text.casefold() in _MISSING:
            return float("nan"), Reason.NOT_DELIVERED
        if self.is_state and text.casefold() in _STATES:
            return _STATES[text.casefold()], 0
        if _COMMA.fullmatch(text):
            value = float(text.replace(",", "."))
            if value - value == 0.0:
                self.comma_line = self.comma_line or line
                self._check_signs(text, line, file)
                return value, 0
        return float("nan"), Reason.NOT_FINITE

    def _check_signs(self, text: str, line: int, file: str) -> None:
        if self.dot_line and self.comma_line:
            raise Unreadable(
                f"{file}:{line}: {self.title} is {text[:_SHOWN]!r}, with another decimal sign than in line "
                f"{min(self.dot_line, self.comma_line)}; write all with one"
            )
