"""Ports for programs that have to be told one before they start."""

import random
import socket

__all__ = ["free_port"]

_BELOW_THE_EPHEMERAL = range(15_000, 30_000)
"""Nobody's outgoing connection gets one of these between the look and the start (Linux takes 32768 and up)."""
_dice = random.SystemRandom()


def free_port() -> int:
    """Return a TCP port of this machine that nobody listens on now."""
    while True:
        port = _dice.choice(_BELOW_THE_EPHEMERAL)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
