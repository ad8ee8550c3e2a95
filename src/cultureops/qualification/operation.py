"""Operational qualification: does what is installed do, here, what it is for. In a scratch folder that goes at the end.

Nothing of the site is written: what is tried is the program on this machine, with this disk and these libraries.
"""

from __future__ import annotations

import io
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from cultureops.access.desk import open_access
from cultureops.access.policy import Policy
from cultureops.access.roles import Role
from cultureops.access.signature import Meaning, Signature, check_signatures, shown, signed
from cultureops.alarms.engine import Engine
from cultureops.alarms.own import own_reading, own_rule
from cultureops.alarms.rule import Priority
from cultureops.anchor import SEALED, STREAM, check_roots
from cultureops.backup.restoring import try_backup
from cultureops.backup.taking import Wanted, take_backup
from cultureops.clock import HOUR_MS, SECOND_MS, SteppedClock, SystemEntropy
from cultureops.errors import AccessError, ChainBroken, CultureOpsError, SignatureInvalid, Unreadable
from cultureops.ledger import SqlLedger, verify
from cultureops.ledger.upcast import NEWEST
from cultureops.ledger.verify import read_stream
from cultureops.qualification.forgery import FORGERIES, forge
from cultureops.qualification.row import Check, Found, fail, ok
from cultureops.qualification.scratch import CHANNEL, START, Scratch, note, record
from cultureops.recording import LEDGER_FILE, TELEMETRY_FOLDER
from cultureops.report.document import Imprint, render
from cultureops.report.qualification import TEMPLATE, TITLE, qualification_report
from cultureops.self_check.clock_watch import ClockWatch
from cultureops.telemetry import EmbeddedStore
from cultureops.telemetry.exchange import UTC as IN_UTC
from cultureops.telemetry.exchange import check, export_csv, import_readings

__all__ = ["CHECKS"]

_PASSWORD: Final = "a scratch folder's own words"
_END: Final = 253_402_300_800_000


async def _append(scratch: Scratch) -> Found:
    folder = scratch.sub("append")
    head = await record(folder)
    read = [
        event.data["number"] for number in range(3) for event in read_stream(folder / LEDGER_FILE, f"note:{number}")
    ]
    whole = verify(folder / LEDGER_FILE, head) == head and sorted(map(str, read)) == sorted(map(str, range(12)))
    return ok(f"12 of 12 read back, chain unbroken, head {head}") if whole else fail(f"read back: {read}")


async def _guarded(scratch: Scratch) -> Found:
    folder = scratch.sub("guards")
    await record(folder)
    refused = []
    with closing(sqlite3.connect(folder / LEDGER_FILE, isolation_level=None)) as connection:
        for order in ("UPDATE events SET stream = 'x'", "DELETE FROM events WHERE position = 12"):
            try:
                connection.execute(order)
            except sqlite3.DatabaseError as error:
                refused.append(str(error))
    return ok("; ".join(refused)) if len(refused) == 2 else fail("the database changed or deleted an event")


async def _forged(scratch: Scratch) -> Found:
    folder = scratch.sub("forge")
    head = await record(folder)
    missed = []
    for name, change in FORGERIES.items():
        forged = folder / f"{name}.sqlite"
        shutil.copy(folder / LEDGER_FILE, forged)
        forge(forged, change)
        try:
            verify(forged, head)
        except (ChainBroken, Unreadable):
            continue
        missed.append(name)
    return fail(f"not found: {', '.join(missed)}") if missed else ok(f"found: {', '.join(FORGERIES)}")


async def _stored(scratch: Scratch) -> Found:
    folder, _, written = await scratch.lab("store")
    store = EmbeddedStore.open(folder / TELEMETRY_FOLDER)
    try:
        read = (await store.series(CHANNEL, 0, _END)).readings(CHANNEL)
    finally:
        await store.close()
    found = check(folder / TELEMETRY_FOLDER)
    roots = [event for event in read_stream(folder / LEDGER_FILE, STREAM) if event.type == SEALED]
    compared = check_roots(folder, found.passes, roots)
    said = f"{len(read)} of {len(written)} readings read back, {found.chunks} chunks, {compared} roots as in the ledger"
    return ok(said) if tuple(read) == written and compared else fail(said)


