"""A captured dialogue played back as a line, for tests and for showing what an instrument once said.

Each line of the file is ``> hex`` (what must be sent) or ``< hex`` (what comes back); ``#`` starts a comment. A request
without an answer is a time-out. The same dialogue starts anew each time the link is opened. Modbus requests and answers
stand there as unit id and PDU, without transaction number and check sum.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cultureops.errors import ConfigError, DeviceFault, DriverTimeout, NotConnected, ProtocolError

__all__ = [
    "Replay", "Turn", "parse_dialogue", "register_refusal", "register_reply", "register_request", "replay_link",
]  # fmt: skip

_BIT_FUNCTIONS: Final = (1, 2)
_FAILURE: Final = 4


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
    """A ByteLink and RegisterLink that knows one dialogue by heart and refuses any other."""

    check_bits: Final = 16

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

    async def exchange(self, request: bytes, terminator: bytes, *, limit: int = 4096, trailing: int = 0) -> bytes:
        """Return the captured reply up to and including the terminator (see ByteLink)."""
        turn = self._take(request)
        if not turn.reply:
            raise DriverTimeout(f"{self.file}:{turn.line}: no answer was captured here")
        head, found, rest = turn.reply.partition(terminator)
        reply = head + found + rest[:trailing]
        if not found or len(rest) < trailing or len(reply) > limit:
            raise ProtocolError(f"{self.file}:{turn.line}: the answer has no end mark {terminator!r} in {limit} bytes")
        return reply

    async def send(self, request: bytes) -> None:
        """Check the request against the dialogue."""
        self._take(request)

    async def send_break(self, duration_s: float) -> None:
        """Do nothing: a captured dialogue holds bytes only."""

    async def read_registers(self, unit_id: int, function: int, address: int, count: int) -> Sequence[int]:
        """Return the captured registers or bits (see RegisterLink)."""
        turn = self._take(register_request(unit_id, function, address, count))
        if not turn.reply:
            raise DriverTimeout(f"{self.file}:{turn.line}: no answer was captured here")
        head, data = turn.reply[:2], turn.reply[3:]
        if head == bytes((unit_id, function | 0x80)):
            raise DeviceFault(f"{self.file}:{turn.line}: the device refused this request")
        if head != bytes((unit_id, function)) or turn.reply[2:3] != bytes((len(data),)):
            raise ProtocolError(f"{self.file}:{turn.line}: {turn.reply.hex(' ')} does not answer the request")
        if function in _BIT_FUNCTIONS:
            values = [data[bit // 8] >> bit % 8 & 1 for bit in range(8 * len(data))]
        else:
            values = [word for (word,) in struct.iter_unpack(">H", data[: len(data) // 2 * 2])]
        if len(values) < count:
            raise ProtocolError(f"{self.file}:{turn.line}: {count} values were asked for, {len(values)} captured")
        return values[:count]

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


def register_request(unit_id: int, function: int, address: int, count: int) -> bytes:
    """Return a Modbus request as it stands in a dialogue."""
    return struct.pack(">BBHH", unit_id, function, address, count)


def register_reply(unit_id: int, function: int, values: Sequence[int]) -> bytes:
    """Return a Modbus answer as it stands in a dialogue: registers (0-65535) or bits (0, 1)."""
    if function in _BIT_FUNCTIONS:
        number = sum(bool(value) << bit for bit, value in enumerate(values))
        data = number.to_bytes((len(values) + 7) // 8, "little")
    else:
        data = struct.pack(f">{len(values)}H", *values)
    return bytes((unit_id, function, len(data))) + data


def register_refusal(unit_id: int, function: int) -> bytes:
    """Return a Modbus exception as it stands in a dialogue; its code is lost."""
    return bytes((unit_id, function | 0x80, _FAILURE))


def replay_link(path: Path) -> Replay:
    """Read a captured dialogue from a file; raise ConfigError when it can't be read."""
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: can't be read as a dialogue: {error}") from None
    return Replay(str(path), parse_dialogue(lines, str(path)))
