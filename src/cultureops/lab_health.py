"""What tells that readings and records of a running lab really arrive."""

from __future__ import annotations

from dataclasses import asdict
from platform import python_version
from sqlite3 import sqlite_version

from cultureops import __version__
from cultureops.lab import Lab
from cultureops.telemetry.file import warn_of_old_sqlite

__all__ = ["health_of"]


def health_of(lab: Lab) -> dict[str, object]:
    """Return how a lab's stores, links, devices and messengers stand, ready for JSON."""
    head = lab.ledger.head()
    seq, sha256 = lab.store.durable
    return {
        "durable_frame": {"seq": seq, "sha256": sha256},
        "readings_accepted": lab.recorder.accepted,
        "readings_stored": lab.store.count(),
        "store_warning": warn_of_old_sqlite(),
        "store_failure": None if lab.store.failure is None else str(lab.store.failure),
        "ledger": {"position": head.position, "hash": head.hash},
        "heads": asdict(lab.head_anchors.status()),
        "access": asdict(lab.access.status()),
        "ledger_failure": None if lab.ledger_failure is None else str(lab.ledger_failure),
        "unreadable_events": list(lab.unread.positions),
        "faults": {"count": lab.vitals.fault_count, "latest": lab.vitals.fault},
        "influxdb": None if lab.mirror is None else asdict(lab.mirror.status()),
        "mqtt": None if lab.publisher is None else asdict(lab.publisher.status()),
        "backups": None if lab.backups is None else asdict(lab.backups.status()),
        "machine": lab.self_check.health(),
        "notify": asdict(lab.alarming.notifier.status()),
        "heartbeat": None if lab.alarming.heartbeat is None else asdict(lab.alarming.heartbeat.status()),
        "live_messages_dropped": lab.feed.dropped,
        "devices": {
            device: {"misses": poller.misses, "reason": poller.reason.text, "detail": poller.detail}
            for device, poller in lab.acquisition.pollers.items()
        },
        "versions": {"cultureops": __version__, "python": python_version(), "sqlite": sqlite_version},
    }