async def _exported(scratch: Scratch) -> Found:
    other = scratch.sub("import")
    folder, _, written = await scratch.lab("export")
    text = io.StringIO()
    export_csv(folder / TELEMETRY_FOLDER, text, None, 0, _END, IN_UTC)
    (other / "readings.csv").write_text(text.getvalue(), encoding="utf-8")
    store = EmbeddedStore.open(other / TELEMETRY_FOLDER)
    try:
        count = await import_readings(store, other / "readings.csv")
        read = (await store.series(CHANNEL, 0, _END)).readings(CHANNEL)
    finally:
        await store.close()
    said = f"{count} of {len(written)} readings out as CSV, taken in again and compared"
    return ok(said) if tuple(read) == written else fail(said)


def _alarm(scratch: Scratch) -> Found:
    rule = own_rule(
        CHANNEL, limit=6.0, unit="%", deadband=0.1, on_delay_s=60.0, priority=Priority.HIGH, cause="a trial",
        consequence="none", response="none", respond_within_s=60.0,
    )  # fmt: skip
    engine, told = Engine((rule,)), []
    for second, value in ((0, 5.0), (10, 6.5), (60, 6.5), (80, 6.5), (90, 5.0)):
        now = START + second * SECOND_MS
        moves = [*engine.evaluate([own_reading(CHANNEL, value, now)]), *engine.tick(now)]
        told += [f"{second} s {move.to_state.value}" for move in moves]
    return (
        ok(", ".join(told)) if [text.split()[0] for text in told] == ["80", "90"] else fail(", ".join(told) or "none")
    )


async def _backed_up(scratch: Scratch) -> Found:
    shelf = scratch.sub("shelf")
    folder, head, written = await scratch.lab("backup")
    taken = take_backup(Wanted(folder, shelf), START)
    found = try_backup(taken.folder, START + HOUR_MS, head, within=scratch.folder)
    said = (
        f"{found.proof.events} events, {found.proof.readings} readings, {found.proof.roots} roots; made in "
        f"{taken.seconds:.2f} s, restored in {found.seconds:.2f} s"
    )
    return ok(said) if (found.proof.head, found.proof.readings) == (head, len(written)) else fail(said)


async def _damaged(scratch: Scratch) -> Found:
    shelf = scratch.sub("damaged_shelf")
    folder, _, _ = await scratch.lab("damage")
    taken = take_backup(Wanted(folder, shelf), START)
    missed = []
    for file in taken.manifest.files:
        path = taken.folder / file.path
        good = path.read_bytes()
        path.write_bytes(bytes([*good[:-1], good[-1] ^ 1]))
        try:
            try_backup(taken.folder, START, within=scratch.folder)
            missed.append(file.path)
        except CultureOpsError:
            path.write_bytes(good)
    return (
        fail(f"not found: {missed}") if missed else ok(f"one bit in each of {len(taken.manifest.files)} files: refused")
    )


async def _log_in(scratch: Scratch) -> Found:
    folder, clock = scratch.sub("access"), SteppedClock(START)
    ledger = SqlLedger.open(folder / LEDGER_FILE, clock, SystemEntropy())
    try:
        desk = await open_access(folder, ledger, Policy(), clock, SystemEntropy())
        link = await desk.first_link()
        assert link is not None
        await desk.accept(link, _PASSWORD, username="admin-1", printed_name="Administrator One", source="scratch")
        said = ["two wrong passwords: refused"]
        for password in ("something else entirely", ""):
            try:
                await desk.authenticate("admin-1", password, "", "scratch")
            except AccessError:
                continue
            return fail(f"{password!r} was taken for the password")
        identity = await desk.authenticate("admin-1", _PASSWORD, "", "scratch")
        try:
            identity.acting(Role.QUALIFIED_PERSON)
        except AccessError as error:
            said.append(str(error))
        else:
            return fail("an administrator may act as a qualified person")
        return ok("; ".join(said))
    finally:
        await ledger.close()


