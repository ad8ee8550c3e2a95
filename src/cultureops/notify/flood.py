"""Floods of alarms: when one is on, and how its messages are held together without losing a record. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Final

from cultureops.alarms.rule import Kind
from cultureops.clock import MINUTE_MS, Instant
from cultureops.notify.first_out import group_of
from cultureops.notify.incident import Call, News
from cultureops.notify.set_back import SetBack

__all__ = ["Digests", "Flood", "subject_of"]

WINDOW_MS: Final = 10 * MINUTE_MS
BEGINS_ABOVE: Final = 10
ENDS_BELOW: Final = 5
DIGEST_EVERY_MS: Final = MINUTE_MS
"""Least time between two messages to one person on one chamber or cause, while a flood lasts [OWN]."""
MOST_IN_ONE: Final = 500
"""Alarms in one message; a longer digest is several [OWN]."""


class Flood:
    """Says whether more alarms are annunciated than one operator can take.

    A flood begins with the 11th in ten minutes and ends when a window of ten minutes holds fewer than five. Source:
    ISA-18.2 for the rate; the end is [OWN].
    """

    def __init__(self) -> None:
        self._annunciated: deque[Instant] = deque()
        self._set_back = SetBack()
        self.is_on = False

    def note(self, now: Instant) -> None:
        """Take one annunciation."""
        self.tick(now)
        self._annunciated.append(now)
        self.tick(now)

    def tick(self, now: Instant) -> None:
        """Let time pass."""
        if by_ms := self._set_back.by_ms(now):
            self._annunciated = deque(at - by_ms for at in self._annunciated)
        while self._annunciated and self._annunciated[0] <= now - WINDOW_MS:
            self._annunciated.popleft()
        count = len(self._annunciated)
        self.is_on = count >= ENDS_BELOW if self.is_on else count > BEGINS_ABOVE


def subject_of(call: Call) -> str:
    """Say what alarms are told together: those of a chamber or declared group, or all that lost their device."""
    if call.rule.kind in (Kind.COMMUNICATION, Kind.NO_DATA):
        return "communication"
    return group_of(call.rule)


class Digests:
    """Holds what is to be told together, by person and subject.

    GMP-critical alarms are never held and never share a message; nothing is dropped. Without a flood nothing waits, and
    what one tick brings on one subject goes out as one message.
    """

    def __init__(self) -> None:
        self._held: dict[tuple[str, str], list[Call]] = {}
        self._told_at: dict[tuple[str, str], Instant] = {}

    def __len__(self) -> int:
        return sum(len(calls) for calls in self._held.values())

    def sort(self, calls: Iterable[Call], now: Instant, *, in_flood: bool) -> list[tuple[Call, ...]]:
        """Take calls by urgency and return those that go out now, each tuple in one message, the most urgent first."""
        out: list[tuple[Call, ...]] = []
        for call in calls:
            if call.gmp_critical and call.news not in (News.RETURNED, News.ENDED):
                out.append((call,))
            else:
                self._held.setdefault((call.person, subject_of(call)), []).append(call)
        for bundle in list(self._held):
            told_at = self._told_at.get(bundle)
            if in_flood and told_at is not None and told_at <= now < told_at + DIGEST_EVERY_MS:
                continue  # one that is yet to come was told by a clock that was set back since
            held = self._held.pop(bundle)
            self._told_at[bundle] = now
            out += [tuple(held[first : first + MOST_IN_ONE]) for first in range(0, len(held), MOST_IN_ONE)]
        if not in_flood:
            self._told_at = {bundle: at for bundle, at in self._told_at.items() if at <= now < at + DIGEST_EVERY_MS}
        return sorted(out, key=lambda together: min(call.urgency for call in together))
