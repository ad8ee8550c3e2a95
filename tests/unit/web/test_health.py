"""What the page on health says of a lab's facts: what is wrong comes first and with what to do."""

import copy
from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from cultureops.web.health import Standing, health_parts, to_mend

BERLIN = ZoneInfo("Europe/Berlin")
WELL: dict[str, Any] = {
    "durable_frame": {"seq": 12, "sha256": "ab"},
    "readings_stored": 1_200,
    "store_warning": None,
    "store_failure": None,
    "ledger": {"position": 7, "hash": "cd"},
    "ledger_failure": None,
    "unreadable_events": [],
    "heads": {
        "signing": {
            "key_id": "k",
            "newest": {"size": 7, "signed_at": 0, "key_id": "k"},
            "unsigned": 0,
            "problem": None,
        },
        "anchors": [{"where": "/mnt/usb", "size": 7, "failing_since": None, "problem": None}],
    },
    "access": {"open_sessions": 1, "locked": [], "slowed_sources": [], "problem": ""},
    "faults": {"count": 0, "latest": None},
    "influxdb": {
        **{"target": "http://db", "lag_s": 1.0, "backlog_readings": 3},
        **{"quarantined": 0, "outlived": 0, "last_error": None},
    },
    "mqtt": {"target": "broker:8883", "connected": True, "sent": 9, "last_error": None},
    "machine": {
        **{"disk": {"free_gb": 80.0, "free_pct": 60.0}, "disk_problem": None, "disk_full_in_d": 900.0},
        "clock": {"is_synchronised": True, "most_error_s": 0.01, "quality": "synced"},
    },
    "notify": {
        **{"tells_nobody": False, "unacknowledged": 0, "waiting": 0, "undelivered": None, "undelivered_s": 0.0},
        **{"limit_s": 300.0, "in_flood": False, "roster_gap_at": None, "mute_gap_at": None, "ledger_error": None},
        **{"fault": None, "routes": [{"name": "sms", "waiting": 0, "sent": 4, "failures": 0, "last_error": None}]},
    },
    "heartbeat": {"beaten_at": 0, "withheld": None, "last_error": None},
    "backups": {"folder": "/mnt/b", "last_good_at": 0, "age_s": 60.0, "alarm_after_s": 3600.0, "failure": None},
    "devices": {"incubator_1": {"misses": 0, "reason": "", "detail": ""}},
    "versions": {"cultureops": "1"},
}


def test_a_lab_that_is_well_asks_for_nothing() -> None:
    parts = health_parts(WELL, BERLIN)
    assert to_mend(parts) == ()
    assert {fact.standing for part in parts for fact in part.facts} == {Standing.WELL}
    assert len({part.id for part in parts}) == len(parts)


CASES: tuple[tuple[Callable[[dict[str, Any]], object], str, Standing], ...] = (
    (lambda said: said.update(store_failure="disk full"), "Store of readings", Standing.WRONG),
    (lambda said: said.update(ledger_failure="read-only"), "Ledger", Standing.WRONG),
    (lambda said: said.update(unreadable_events=[4]), "Events", Standing.WRONG),
    (lambda said: said["heads"]["signing"].update(problem="no key"), "Signed heads", Standing.WRONG),
    (
        lambda said: said["heads"]["anchors"][0].update(problem="away", failing_since=0),
        "Anchor /mnt/usb",
        Standing.WRONG,
    ),
    (lambda said: said["devices"]["incubator_1"].update(misses=1, reason="timeout"), "incubator_1", Standing.WATCH),
    (lambda said: said["devices"]["incubator_1"].update(misses=3, reason="timeout"), "incubator_1", Standing.WRONG),
    (lambda said: said["machine"]["disk"].update(free_pct=9.0), "Disk", Standing.WATCH),
    (lambda said: said["machine"].update(disk_full_in_d=2.0), "Disk", Standing.WATCH),
    (lambda said: said["machine"].update(disk=None, disk_problem="gone"), "Disk", Standing.WATCH),
    (lambda said: said["machine"]["clock"].update(quality="holdover"), "Clock", Standing.WATCH),
    (lambda said: said["machine"]["clock"].update(quality="unsynced"), "Clock", Standing.WRONG),
    (lambda said: said["machine"].update(clock="unknown: not said"), "Clock", Standing.WATCH),
    (lambda said: said["faults"].update(count=2, latest="x"), "Faults of ours", Standing.WATCH),
    (lambda said: said["influxdb"].update(lag_s=900.0), "Mirror", Standing.WRONG),
    (lambda said: said["influxdb"].update(last_error="refused"), "Mirror", Standing.WATCH),
    (lambda said: said["mqtt"].update(connected=False), "MQTT", Standing.WRONG),
    (lambda said: said["notify"].update(tells_nobody=True), "Messages", Standing.WATCH),
    (lambda said: said["notify"].update(undelivered_s=301.0, undelivered="r"), "Messages", Standing.WRONG),
    (lambda said: said["notify"].update(roster_gap_at="2026-01-05"), "Roster", Standing.WATCH),
    (lambda said: said["notify"].update(mute_gap_at="2026-01-05"), "Quiet hours", Standing.WATCH),
    (lambda said: said["notify"]["routes"][0].update(failures=3, last_error="550"), "Route sms", Standing.WRONG),
    (lambda said: said["heartbeat"].update(withheld="store failing"), "Heartbeat", Standing.WRONG),
    (lambda said: said.update(backups=None), "Backups", Standing.WATCH),
    (lambda said: said["backups"].update(failure="no space"), "Backups", Standing.WATCH),
    (lambda said: said["backups"].update(age_s=3601.0), "Backups", Standing.WRONG),
    (lambda said: said["access"].update(problem="secrets gone"), "Log-in", Standing.WRONG),
    (lambda said: said["access"].update(locked=["operator-1"]), "Locked accounts", Standing.WATCH),
    (lambda said: said["access"].update(slowed_sources=["10.0.0.9"]), "Slowed addresses", Standing.WATCH),
)


@pytest.mark.parametrize(("spoil", "name", "standing"), CASES)
def test_what_is_wrong_is_said_with_what_to_do(spoil: Callable[[Any], object], name: str, standing: Standing) -> None:
    said = copy.deepcopy(WELL)
    spoil(said)
    (fact,) = to_mend(health_parts(said, BERLIN))
    assert (fact.name, fact.standing) == (name, standing)
    assert fact.todo or standing is Standing.WATCH


def test_what_is_not_set_up_is_said_and_asks_for_nothing() -> None:
    said = {**WELL, "influxdb": None, "mqtt": None, "heartbeat": None, "devices": {}}
    said["machine"] = {"machine": "not watched: lab time is stepped"}
    said["heads"] = {"signing": {"key_id": None, "newest": None, "unsigned": 0, "problem": None}, "anchors": []}
    parts = health_parts(said, BERLIN)
    assert to_mend(parts) == ()
    off = {fact.name for part in parts for fact in part.facts if fact.standing is Standing.OFF}
    assert off == {"Mirror", "MQTT", "Heartbeat", "Instruments", "Disk and clock", "Signed heads", "Anchors"}
