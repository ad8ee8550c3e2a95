"""What a dossier holds: one batch, and all that its record rests on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from cultureops.access.account import Account
from cultureops.acquisition import MeasuredChannel
from cultureops.analysis.exposure import ChannelExposure
from cultureops.batch.batch import Batch
from cultureops.batch.conditions import Range
from cultureops.batch.facts import EquipmentFact, Facts, LotFact, OpenAlarm, TelemetryGap
from cultureops.batch.parts import Occupancy
from cultureops.batch.recipe_schema import Recipe
from cultureops.clock import Instant
from cultureops.equipment import Chamber, EquipmentRegister, EquipmentState
from cultureops.ledger.event import Actor, Event
from cultureops.ledger.head import Head
from cultureops.ledger.signed_head import SignedHead
from cultureops.material import LotState
from cultureops.telemetry import Buckets

__all__ = ["ChannelRecord", "Dossier", "EquipmentUse", "LotUsed", "Person", "Place", "StayRecord"]


@dataclass(frozen=True, slots=True)
class Place:
    """What the site file says: name, zone, chambers, channels, recipes, and ``equipment`` before any event."""

    name: str
    zone: ZoneInfo
    chambers: Mapping[str, Chamber]
    channels: tuple[MeasuredChannel, ...]
    equipment: Callable[[], EquipmentRegister]
    recipes: tuple[Recipe, ...] = ()
    simulated_devices: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who acted, witnessed or signed: in which ``roles``, and the account as it stands, None without one.

    ``printed_name`` is empty where the record does not say.
    """

    username: str
    printed_name: str
    roles: tuple[str, ...]
    account: Account | None


@dataclass(frozen=True, slots=True)
class LotUsed:
    """A lot of material, the facts at its first and last use as gate G4 kept them, and how it stands now.

    ``status`` is empty where no gate looked at it, ``present`` None where nothing is on record.
    """

    id: str
    first_used_at: Instant
    last_used_at: Instant
    status: str
    expires_at: Instant | None
    present: LotState | None


@dataclass(frozen=True, slots=True)
class EquipmentUse:
    """A chamber or instrument, the facts at its last use as gate G3 kept them, and what was on record of it then."""

    id: str
    first_used_at: Instant
    last_used_at: Instant
    in_service: bool
    calibrated_until: Instant | None
    state: EquipmentState | None
    simulated: bool


@dataclass(frozen=True, slots=True)
class ChannelRecord:
    """One channel over one stay: limits of the recipe in its unit, what it did, and a thinned series to draw."""

    row: MeasuredChannel
    limits: Range
    exposure: ChannelExposure
    series: Buckets


@dataclass(frozen=True, slots=True)
class StayRecord:
    """One stay of vessels in a chamber, until ``until`` [ms UTC] where it lasts.

    ``door_open`` are stretches in which its door or lid was seen open, ``gaps`` those without a value of some channel.
    """

    stay: Occupancy
    title: str
    until: Instant
    channels: tuple[ChannelRecord, ...]
    door_open: tuple[tuple[Instant, Instant], ...]
    gaps: tuple[TelemetryGap, ...]


@dataclass(frozen=True, slots=True)
class Dossier:
    """One batch with all that its record rests on, as of ``now`` [ms UTC]; ``head`` is the ledger's at that time.

    ``signed_head`` is the newest tree head that its key has signed, None where nobody has.
    ``related`` are the events of other streams by position: alarms that exposed it, equipment, devices and lots it
    used, accounts of its people, its recipe and the site.
    """

    place: Place
    now: Instant
    head: Head
    batch: Batch
    recipe: Recipe
    events: tuple[Event, ...]
    related: tuple[Event, ...]
    people: Mapping[str, Person]
    lots: tuple[LotUsed, ...]
    equipment: tuple[EquipmentUse, ...]
    stays: tuple[StayRecord, ...]
    signed_head: SignedHead | None = None

    @property
    def until(self) -> Instant:
        """Until when the batch's time runs: now, or when it ended."""
        return self.now if self.batch.ended_at is None else self.batch.ended_at

    @property
    def gaps(self) -> tuple[TelemetryGap, ...]:
        """Where chambers gave no value while the batch stood in them, longer than their channels may be silent."""
        return tuple(gap for stay in self.stays for gap in stay.gaps)

    @property
    def facts(self) -> Facts:
        """What a decision made now would look at, as far as the record says it; alarms are those that exposed it."""
        return Facts(
            now=self.now,
            actor=Actor("", ""),
            recipe=self.recipe,
            open_alarms=tuple(
                OpenAlarm(e.rule_id, e.chamber, e.gmp_critical, e.raised_at)
                for e in self.batch.exposures
                if e.cleared_at is None and e.withdrawn_at is None
            ),
            telemetry_gaps=self.gaps,
            equipment={use.id: EquipmentFact(use.in_service, use.calibrated_until) for use in self.equipment},
            lots={
                lot.id: LotFact(lot.present.status.value, lot.present.expires_at)
                for lot in self.lots
                if lot.present is not None
            },
        )

    @property
    def is_simulated(self) -> bool:
        """Whether any source of the record is a simulation."""
        measured = any(channel.row.simulated for stay in self.stays for channel in stay.channels)
        return measured or any(use.simulated for use in self.equipment)

    def name_of(self, username: str) -> str:
        """Return the printed name of an account, or its user name where there is none."""
        person = self.people.get(username)
        return username if person is None or not person.printed_name else person.printed_name
