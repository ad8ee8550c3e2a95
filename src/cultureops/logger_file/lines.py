"""A text file that is read line by line, more than once, whatever its encoding."""

from __future__ import annotations

import codecs
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from cultureops.errors import ConfigError, Unreadable
from cultureops.logger_file.source import is_workbook

__all__ = ["TextFile", "text_file"]

_CHUNK_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class TextFile:
    """A file's name for messages, its encoding, and how to open its bytes from the first on."""

    name: str
    encoding: str
    binary: Callable[[], BinaryIO]

    def open(self) -> io.TextIOWrapper:
        """Open the text from its first line on, its line ends as they are."""
        return io.TextIOWrapper(self.binary(), encoding=self.encoding, newline="")


def text_file(path: Path) -> TextFile:
    """Look through a file once for its encoding: UTF-8, UTF-16 by its mark, else Windows' western one.

    A pipe is kept in memory. Raises ConfigError for what can't be opened, Unreadable for what is no text.
    """
    try:
        if path.is_file():

            def binary() -> BinaryIO:
                return path.open("rb")
        else:
            contents = path.read_bytes()

            def binary() -> BinaryIO:
                return io.BytesIO(contents)

        with binary() as stream:
            encoding = _encoding(stream, path.name)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}; name a file that can be read") from None
    return TextFile(path.name, encoding, binary)


def _encoding(stream: BinaryIO, name: str) -> str:
    head = stream.read(_CHUNK_BYTES)
    if not head.strip():
        raise Unreadable(f"{name}: is empty")
    if is_workbook(head):
        raise Unreadable(f"{name}: is a workbook; save its sheet as CSV")
    utf16 = head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    for encoding in ("utf-16",) if utf16 else ("utf-8-sig", "cp1252"):
        stream.seek(0)
        if _is_text(stream, encoding):
            return encoding
    raise Unreadable(f"{name}: is no text; expected a table such as CSV")


def _is_text(stream: BinaryIO, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        while chunk := stream.read(_CHUNK_BYTES):
            if "\0" in decoder.decode(chunk):
                return False
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True
