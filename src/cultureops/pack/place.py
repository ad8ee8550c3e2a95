"""The site as far as a batch's record needs it, in ``site.json`` of a pack: no links, no addresses, no secrets."""

from __future__ import annotations

from typing import Final
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ValidationError

from cultureops.acquisition import MeasuredChannel
from cultureops.dossier import Place
from cultureops.equipment import Chamber, EquipmentRegister
from cultureops.equipment.state import Declared
from cultureops.errors import ConfigError, Unreadable
from cultureops.telemetry.local_time import zone_named

__all__ = ["SITE", "place_from", "place_text"]

SITE: Final = "site.json"


class _Site(BaseModel):
    name: str
    zone: str
    chambers: tuple[Chamber, ...]
    channels: tuple[MeasuredChannel, ...]
    equipment: tuple[Declared, ...]
    simulated_devices: tuple[str, ...]


def place_text(place: Place) -> bytes:
    """Return a place as it stands in a pack; the recipe of the batch is among the events."""
    register = place.equipment()
    site = _Site(
        name=place.name,
        zone=place.zone.key,
        chambers=tuple(place.chambers.values()),
        channels=place.channels,
        equipment=tuple(row for name in register.ids() if (row := register.declared(name)) is not None),
        simulated_devices=tuple(sorted(place.simulated_devices)),
    )
    return site.model_dump_json(indent=1).encode()


def place_from(text: bytes) -> Place:
    """Read what ``place_text`` returned; raises Unreadable for anything else."""
    try:
        site = _Site.model_validate_json(text)
        zone: ZoneInfo = zone_named(site.zone)
    except (ValidationError, ConfigError) as error:
        raise Unreadable(f"{SITE}: is not what a pack says of its site: {' '.join(str(error).split())[:200]}") from None
    return Place(
        name=site.name,
        zone=zone,
        chambers={chamber.id: chamber for chamber in site.chambers},
        channels=site.channels,
        equipment=lambda: EquipmentRegister(chambers=site.equipment),
        simulated_devices=frozenset(site.simulated_devices),
    )
