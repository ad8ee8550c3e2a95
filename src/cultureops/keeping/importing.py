"""Taking in from files what was kept elsewhere: exported readings, loggers' traces, controllers' event logs.

Each is taken in whole or not at all, and the ledger says which file it was and who brought it in: somebody with a role
who has proven to be themselves.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import sys
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from cultureops.attachments import Attachments, keep_on_record
from cultureops.clock import SystemClock, iso
from cultureops.device.event_log import EventLog
from cultureops.device.reading import Reading
from cultureops.device.registry import event_log_reader, trace_reader
from cultureops.device.trace import Trace
from cultureops.errors import ConfigError
from cultureops.keeping.entry import Entry, entering
from cultureops.keeping.proof import proven
from cultureops.ledger.event import Actor, JsonValue, NewEvent, Source
from cultureops.ledger.ledger import Ledger
from cultureops.progress import patience
from cultureops.recording import TELEMETRY_FOLDER
from cultureops.telemetry import EmbeddedStore
from cultureops.telemetry.exchange import import_readings
from cultureops.telemetry.local_time import zone_named
from cultureops.telemetry.trace import check_device_name, trace_readings
from cultureops.telemetry.trace import import_trace as keep_trace

__all__ = ["import_event_log", "import_telemetry", "import_trace"]

TRACE_READER: Final = "columns"
IMPORTS: Final = "imports"
READINGS_IMPORT_BEGUN: Final = "readings_import_begun"
READINGS_IMPORTED: Final = "readings_imported"
TRACE_IMPORTED: Final = "trace_imported"
LOG_IMPORTED: Final = "event_log_imported"


async def import_telemetry(data_dir: Path, source: Path, entry: Entry) -> None:
    """Read exported readings back, in a person's name: all of them or, on the first bad row, none.

    That it begins is on record before the first reading is kept, so that one cut short is nobody's secret.
    Raises ConfigError for a bad row, AccessError where the person is not who they say.
    """
    if not await asyncio.to_thread(source.is_file):
        raise ConfigError(f"{source}: no such file; name one that `telemetry export` wrote")
    person = entry.person()
    async with entering(data_dir, SystemClock()) as (ledger, desk):
        await proven(desk, person, entry.secret)
        store = EmbeddedStore.open(data_dir / TELEMETRY_FOLDER)
        try:
            with patience(f"reading {source}"):
                sha256 = await asyncio.to_thread(_sha256, source)
                which: dict[str, JsonValue] = {"source_file": source.name, "source_sha256": sha256}
                begun = NewEvent(READINGS_IMPORT_BEGUN, which, person, Source.IMPORT)
                count = await import_readings(store, source, lambda: ledger.append(IMPORTS, [begun], None))
        finally:
            await store.close()
        done = NewEvent(READINGS_IMPORTED, {"readings": count, **which}, person, Source.IMPORT)
        await ledger.append(IMPORTS, [done], None)
    print(f"{count} readings imported", file=sys.stderr)


def _sha256(source: Path) -> str:
    with source.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


async def import_trace(
    data_dir: Path, source: Path, mapping: str, device: str, zone: str, entry: Entry, *, simulated: bool = False
) -> None:
    """Take in a logger's file as late readings, all of them or none, and record who brought in which file.

    Raises ConfigError for a file that is not as it should be or was imported before, AccessError where the person is
    not who they say.
    """
    person = entry.person()
    where, clock = zone_named(zone), SystemClock()
    read = trace_reader(TRACE_READER)
    contents = await _contents(source)
    with patience(f"reading {source}"):
        trace = await asyncio.to_thread(read, contents, source.name, mapping, where)
    readings = trace_readings(trace, device, clock.now())
    async with entering(data_dir, clock) as (ledger, desk):
        await proven(desk, person, entry.secret)
        _refuse_known(ledger, f"device:{device}", TRACE_IMPORTED, trace.source_file, trace.source_sha256)
        store = EmbeddedStore.open(data_dir / TELEMETRY_FOLDER)
        try:
            await keep_on_record(ledger, Attachments(data_dir), contents, source.name, person, Source.IMPORT)
            await _record_trace(ledger, store, trace, device, where, readings, person, simulated=simulated)
        finally:
            await store.close()
    first, last = iso(readings[0].source_time), iso(readings[-1].source_time)
    print(f"{len(readings)} readings of {device} imported, {first} to {last}", file=sys.stderr)


async def _record_trace(
    ledger: Ledger,
    store: EmbeddedStore,
    trace: Trace,
    device: str,
    zone: ZoneInfo,
    readings: tuple[Reading, ...],
    person: Actor,
    *,
    simulated: bool,
) -> None:
    """Keep the readings and then say so: what is in the ledger is durable."""
    stream = f"device:{device}"
    await keep_trace(store, trace, device, readings, simulated=simulated)
    data: dict[str, JsonValue] = {
        "device": device,
        "vendor": trace.identity.vendor,
        "model": trace.identity.model,
        "serial_number": trace.identity.serial_number,
        "firmware": trace.identity.firmware,
        "channels": [channel.name for channel in trace.channels],
        "readings": len(readings),
        "bad": sum(reading.value is None for reading in readings),
        "first": iso(readings[0].source_time),
        "last": iso(readings[-1].source_time),
        "zone": zone.key,
        "mapping": trace.mapping,
        "simulated": simulated,
        "source_file": trace.source_file,
        "source_sha256": trace.source_sha256,
    }
    await ledger.append(stream, [NewEvent(TRACE_IMPORTED, data, person, Source.IMPORT)], None)


async def import_event_log(
    data_dir: Path, source: Path, kind: str, mapping: Path, device: str, zone: str, entry: Entry, *, as_json: bool
) -> None:
    """Take in the log of events that a device kept, as one event of the ledger that holds them all.

    Raises ConfigError for a file that is not as it should be or was imported before, AccessError where the person is
    not who they say.
    """
    person = entry.person()
    where, clock = zone_named(zone), SystemClock()
    check_device_name(device)
    contents = await _contents(source)
    log = await asyncio.to_thread(event_log_reader(kind), contents, source.name, mapping)
    async with entering(data_dir, clock) as (ledger, desk):
        await proven(desk, person, entry.secret)
        _refuse_known(ledger, f"device:{device}", LOG_IMPORTED, log.source_file, log.source_sha256)
        await keep_on_record(ledger, Attachments(data_dir), contents, source.name, person, Source.IMPORT)
        await _record_log(ledger, log, kind, device, where, person)
    unknown = sum(not event.is_known for event in log.events)
    if as_json:
        found = {"device": device, "events": len(log.events), "unknown": unknown, "rows": log.n_rows}
        print(json.dumps(found | {"source_sha256": log.source_sha256}))
    else:
        print(f"{len(log.events)} events of {device} recorded, {unknown} of them with unknown codes", file=sys.stderr)


async def _record_log(ledger: Ledger, log: EventLog, kind: str, device: str, zone: ZoneInfo, person: Actor) -> None:
    stream = f"device:{device}"
    data: dict[str, JsonValue] = {
        "device": device,
        "driver": kind,
        "rows": log.n_rows,
        "zone": zone.key,
        "events": [
            {"line": event.line, "at_local": event.at_local, "code": event.code, "text": event.text,
             "channel": event.channel}
            for event in log.events
        ],
        "source_file": log.source_file,
        "source_sha256": log.source_sha256,
    }  # fmt: skip
    await ledger.append(stream, [NewEvent(LOG_IMPORTED, data, person, Source.IMPORT)], None)


def _refuse_known(ledger: Ledger, stream: str, event_type: str, file: str, sha256: str) -> None:
    for event in ledger.read(stream):
        if event.type == event_type and event.data["source_sha256"] == sha256:
            raise ConfigError(f"{file}: was imported before, event {event.position} of the ledger says")


async def _contents(source: Path) -> bytes:
    try:
        return await asyncio.to_thread(source.read_bytes)
    except OSError as error:
        raise ConfigError(f"{source}: can't be read: {error.strerror or error}") from None
