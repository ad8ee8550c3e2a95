"""A captured dialogue played back as a line, for tests and for showing what an instrument once said.

Each line of the file is ``> hex`` (what must be sent) or ``< hex`` (what comes back); ``#`` starts a comment. A request
without an answer is a time-out. The same dialogue starts anew each time the link is opened.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cultureops.errors import ConfigError, DriverTimeout, NotConnected, ProtocolError

__all__ = ["Replay", "Turn", "parse_dialogue", "replay_link"]


@dataclass(frozen=True, slots=True)
class Turn:
    """One request, the line of the file on which it stands, and what came back (empty: nothing)."""

    line: int
    request: bytes
    reply: bytes


def parse_dialogue(lines: Iterable[str], file: str) -> tuple[Turn, ...]:
    """Read a dialogue; raise ConfigError with file and line for what is none."""
    turns: list[Turn] = []
    for number, text in enumerate(lines, 1):
        mark, _, digits = text.partition("#")[0].strip().partition(" ")
        if not mark:
            continue
        try:
            data = bytes.fromhex(digits)
        except ValueError:
            data = b""
        if mark not in ("<", ">") or not data or (mark == "<" and not turns):
            raise ConfigError(f"{file}:{number}: expected '> hex bytes' or, after that, '< hex bytes'")
        if mark == ">":
            turns.append(Turn(number, data, b""))
        else:
            turns[-1] = Turn(turns[-1].line, turns[-1].request, turns[-1].reply + data)
    return tuple(turns)


class Replay:
    """A ByteLink that knows one dialogue by heart and refuses any other."""

    def __init__(self, file: str, turns: tuple[Turn, ...]) -> None:
        self.file = file
        self._turns = turns
        self._next = 0
        self._is_open = False

    @property
    def is_open(self) -> bool:
        """Whether bytes can be sent at once."""
        return self._is_open

    @property
    def is_finished(self) -> bool:
        """Whether every turn was taken."""
        return self._next == len(self._turns)

    async def open(self) -> None:
        """Start the dialogue; does nothing when it is under way."""
        if not self._is_open:
            self._is_open, self._next = True, 0

    async def close(self) -> None:
        """Leave the dialogue."""
        self._is_open = False

    async def exchange(self, request: bytes, terminator: bytes, *, limit: int = 4096) -> bytes:
        """Return the captured reply up to and including the terminator (see ByteLink)."""
        turn = self._take(request)
        if not turn.reply:
            raise DriverTimeout(f"{self.file}:{turn.line}: no answer was captured here")
        reply, found, _ = turn.reply.partition(terminator)
        if not found or len(reply + found) > limit:
            raise ProtocolError(f"{self.file}:{turn.line}: the answer has no end mark {terminator!r} in {limit} bytes")
        return reply + found

    async def send(self, request: bytes) -> None:
        """Check the request against the dialogue."""
        self._take(request)

    def _take(self, request: bytes) -> Turn:
        if not self._is_open:
            raise NotConnected(f"{self.file}: the dialogue was not opened; connect first")
        if self.is_finished:
            raise ProtocolError(f"{self.file}: the dialogue is over; nobody expected {request!r}")
        turn = self._turns[self._next]
        if request != turn.request:
            raise ProtocolError(f"{self.file}:{turn.line}: expected {turn.request!r}, was sent {request!r}")
        self._next += 1
        return turn


def replay_link(path: Path) -> Replay:
    """Read a captured dialogue from a file; raise ConfigError when it can't be read."""
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: can't be read as a dialogue: {error}") from None
    return Replay(str(path), parse_dialogue(lines, str(path)))
