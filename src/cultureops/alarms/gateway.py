"""A gateway as the hub's alarms know it, and how its rules are called there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from cultureops.alarms.orphan import recorded_as_rule
from cultureops.alarms.rule import PLACE_PREFIX, Rule
from cultureops.ledger.event import JsonValue

__all__ = ["Gateway", "place_of"]


def place_of(gateway: str) -> str:
    """Return the name that stands for all chambers of a gateway; none of them can have it, for the slash."""
    return f"{PLACE_PREFIX}{gateway}"


@dataclass(frozen=True)
class Gateway:
    """Whose alarms are followed: its name, its chambers, devices and rules of its site file as the hub has it.

    ``site_sha256`` is that of this file [hex], empty where it is not compared.
    """

    name: str
    chambers: tuple[str, ...]
    devices: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()
    site_sha256: str = ""

    @property
    def place(self) -> str:
        """The name that stands for all its chambers."""
        return place_of(self.name)

    @cached_property
    def _by_id(self) -> Mapping[str, Rule]:
        return {rule.id: rule for rule in self.rules}

    def has(self, rule_id: str) -> bool:
        """Whether a rule stands in its site file as the hub has it."""
        return rule_id in self._by_id

    def here(self, rule_id: str) -> str:
        """Return what one of its rules is called at the hub.

        Rules of a site file begin with a chamber or a device, which no two nodes share. Others, such as those by which
        every node watches itself, are called alike everywhere.
        """
        place = rule_id.partition("/")[0]
        return rule_id if place in self.chambers or place in self.devices else f"{self.name}:{rule_id}"

    def there(self, rule_id: str) -> str:
        """Return what the gateway calls a rule: the reverse of ``here``."""
        return rule_id.removeprefix(f"{self.name}:")

    def rule(self, rule_id: str, said: Mapping[str, JsonValue]) -> Rule:
        """Return a rule by its name at the hub: as approved here, or as far as its alarm's events repeat it.

        Whatever those say, it is a rule of this gateway's chambers alone.
        """
        if (known := self._by_id.get(rule_id)) is not None:
            return known
        chamber = said.get("chamber")
        is_there = isinstance(chamber, str) and chamber in self.chambers
        return recorded_as_rule(rule_id, {**said, "batch": None, "chamber": chamber if is_there else self.place})
