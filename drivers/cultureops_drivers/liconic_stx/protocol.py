r"""The Keyence KV host link as a LiCONiC STX speaks it, without any I/O.

A dialogue is opened by ``CR`` (answer ``CC``) and closed by ``CQ`` (answer ``CF``). ``RD DM982`` reads a data memory
(five decimal digits), ``RD 1915`` a relay (0 or 1); commands end with CR, answers with CR LF; ``E0`` to ``E5`` are
refusals. Sources: PyLabRobot (storage/liconic) and open-liconic-stx 0.1.0, two independent public clients that agree.
Only reads and the two words of the dialogue can be built here: ``ST``, ``RS`` and ``WR`` move plates and change
setpoints.
"""

from __future__ import annotations

import re
from typing import Final

from cultureops.errors import DeviceFault, ProtocolError

__all__ = [
    "BEGIN",
    "END",
    "LEAVE",
    "DialogueClosed",
    "check_begun",
    "read_memory",
    "read_relay",
    "relay_of",
    "word_of",
]

END: Final = b"\r\n"
BEGIN: Final = b"CR\r"
LEAVE: Final = b"CQ\r"

_WORD = re.compile(r"[0-9]{1,5}")
_MOST: Final = 0xFFFF
_DIALOGUE_CLOSED: Final = "E1"
_REFUSALS: Final = {
    "E0": "no such relay or memory",
    "E2": "its program is lost",
    "E3": "hardware error",
    "E4": "write protected",
    "E5": "base unit error",
}


class DialogueClosed(ProtocolError):
    """The controller did not take a command as one (E1), as it does when the dialogue is not open."""


def read_memory(address: int) -> bytes:
    """Return the command that reads data memory ``address``."""
    return b"RD DM%d\r" % address


def read_relay(address: int) -> bytes:
    """Return the command that reads relay ``address``."""
    return b"RD %d\r" % address


def _text(answer: bytes, request: bytes) -> str:
    asked = request.decode("ascii").strip()
    try:
        text = answer.removesuffix(END).decode("ascii")
    except UnicodeDecodeError:
        raise ProtocolError(f"{asked}: not ASCII: {answer[:40]!r}") from None
    if text == _DIALOGUE_CLOSED:
        raise DialogueClosed(f"{asked}: not understood (E1); the dialogue is opened again at the next reading")
    if text in _REFUSALS:
        raise DeviceFault(f"{asked}: the STX answered {text} ({_REFUSALS[text]})")
    return text


def check_begun(answer: bytes) -> None:
    """Raise ProtocolError unless the answer opens the dialogue."""
    if (text := _text(answer, BEGIN)) != "CC":
        raise ProtocolError(f"CR: expected CC, got {text[:40]!r}")


def word_of(answer: bytes, request: bytes) -> int:
    """Return the word [0-65535] of a data memory."""
    text = _text(answer, request)
    if not _WORD.fullmatch(text) or int(text) > _MOST:
        raise ProtocolError(f"{request.decode().strip()}: expected a number up to {_MOST}, got {text[:40]!r}")
    return int(text)


def relay_of(answer: bytes, request: bytes) -> bool:
    """Return whether a relay is set."""
    text = _text(answer, request)
    if text not in ("0", "1"):
        raise ProtocolError(f"{request.decode().strip()}: expected 0 or 1, got {text[:40]!r}")
    return text == "1"
