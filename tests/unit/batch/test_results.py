"""What instruments hand over and no batch takes is recorded all the same."""

from __future__ import annotations

from tests.unit.batch.conftest import Lab

from cultureops.batch.results import OBSERVED, UNATTRIBUTED, take_result
from cultureops.device.driver import Confluence, ConfluenceResult, CountResult, ImageResult, RejectedFile, Result
from cultureops.ledger import Event


async def recorded(lab: Lab, result: Result, stream: str) -> Event:
    facts = lab.facts()
    await take_result(lab.ledger, lambda *_: None, facts, "imager_1", result)  # type: ignore[arg-type, return-value]
    assert lab.ledger.streams() == (stream,)
    (event,) = lab.ledger.read(stream)
    assert event.data["device"] == "imager_1" and event.data["source_sha256"] == "00"
    return event


async def test_confluence_is_recorded_by_its_hash_and_its_last_values(lab: Lab) -> None:
    rows = (
        Confluence("B2", "2026-01-05T08:00:00", 0.0, 12.5),
        Confluence("C2", "2026-01-05T08:00:00", 0.0, 10.0),
        Confluence("B2", "2026-01-05T14:00:00", 6.0, 14.0),
        Confluence("C2", "2026-01-05T14:00:00", 6.0, None, ("confluence_missing",)),
    )
    result = ConfluenceResult("Plate", "Phase Object Confluence (Percent)", "MSC", "1", rows, "a.txt", "00")
    event = await recorded(lab, result, OBSERVED)
    assert event.type == "confluence_observed"
    assert (event.data["observations"], event.data["flagged"]) == (4, 1)
    assert event.data["last"] == {
        "B2": {"at_local": "2026-01-05T14:00:00", "confluence_pct": 14.0, "flags": []},
        "C2": {"at_local": "2026-01-05T14:00:00", "confluence_pct": None, "flags": ["confluence_missing"]},
    }


async def test_an_image_is_recorded(lab: Lab) -> None:
    image = ImageResult("B1", 2, "2026-01-05T08:00:00", None, "well_B1.tif", "00")
    event = await recorded(lab, image, OBSERVED)
    assert (event.type, event.data["well"], event.data["field"], event.data["elapsed_h"]) == (
        "image_received", "B1", 2, None,
    )  # fmt: skip


async def test_a_rejected_file_and_an_unknown_sample_are_recorded(lab: Lab) -> None:
    event = await recorded(lab, RejectedFile("a.txt", "00", "rejected/a.txt", "line 9: no"), UNATTRIBUTED)
    assert event.data["problem"] == "line 9: no"


async def test_a_count_of_nobody_is_recorded(lab: Lab) -> None:
    count = CountResult("nobody", "2026-01-05T08:00:00", 95.0, 1.14, 1.2, None, None, None, "a.astm", "00")
    event = await recorded(lab, count, UNATTRIBUTED)
    assert "names no sample of a batch" in str(event.data["problem"])
