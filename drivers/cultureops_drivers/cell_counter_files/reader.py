"""Counts out of one file, whichever counter wrote it."""

from __future__ import annotations

from cultureops.device.driver import CountResult
from cultureops.errors import ProtocolError
from cultureops_drivers.cell_counter_files.asm import parse
from cultureops_drivers.cell_counter_files.recognise import recognise

__all__ = ["read_counts"]


def read_counts(contents: bytes, file: str) -> tuple[CountResult, ...] | None:
    """Read the counts of one file (see CountReader)."""
    try:
        found = recognise(contents)
    except ProtocolError as error:
        raise ProtocolError(f"{file}: {error}") from None
    if found is None:
        return None
    try:
        return parse(contents, file, found.vendor, suffix=found.suffix)
    except ProtocolError:
        raise
    except ImportError:
        raise ProtocolError(
            f"{file}: counters' files need the 'counters' extra; install cultureops[counters]"
        ) from None
    except Exception as error:  # foreign code on foreign bytes: whatever it raises, the file is bad
        message = " ".join(str(error).split())[:300] or type(error).__name__
        raise ProtocolError(f"{file}: looks like a {found.label} export, and can't be read: {message}") from None
