"""Commands on batches, carried out with the facts of the moment: who may, what the alarms, lots and chambers say."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from cultureops.access import Signature
from cultureops.access.desk import AccessDesk
from cultureops.acquisition import MeasuredChannel
from cultureops.alarms.journal import SYSTEM
from cultureops.batch.batch import Batch
from cultureops.batch.case import Plan
from cultureops.batch.commands import Command, Identified
from cultureops.batch.facts import Facts, OpenAlarm, TelemetryGap
from cultureops.batch.field import Details
from cultureops.batch.handler import execute, identify, record_refusal, rehearsed
from cultureops.batch.recipe import load_recipe, recipe_names
from cultureops.batch.register import BatchRegister
from cultureops.batch.rules import asks_for_gaps
from cultureops.batch.shelf import RecipeShelf
from cultureops.clock import Clock, Instant
from cultureops.device.channel import ChannelId
from cultureops.equipment import Chamber, EquipmentRegister
from cultureops.errors import AccessError, TransitionRefused
from cultureops.gathering import check_collected, equipment_facts, gaps_of, lot_facts
from cultureops.ledger.event import Actor
from cultureops.ledger.store import SqlLedger
from cultureops.ledger.unread import Unread
from cultureops.material import LotRegister
from cultureops.telemetry import TelemetryStore
from cultureops.tracing import span

__all__ = ["BatchDesk"]

_DECIDED_BY: Final = ("recipe:", "lot:", "equipment:")
"""Streams of the registers that decisions on batches look at."""


class BatchDesk:
    """Where people act on batches; ``alarms`` are those open now, ``revise`` looks at exposures anew."""

    def __init__(
        self,
        ledger: SqlLedger,
        store: TelemetryStore,
        access: AccessDesk,
        clock: Clock,
        *,
        batches: BatchRegister,
        recipes: RecipeShelf,
        equipment: EquipmentRegister,
        lots: LotRegister,
        unread: Unread,
        channels: Mapping[ChannelId, MeasuredChannel],
        chambers: Mapping[str, Chamber],
        alarms: Callable[[], tuple[OpenAlarm, ...]],
        revise: Callable[[Instant], Awaitable[None]],
    ) -> None:
        self._ledger, self._store, self._access, self._clock = ledger, store, access, clock
        self._batches, self._recipes, self._equipment, self._lots = batches, recipes, equipment, lots
        self._unread, self._channels, self._chambers = unread, channels, chambers
        self._alarms, self._revise = alarms, revise

    async def execute(
        self, command: Command, actor: Actor, witness: Actor | None = None, signatures: Sequence[Signature] = ()
    ) -> Batch:
        """Carry out a command on a batch with the facts of this moment, by people who have an account in that role.

        Raises AccessError or BatchError when it is refused, which is on record then.
        """
        with span("command", **{"cultureops.command": type(command.details).__name__}):
            return await self._execute(command, actor, witness, signatures)

    async def _execute(
        self, command: Command, actor: Actor, witness: Actor | None, signatures: Sequence[Signature]
    ) -> Batch:
        self._check_registers()
        await self._permit(command, actor, witness)
        facts = await self.facts(command.batch_id, actor, witness, command)
        await self._permit(command, actor, witness)  # somebody may have been disabled while facts were gathered
        try:
            await self._check_collected(command, facts)
        except TransitionRefused as refusal:
            await record_refusal(self._ledger, command, facts, refusal)
            raise
        return await execute(self._ledger, self._recipes.lookup, command, replace(facts, signatures=tuple(signatures)))

    async def rehearse(self, command: Command, actor: Actor) -> Plan:
        """Return what a command would record now, with its remarks and doubts; nothing is recorded, no refusal either.

        Second persons and signatures are not asked for. Raises BatchError when it would be refused.
        """
        self._check_registers()
        facts = await self.facts(command.batch_id, actor, None, command)
        await self._check_collected(command, facts)
        return rehearsed(self._ledger, self._recipes.lookup, command, facts)

    async def identify(
        self, batch: Batch, step: type[Details], scanned: Identified, named: Sequence[str], actor: Actor
    ) -> None:
        """Judge what was scanned before a step; raises GateFailed for a wrong pair, which is on record then."""
        await identify(self._ledger, batch, step, scanned, named, await self.facts("", actor, None))

    async def gaps_seen_by(self, batch: Batch) -> tuple[TelemetryGap, ...]:
        """Return where the chambers that the batch stood in gave no value, while it stood there."""
        return await gaps_of(batch, self._channels.values(), self._store, self._clock.now())

    async def facts_of(self, batch: Batch) -> Facts:
        """Return what a release decided now would look at, for whoever reviews the record."""
        now = self._clock.now()
        return Facts(
            now=now,
            actor=SYSTEM,
            recipe=self._recipes.of(batch),
            open_alarms=self._alarms(),
            telemetry_gaps=await self.gaps_seen_by(batch),
            equipment=equipment_facts(self._equipment, now, None),
            lots=lot_facts(self._lots, now, None),
        )

    async def facts(self, batch_id: str, actor: Actor, witness: Actor | None, command: Command | None = None) -> Facts:
        """Gather what a decision may look at, at this instant; of what a late step used, what held when it was used."""
        now = self._clock.now()
        if command is not None and asks_for_gaps(command):
            await self._revise(now)  # a stay that was entered a moment ago may have met an alarm
        batch = self._batches.get(batch_id)
        looks_at_gaps = batch is not None and command is not None and asks_for_gaps(command)
        return Facts(
            now=now,
            actor=actor,
            recipe=load_recipe(recipe_names()[0]),
            witness=witness,
            open_alarms=self._alarms(),
            telemetry_gaps=await self.gaps_seen_by(batch) if looks_at_gaps and batch is not None else (),
            equipment=equipment_facts(self._equipment, now, command),
            lots=lot_facts(self._lots, now, command),
        )

    async def _check_collected(self, command: Command, facts: Facts) -> None:
        await check_collected(command, self._channels, self._chambers, self._store, facts.now)

    async def _permit(self, command: Command, actor: Actor, witness: Actor | None) -> None:
        await self._ledger.catch_up()  # accounts are changed by other processes too
        try:
            for person in (actor, witness) if witness is not None else (actor,):
                self._access.permit(person)
        except AccessError as refusal:
            await record_refusal(self._ledger, command, await self.facts("", actor, witness), refusal)
            raise

    def _check_registers(self) -> None:
        """Refuse to decide on a batch by registers that have a hole; raises TransitionRefused."""
        if holes := sorted(stream for stream in self._unread.streams if stream.startswith(_DECIDED_BY)):
            raise TransitionRefused(
                f"{', '.join(holes[:3])}: an event can't be read, so whether recipe, lots and equipment are fit is not "
                "known; call whoever maintains cultureops"
            )
