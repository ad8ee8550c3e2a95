"""What the ledger says of a batch, and of everything that its record rests on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from cultureops.access.accounts import Accounts
from cultureops.access.events import PREFIX as ACCOUNTS
from cultureops.access.events import AccessEvent
from cultureops.access.signature import Signature, signatures_in
from cultureops.alarms.events import alarm_stream
from cultureops.batch.batch import Batch, stream_of
from cultureops.batch.evolve import fold
from cultureops.batch.lineage import lots_used
from cultureops.batch.recipe_schema import Recipe
from cultureops.batch.shelf import RECIPES, RecipeShelf
from cultureops.clock import Instant, iso, parse_iso
from cultureops.dossier.dossier import EquipmentUse, LotUsed, Person, Place
from cultureops.equipment.events import PREFIX as EQUIPMENT
from cultureops.errors import ConfigError, SignatureInvalid
from cultureops.ledger.event import Event
from cultureops.ledger.head import Head
from cultureops.material import LotRegister, lots_named
from cultureops.material.events import PREFIX as LOTS

__all__ = ["Records", "Written", "read_record"]

_COMINGS_AND_GOINGS: Final = frozenset(
    {
        *(AccessEvent.SIGNED_IN, AccessEvent.SIGNED_OUT, AccessEvent.SESSION_ENDED, AccessEvent.AUTHENTICATED),
        *(AccessEvent.SIGN_IN_REFUSED, AccessEvent.TOKEN_ISSUED, AccessEvent.TOKEN_REVOKED),
        AccessEvent.TOKEN_FIRST_USED,
    }
)
"""Events of accounts that say nothing of who somebody is and what they may do."""
_DEVICES: Final = "device:"
_SITE: Final = "site"
_PEOPLE_IN: Final = ("witness_id", "actor_id")
_EQUIPMENT_IN: Final = ("chamber", "to_chamber", "store", "stored_in", "bath", "centrifuge", "device")


class Records(Protocol):
    """What this asks of a ledger: of a lab, or of a pack. From any thread."""

    def read(self, stream: str, after_version: int = 0) -> tuple[Event, ...]:
        """Return a stream's events by version; empty when nobody knows it."""
        ...

    def head(self) -> Head:
        """Return the last position and its hash."""
        ...


@dataclass(frozen=True, slots=True)
class Written:
    """The part of a dossier that the ledger holds; see Dossier."""

    head: Head
    batch: Batch
    recipe: Recipe
    events: tuple[Event, ...]
    related: tuple[Event, ...]
    people: Mapping[str, Person]
    lots: tuple[LotUsed, ...]
    equipment: tuple[EquipmentUse, ...]


def read_record(batch_id: str, records: Records, place: Place, now: Instant) -> Written:
    """Read a batch and the streams that it rests on; blocks. Raises as ``gather_dossier``."""
    head, events = records.head(), records.read(stream_of(batch_id))
    if (batch := fold(events)) is None:
        raise ConfigError(f"no batch {batch_id[:60]!r} in this ledger; `batch list` names them")
    adopted = records.read(RECIPES + batch.recipe.name)
    recipes = RecipeShelf(place.recipes)
    for event in adopted:
        recipes.apply(event)
    lots = lots_used(events)
    lot_events = _read(records, LOTS, lots)
    equipment = _named(events, _equipment_named)
    devices = _looking_into(batch, place) | equipment.keys()
    equipment_events = _read(records, EQUIPMENT, devices)
    alarms = _alarms(batch, records)
    usernames = _usernames([*events, *alarms])
    accounts = [e for e in _read(records, ACCOUNTS, usernames) if e.type not in _COMINGS_AND_GOINGS]
    until = now if batch.ended_at is None else batch.ended_at
    links = [e for e in _read(records, _DEVICES, devices) if batch.created_at <= e.occurred_at <= until]
    related = [*adopted, *records.read(_SITE), *lot_events, *equipment_events, *links, *alarms, *accounts]
    return Written(
        head=head,
        batch=batch,
        recipe=recipes.of(batch),
        events=events,
        related=tuple(sorted(related, key=lambda event: event.position)),
        people=_people(usernames, accounts, [*events, *alarms]),
        lots=_lots(lots, events, lot_events, now),
        equipment=_equipment(equipment, equipment_events, events, place),
    )


def _read(records: Records, prefix: str, names: Iterable[str]) -> list[Event]:
    return [event for name in sorted(set(names)) for event in records.read(prefix + name)]


def _alarms(batch: Batch, records: Records) -> list[Event]:
    """Return the events of the alarms that exposed a batch, as long as they did."""
    raised = {iso(exposure.raised_at) for exposure in batch.exposures}
    return [
        event
        for rule_id in sorted({exposure.rule_id for exposure in batch.exposures})
        for event in records.read(alarm_stream(rule_id))
        if batch.id in _listed(event, "batch_ids") or event.data.get("raised_at") in raised
    ]


