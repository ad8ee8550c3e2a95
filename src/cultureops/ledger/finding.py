"""What is wrong with a stored record, where, and of which kind."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Finding", "Kind"]


class Kind(StrEnum):
    """How a record is not as it was written, as far as the bytes can tell."""

    EDITED = "edited"
    DELETED = "deleted"
    INSERTED = "inserted"
    REORDERED = "reordered"
    TRUNCATED = "truncated"
    """Events at the end are gone, and heads of the same file know of them."""
    ROLLED_BACK = "rolled back"
    """The file, heads and all, is older than a head that was kept elsewhere."""
    REHASHED = "re-hashed"
    """Everything follows from the first event on, but it is not what was signed or anchored."""
    UNREADABLE = "unreadable"
    CLAIM = "claim"
    KEY = "key"
    HEAD = "head"
    SIGNATURE = "signature"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong: ``where`` names file or record, ``position`` the event's, None where it is no event."""

    kind: Kind
    where: str
    detail: str
    position: int | None = None

    def __str__(self) -> str:
        """Say where, which kind and what in one line."""
        return f"{self.where}: {self.kind}: {self.detail}"

    def data(self) -> dict[str, str | int | None]:
        """Return it as JSON values."""
        return {"kind": self.kind.value, "where": self.where, "detail": self.detail, "position": self.position}
