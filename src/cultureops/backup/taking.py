"""Making a backup beside a running lab, so that it is whole or not there.

The ledger is copied first: everything else is then at least as new as the record that speaks of it. Journal and open
month are seen at one moment, by the reader's own rule. What an earlier backup holds unchanged is linked, not copied.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from cultureops.access.secrets_file import SECRETS_FILE
from cultureops.backup.contents import DATA, SITE, Survey, is_cursor, survey
from cultureops.backup.copying import (
    copy_database,
    copy_file,
    is_database,
    open_for_copy,
    read_back,
    write_private,
)
from cultureops.backup.database import copy_ledger, copy_secrets
from cultureops.backup.manifest import MANIFEST, SEAL, Counts, Manifest, StoredFile
from cultureops.backup.proving import prove_copies
from cultureops.backup.shelf import UNFINISHED, Kept, held_shelf, name_of, newest, prune
from cultureops.backup.site_folder import site_files
from cultureops.clock import DAY_MS, Instant, SystemClock
from cultureops.durable_file import sync_folder
from cultureops.errors import ConfigError, StorageError, Unreadable
from cultureops.ledger.generation import program_versions
from cultureops.recording import LEDGER_FILE, TELEMETRY_FOLDER, existing_ledger_in
from cultureops.telemetry.month import Month, month_files
from cultureops.telemetry.reader import Reader

__all__ = ["Taken", "Wanted", "take_backup"]

_SPARE_BYTES: Final = 64 * 2**20
"""What must be left free beyond the backup's own size [OWN]."""


_NOT_A_FILE: Final = 0
"""The time of change of what was no file before."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to back up and how; see BackupSettings. ``keep`` 0 removes no earlier one."""

    data_dir: Path
    shelf: Path
    site_file: Path | None = None
    keep: int = 0
    keep_d: float = 0.0
    reread_d: float = 30.0


@dataclass(frozen=True, slots=True)
class Taken:
    """A backup that is made: where it lies, its manifest with SHA-256, and what it cost.

    ``copied_bytes`` are those that were not linked from an earlier backup; ``mended`` names linked files whose earlier
    copy had rotted, and which were copied anew; ``removed`` are the backups that made room.
    """

    folder: Path
    manifest: Manifest
    sha256: str
    copied_bytes: int
    seconds: float
    mended: tuple[str, ...]
    removed: tuple[str, ...]
    keys_left_out: tuple[str, ...]


def take_backup(wanted: Wanted, now: Instant | None = None, show: Callable[[int, int], None] | None = None) -> Taken:
    """Make a backup; ``show`` is told bytes done and in all. Blocks; works beside a running lab.

    Raises ConfigError for folders that are not there, StorageError when it could not be made, ChainBroken or Unreadable
    when what was to be backed up is damaged. Then no backup has come, and no earlier one has gone.
    """
    began, made_at = time.monotonic(), SystemClock().now() if now is None else now
    existing_ledger_in(wanted.data_dir)
    if wanted.data_dir.resolve() in (wanted.shelf.resolve(), *wanted.shelf.resolve().parents):
        raise ConfigError(f"{wanted.shelf}: lies in the data folder; name a folder on another disk or host")
    with held_shelf(wanted.shelf), _named(wanted.shelf):
        target = wanted.shelf / name_of(made_at)
        if target.exists():
            raise StorageError(f"{target}: is there already; wait a second and make another")
        work = _Backup(wanted, made_at, newest(wanted.shelf), show or (lambda done, total: None))
        folder = target.with_name(target.name + UNFINISHED)
        try:
            manifest, sha256 = work.into(folder, target.name)
            folder.rename(target)
            sync_folder(wanted.shelf)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        removed = prune(wanted.shelf, wanted.keep, wanted.keep_d, made_at) if wanted.keep else ()
    return Taken(
        target, manifest, sha256, work.copied_bytes, time.monotonic() - began, tuple(work.mended), removed,
        tuple(work.survey.keys),
    )  # fmt: skip


@contextmanager
def _named(shelf: Path) -> Iterator[None]:
    """Turn what disk and database say into one line."""
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        said = " ".join(str(error).split())
        raise StorageError(
            f"{shelf}: no backup was made: {said}; earlier ones are untouched, free or mend it"
        ) from None


