"""One look at everything that a data folder keeps: is it what was written?"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from cultureops.access.signature import check_signatures
from cultureops.anchor import STREAM, check_roots
from cultureops.attachments import STREAM as ATTACHMENTS
from cultureops.attachments import Attachments
from cultureops.config import load
from cultureops.errors import ChainBroken, ConfigError, SignatureInvalid, StorageError, Unreadable
from cultureops.ledger.anchor_file import read_anchor
from cultureops.ledger.event import Event
from cultureops.ledger.examine import Examined, examine
from cultureops.ledger.finding import Finding, Kind
from cultureops.ledger.head import parse_head
from cultureops.ledger.head_table import read_heads, read_stamps
from cultureops.ledger.key_chain import KeyEntry
from cultureops.ledger.known import Known
from cultureops.ledger.origins import ORIGINS_FOLDER, examine_origins, recorded_heads
from cultureops.ledger.settings import Authority, LedgerSettings, ledger_from
from cultureops.ledger.storage import FAILURES
from cultureops.ledger.time_stamp import check_token
from cultureops.ledger.verify import read_stream
from cultureops.ledger.whereabouts import Whereabouts, open_reader, storage_at
from cultureops.pack.ledger import is_pack
from cultureops.progress import patience, steps
from cultureops.recording import SITE_FILE, TELEMETRY_FOLDER, ledger_in
from cultureops.telemetry.exchange import Checked, check
from cultureops.telemetry.soundness import DAMAGED, unsound
from cultureops.write_ahead_log import LogDamage, log_damage

__all__ = ["Verified", "print_verified", "verify_folder"]


@dataclass(slots=True)
class Verified:
    """What was found in a data folder; ``ledger`` and ``telemetry`` are None where they can't be read at all.

    ``origins`` are the logs that a hub holds of its gateways.
    """

    ledger: Examined | None = None
    origins: dict[str, Examined] = field(default_factory=dict)
    telemetry: Checked | None = None
    roots: int = 0
    anchored: int = 0
    stamps: int = 0
    findings: list[Finding] = field(default_factory=list)


def print_verified(
    data_dir: Path, anchors: Sequence[Path], heads: Sequence[str], site: Path | None, *, as_json: bool
) -> None:
    """Verify a data folder and print what it holds, each finding on a line; raises ChainBroken where there is any."""
    found = verify_folder(data_dir, anchors, heads, site)
    if as_json:
        print(json.dumps(_data(found)))
    else:
        for line in _lines(data_dir, found):
            print(line)
    if found.findings:
        raise ChainBroken(
            f"{data_dir}: {len(found.findings)} findings, the first: {found.findings[0]}; keep the folder as evidence "
            "and restore the newest verified backup"
        )


def verify_folder(data_dir: Path, anchors: Sequence[Path], heads: Sequence[str], site: Path | None) -> Verified:
    """Look at ledger, heads, anchors, time stamps and readings of a data folder; nothing in it is changed.

    Anchors and authorities are those given and those of the site file. Raises ConfigError for what is asked wrongly.
    """
    if not data_dir.is_dir():
        raise ConfigError(f"{data_dir}: no such folder; name the data folder of the lab")
    if is_pack(data_dir):
        raise ConfigError(f"{data_dir}: is an opened audit pack; verify it with `cultureops pack verify {data_dir}`")
    settings = _settings(data_dir, site)
    found = Verified()
    known = [*_anchored(found, anchors or settings.files), *_given(heads)]
    path = ledger_in(data_dir)
    with steps(f"reading {storage_at(path).name}") as show:
        try:
            found.ledger = examine(path, known, check_signatures, show)
        except Unreadable as error:
            found.findings.append(Finding(Kind.UNREADABLE, storage_at(path).name, str(error)))
    if found.ledger is not None:
        findings = found.ledger.findings
        found.findings += _by_log(path, findings) if isinstance(path, Path) else findings
        found.findings += _stamp_findings(found, path, settings.authorities)
    folder = data_dir / TELEMETRY_FOLDER
    if folder.is_dir():
        with patience(f"reading {folder}"):
            _look_at_readings(found, path, folder)
    elif found.ledger is not None and _sealed(path):
        found.findings.append(Finding(Kind.UNREADABLE, str(folder), "is missing; restore it from a backup"))
    _look_at_origins(found, path, data_dir / ORIGINS_FOLDER)
    found.findings += Attachments(data_dir).check(_kept_files(path))
    return found


def _look_at_origins(found: Verified, ledger: Whereabouts, folder: Path) -> None:
    """Compare a hub's copies of its gateways' logs with themselves, and with the heads in the hub's own record."""
    try:
        recorded = {} if found.ledger is None else recorded_heads(ledger)
    except StorageError:
        recorded = {}  # what of the record can't be read is told already
    with patience(f"reading {folder}"):
        found.origins, findings = examine_origins(folder, recorded, check_signatures)
    found.findings += findings


