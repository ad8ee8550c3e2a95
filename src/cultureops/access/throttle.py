"""How often a proof may be tried: after some failures each further one has to wait, twice as long each time. Pure.

A key is a source, or a name at a source; waiting for one holds no other up, so that nobody is locked out by attempts
from elsewhere (OWASP ASVS 5.0 6.3.1).
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Final

from cultureops.errors import AccessError

__all__ = ["Throttle", "TooSoon", "network_of"]

MOST_KEYS: Final = 10_000
FORGET_AFTER_S: Final = 3600.0


def network_of(source: str) -> str:
    """Return what is slowed as one: of IPv6 the network of 64 bits, in which whoever is there has every address."""
    try:
        address = ipaddress.ip_address(source)
    except ValueError:
        return source
    return source if address.version == 4 else str(ipaddress.ip_network((int(address), 64), strict=False))


class TooSoon(AccessError):
    """A proof may be tried again in ``wait_s`` seconds."""

    def __init__(self, wait_s: float) -> None:
        super().__init__(f"too many failed attempts from here; try again in {max(1, round(wait_s))} s")
        self.wait_s = wait_s


@dataclass(slots=True)
class _Failures:
    count: int
    last_s: float


class Throttle:
    """Failures by key; ``free`` of them cost nothing, then the wait grows from ``first_s`` to ``most_s`` [s]."""

    def __init__(self, free: int, first_s: float, most_s: float) -> None:
        self._free, self._first_s, self._most_s = free, first_s, most_s
        self._failures: dict[str, _Failures] = {}

    def wait_s(self, key: str, now_s: float) -> float:
        """Return how long a key has still to wait [s], 0 when it may try."""
        found = self._failures.get(key)
        if found is None or found.count < self._free:
            return 0.0
        pause_s = min(self._most_s, self._first_s * 2.0 ** min(found.count - self._free, 60))
        return max(0.0, found.last_s + pause_s - now_s)

    def failed(self, key: str, now_s: float) -> bool:
        """Count a failure; True when it is the one from which on the key has to wait."""
        found = self._failures.get(key)
        if found is None or now_s - found.last_s > FORGET_AFTER_S + self._most_s:
            self._make_room(now_s)
            found = self._failures[key] = _Failures(0, now_s)
        found.count, found.last_s = found.count + 1, now_s
        return found.count == self._free

    def count(self, key: str) -> int:
        """Return how many failures of a key are not forgotten."""
        found = self._failures.get(key)
        return 0 if found is None else found.count

    def forgive(self, key: str, count: int) -> None:
        """Take back some failures of a key: those of a person who has proven to be themselves after all."""
        found = self._failures.get(key)
        if found is not None:
            found.count -= count
            if found.count <= 0:
                del self._failures[key]

    def forget(self, prefix: str) -> None:
        """Forget all failures of the keys that begin so."""
        for key in [key for key in self._failures if key.startswith(prefix)]:
            del self._failures[key]

    def slowed(self, now_s: float) -> tuple[str, ...]:
        """Return the keys that have had to wait, and have failed within the last hour."""
        recent = (key for key, one in self._failures.items() if now_s - one.last_s <= FORGET_AFTER_S)
        return tuple(key for key in recent if self._failures[key].count >= self._free)

    def _make_room(self, now_s: float) -> None:
        """Drop what is old, then what failed least lately: names that nobody has must not fill the memory."""
        if len(self._failures) < MOST_KEYS:
            return
        by_age = sorted(self._failures, key=lambda key: self._failures[key].last_s)
        for key in by_age[: MOST_KEYS // 10]:
            del self._failures[key]
