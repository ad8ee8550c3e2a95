"""The menu: which pages there are for whom, and how many alarms wait."""

from __future__ import annotations

from collections.abc import Collection, Sequence, Set
from dataclasses import dataclass
from typing import Final

from cultureops.access.roles import PEOPLE, Role
from cultureops.alarms import AlarmView

__all__ = ["Link", "menu", "waiting"]

_EVERYBODY: Final = frozenset(Role)
_JUDGES: Final = frozenset({Role.REVIEWER, Role.QUALITY_CONTROL, Role.QUALITY_ASSURANCE, Role.QUALIFIED_PERSON})
_KEEPERS: Final = frozenset({Role.ADMINISTRATOR, Role.QUALITY_ASSURANCE, Role.QUALIFIED_PERSON})
_PAGES: Final[Sequence[tuple[str, str, frozenset[Role]]]] = (
    ("/", "Board", _EVERYBODY),
    ("/due", "Due", PEOPLE),
    ("/batches/new", "New batch", frozenset({Role.OPERATOR})),
    ("/bench", "Bench", PEOPLE),
    ("/alarms", "Alarms", _EVERYBODY),
    ("/quality", "Quality", _JUDGES),
    ("/deviations", "Deviations", PEOPLE),
    ("/equipment", "Equipment", PEOPLE),
    ("/lots", "Lots", PEOPLE),
    ("/recipes", "Recipes", _JUDGES),
    ("/devices", "Devices", _KEEPERS | {Role.EQUIPMENT}),
    ("/roster", "Roster", PEOPLE | _KEEPERS),
    ("/site", "Site", _KEEPERS),
    ("/audit", "Audit trail", _EVERYBODY),
    ("/accounts", "Accounts", _KEEPERS),
    ("/gateways", "Gateways", _EVERYBODY),
    ("/health", "Health", _EVERYBODY),
)
"""Address, words, and in whose menu it stands; who may really open a page its own route says."""


@dataclass(frozen=True, slots=True)
class Link:
    """One entry of the menu."""

    address: str
    words: str
    is_here: bool


def menu(addresses: Collection[str], path: str, roles: Set[Role], *, is_display: bool) -> tuple[Link, ...]:
    """Return the menu of somebody with these roles on the page ``path``; only pages whose address there is."""
    shown = [
        (address, words)
        for address, words, meant_for in _PAGES
        if address in addresses
        and (address == "/" if is_display else meant_for & set(roles) or meant_for == _EVERYBODY)
    ]
    within = [address for address, _ in shown if path == address or (address != "/" and path.startswith(f"{address}/"))]
    here = max(within, key=len, default=None)
    return tuple(Link(address, words, address == here) for address, words in shown)


def waiting(active: Collection[AlarmView]) -> int:
    """Return how many alarms nobody has acknowledged."""
    return sum(view.state.wants_acknowledgement for view in active)