def _listed(event: Event, key: str) -> Sequence[Any]:
    """Return a list of an event's data; empty for what is none."""
    found = event.data.get(key)
    return found if isinstance(found, list | tuple) else ()


def _looking_into(batch: Batch, place: Place) -> set[str]:
    """Return the devices that look into the chambers where a batch stood."""
    chambers = {stay.chamber for stay in batch.occupancies}
    return {row.device for row in place.channels if row.chamber in chambers}


_Uses = dict[str, tuple[Instant, Instant]]
"""When each was used first and last."""


def _named(events: Iterable[Event], names_in: Any) -> _Uses:
    uses: _Uses = {}
    for event in events:
        if event.type == "command_refused":
            continue
        for name in names_in(event):
            first, last = uses.get(name, (event.occurred_at, event.occurred_at))
            uses[name] = min(first, event.occurred_at), max(last, event.occurred_at)
    return uses


def _equipment_named(event: Event) -> Iterator[str]:
    if event.type == "alarm_exposed":
        return
    yield from (name for key in _EQUIPMENT_IN if isinstance(name := event.data.get(key), str))
    yield from _checked(event, "G3")


def _checked(event: Event, gate: str) -> Mapping[str, Any]:
    """Return the facts that a gate kept with an event, by name; empty where it did not judge."""
    used: Mapping[str, Any] = next((it["used"] for it in _listed(event, "checks") if it.get("gate") == gate), {})
    return {name: fact for name, fact in used.items() if isinstance(fact, Mapping)}


def _kept(events: Iterable[Event], gate: str, *, last: bool) -> dict[str, Mapping[str, Any]]:
    """Return what a gate kept of each thing at its first use, or its last."""
    kept: dict[str, Mapping[str, Any]] = {}
    for event in events:
        for name, fact in _checked(event, gate).items():
            if last or name not in kept:
                kept[name] = fact
    return kept


def _time(fact: Mapping[str, Any], key: str) -> Instant | None:
    return None if (text := fact.get(key)) is None else parse_iso(text)


def _lots(
    names: Sequence[str], events: Sequence[Event], lot_events: Iterable[Event], now: Instant
) -> tuple[LotUsed, ...]:
    register = LotRegister()
    for event in lot_events:
        register.apply(event)
    uses = _named(events, lambda event: (lot for _, lot in lots_named(event.data)))
    kept = _kept(events, "G4", last=False)
    return tuple(
        LotUsed(
            name,
            *uses[name],
            str(kept.get(name, {}).get("status", "")),
            _time(kept.get(name, {}), "expires_at"),
            register.fact(name, now),
        )
        for name in names
        if name in uses
    )


def _equipment(
    uses: _Uses, equipment_events: Iterable[Event], events: Sequence[Event], place: Place
) -> tuple[EquipmentUse, ...]:
    register = place.equipment()
    for event in equipment_events:
        register.apply(event)
    kept = _kept(events, "G3", last=True)
    simulated = {name for row in place.channels if row.simulated for name in (row.device, row.chamber)}
    simulated |= place.simulated_devices
    found = []
    for name in sorted(uses, key=lambda name: (uses[name], name)):
        state = register.fact(name, uses[name][1])
        fact = kept.get(name)
        in_service = (state is not None and state.in_service) if fact is None else bool(fact.get("in_service"))
        until = (None if state is None else state.calibrated_until) if fact is None else _time(fact, "calibrated_until")
        found.append(EquipmentUse(name, *uses[name], in_service, until, state, name in simulated))
    return tuple(found)


def _usernames(events: Iterable[Event]) -> set[str]:
    """Return everybody who acted, witnessed or signed."""
    found = set()
    for event in events:
        if event.source == "human":
            found.add(event.actor.id)
        found |= {name for key in _PEOPLE_IN if isinstance(name := event.data.get(key), str) and name}
        found |= {signature.username for signature in _signatures(event)}
    return found


def _signatures(event: Event) -> tuple[Signature, ...]:
    """Return what an event carries of signatures; what is none is named where their standing is told."""
    try:
        return signatures_in(event)
    except SignatureInvalid:
        return ()


def _people(usernames: Iterable[str], accounts: Iterable[Event], events: Iterable[Event]) -> dict[str, Person]:
    """Name people by their accounts, else by their signatures, else not at all; roles are those they acted in."""
    register, printed = Accounts(), dict[str, str]()
    for event in sorted(accounts, key=lambda event: event.position):
        register.apply(event)
    roles: dict[str, set[str]] = {}
    for event in events:
        printed |= {signature.username: signature.printed_name for signature in _signatures(event)}
        if event.source == "human":
            roles.setdefault(event.actor.id, set()).add(event.actor.role)
        if isinstance(witness := event.data.get("witness_id"), str) and witness:
            roles.setdefault(witness, set()).add("witness")
    found = {}
    for name in sorted(usernames):
        account = register.get(name)
        printed_name = printed.get(name, "") if account is None else account.printed_name
        found[name] = Person(name, printed_name, tuple(sorted(roles.get(name, ()))), account)
    return found