class _Backup:
    """One backup while it is made."""

    def __init__(
        self, wanted: Wanted, made_at: Instant, earlier: Kept | None, show: Callable[[int, int], None]
    ) -> None:
        self._wanted, self._made_at, self._show_all = wanted, made_at, show
        self._earlier = earlier
        self._known = {} if earlier is None else {file.path: file for file in earlier.manifest.files}
        self._reread_before = made_at - round(wanted.reread_d * DAY_MS)
        self._done = 0
        self._files: list[StoredFile] = []
        self._fresh: set[str] = set()
        self.copied_bytes = 0
        self.mended: list[str] = []
        self._ledger = existing_ledger_in(wanted.data_dir)
        self.survey: Survey = survey(wanted.data_dir)
        self._telemetry = wanted.data_dir / TELEMETRY_FOLDER
        self._has_telemetry = (self._telemetry / "journal.sqlite").is_file()
        self._total = self._estimate()

    def into(self, folder: Path, name: str) -> tuple[Manifest, str]:
        """Write everything below a new folder and prove it; return the manifest and its SHA-256."""
        self._check_space()
        folder.mkdir(mode=0o700)
        data = folder / DATA
        data.mkdir(mode=0o700)
        self._take_ledger(folder)
        cursors = {path for path in self.survey.plain if is_cursor(path)}
        for path in sorted(cursors):  # a gateway is never asked again for what its cursor says is here
            self._take_plain(self._wanted.data_dir / path, folder, f"{DATA}/{path}")
        if self._has_telemetry:
            self._take_telemetry(folder)
        # Looked through once more, after the ledger was copied: what that one names was on the disk before.
        self.survey = survey(self._wanted.data_dir)
        left_out = [*self.survey.left_out, *(f"{key}: a key" for key in self.survey.keys)]
        for path in (path for path in self.survey.plain if path not in cursors):
            try:
                self._take_plain(self._wanted.data_dir / path, folder, f"{DATA}/{path}")
            except FileNotFoundError:
                left_out.append(f"{path}: was gone when it was to be copied")
        if self._wanted.site_file is not None and not self._is_in_data(self._wanted.site_file):
            beside, outside = site_files(self._wanted.site_file)
            for path in beside:
                self._take_plain(self._wanted.site_file.parent / path, folder, f"{SITE}/{path}")
            left_out += [f"{path}: named by the site file, lies elsewhere" for path in outside]
        proof = prove_copies(data, self._files, self._fresh)
        counts = Counts(
            proof.head.position, proof.readings,
            sum(file.readings for file in self._files), sum(file.chunks for file in self._files),
        )  # fmt: skip
        manifest = Manifest(
            name, self._made_at, proof.newest_at, program_versions(), proof.head, counts, tuple(self._files),
            tuple(left_out),
        )  # fmt: skip
        encoded = manifest.encoded()
        write_private(folder / MANIFEST, encoded)
        _, sha256 = read_back(folder / MANIFEST)
        write_private(folder / SEAL, f"{sha256}  {MANIFEST}\n".encode())
        for below, _, _ in os.walk(folder):
            sync_folder(Path(below))
        return manifest, sha256

    def _take_ledger(self, folder: Path) -> None:
        """Take the ledger as a file, also one that is in a database; then its secrets are there too."""
        path, where = f"{DATA}/{LEDGER_FILE}", self._ledger
        if isinstance(where, Path):
            with closing(open_for_copy(where)) as ledger:
                self._take_database(ledger, folder, path, where)
            return
        copy_ledger(where, self._place(folder, path))
        self._note(folder, path, _NOT_A_FILE)
        secrets = f"{DATA}/{SECRETS_FILE}"
        copy_secrets(self._wanted.data_dir, self._place(folder, secrets))
        self._note(folder, secrets, _NOT_A_FILE)

    def _take_telemetry(self, folder: Path) -> None:
        reader = Reader(self._telemetry)
        try:
            with reader.view() as view:
                journal = self._telemetry / "journal.sqlite"
                self._take_database(view.journal, folder, f"{DATA}/{TELEMETRY_FOLDER}/{journal.name}", journal)
                for month in view.months:
                    self._take_month(month, folder, is_open=month is view.months[-1])
        finally:
            reader.close()

    def _take_month(self, month: Month, folder: Path, *, is_open: bool) -> None:
        path = f"{DATA}/{TELEMETRY_FOLDER}/{month.path.name}"
        if not is_open and not _has_log(month.path) and self._has_linked(month.path, folder, path):
            return
        self._take_database(month.db, folder, path, month.path)
        chunks, readings = month.sealed_counts()
        self._files[-1] = replace(self._files[-1], chunks=chunks, readings=readings)

    def _take_plain(self, source: Path, folder: Path, path: str) -> None:
        """Take a file of its own, linked where an earlier backup has the same; a database by its own way."""
        if is_database(source):
            with closing(open_for_copy(source)) as db:
                self._take_database(db, folder, path, source)
        elif not self._has_linked(source, folder, path):
            mtime_ns = source.stat().st_mtime_ns
            copy_file(source, self._place(folder, path), self._show)
            self._note(folder, path, mtime_ns)

    def _take_database(self, source: sqlite3.Connection, folder: Path, path: str, file: Path) -> None:
        mtime_ns = file.stat().st_mtime_ns
        copy_database(source, self._place(folder, path), self._show)
        self._note(folder, path, mtime_ns)

    def _note(self, folder: Path, path: str, mtime_ns: int) -> None:
        length, sha256 = read_back(folder / path)
        self.copied_bytes += length
        self._fresh.add(path)
        self._files.append(StoredFile(path, length, sha256, mtime_ns, self._made_at))

    def _has_linked(self, source: Path, folder: Path, path: str) -> bool:
        """Take the copy that the earlier backup has of a file which has not changed since; False where it has none.

        A copy that was not read back for long is read first; one that has rotted is made anew.
        """
        known, found = self._known.get(path), source.stat()
        if known is None or (found.st_size, found.st_mtime_ns) != (known.bytes, known.source_mtime_ns):
            return False
        assert self._earlier is not None
        earlier = self._earlier.folder / path
        if earlier.is_symlink() or not earlier.is_file() or earlier.stat().st_size != known.bytes:
            self.mended.append(path)
            return False
        if known.read_back_at <= self._reread_before:
            if not _is_as_noted(earlier, known):
                self.mended.append(path)
                return False
            known = replace(known, read_back_at=self._made_at)
        try:
            os.link(earlier, self._place(folder, path), follow_symlinks=False)
        except OSError:  # a file system without links, or with too many of this file
            return False
        self._files.append(known)
        self._show(known.bytes)
        return True

    def _is_in_data(self, file: Path) -> bool:
        return file.resolve().is_relative_to(self._wanted.data_dir.resolve())

    def _place(self, folder: Path, path: str) -> Path:
        place = folder / path
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return place

    def _estimate(self) -> int:
        """Return how many bytes all files have now."""
        data_dir = self._wanted.data_dir
        paths = [
            data_dir / LEDGER_FILE,
            *(data_dir / path for path in self.survey.plain),
        ]
        if self._has_telemetry:
            paths += [self._telemetry / "journal.sqlite", *month_files(self._telemetry)]
        return sum(path.stat().st_size for path in paths if path.exists())

    def _check_space(self) -> None:
        linked = sum(file.bytes for file in self._known.values() if file.chunks)
        needed = max(self._total - linked, 0) + _SPARE_BYTES
        if (free := shutil.disk_usage(self._wanted.shelf).free) < needed:
            raise StorageError(
                f"{self._wanted.shelf}: {free / 1e9:.2f} GB are free, the backup needs up to {needed / 1e9:.2f} GB; "
                "free space there, earlier backups are untouched"
            )

    def _show(self, more_bytes: int) -> None:
        self._done += more_bytes
        self._show_all(min(self._done, self._total), self._total)


def _is_as_noted(file: Path, known: StoredFile) -> bool:
    """Whether a file can be read and has the bytes that its manifest notes."""
    try:
        return read_back(file) == (known.bytes, known.sha256)
    except Unreadable:
        return False


def _has_log(path: Path) -> bool:
    """Whether a write-ahead log holds what is not in the file yet."""
    log = path.with_name(f"{path.name}-wal")
    return log.is_file() and log.stat().st_size > 0
