"""A file that gets its name when it is whole and on the disk, and not before."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from cultureops.errors import ConfigError
from cultureops.telemetry.file import rename_durably

__all__ = ["whole_file"]

UNFINISHED: Final = ".new"


@contextmanager
def whole_file(target: Path) -> Iterator[BinaryIO]:
    """Open a new file for writing and reading; it gets its name at the end of the block, after an error never.

    Raises ConfigError when the name is taken, another process is writing the same file, or it can't be written.
    """
    unfinished = target.with_name(f"{target.name}{UNFINISHED}")
    _refuse_taken(target)
    try:
        with _claimed(unfinished) as file:
            try:
                yield file
                file.flush()
                os.fsync(file.fileno())
                _refuse_taken(target)
                rename_durably(unfinished, target)
            except BaseException:
                unfinished.unlink(missing_ok=True)
                raise
    except OSError as error:
        raise ConfigError(f"{target}: can't be written: {error}") from None


def _refuse_taken(target: Path) -> None:
    if os.path.lexists(target):
        raise ConfigError(f"{target} exists; name a new file")


def _claimed(path: Path) -> BinaryIO:
    """Open a file that nobody else is writing; what a process left behind that was killed is written over."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            is_still_there = path.exists() and os.path.samestat(os.fstat(descriptor), path.stat())
            if is_still_there:
                os.ftruncate(descriptor, 0)
                return os.fdopen(descriptor, "r+b")
        except BlockingIOError:
            os.close(descriptor)
            raise ConfigError(f"{path}: another process is writing it; wait until it is done") from None
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # its writer has just given it its name