def _kept_files(ledger: Whereabouts) -> tuple[Event, ...]:
    """Return the events that say which raw files were kept; none where the ledger can't be read, which is told."""
    try:
        return read_stream(ledger, ATTACHMENTS)
    except StorageError:
        return ()


def _settings(data_dir: Path, site: Path | None) -> LedgerSettings:
    """Read the ledger's section of the site file, or of the one in the data folder."""
    file = site or data_dir / SITE_FILE
    if site is None and not file.is_file():
        return LedgerSettings()
    return ledger_from(load(file).optional_table("ledger"), file.parent)


def _anchored(found: Verified, files: Sequence[Path]) -> Iterator[Known]:
    for file in files:
        try:
            heads, findings = read_anchor(file)
        except StorageError as error:
            found.findings.append(Finding(Kind.UNREADABLE, str(file), str(error)))
            continue
        found.anchored += len(heads)
        found.findings += findings
        yield from heads


def _given(heads: Sequence[str]) -> Iterator[Known]:
    for text in heads:
        try:
            yield Known("the head given", parse_head(text))
        except StorageError as error:
            raise ConfigError(f"--head: {error}") from None


def _damaged_log(database: Path) -> LogDamage | None:
    try:
        return log_damage(database)
    except OSError as error:
        return LogDamage(f"{database}-wal: can't be read: {error.strerror or error}", True)


def _by_log(path: Path, findings: Sequence[Finding]) -> list[Finding]:
    """Put a log that can't be read before what only follows from it: the events that it held are missing then.

    A log whose last commit alone is bad may have been cut off by the power, unless somebody knows of that commit.
    """
    damage = _damaged_log(path)
    missing = [one for one in findings if one.kind in (Kind.TRUNCATED, Kind.ROLLED_BACK, Kind.HEAD)]
    if damage is None or not (damage.is_certain or missing):
        return list(findings)
    unreadable = Finding(Kind.UNREADABLE, path.name, damage.detail)
    return [unreadable, *(one for one in findings if one not in missing)]


def _stamp_findings(found: Verified, path: Whereabouts, authorities: Sequence[Authority]) -> Iterator[Finding]:
    """Check the time stamps that stand beside heads; those on heads that are bad are left alone."""
    by_url = {authority.url: authority for authority in authorities}
    try:
        with closing(open_reader(path)) as connection:
            stamps = read_stamps(connection)
            heads = {stored.head.size: stored.head for stored in read_heads(connection) if stored.head is not None}
    except (*FAILURES, Unreadable) as error:
        yield Finding(Kind.UNREADABLE, "time stamps", str(error))
        return
    bad = {finding.position for finding in found.findings}
    for expected, stamp in enumerate(stamps, 1):
        where = f"time stamp {stamp.number}"
        if stamp.number != expected:
            yield Finding(Kind.HEAD, where, f"stands where {expected} is expected", None)
        head = heads.get(stamp.size)
        if head is None or stamp.size in bad:
            if head is None:
                yield Finding(Kind.EDITED, where, f"there is no head of position {stamp.size}")
            continue
        try:
            check_token(stamp.token, head, by_url.get(stamp.authority))
            found.stamps += 1
        except (SignatureInvalid, TypeError) as error:
            yield Finding(Kind.EDITED, where, f"position {stamp.size}: {error}")
        except Unreadable as error:
            yield Finding(Kind.UNREADABLE, where, f"position {stamp.size}: {error}")


