"""Putting a backup back: into a new folder, proved before it gets its name, or into a temporary one to try it."""

from __future__ import annotations

import base64
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

from cultureops.backup.contents import DATA, SITE, is_key
from cultureops.backup.copying import copy_file, write_private
from cultureops.backup.manifest import Manifest, read_manifest
from cultureops.backup.proving import Proof, prove_files, prove_history
from cultureops.clock import Instant
from cultureops.durable_file import sync_folder
from cultureops.errors import ConfigError, StorageError, Unreadable
from cultureops.ledger.head import Head
from cultureops.ledger.keys import KEYS_FOLDER
from cultureops.ledger.verify import verify
from cultureops.recording import LEDGER_FILE

__all__ = ["Restored", "head_of", "read_keys", "restore_backup", "try_backup", "write_keys"]

_KEYS: Final = "cultureops keys"
_UNFINISHED: Final = ".restoring"
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Restored:
    """A backup that was put back: how much would have been lost and how long it took, both measured.

    ``data_age_s`` [s] is from the newest event or reading in it to the moment of restoring: the recovery point.
    ``seconds`` is how long it took: the recovery time.
    """

    manifest: Manifest
    sha256: str
    proof: Proof
    data_age_s: float
    seconds: float


def restore_backup(
    backup: Path, data_dir: Path, now: Instant, known: Head | None = None, keys: Path | None = None,
    show: Progress | None = None,
) -> Restored:  # fmt: skip
    """Restore a backup into a folder that is new or empty; blocks.

    ``known`` is a head noted elsewhere, which must be in the restored ledger. Raises ConfigError for a folder in use or
    no backup, Unreadable or ChainBroken for a backup that is not whole, StorageError when it can't be written. The
    folder gets its name at the end, after an error never.
    """
    began = time.monotonic()
    _refuse_used(data_dir)
    if data_dir.absolute().parent.resolve().is_relative_to(backup.resolve()):
        raise ConfigError(f"{data_dir}: lies in the backup, which would not be whole any more; name another folder")
    secrets = {} if keys is None else read_keys(keys)
    manifest, sha256 = read_manifest(backup)
    with _in_place(data_dir) as unfinished:
        proof = _put_back(backup, manifest, unfinished, show)
        if known is not None:
            verify(unfinished / LEDGER_FILE, known)
        for path, content in secrets.items():
            (unfinished / path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_private(unfinished / path, content)
    return _measured(manifest, sha256, proof, now, began)


def try_backup(
    backup: Path, now: Instant, known: Head | None = None, within: Path | None = None, show: Progress | None = None
) -> Restored:
    """Restore a backup into a temporary folder, prove it, and clear it away; raises what restore_backup raises."""
    began = time.monotonic()
    manifest, sha256 = read_manifest(backup)
    try:
        with tempfile.TemporaryDirectory(prefix="cultureops-restore-", dir=within) as folder:
            proof = _put_back(backup, manifest, Path(folder), show)
            if known is not None:
                verify(Path(folder) / LEDGER_FILE, known)
    except OSError as error:
        raise StorageError(f"{backup}: can't be tried: {error}; give another folder with TMPDIR") from None
    return _measured(manifest, sha256, proof, now, began)


def _measured(manifest: Manifest, sha256: str, proof: Proof, now: Instant, began: float) -> Restored:
    return Restored(manifest, sha256, proof, (now - proof.newest_at) / 1000, time.monotonic() - began)


def _put_back(backup: Path, manifest: Manifest, folder: Path, show: Progress | None) -> Proof:
    """Copy a backup's files to their places and prove both the files and what they say."""
    done, total = 0, 2 * manifest.total_bytes

    def more(count: int) -> None:
        nonlocal done
        done += count
        if show is not None:
            show(done, total)

    prove_files(backup, manifest, more)
    if (free := shutil.disk_usage(folder).free) < manifest.total_bytes:
        raise StorageError(f"{folder}: {free / 1e9:.2f} GB are free, {manifest.total_bytes / 1e9:.2f} GB are needed")
    for file in manifest.files:
        target = folder / _place(file.path)
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        copy_file(backup / file.path, target, more)
    proof = prove_history(folder, manifest)
    for below, _, _ in os.walk(folder):
        sync_folder(Path(below))
    return proof


def _place(path: str) -> str:
    """Return where a file of a backup goes in the data folder; the site's files keep a folder of their own there."""
    first, _, rest = path.partition("/")
    if first == DATA and rest:
        return rest
    if first == SITE and rest:
        return path
    raise Unreadable(f"{path!r}: belongs to no part of a backup; use another backup")


def _refuse_used(data_dir: Path) -> None:
    if data_dir.is_symlink() or (data_dir.exists() and (not data_dir.is_dir() or any(data_dir.iterdir()))):
        raise ConfigError(f"{data_dir}: is in use; name a new or an empty folder")
    if not data_dir.absolute().parent.is_dir():
        raise ConfigError(f"{data_dir.absolute().parent}: no such folder; make it first")


@contextmanager
def _in_place(data_dir: Path) -> Iterator[Path]:
    """Give a folder beside the one to be, which gets that one's name at the end; after an error it goes."""
    unfinished = data_dir.absolute().with_name(data_dir.absolute().name + _UNFINISHED)
    try:
        if os.path.lexists(unfinished):
            raise ConfigError(
                f"{unfinished}: is there already: another restore is under way or was cut short, or it is somebody's; "
                "remove it first"
            )
        unfinished.mkdir(mode=0o700)
        try:
            yield unfinished
            _refuse_used(data_dir)
            unfinished.rename(data_dir)
            sync_folder(data_dir.absolute().parent)
        except BaseException:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise
    except OSError as error:
        raise StorageError(f"{data_dir}: nothing was restored: {error}; mend it and try again") from None


def write_keys(data_dir: Path, names: tuple[str, ...], target: Path) -> None:
    """Write the secret keys of a data folder to one new file that only its owner may read.

    Raises ConfigError when there is none or the file can't be written.
    """
    if not names:
        raise ConfigError(f"{data_dir}: holds no key; leave --with-keys out")
    try:
        found = {name: base64.b64encode((data_dir / name).read_bytes()).decode() for name in names}
        write_private(target, json.dumps({"kind": _KEYS, "files": found}, indent=1).encode())
        sync_folder(target.absolute().parent)
    except OSError as error:
        raise ConfigError(f"{target}: the keys can't be written there: {error.strerror}; name a new file") from None


def read_keys(file: Path) -> dict[str, bytes]:
    """Return the keys of such a file, by relative path; raises ConfigError for what is none."""
    try:
        data: dict[str, Any] = json.loads(file.read_bytes())
        if data["kind"] != _KEYS:
            raise ValueError(f"it is no file of {_KEYS}")
        found = {str(name): base64.b64decode(text, validate=True) for name, text in data["files"].items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ConfigError(f"{file}: can't be read as keys: {error}; name the file that --with-keys wrote") from None
    for name in found:
        pure = PurePosixPath(name)
        is_plain = str(pure) == name and "\0" not in name and name != KEYS_FOLDER
        if pure.is_absolute() or ".." in pure.parts or not is_plain or not is_key(name):
            raise ConfigError(f"{file}: {name[:60]!r} is no key's place; name the file that --with-keys wrote")
    return found


def head_of(text: str | None) -> Head | None:
    """Read a head noted elsewhere; raises ConfigError for anything else."""
    try:
        return None if text is None else Head.parse(text)
    except StorageError as error:
        raise ConfigError(f"--known: {error}") from None
