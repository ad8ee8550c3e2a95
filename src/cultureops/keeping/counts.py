"""What the command `counts import` does: counts out of files into the batches that their sample ids name.

Whatever happens to a count is in the ledger, by the way that a running lab takes a counter's results. A count that is
on record with the same file's hash, sample and time is left alone, whoever brought it.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from cultureops.access import Role
from cultureops.attachments import Attachments, keep_on_record
from cultureops.batch.facts import EquipmentFact, Facts
from cultureops.batch.recipe import load_recipe, recipe_names
from cultureops.batch.results import UNATTRIBUTED, take_result
from cultureops.batch.shelf import RecipeShelf
from cultureops.clock import Clock, SystemClock
from cultureops.counter_file import CountFile, Status, read_count_files
from cultureops.device.driver import CountResult, RejectedFile
from cultureops.equipment.register import EquipmentRegister
from cultureops.keeping.entry import Entry, entering, print_json
from cultureops.keeping.proof import proven
from cultureops.ledger.event import Actor, Event, NewEvent, Source
from cultureops.ledger.store import Ledger
from cultureops.site import equipment_register, read_site
from cultureops.telemetry.trace import check_device_name

__all__ = ["Outcome", "import_counts"]

DEFAULT_SITE: Final = Path("site.toml")
COUNTS_IMPORTED: Final = "counts_imported"


class Outcome(StrEnum):
    """What became of a count, or of a file that could not be read."""

    ATTACHED = "attached"
    HELD = "held"
    SET_ASIDE = "set_aside"
    KNOWN = "known"
    REFUSED = "refused"


_OUTCOMES: Final = {
    "counted": Outcome.ATTACHED,
    "count_held": Outcome.HELD,
    "result_not_attributed": Outcome.SET_ASIDE,
}
"""What the events say that a result ends in."""


@dataclass(frozen=True, slots=True)
class _Taken:
    """One count's outcome, where it lies and why."""

    sample_id: str
    outcome: Outcome
    stream: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class _Imported:
    """One file's outcome; ``known_at`` is the ledger's position of its first import."""

    file: CountFile
    counts: tuple[_Taken, ...]
    known_at: int | None = None


@dataclass(slots=True)
class _OnRecord:
    """What the ledger says already: counts by file, sample and time; hashes of files that were imported or refused."""

    equipment: EquipmentRegister
    recipes: RecipeShelf
    counts: set[tuple[str, str, str]] = field(default_factory=set)
    imported: dict[str, int] = field(default_factory=dict)
    aside: set[str] = field(default_factory=set)

    def apply(self, event: Event) -> None:
        self.equipment.apply(event)
        self.recipes.apply(event)
        sha256 = str(event.data.get("source_sha256", ""))
        if event.type in ("counted", "count_held"):
            self.counts.add((sha256, str(event.data["sample_id"]), str(event.data["counted_at_local"])))
        elif event.type == "result_not_attributed":
            self.aside.add(sha256)
        elif event.type == COUNTS_IMPORTED:
            self.imported.setdefault(sha256, event.position)


def import_counts(
    data_dir: Path, files: Sequence[Path], device: str, site: Path | None, entry: Entry, *, retry: bool, as_json: bool
) -> bool:
    """Import files in a person's name and print what became of each; return whether all could be read.

    ``device`` is the counter that wrote them; gate G3 asks for its calibration, which site file or ledger states. With
    ``retry`` a file that was imported before is gone through again for the counts that were set aside. Raises
    ConfigError for a folder without a ledger or what is no device name, AccessError where the person is not who they
    say, StorageError where the ledger can't be written.
    """
    check_device_name(device)
    person = entry.person()
    read = read_count_files(files)
    done = asyncio.run(_import_all(data_dir, read, device, site, person, entry, retry=retry))
    if as_json:
        print_json([_as_json(one) for one in done])
    else:
        print("\n".join(line for one in done for line in _lines(one)))
    unknown = f"nothing is on record about {device}"
    if any(unknown in count.reason for one in done for count in one.counts):
        print(f"cultureops: {unknown}; name the counter with --device, and try again with --retry", file=sys.stderr)
    return all(one.file.status is not Status.REFUSED for one in done)


async def _import_all(
    data_dir: Path,
    files: Iterable[CountFile],
    device: str,
    site: Path | None,
    person: Actor,
    entry: Entry,
    *,
    retry: bool,
) -> list[_Imported]:
    clock = SystemClock()
    file = DEFAULT_SITE if site is None and DEFAULT_SITE.is_file() else site
    declared = None if file is None else read_site(file)
    known = _OnRecord(
        EquipmentRegister() if declared is None else equipment_register(declared),
        RecipeShelf(() if declared is None else declared.recipes),
    )
    async with entering(data_dir, clock) as (ledger, desk):
        await proven(desk, person, entry.secret)
        for event in ledger.read_all():
            known.apply(event)
        keep = Attachments(data_dir)
        return [await _import_file(ledger, keep, known, one, device, person, clock, retry=retry) for one in files]


