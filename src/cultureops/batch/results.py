"""Results of cell counters on their way into batches: counted, held for a person, or recorded as rejected."""

from __future__ import annotations

from typing import Final

from cultureops.batch.commands import Command
from cultureops.batch.counts import count_command, parse_sample_id
from cultureops.batch.facts import Facts
from cultureops.batch.handler import RecipeLookup, execute
from cultureops.device.driver import CountResult, RejectedFile
from cultureops.errors import BatchError
from cultureops.ledger.event import NewEvent, Source
from cultureops.ledger.store import Ledger

__all__ = ["UNATTRIBUTED", "take_result"]

UNATTRIBUTED: Final = "results"
"""Stream of results that no batch could take: an unknown sample id, an unreadable file, a refused count."""


async def take_result(
    ledger: Ledger, recipe_lookup: RecipeLookup, facts: Facts, device: str, result: CountResult | RejectedFile
) -> None:
    """Attach a result to the batch that its sample id names; what no batch takes is recorded with the reason.

    ``facts.actor`` is the device. A result is never lost and never attributed by guessing.
    """
    if isinstance(result, RejectedFile):
        await _set_aside(ledger, facts, device, result.source_file, result.source_sha256, result.error)
        return
    try:
        sample = parse_sample_id(result.sample_id)
        details = count_command(result, device)
        await execute(ledger, recipe_lookup, Command(sample.batch_id, details), facts)
    except BatchError as refusal:
        await _set_aside(ledger, facts, device, result.source_file, result.source_sha256, str(refusal))


async def _set_aside(
    ledger: Ledger, facts: Facts, device: str, source_file: str, source_sha256: str, problem: str
) -> None:
    data = {"device": device, "source_file": source_file, "source_sha256": source_sha256, "problem": problem}
    new = NewEvent("result_not_attributed", data, facts.actor, Source.DEVICE, facts.now)
    await ledger.append(UNATTRIBUTED, [new], None)
