"""Installation qualification: is everything there, as it was released, and set as it has to be."""

from __future__ import annotations

import os
import shutil
import socket
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Final

from cultureops.access.account import Account
from cultureops.access.accounts import Accounts
from cultureops.access.roles import Role
from cultureops.backup.contents import survey
from cultureops.backup.records import CHECKED, MADE
from cultureops.backup.records import STREAM as BACKUPS
from cultureops.clock import DAY_MS, HOUR_MS, Instant, iso
from cultureops.kernel_clock import ClockQuality, ClockState, kernel_clock, quality_of
from cultureops.ledger.event import Event, decode
from cultureops.ledger.storage import Storage
from cultureops.ledger.table import read_rows
from cultureops.ledger.verify import verify
from cultureops.ledger.whereabouts import Whereabouts, open_reader
from cultureops.qualification import disk, packages
from cultureops.qualification.row import Check, Found, fail, not_applicable, ok
from cultureops.recording import TELEMETRY_FOLDER, has_ledger, ledger_in
from cultureops.site import Site
from cultureops.telemetry.exchange import check
from cultureops.telemetry.file import warn_of_old_sqlite

__all__ = ["CHECKS", "Installation"]

_SECRETS: Final = "access.sqlite"
_TRIED_WITHIN_D: Final = 92
"""A backup is to be restored on trial each quarter [OWN]."""


@dataclass
class Installation:
    """A site as it is installed: its site file, read, its data folder, and the moment of looking [ms UTC]."""

    site: Site
    site_file: Path
    data_dir: Path
    now: Instant
    read_clock: Callable[[], ClockState | None] = kernel_clock

    @property
    def ledger(self) -> Whereabouts:
        """Where the ledger is."""
        return ledger_in(self.data_dir)

    @property
    def is_begun(self) -> bool:
        """Whether there is a ledger yet."""
        return has_ledger(self.data_dir)

    @cached_property
    def events(self) -> tuple[Event, ...]:
        """The events of access and backups; empty where there is no ledger yet."""
        return tuple(_events(self.ledger)) if self.is_begun else ()

    @cached_property
    def accounts(self) -> tuple[Account, ...]:
        """All accounts as they stand."""
        register = Accounts()
        for event in self.events:
            register.apply(event)
        return register.all()


def _events(ledger: Whereabouts) -> Iterator[Event]:
    wanted = ("access", BACKUPS)
    with closing(open_reader(ledger)) as connection:
        for row in read_rows(connection):
            if row.stream in wanted or row.stream.startswith("account:"):
                yield decode(row.canonical, row.hash)


def _python(_: Installation) -> Found:
    said = f"Python {'.'.join(map(str, sys.version_info[:3]))}, {sys.maxsize.bit_length() + 1} bit, {sys.executable}"
    return ok(said) if sys.version_info >= (3, 11) and sys.maxsize > 2**32 else fail(said)


def _sqlite(_: Installation) -> Found:
    warning = warn_of_old_sqlite()
    return ok("no known fault") if warning is None else ok(f"{warning}; avoided: one connection folds each log back")


def _site(it: Installation) -> Found:
    digest = sha256(it.site_file.read_bytes()).hexdigest()
    return ok(f"{it.site_file}: {len(it.site.chambers)} chambers, {len(it.site.devices)} devices, SHA-256 {digest}")


def _zone(it: Installation) -> Found:
    local = datetime.fromtimestamp(it.now / 1000, it.site.zone)
    offsets = {datetime(local.year, month, 1, tzinfo=it.site.zone).strftime("%z") for month in range(1, 13)}
    return ok(f"{it.site.zone.key}, now {local:%z}, offsets of this year {', '.join(sorted(offsets))}")


def _folder(it: Installation) -> Found:
    mode = it.data_dir.stat().st_mode
    said = f"{it.data_dir}: {stat.filemode(mode)}, owner {it.data_dir.stat().st_uid}, this program {os.geteuid()}"
    return ok(said) if not mode & 0o022 and os.access(it.data_dir, os.W_OK) else fail(said)


def _file_system(it: Installation) -> Found:
    kind, source = disk.file_system(it.data_dir)
    said = f"{kind} on {source}"
    if kind in disk.VOLATILE:
        return fail(f"{said}: is lost when the machine stops")
    if kind in disk.REMOTE:
        return fail(f"{said}: locks and write-ahead logs need a local disk")
    return ok(said)


def _durable(it: Installation) -> Found:
    slept_ms = disk.sync_times_ms(it.data_dir)
    said = f"write, fsync, rename and fsync of the folder: {min(slept_ms):.2f} to {max(slept_ms):.2f} ms"
    if preload := os.environ.get("LD_PRELOAD"):
        return fail(f"{said}; LD_PRELOAD={preload} may stand in for fsync")
    return ok(f"{said}; that the disk keeps its word at a power cut, its maker says")