async def _import_file(
    ledger: Ledger,
    attachments: Attachments,
    known: _OnRecord,
    file: CountFile,
    device: str,
    person: Actor,
    clock: Clock,
    *,
    retry: bool,
) -> _Imported:
    known_at = known.imported.get(file.sha256)
    if file.sha256:
        name = Path(file.file).name
        await keep_on_record(ledger, attachments, file.contents, name, person, Source.IMPORT)
    if file.status is Status.REFUSED:
        return await _refuse(ledger, known, file, device, clock)
    if known_at is not None and not retry:
        return _Imported(file, tuple(_Taken(count.sample_id, Outcome.KNOWN) for count in file.counts), known_at)
    taken = [await _take(ledger, known, count, device, clock) for count in file.counts]
    if known_at is None:
        tally = {outcome.value: sum(one.outcome is outcome for one in taken) for outcome in Outcome}
        data = {"device": device, "source_file": Path(file.file).name, "source_sha256": file.sha256} | tally
        (noted,) = await ledger.append(
            f"device:{device}", [NewEvent(COUNTS_IMPORTED, data, person, Source.IMPORT)], None
        )
        known.apply(noted)
    return _Imported(file, tuple(taken))


async def _refuse(ledger: Ledger, known: _OnRecord, file: CountFile, device: str, clock: Clock) -> _Imported:
    """Record once that a file could not be read; what had no bytes to tell it by is only reported."""
    if file.sha256 and file.sha256 not in known.aside:
        rejected = RejectedFile(Path(file.file).name, file.sha256, "", file.reason)
        facts = _facts(known, device, clock)
        await _take_and_apply(ledger, known, facts, device, rejected)
    return _Imported(file, ())


async def _take(ledger: Ledger, known: _OnRecord, count: CountResult, device: str, clock: Clock) -> _Taken:
    if (count.source_sha256, count.sample_id, count.counted_at_local) in known.counts:
        return _Taken(count.sample_id, Outcome.KNOWN)
    appended = await _take_and_apply(ledger, known, _facts(known, device, clock), device, count)
    last = next(event for event in reversed(appended) if event.type in _OUTCOMES)
    reason = last.data.get("problem") or "; ".join(str(text) for text in _texts(last.data.get("reasons")))
    return _Taken(count.sample_id, _OUTCOMES[last.type], last.stream, str(reason))


def _texts(value: object) -> Sequence[object]:
    return value if isinstance(value, list | tuple) else ()


async def _take_and_apply(
    ledger: Ledger, known: _OnRecord, facts: Facts, device: str, result: CountResult | RejectedFile
) -> list[Event]:
    """Hand a result over and return what was recorded of it, leaving out what a running lab appended meanwhile."""
    before = ledger.head().position
    await take_result(ledger, known.recipes.lookup, facts, device, result)
    appended = [event for event in ledger.read_all(before) if event.data.get("source_sha256") == result.source_sha256]
    for event in appended:
        known.apply(event)
    return appended


def _facts(known: _OnRecord, device: str, clock: Clock) -> Facts:
    now = clock.now()
    rows = ((name, known.equipment.fact(name, now)) for name in known.equipment.ids())
    return Facts(
        now=now,
        actor=Actor(device, Role.DEVICE),
        recipe=load_recipe(recipe_names()[0]),
        equipment={name: EquipmentFact(row.in_service, row.calibrated_until) for name, row in rows if row is not None},
    )


def _as_json(imported: _Imported) -> dict[str, Any]:
    file = imported.file
    status = "known" if imported.known_at is not None else "refused" if file.status is Status.REFUSED else "imported"
    reason = f"imported before, event {imported.known_at} of the ledger says" if imported.known_at else file.reason
    return {
        "file": file.file,
        "status": status,
        "reason": reason or None,
        "counts": [
            {
                "sample_id": one.sample_id,
                "outcome": one.outcome.value,
                "batch": one.stream.removeprefix("batch:") if one.stream not in ("", UNATTRIBUTED) else None,
                "reason": one.reason or None,
            }
            for one in imported.counts
        ],
    }


def _lines(imported: _Imported) -> list[str]:
    found = _as_json(imported)
    said = f", {found['reason']}" if found["reason"] else ""
    lines = [f"{found['file']}: {found['status']}{said}"]
    for row in found["counts"]:
        what = row["outcome"].replace("_", " ") + (f" to {row['batch']}" if row["outcome"] == "attached" else "")
        lines.append(f"  {row['sample_id'] or '?'}: {what}{', ' + row['reason'] if row['reason'] else ''}")
    return lines
