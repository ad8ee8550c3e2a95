"""The hands' side of a demo by hand: what one sees and does that no record knows, and how lab time passes."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from cultureops.batch.batch import Batch
from cultureops.batch.recipe_schema import Recipe
from cultureops.batch.shelf import due_by
from cultureops.batch.state import State
from cultureops.clock import DAY_MS, HOUR_MS, MINUTE_MS, Instant
from cultureops.demo.answers import answers, next_answer_at
from cultureops.demo.cells import Cells
from cultureops.demo.fleet import Fleet
from cultureops.demo.lab import BOX_LOGGER, DRY_ICE_LOGGER
from cultureops.demo.logger_trip import begin_trip, end_trip
from cultureops.demo.pace import HandPace
from cultureops.demo.patient import Patient
from cultureops.demo.people import EVERYBODY
from cultureops.demo.referral import Referrals
from cultureops.demo.room import Room
from cultureops.demo.stand import FIELDS_LOOKED_AT, Table, stage_of, stand_of
from cultureops.errors import CultureOpsError
from cultureops.lab import Lab
from cultureops.web.bench import Act, ActField, BenchView, Seen, Stand
from cultureops.web.templating import local

__all__ = ["DemoBench"]

PATIENCE_S: Final = 8.0
"""How long a page waits for lab time to pass before it says that it still does."""
MOST_SEEN: Final = 40
MOST_ML: Final = 10_000.0
MORNING_H: Final = 8
WAITS_MS: Final = {"30 min": 30 * MINUTE_MS, "1 h": HOUR_MS, "6 h": 6 * HOUR_MS}
NEXT_MORNING, NEXT_DUE = "next morning", "something is due"


class DemoBench:
    """The bench of one simulated lab; ``announced`` are the patients whom its clinic has announced."""

    def __init__(self, lab: Lab, fleet: Fleet, pace: HandPace, announced: Sequence[Patient], seed: int) -> None:
        self._lab, self._fleet, self._pace, self._seed = lab, fleet, pace, seed
        self._referrals = Referrals(announced, seed)
        self._tables: dict[str, Table] = {}
        self._seen: deque[Seen] = deque(maxlen=MOST_SEEN)
        self._ringing: frozenset[str] = frozenset()
        self.cells = Cells(lab, fleet, self._say)
        self._room = Room(fleet, lambda text: self._say("", text))
        self._acts: Mapping[str, Callable[[Batch, Mapping[str, str]], Awaitable[None]]] = {
            "open_box": self._open_box,
            "spin": self._spin,
            "look": self._look,
            "detach": self._detach,
            "count": self._count,
            "probe": self._probe,
            "read_logger": self._read_logger,
        }

    async def view(self) -> BenchView:
        """Return what one sees now."""
        await self.cells.catch_up()
        lab, now = self._lab, self._lab.clock.now()
        batches = lab.batches.batches()
        opened = {batch.patient_token for batch in batches}
        return BenchView(
            expected=tuple(
                (("Patient", one.token), ("Recipe", one.recipe), ("Body weight", f"{one.weight_kg:g} kg"))
                for one in self._referrals.announced
                if one.token not in opened
            ),
            stands=tuple(stand for batch in batches if (stand := self._stand(batch)) is not None),
            answers=tuple(one for batch in batches for one in answers(batch, self._recipe(batch), now, self._seed)),
            room=self._room.acts(),
            waits=tuple(
                Act("wait", text, (ActField("until", "", text),)) for text in (*WAITS_MS, NEXT_MORNING, NEXT_DUE)
            ),
            seen=tuple(reversed(self._seen)),
            people=tuple((person.id, person.role) for person in EVERYBODY),
            passing_until=self._pace.passing_until,
        )

    async def act(self, act: str, batch_id: str, fields: Mapping[str, str]) -> None:
        """Do something with one's hands, and let the time pass that it takes; raises CultureOpsError."""
        await self.cells.catch_up()
        if act == "wait":
            await self._pass(self._until(fields.get("until", "")))
        elif self._room.knows(act):
            await self._room.act(act, fields)
        else:
            await self._act_on_batch(act, batch_id, fields)

    def ring(self, ringing: frozenset[str]) -> None:
        """Take note of the alarms that want to be acknowledged; a new one stops the passing of time."""
        if new := ringing - self._ringing:
            self._pace.stop()
            self._say("", f"an alarm rings: {', '.join(sorted(new))}")
        self._ringing = ringing

    async def _act_on_batch(self, act: str, batch_id: str, fields: Mapping[str, str]) -> None:
        batch = self._lab.batches.get(batch_id)
        stand = None if batch is None else self._stand(batch)
        offered = None if stand is None else next((one for one in stand.acts if one.id == act), None)
        if batch is None or offered is None:
            raise CultureOpsError(
                f"{act[:20]!r} of batch {batch_id[:40]!r} can't be done now; the bench shows what can"
            )
        await self._acts[act](batch, fields)
        await self._pass(self._lab.clock.now() + offered.takes_min * MINUTE_MS)

    def _stand(self, batch: Batch) -> Stand | None:
        return stand_of(
            batch,
            self._table(batch),
            self._referrals.of(batch.patient_token, batch.recipe.name),
            is_growing=self.cells.is_growing(batch),
            now=self._lab.clock.now(),
            written=lambda at: local(at, self._lab.site.zone),
        )

    def _recipe(self, batch: Batch) -> Recipe:
        return self._lab.recipes.of(batch)

    def _table(self, batch: Batch) -> Table:
        return self._tables.get(batch.id, Table())

    def _say(self, batch_id: str, text: str) -> None:
        self._seen.append(Seen(self._lab.clock.now(), text, batch_id))

    def _lay(self, batch: Batch, text: str, **seen: Any) -> None:
        """Remember what was seen of a batch, and say so."""
        self._tables[batch.id] = replace(self._table(batch), **seen)
        self._say(batch.id, text)

    async def _pass(self, until: Instant) -> None:
        """Let lab time pass until then, or until somebody else wants it to pass further."""
        await self._pace.forward(max(until, self._pace.passing_until or until), PATIENCE_S)

    def _until(self, words: str) -> Instant:
        now = self._lab.clock.now()
        if (ms := WAITS_MS.get(words)) is not None:
            return now + ms
        if words == NEXT_MORNING:
            today = now // DAY_MS * DAY_MS + MORNING_H * HOUR_MS
            return today if today > now else today + DAY_MS
        if words != NEXT_DUE:
            raise CultureOpsError(f"{words[:20]!r}: lab time passes by {', '.join(WAITS_MS)}, or until {NEXT_MORNING}")
        batches = self._lab.batches.batches()
        coming = [due.at for batch in batches for due in due_by(self._lab.recipes, batch) if due.at > now]
        coming += [at for one in batches if (at := next_answer_at(one, self._recipe(one), now)) is not None]
        if not coming:
            raise CultureOpsError("nothing will be due by itself; do what the batches wait for, or open one")
        return min(coming)

    async def _open_box(self, batch: Batch, fields: Mapping[str, str]) -> None:
        box = self._referrals.box(batch.patient_token, batch.recipe.name, self._lab.clock.now())
        self._lay(batch, f"{box.marrow_ml:g} mL marrow at {box.temperature_c:g} °C", box=self._table(batch).box or box)

    async def _spin(self, batch: Batch, fields: Mapping[str, str]) -> None:
        now = self._lab.clock.now()
        box = self._table(batch).box or self._referrals.box(batch.patient_token, batch.recipe.name, now)
        cells, viability_pct = await self.cells.isolate(batch, box.marrow_ml)
        said = f"{cells:,} mononuclear cells, {viability_pct:g} % viable"
        self._lay(batch, said, box=box, mononuclear=(cells, viability_pct))

    async def _look(self, batch: Batch, fields: Mapping[str, str]) -> None:
        seen = await self.cells.look(batch, FIELDS_LOOKED_AT)
        said = f"{', '.join(f'{pct} %' for pct in seen)} confluent"
        self._lay(batch, said, seen_pct=seen, seen_at=self._lab.clock.now(), passage=batch.passage)

    async def _detach(self, batch: Batch, fields: Mapping[str, str]) -> None:
        volume_ml = _millilitres(fields.get("volume_ml", ""))
        await self.cells.detach(batch, volume_ml)
        self._lay(batch, f"detached P{batch.passage} into {volume_ml:g} mL", suspension_ml=volume_ml)

    async def _count(self, batch: Batch, fields: Mapping[str, str]) -> None:
        sample_id = fields.get("sample_id", "").strip()
        await self.cells.count(batch, sample_id)
        self._say(batch.id, f"put {sample_id} on the counter")

    async def _probe(self, batch: Batch, fields: Mapping[str, str]) -> None:
        await begin_trip(self._fleet, DRY_ICE_LOGGER)
        await self._pass(self._lab.clock.now() + 10 * MINUTE_MS)
        packed = await end_trip(self._lab, self._fleet, DRY_ICE_LOGGER, None, self._highest_c(batch))
        self._lay(batch, f"{DRY_ICE_LOGGER} shows {packed.max_c:g} °C", probe_c=packed.max_c)

    async def _read_logger(self, batch: Batch, fields: Mapping[str, str]) -> None:
        is_frozen = stage_of(batch) is State.IN_TRANSFER
        logger = DRY_ICE_LOGGER if is_frozen else BOX_LOGGER
        low_c = None if is_frozen else self._recipe(batch).transport.temperature_min.value
        trip = await end_trip(self._lab, self._fleet, logger, low_c, self._highest_c(batch))
        self._lay(batch, f"{logger}: {trip.min_c:g} to {trip.max_c:g} °C on the way", trip=trip)

    def _highest_c(self, batch: Batch) -> float:
        """Return the highest temperature that the way allows, of vials on dry ice or of the product."""
        recipe = self._recipe(batch)
        if recipe.transfer is not None and stage_of(batch) in (State.THAW_AUTHORISED, State.IN_TRANSFER):
            return recipe.transfer.temperature_max.value
        return recipe.transport.temperature_max.value


def _millilitres(text: str) -> float:
    try:
        volume_ml = float(text.replace(",", "."))
    except ValueError:
        volume_ml = math.nan
    if not 0.0 < volume_ml <= MOST_ML:
        raise CultureOpsError(f"{text[:20]!r}: give a volume above 0 and up to {MOST_ML:g} mL")
    return volume_ml