def _space(it: Installation) -> Found:
    usage, limits = shutil.disk_usage(it.data_dir), it.site.own_limits
    free_gb, free_pct = usage.free / 1e9, 100 * usage.free / usage.total
    said = f"{free_gb:.1f} GB, {free_pct:.0f} %"
    return ok(said) if free_gb > limits.disk_warning_gb and free_pct > limits.disk_warning_pct else fail(said)


def _log_mode(it: Installation) -> Found:
    if not it.is_begun:
        return not_applicable("no ledger yet")
    if not isinstance(it.ledger, Path):
        return _server(it.ledger)
    with closing(open_reader(it.ledger)) as connection:
        mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar_one()
    return ok(mode) if mode == "wal" else fail(f"{mode}; the lab was never started on it")


def _server(storage: Storage) -> Found:
    """Open it for writing as a lab does, which refuses a server that may lose commits, or a role that may do more."""
    writer = storage.writer()
    try:
        return ok(f"{storage.engine_version(writer)}, {storage.name}: durable commits, this role can only append")
    finally:
        writer.dispose()


def _clock(it: Installation) -> Found:
    state = it.read_clock()
    said = "the machine does not say" if state is None else f"wrong by at most {state.most_error_s:.4f} s"
    quality = quality_of(state)
    return (ok if quality is ClockQuality.SYNCED else fail)(f"{quality}: {said}")


def _whole(it: Installation) -> Found:
    if not it.is_begun:
        return not_applicable("no ledger yet")
    head = verify(it.ledger)
    folder = it.data_dir / TELEMETRY_FOLDER
    if not folder.is_dir():
        return ok(f"{head.position} events, head {head}; no readings yet")
    found = check(folder)
    return ok(
        f"{head.position} events, head {head}; {found.readings} readings in {found.chunks} chunks and the journal"
    )


def _secret(it: Installation) -> Found:
    names = [*survey(it.data_dir).keys, *([_SECRETS] if (it.data_dir / _SECRETS).is_file() else [])]
    open_to_others = [name for name in names if (it.data_dir / name).stat().st_mode & 0o077]
    if open_to_others:
        return fail(f"others may read {', '.join(open_to_others)}; chmod 600")
    return ok(f"{', '.join(names)}: owner only") if names else not_applicable("no secret yet")


def _signing_key(it: Installation) -> Found:
    folder = it.site.ledger.key_folder(it.data_dir)
    said = f"{', '.join(folder.made())} in {folder.path}"
    if not folder.made():
        return fail(f"no key in {folder.path}: nobody signs the heads of the ledger")
    mode = folder.path.stat().st_mode
    return fail(f"{said}: others may look into the folder; chmod 700") if mode & 0o077 else ok(said)


def _anchors(it: Installation) -> Found:
    settings = it.site.ledger
    named = [*map(str, settings.files), *(authority.url for authority in settings.authorities)]
    if not named:
        return fail("heads are kept in the data folder only; whoever has it can put all of it back unseen")
    near = [file for file in settings.files if file.parent.stat().st_dev == it.data_dir.stat().st_dev]
    if len(near) == len(named):
        return fail(f"{', '.join(named)}: on the disk of the data folder")
    return ok(", ".join(named))


def _people(it: Installation) -> Found:
    active = [account for account in it.accounts if account.is_active]
    wanted = (Role.ADMINISTRATOR, Role.OPERATOR, Role.REVIEWER, Role.QUALITY_ASSURANCE, Role.QUALIFIED_PERSON)
    missing = [role.value for role in wanted if not any(role in account.roles for account in active)]
    said = f"{len(active)} active accounts of {len(it.accounts)}"
    return fail(f"{said}; nobody is {', '.join(missing)}") if missing else ok(said)


def _admin_alone(it: Installation) -> Found:
    both = [one.username for one in it.accounts if Role.ADMINISTRATOR in one.roles and len(one.roles) > 1]
    if not it.accounts:
        return not_applicable("no account yet")
    return fail(f"administrators with other roles: {', '.join(both)}") if both else ok("none has another role")


def _carried(it: Installation) -> Found:
    web = it.site.web
    if web.tls is None:
        return ok(f"{web.host}:{web.port}, this machine only")
    web.tls.context()
    return ok(f"{web.host}:{web.port} with {web.tls.certificate}, TLS 1.2 or newer")


