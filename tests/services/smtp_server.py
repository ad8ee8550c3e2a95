"""A mail server for tests: python -m tests.services.smtp_server PORT FILE [stall|refuse].

Each message is a JSON line in FILE: when it was taken [s], from and to whom, its text. ``stall`` accepts connections
and says nothing, ``refuse`` takes no recipient.
"""

import asyncio
import email
import email.policy
import json
import socket
import sys
import time
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope

__all__: list[str] = []


class Box:
    def __init__(self, file: Path, manner: str) -> None:
        self._file = file
        self._manner = manner

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Envelope, to: str, _options: Any) -> str:
        if self._manner == "refuse":
            return "550 5.1.1 no such mailbox here"
        envelope.rcpt_tos.append(to)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Envelope) -> str:
        at = time.time()
        assert isinstance(envelope.content, bytes)
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        body = message.get_body(("plain",))
        said = {
            "at": at,
            "to": envelope.rcpt_tos,
            "subject": str(message["Subject"]),
            "type": message.get_content_type(),
            "body": "" if body is None else body.get_content(),
        }
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(said) + "\n")
        return "250 taken"


class Silent(asyncio.Protocol):
    """Accepts, and never says a word."""


async def serve(port: int, file: Path, manner: str) -> None:
    loop = asyncio.get_running_loop()
    box = Box(file, manner)
    made = Silent if manner == "stall" else lambda: SMTP(box, hostname="localhost", loop=loop)
    server = await loop.create_server(made, "127.0.0.1", port, family=socket.AF_INET)
    print("ready", flush=True)
    await server.serve_forever()


asyncio.run(serve(int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else ""))
