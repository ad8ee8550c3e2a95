"""What all parts of the batch record say alike: who, when, and rows that hold both the value and its words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

from cultureops.clock import Instant, iso, local_stamp, local_text
from cultureops.dossier import Dossier
from cultureops.ledger.event import JsonValue

__all__ = ["Row", "Words", "number", "title_of"]

Row: TypeAlias = dict[str, JsonValue]


@dataclass(frozen=True, slots=True)
class Words:
    """Says things of one dossier for people: in its zone, by its people's printed names."""

    dossier: Dossier

    @property
    def zone(self) -> ZoneInfo:
        """The site's zone."""
        return self.dossier.place.zone

    def when(self, at: Instant | None) -> str:
        """Write an instant to the minute in the site's zone, a dash for none."""
        return "–" if at is None else local_text(at, self.zone)

    def stamp(self, at: Instant) -> str:
        """Write an instant to the second with zone and offset."""
        return local_stamp(at, self.zone)

    def at(self, name: str, at: Instant | None) -> Row:
        """Return an instant as ISO 8601 under a name and, with ``_text``, in words."""
        return {name: None if at is None else iso(at), f"{name}_text": self.when(at)}

    def who(self, username: str, role: str) -> str:
        """Name who did something, with the role: printed name and account where they differ."""
        printed = self.dossier.name_of(username)
        return f"{username} ({role})" if printed == username else f"{printed} ({username}, {role})"

    def chamber(self, chamber_id: str) -> str:
        """Return a chamber's title with its id, the id alone where no site file names it."""
        chamber = self.dossier.place.chambers.get(chamber_id)
        return chamber_id if chamber is None or chamber.title == chamber_id else f"{chamber.title} ({chamber_id})"


def title_of(event_type: str) -> str:
    """Return a type of event as a heading."""
    return event_type.replace("_", " ").capitalize().replace("Qc", "QC")


def number(value: Any, digits: int = 3) -> str:
    """Write a number with so many significant digits, whole thousands in groups; a dash for none."""
    if value is None:
        return "–"
    text = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.{digits}g}"
    return text.replace(",", "\u00a0").replace("-", "−")