def _look_at_readings(found: Verified, ledger: Whereabouts, folder: Path) -> None:
    """Compare frames, chunks and roll-ups with their checksums, and sealed hours with their roots in the ledger."""
    files = [folder / name for name in sorted(file.name for file in folder.glob("*.sqlite"))]
    logs = [(file, damage) for file in files if (damage := _damaged_log(file)) is not None and damage.is_certain]
    found.findings += [Finding(Kind.UNREADABLE, file.name, damage.detail) for file, damage in logs]
    if logs:
        return
    try:
        # First: what is sealed meanwhile has no event here. Behind a break in the chain no event is believed.
        whole_until = 0 if found.ledger is None else found.ledger.head.position
        events = [event for event in _sealed(ledger) if event.position <= whole_until]
        found.findings += unsound_findings(folder)
        found.telemetry = check(folder)
        found.roots = check_roots(folder, found.telemetry.passes, events)
    except ChainBroken as error:
        found.findings.append(Finding(Kind.EDITED, TELEMETRY_FOLDER, str(error)))
    except (StorageError, *DAMAGED) as error:
        found.findings.append(Finding(Kind.UNREADABLE, TELEMETRY_FOLDER, str(error)))


def unsound_findings(folder: Path) -> Iterator[Finding]:
    """Say what is wrong with the files of readings beside frames and chunks."""
    for where, detail, is_readable in unsound(folder):
        yield Finding(Kind.EDITED if is_readable else Kind.UNREADABLE, where, detail)


def _sealed(ledger: Whereabouts) -> tuple[Event, ...]:
    """Return the events of sealed hours, none where they can't be read: the ledger's own findings tell of that."""
    try:
        return read_stream(ledger, STREAM)
    except StorageError:
        return ()


def _data(found: Verified) -> dict[str, object]:
    ledger, telemetry = found.ledger, found.telemetry
    return {
        "ledger": None if ledger is None else {
            "events": ledger.head.position, "head": ledger.head.hash, "root": ledger.root, "signed_heads": ledger.heads,
            "unsigned_events": ledger.unsigned, "events_with_signatures": ledger.signatures,
            "keys": [_key_data(entry) for entry in ledger.keys],
        },
        "origins": {
            name: {"events": one.head.position, "head": one.head.hash, "signed_heads": one.heads}
            for name, one in found.origins.items()
        },
        "anchored_heads": found.anchored,
        "time_stamps": found.stamps,
        "telemetry": None if telemetry is None else {
            "frames": telemetry.frames, "readings": telemetry.readings, "chunks": telemetry.chunks,
            "sealed_readings": telemetry.sealed_readings, "roots": found.roots,
        },
        "findings": [finding.data() for finding in found.findings],
    }  # fmt: skip


def _key_data(entry: KeyEntry) -> dict[str, object]:
    return {
        "key_id": entry.key.id, "position": entry.position, "how": entry.how, "actor": entry.actor,
        "reason": entry.reason,
    }  # fmt: skip


def _lines(data_dir: Path, found: Verified) -> Iterator[str]:
    ledger, telemetry = found.ledger, found.telemetry
    if ledger is not None:
        yield (
            f"{storage_at(ledger_in(data_dir)).name}: {ledger.head.position} events to head {ledger.head}; "
            f"{ledger.heads} signed heads, {ledger.unsigned} events behind the newest, "
            f"{ledger.signatures} events signed by people"
        )
        for entry in ledger.keys[1:]:
            why = f" by {entry.actor}: {entry.reason}" if entry.reason else ""
            yield f"key {entry.key.id}: {entry.how} at position {entry.position}{why}"
    for name, one in found.origins.items():
        yield f"{ORIGINS_FOLDER}/{name}.sqlite: {one.head.position} events to head {one.head}; {one.heads} signed heads"
    if found.anchored or found.stamps:
        yield f"{found.anchored} heads of anchors and {found.stamps} time stamps compared"
    if telemetry is not None:
        yield (
            f"{data_dir / TELEMETRY_FOLDER}: {telemetry.readings} readings, {telemetry.sealed_readings} of them sealed "
            f"in {telemetry.chunks} chunks; {found.roots} roots compared"
        )
    for finding in found.findings:
        yield str(finding)
    if not found.findings:
        yield "all as it was written"
