"""What hands can do to the instruments of the simulated lab: open a door, empty a gas bottle, pull a plug, mend it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from cultureops.demo.cells import DOOR_OPEN_S
from cultureops.demo.fleet import Fleet
from cultureops.demo.lab import INCUBATOR_DEVICES
from cultureops.errors import CultureOpsError
from cultureops.web.bench import Act, ActField

__all__ = ["Room"]

_FAULTS: Final[Mapping[str, tuple[str, str, str]]] = {
    "empty_co2": ("co2_supply", "Empty the CO₂ bottle of", "emptied the CO₂ bottle of"),
    "pull_cable": ("cut", "Pull the cable of", "pulled the cable of"),
}
"""What the simulators call it, what the button says, and what was done."""


class Room:
    """The instruments; ``say`` is told what was done to them."""

    def __init__(self, fleet: Fleet, say: Callable[[str], None]) -> None:
        self._fleet, self._say = fleet, say
        self._broken: set[str] = set()

    def acts(self) -> tuple[Act, ...]:
        """Return what can be done now."""
        incubators = tuple(INCUBATOR_DEVICES)
        found = [Act("door", "Open the door of", (_one_of(incubators),))]
        found += [Act(name, text, (_one_of(incubators),)) for name, (_, text, _) in _FAULTS.items()]
        if self._broken:
            found.append(Act("mend", "Mend", (_one_of(tuple(sorted(self._broken))),)))
        return tuple(found)

    def knows(self, act: str) -> bool:
        """Whether an act is one on instruments."""
        return act in ("door", "mend", *_FAULTS)

    async def act(self, act: str, fields: Mapping[str, str]) -> None:
        """Do it; raises CultureOpsError for an incubator that is none."""
        chamber = fields.get("chamber", "")
        if (device := INCUBATOR_DEVICES.get(chamber)) is None:
            raise CultureOpsError(f"{chamber[:40]!r} is no incubator here; choose {', '.join(INCUBATOR_DEVICES)}")
        if act == "door":
            await self._fleet.act("door", chamber=device, open_s=DOOR_OPEN_S)
            self._say(f"opened the door of {chamber} for {DOOR_OPEN_S:g} s")
        elif act == "mend":
            await self._fleet.clear(device)
            self._broken.discard(chamber)
            self._say(f"mended {chamber}")
        else:
            fault, _, done = _FAULTS[act]
            await self._fleet.plant(device, fault)
            self._broken.add(chamber)
            self._say(f"{done} {chamber}")


def _one_of(chambers: tuple[str, ...]) -> ActField:
    return ActField("chamber", "", chambers[0], choices=chambers)
