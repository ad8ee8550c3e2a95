"""Results of instruments on their way into the record: counted, held for a person, noted, or recorded as rejected."""

from __future__ import annotations

from typing import Final, assert_never

from cultureops.batch.commands import Command
from cultureops.batch.counts import count_command, parse_sample_id
from cultureops.batch.facts import Facts
from cultureops.batch.handler import RecipeLookup, execute
from cultureops.device.driver import ConfluenceResult, CountResult, ImageResult, RejectedFile, Result
from cultureops.errors import BatchError, ConfigError
from cultureops.ledger.event import JsonValue, NewEvent, Source
from cultureops.ledger.store import Ledger

__all__ = ["OBSERVED", "UNATTRIBUTED", "take_result"]

UNATTRIBUTED: Final = "results"
"""Stream of results that no batch could take: an unknown sample id, an unreadable file, a refused count."""
OBSERVED: Final = "observations"
"""Stream of what imagers handed over: their names say well and vessel, never a batch."""


async def take_result(ledger: Ledger, recipe_lookup: RecipeLookup, facts: Facts, device: str, result: Result) -> None:
    """Attach a count to the batch that its sample id names; what no batch takes is recorded with the reason.

    Confluence and images are recorded as observed. ``facts.actor`` is the device. A result is never lost and never
    attributed by guessing.
    """
    match result:
        case CountResult():
            await _take_count(ledger, recipe_lookup, facts, device, result)
        case ConfluenceResult():
            await _observe(ledger, facts, "confluence_observed", _confluence(device, result))
        case ImageResult():
            await _observe(ledger, facts, "image_received", _image(device, result))
        case RejectedFile():
            await _set_aside(ledger, facts, device, result.source_file, result.source_sha256, result.error)
        case _:
            assert_never(result)


async def _take_count(
    ledger: Ledger, recipe_lookup: RecipeLookup, facts: Facts, device: str, result: CountResult
) -> None:
    try:
        sample = parse_sample_id(result.sample_id)
        details = count_command(result, device)
        await execute(ledger, recipe_lookup, Command(sample.batch_id, details), facts)
    except (BatchError, ConfigError) as refusal:
        await _set_aside(ledger, facts, device, result.source_file, result.source_sha256, str(refusal))


async def _observe(ledger: Ledger, facts: Facts, event_type: str, data: dict[str, JsonValue]) -> None:
    await ledger.append(OBSERVED, [NewEvent(event_type, data, facts.actor, Source.DEVICE, facts.now)], None)


def _confluence(device: str, result: ConfluenceResult) -> dict[str, JsonValue]:
    """Record an export by its hash, its extent and the last observation of each well; the file keeps the rest."""
    last = {row.well: row for row in result.observations}
    return {
        "device": device,
        "label": result.label,
        "metric": result.metric,
        "cell_type": result.cell_type,
        "passage": result.passage,
        "observations": len(result.observations),
        "flagged": sum(bool(row.flags) for row in result.observations),
        "first_at_local": result.observations[0].observed_at_local if result.observations else None,
        "last_at_local": result.observations[-1].observed_at_local if result.observations else None,
        "last": {
            well: {"at_local": row.observed_at_local, "confluence_pct": row.confluence_pct, "flags": row.flags}
            for well, row in last.items()
        },
        "source_file": result.source_file,
        "source_sha256": result.source_sha256,
    }


def _image(device: str, result: ImageResult) -> dict[str, JsonValue]:
    return {
        "device": device,
        "well": result.well,
        "field": result.field,
        "taken_at_local": result.taken_at_local,
        "elapsed_h": result.elapsed_h,
        "flags": result.flags,
        "source_file": result.source_file,
        "source_sha256": result.source_sha256,
    }


async def _set_aside(
    ledger: Ledger, facts: Facts, device: str, source_file: str, source_sha256: str, problem: str
) -> None:
    data = {"device": device, "source_file": source_file, "source_sha256": source_sha256, "problem": problem}
    new = NewEvent("result_not_attributed", data, facts.actor, Source.DEVICE, facts.now)
    await ledger.append(UNATTRIBUTED, [new], None)
