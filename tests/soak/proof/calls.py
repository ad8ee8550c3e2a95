"""System calls of a traced program, as strace wrote them down, in order."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["Call", "read_calls", "strace_command"]

TRACED: Final = (
    "openat", "open", "creat", "write", "pwrite64", "writev", "pwritev", "pwritev2", "ftruncate", "truncate",
    "fallocate", "fsync", "fdatasync", "sync_file_range", "rename", "renameat", "renameat2", "link", "linkat",
    "symlink", "symlinkat", "unlink", "unlinkat", "mkdir", "mkdirat", "rmdir", "chmod", "fchmod", "fchmodat", "mmap",
    "copy_file_range", "sendfile", "splice",
)  # fmt: skip
LONGEST_WRITE: Final = 1 << 24
OF_DATA: Final = frozenset({"write", "pwrite64", "writev", "pwritev", "pwritev2"})
_BEGUN: Final = re.compile(rb"(\d+) +(\w+)\((.*) <unfinished \.\.\.>$")
_RESUMED: Final = re.compile(rb"(\d+) +<\.\.\. (\w+) resumed>(.*)\) += (-?\d+|0x\w+|\?)(.*)$")
_WHOLE: Final = re.compile(rb"(\d+) +(\w+)\((.*)\) += (-?\d+|0x\w+|\?)(.*)$")
_PART: Final = re.compile(
    rb'(-?\w+|AT_FDCWD)?<((?:\\x[0-9a-f]{2})*)>(?:\(deleted\))?|"((?:\\x[0-9a-f]{2})*)"|([^,"<>]+)'
)


@dataclass(frozen=True, slots=True)
class Call:
    """One call: begun with line ``begin``, back with line ``end``; ``result`` is -1 when it failed.

    Arguments are the bytes of a string, the path of a descriptor, or as they were printed.
    """

    begin: int
    end: int
    name: str
    arguments: tuple[bytes | Path | str, ...]
    result: int
    is_injected: bool

    @property
    def paths(self) -> list[Path]:
        """The files that it is about, by descriptor or by name."""
        names = () if self.name in OF_DATA else self.arguments
        by_name = [Path(name.decode()) for name in names if isinstance(name, bytes)]
        return [argument for argument in self.arguments if isinstance(argument, Path)] + by_name


def strace_command(program: str, trace: Path, *options: str) -> list[str]:
    """Return how a command is to be prefixed for its calls, with all data, to be written to a file."""
    return [
        program, "-f", "--seccomp-bpf", "-y", "-xx", "-s", str(LONGEST_WRITE), "-e", f"trace={','.join(TRACED)}",
        "-e", "signal=none", "-o", str(trace), *options,
    ]  # fmt: skip


def read_calls(trace: Path) -> Iterator[Call]:
    """Yield the calls in the order in which they came back; one that never did comes last."""
    begun: dict[bytes, tuple[int, bytes, bytes]] = {}
    with trace.open("rb") as lines:
        for number, line in enumerate(lines):
            line = line.rstrip(b"\n")
            if found := _BEGUN.match(line):
                begun[found[1]] = (number, found[2], found[3])
            elif found := _RESUMED.match(line):
                begin, name, arguments = begun.pop(found[1])
                yield _call(begin, number, name, arguments + found[3], found[4], found[5])
            elif found := _WHOLE.match(line):
                yield _call(number, number, found[2], found[3], found[4], found[5])
            elif b"+++" not in line and b"---" not in line:
                raise AssertionError(f"{trace}:{number + 1}: no line of strace: {line[:200]!r}")
    for begin, name, arguments in begun.values():
        yield _call(begin, number + 1, name, arguments, b"?", b"")


def _call(begin: int, end: int, name: bytes, arguments: bytes, result: bytes, rest: bytes) -> Call:
    return Call(
        begin, end, name.decode(), tuple(_arguments(arguments)), -1 if result == b"?" else int(result, 0),
        b"(INJECTED)" in rest,
    )  # fmt: skip


def _arguments(text: bytes) -> Iterator[bytes | Path | str]:
    for found in _PART.finditer(text):
        if found[1] == b"AT_FDCWD":
            continue
        if found[2] is not None:
            yield Path(_unescaped(found[2]).decode(errors="replace"))
        elif found[3] is not None:
            yield _unescaped(found[3])
        elif plain := found[4].strip():
            yield plain.decode()


def _unescaped(text: bytes) -> bytes:
    return bytes.fromhex(text.replace(b"\\x", b"").decode())