async def _signed(scratch: Scratch) -> Found:
    folder = scratch.sub("sign")
    ledger = SqlLedger.open(folder / LEDGER_FILE, SteppedClock(START), SystemEntropy())
    try:
        by = Signature(
            "s-1", "operator-1", "Operator One", Role.OPERATOR, Meaning.AUTHORED, START, scratch.zone.key, "password",
            shown("note:1", (), "note", "0" * 64),
        )  # fmt: skip
        (event,) = await ledger.append("note:1", [signed(note(1), "note:1", [by])], None)
        (other,) = await ledger.append("note:2", [note(2)], None)
    finally:
        await ledger.close()
    check_signatures(event, (event,))
    copied = replace(other, data={**other.data, "signatures": event.data["signatures"]})
    changed = replace(
        event, canonical=event.canonical.replace(b'"number":1', b'"number":7'), data={**event.data, "number": 7}
    )
    for name, forged in (("copied to another record", copied), ("over a changed record", changed)):
        try:
            check_signatures(forged, (forged,))
        except SignatureInvalid:
            continue
        return fail(f"a signature {name} was taken")
    return ok("holds where it was made; copied to another record, and over a changed record: refused")


async def _newer(scratch: Scratch) -> Found:
    folder = scratch.sub("newer")
    ledger = SqlLedger.open(folder / LEDGER_FILE, SteppedClock(START), SystemEntropy())
    try:
        await ledger.append("note:1", [replace(note(1), schema_version=NEWEST.get("noted", 1) + 1)], None)
        ledger.read("note:1")
    except Unreadable as error:
        return ok(str(error).rpartition(": ")[2])
    finally:
        await ledger.close()
    return fail("data of a newer program was read")


def _stepped_clock(_: Scratch) -> Found:
    watch = ClockWatch()
    watch.look(START, 0.0)
    jump = watch.look(START + HOUR_MS + SECOND_MS, 1.0)
    return fail("not seen") if jump is None else ok(f"a step of {jump.leap_s:g} s gives the event {jump.event.type}")


def _document(scratch: Scratch) -> Found:
    imprint = Imprint(TITLE, "a trial", "cultureops", START, scratch.zone, None)
    pdf = render(TEMPLATE, qualification_report(imprint, (), ()))
    year = datetime.fromtimestamp(START / 1000, UTC).year
    said = f"{len(pdf)} bytes, declared PDF/A-2b, of {year}"
    return ok(said) if pdf.startswith(b"%PDF-") and b"pdfaid" in pdf else fail(said)


CHECKS: Final[tuple[Check[Scratch], ...]] = (
    Check("OQ-01", "Record", ("R1", "R26"), "events are appended, read back and verified", _append),
    Check("OQ-02", "Record is append-only", ("R2",), "the database refuses to change or delete an event", _guarded),
    Check("OQ-03", "Forgery", ("R2", "R21"), "each forgery made as root is found", _forged),
    Check("OQ-04", "Readings", ("R16", "R26"), "stored, sealed, read back equal, roots in the ledger", _stored),
    Check("OQ-05", "Export", ("R3", "R15"), "what is exported is read back equal", _exported),
    Check("OQ-06", "Alarm", (), "raised after its delay of 60 s above the limit, and over when it is over", _alarm),
    Check("OQ-07", "Backup and restore", ("R17",), "verified by head, roots and counts", _backed_up),
    Check("OQ-08", "Damaged backup", ("R17",), "refused, whichever file it is in", _damaged),
    Check("OQ-09", "Log-in", ("R7", "R13"), "wrong passwords and foreign roles are refused", _log_in),
    Check("OQ-10", "Signature", ("R6",), "can't be copied, and does not cover a changed record", _signed),
    Check("OQ-11", "Newer data", ("R16",), "refused with what to install", _newer),
    Check("OQ-12", "Step of the clock", ("R2", "R18"), "an event with both times", _stepped_clock),
    Check("OQ-13", "Document", ("R15",), "a PDF/A-2b is set", _document),
)
"""In the order of the report."""
