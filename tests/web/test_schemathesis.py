"""Schemathesis asks all that the API's description allows, and much that it does not: nothing ends in a fault."""

import asyncio
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.conftest import absent
from tests.peers.environment import Unavailable, prepared
from tests.web.conftest import Served

from cultureops.access import Identity, Role
from cultureops.access.token import SCOPES
from cultureops.clock import DAY_MS
from cultureops.ledger.verify import verify
from cultureops.recording import LEDGER_FILE

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "response_headers_conformance",
    "unsupported_method",
    "ignored_auth",
)


async def ask(served: Served, folder: Path, seed: int, examples: int, *more: str, within_s: float) -> str:
    """Let it ask with a token that may do all a program may; returns what it says at its end."""
    try:
        peer = await asyncio.to_thread(prepared, "schemathesis")
    except Unavailable as error:
        absent(str(error))
    person = Identity("operator-1", "Operator One", frozenset({Role.OPERATOR}), "password")
    token = await served.lab.access.issue_token(person, "asks everything", SCOPES, served.clock.now() + DAY_MS)
    process = await asyncio.create_subprocess_exec(
        *(peer.program("st"), "run", f"{served.url}/api/openapi.json", "-H", f"Authorization: Bearer {token}"),
        *("--checks", ",".join(CHECKS), "--max-examples", str(examples), "--seed", str(seed), "--no-color"),
        *("--generation-database", "none", "--request-timeout", "20", *more),
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(within_s):
            said = (await process.communicate())[0].decode()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, said[-6_000:]
    return said


@pytest.mark.peers
@pytest.mark.timeout(240)  # the first run installs the peer
async def test_whatever_is_asked_is_answered_as_described(served: Served, tmp_path: Path) -> None:
    """Some of what is read and entered; the soak run asks for all of it, and goes on from answers."""
    some = "/api/(batches|lots)$|series$|steps/Note$"
    await ask(served, tmp_path, 7, 1, "--phases", "coverage", "--include-path-regex", some, within_s=60)
    verify(tmp_path / LEDGER_FILE)


@pytest.mark.soak
@pytest.mark.peers
@pytest.mark.timeout(900)
async def test_everything_is_asked(
    served: Served, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Every operation: its edges, what is random, and what follows from answers; with and without the record read."""
    for number, more in enumerate(([], ["-H", "If-Match: *"])):
        phases = ("--phases", "examples,coverage,fuzzing,stateful")
        said = await ask(served, tmp_path, 11 + number, 10, *phases, *more, within_s=400)
        record_property(f"cases {number + 1}", found[1] if (found := re.search(r"(\d+) generated", said)) else "none")
    verify(tmp_path / LEDGER_FILE)