def _port(it: Installation) -> Found:
    web = it.site.web
    with socket.socket(socket.AF_INET6 if ":" in web.host else socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        is_taken = probe.connect_ex((web.host, web.port)) == 0
    return ok(f"{web.host}:{web.port} " + ("answers: the lab is running" if is_taken else "is free"))


def _backups(it: Installation) -> Found:
    settings = it.site.backup
    if settings is None:
        return fail("the site file has no section [backup]")
    if not settings.folder.is_dir() or not os.access(settings.folder, os.W_OK):
        return fail(f"{settings.folder}: is not there, or can't be written")
    if settings.folder.stat().st_dev == it.data_dir.stat().st_dev:
        return fail(f"{settings.folder}: is on the disk of the data folder; one failure takes both")
    return ok(f"{settings.folder}, {'every day' if settings.every_h is None else f'every {settings.every_h:g} h'}")


def _last_backup(it: Installation) -> Found:
    made = [event for event in it.events if event.stream == BACKUPS and event.type == MADE]
    if not made:
        return fail("none was ever made")
    age_h = (it.now - made[-1].recorded_at) / HOUR_MS
    longest_h = 49.0 if it.site.backup is None else it.site.backup.alarm_after_h
    said = f"{made[-1].data['backup']}, {age_h:.1f} h ago"
    return ok(said) if age_h <= longest_h else fail(f"{said}; at most {longest_h:g} h are allowed")


def _tried_backup(it: Installation) -> Found:
    tried = [event for event in it.events if event.stream == BACKUPS and event.type == CHECKED]
    if not tried:
        return fail("none was ever restored on trial; run `cultureops backup check`")
    age_d = (it.now - tried[-1].recorded_at) / DAY_MS
    data = tried[-1].data
    said = f"{data['backup']} on {iso(tried[-1].recorded_at)}: data {data['data_age_s']} s old, {data['seconds']} s"
    return ok(said) if age_d <= _TRIED_WITHIN_D else fail(f"{said}; {age_d:.0f} days ago")


CHECKS: Final[tuple[Check[Installation], ...]] = (
    Check("IQ-01", "Python", ("R21",), "3.11 or newer, 64 bit", _python),
    Check(
        "IQ-02", "Program files", ("R21", "R22"), "each file is as its package's RECORD says", packages.program_files
    ),
    Check(
        "IQ-03", "Library files", ("R21", "R25"), "each file is as its package's RECORD says", packages.library_files
    ),
    Check("IQ-04", "Versions of libraries", ("R25",), "what packages require of each other is met", packages.versions),
    Check("IQ-05", "SQLite", ("R21",), "3.51.3 or newer, or its write-ahead log fault avoided", _sqlite),
    Check("IQ-06", "Site file", ("R22",), "can be read; its hash is for the validation file", _site),
    Check("IQ-07", "Time zone", ("R18",), "the site's zone is known with its changes of this year", _zone),
    Check("IQ-08", "Clock", ("R18",), "steered by a time service", _clock),
    Check("IQ-09", "Data folder", ("R2", "R13"), "only its owner may write it, and this program may", _folder),
    Check("IQ-10", "File system", ("R16",), "local and lasting", _file_system),
    Check("IQ-11", "Durable writes", ("R16",), "the disk takes a write to the end", _durable),
    Check("IQ-12", "Free space", ("R16",), "above the site's warning limits", _space),
    Check("IQ-13", "Write-ahead log", ("R16",), "wal; on a server durable commits, append only", _log_mode),
    Check("IQ-14", "Record as it stands", ("R1", "R21"), "chain, signatures of heads and checksums hold", _whole),
    Check("IQ-15", "Secrets", ("R10", "R25"), "only their owner may read them", _secret),
    Check("IQ-16", "Signing key", ("R21",), "the ledger's heads are signed", _signing_key),
    Check("IQ-17", "Anchors", ("R2", "R21"), "heads of the ledger are kept on another disk or host too", _anchors),
    Check("IQ-18", "Accounts", ("R9", "R13"), "somebody active in each of AD, OP, RV, QA, QP", _people),
    Check("IQ-19", "Administrators", ("R13",), "hold no other role", _admin_alone),
    Check("IQ-20", "Pages", ("R25",), "this machine only, or TLS 1.2 or newer", _carried),
    Check("IQ-21", "Port of the pages", ("R21",), "free, or the lab's", _port),
    Check("IQ-22", "Backups", ("R17",), "set, on another disk or host", _backups),
    Check("IQ-23", "Last backup", ("R17",), "younger than the site's limit", _last_backup),
    Check("IQ-24", "Trial restore", ("R17",), "within the last quarter", _tried_backup),
)
"""In the order of the report."""
