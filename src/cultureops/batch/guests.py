"""Batches in the chambers of a gateway, by what its hub told last: named as long as nobody says otherwise. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from cultureops.clock import DAY_MS, MINUTE_MS, SECOND_MS, Instant, iso

__all__ = ["FRESH_MS", "Guests"]

FRESH_MS: Final = 15 * MINUTE_MS
"""For how long who stands where is taken for known without a word from the hub [OWN]."""
_REMEMBERED_MS: Final = DAY_MS


@dataclass(frozen=True, slots=True)
class _Stay:
    batch: str
    since: Instant
    until: Instant | None = None


class Guests:
    """Who stands in a gateway's chambers; times are the gateway's, ms UTC."""

    def __init__(self) -> None:
        self._stays: dict[str, tuple[_Stay, ...]] = {}
        self.heard_at: Instant | None = None
        """When the hub said it last, None before it ever did."""

    def take(self, chambers: Mapping[str, Sequence[str]], now: Instant) -> None:
        """Take what the hub says at ``now``: all who stand in each chamber; in those it does not name nobody does.

        A batch that it names for the first time may have been put inside since the word before, and counts from then.
        """
        before = now if self.heard_at is None else min(self.heard_at, now)
        self.heard_at = now
        for chamber in self._stays.keys() | chambers.keys():
            names = set(chambers.get(chamber, ()))
            known = self._stays.get(chamber, ())
            kept = [
                stay if stay.until is not None or stay.batch in names else replace(stay, until=now)
                for stay in known
                if stay.until is None or now - stay.until < _REMEMBERED_MS
            ]
            here = {stay.batch for stay in kept if stay.until is None}
            self._stays[chamber] = (*kept, *(_Stay(name, before) for name in sorted(names - here)))

    def exposed(self, chamber: str, start: Instant, end: Instant) -> tuple[str, ...]:
        """Return the batches that stood in a chamber at any time from ``start`` to ``end``, as far as is known here."""
        found = {
            stay.batch
            for stay in self._stays.get(chamber, ())
            if stay.since <= max(end, start) and (stay.until is None or stay.until > start)
        }
        return tuple(sorted(found))

    def is_known(self, now: Instant) -> bool:
        """Whether the hub has said it lately; a clock set back makes nothing fresh."""
        return self.heard_at is not None and abs(now - self.heard_at) <= FRESH_MS

    def remark(self, now: Instant) -> str:
        """Return what is to be said behind the names of batches; empty while they are known."""
        if self.is_known(now):
            return ""
        if self.heard_at is None:
            return "; who stands inside is not known: the hub has not said it yet"
        ago_min = abs(now - self.heard_at) // SECOND_MS // 60
        return f"; as known at {iso(self.heard_at)}, {ago_min} min ago: the hub is out of reach"
