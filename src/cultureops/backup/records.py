"""What the ledger holds of backups: the events of its stream ``backup``."""

from __future__ import annotations

from typing import Final

from cultureops.backup.restoring import Restored
from cultureops.backup.taking import Taken
from cultureops.clock import Instant, iso
from cultureops.ledger.event import Actor, JsonValue, NewEvent, Source
from cultureops.ledger.generation import program_versions

__all__ = ["CHECKED", "FAILED", "MADE", "RESTORED", "STREAM", "checked", "failed", "made", "restored", "taken_data"]

STREAM: Final = "backup"
MADE: Final = "backup_made"
FAILED: Final = "backup_failed"
CHECKED: Final = "backup_checked"
RESTORED: Final = "backup_restored"
_ACTOR: Final = Actor("cultureops", "system")
_LONGEST: Final = 2000


def made(taken: dict[str, JsonValue], started_by: str) -> NewEvent:
    """A backup was made; ``taken`` is what ``taken_data`` returned, also of another process."""
    return NewEvent(MADE, taken | {"started_by": started_by}, _ACTOR, Source.SYSTEM)


def failed(shelf: str, error: str, started_by: str) -> NewEvent:
    """No backup was made; earlier ones are untouched."""
    data: dict[str, JsonValue] = {"folder": shelf, "error": error[:_LONGEST], "started_by": started_by}
    return NewEvent(FAILED, data, _ACTOR, Source.SYSTEM)


def checked(found: Restored) -> NewEvent:
    """A backup was restored on trial and proved."""
    return NewEvent(CHECKED, _restored_data(found), _ACTOR, Source.SYSTEM)


def restored(found: Restored, at: Instant) -> NewEvent:
    """This very ledger was restored from a backup: what came after its head is not in it."""
    return NewEvent(
        RESTORED, _restored_data(found) | {"restored_with": program_versions()}, _ACTOR, Source.SYSTEM, at
    )  # fmt: skip


def taken_data(taken: Taken) -> dict[str, JsonValue]:
    """Return what a backup that was made says of itself, as JSON values."""
    manifest = taken.manifest
    return {
        "backup": manifest.name,
        "folder": str(taken.folder.parent),
        "made_at": iso(manifest.made_at),
        "manifest_sha256": taken.sha256,
        "ledger_position": manifest.head.position,
        "ledger_hash": manifest.head.hash,
        "readings": manifest.counts.readings,
        "files": len(manifest.files),
        "bytes": manifest.total_bytes,
        "copied_bytes": taken.copied_bytes,
        "seconds": round(taken.seconds, 3),
        "mended": list(taken.mended),
        "removed": list(taken.removed),
        "left_out": list(manifest.left_out),
    }


def _restored_data(found: Restored) -> dict[str, JsonValue]:
    manifest = found.manifest
    return {
        "backup": manifest.name,
        "made_at": iso(manifest.made_at),
        "manifest_sha256": found.sha256,
        "ledger_position": manifest.head.position,
        "ledger_hash": manifest.head.hash,
        "readings": manifest.counts.readings,
        "data_until": iso(manifest.newest_at),
        "data_age_s": round(found.data_age_s, 3),
        "seconds": round(found.seconds, 3),
    }
