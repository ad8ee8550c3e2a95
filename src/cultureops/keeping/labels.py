"""What the command on labels writes."""

from __future__ import annotations

import asyncio
from pathlib import Path

from cultureops.errors import ConfigError
from cultureops.keeping.batches import open_records, zone_of
from cultureops.keeping.entry import print_json
from cultureops.label import KINDS, LabelKind, labels_of, page
from cultureops.telemetry.whole_file import whole_file

__all__ = ["write_labels"]


def write_labels(data_dir: Path, batch_id: str, kind: str, out: Path, *, as_json: bool) -> None:
    """Write a page of labels; raises ConfigError where there is nothing to label or a file of that name."""
    chosen: LabelKind | None = next((known for known in KINDS if known == kind), None)
    if chosen is None:
        raise ConfigError(f"{kind[:40]!r}: expected one of {', '.join(KINDS)}")
    batch = asyncio.run(open_records(data_dir)).batch(batch_id)
    labels = labels_of(batch, chosen, zone_of(data_dir))
    if not labels:
        raise ConfigError(f"batch {batch_id} has no {kind} to label now; it is {batch.stage}")
    with whole_file(out) as file:
        file.write(page(labels, f"{batch.id}: {kind}").encode())
    if as_json:
        print_json(
            {
                "file": str(out),
                "labels": [{"container": label.container, "patient_token": label.patient_token} for label in labels],
            }
        )
    else:
        print(f"{out}: {len(labels)} labels; print it at 100 % and scan one before use")
