"""What one caller asks for costs nobody else the pages: long bodies, slow ones, connections that say nothing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from tests.web.house import open_house
from tests.web.people import PASSWORD

from cultureops.access import Identity, Role
from cultureops.web.door import connection, intake
from cultureops.web.door.intake import LONGEST_BODY, LONGEST_OF_STRANGERS
from cultureops.web.server import serve

FORM = {"content-type": "application/x-www-form-urlencoded"}
ADMIN = Identity("admin-1", "Admin One", frozenset({Role.ADMINISTRATOR}), "password")


@pytest.mark.parametrize(("username", "most"), [(None, LONGEST_OF_STRANGERS), ("operator-1", LONGEST_BODY)])
async def test_a_form_longer_than_any_of_ours_is_not_taken(
    people: Path, tmp_path: Path, username: str | None, most: int
) -> None:
    taken = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal taken
        while True:
            taken += 16_000
            yield b"a" * 16_000

    async with open_house(people, tmp_path, has_batch=False) as house:
        browser = house.browser() if username is None else await house.of(username)
        async with asyncio.timeout(10):
            answer = await browser.post("/log-in", content=endless(), headers=FORM)
        assert answer.status_code == 413 and f"{most:,} bytes" in answer.text
        assert taken <= most + 2 * 16_000


async def test_a_form_that_does_not_arrive_is_not_waited_for(
    people: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "DEADLINE_S", 0.05)

    async def stalled() -> AsyncIterator[bytes]:
        yield b"username=a"
        await asyncio.Event().wait()

    async with open_house(people, tmp_path, has_batch=False) as house:
        async with asyncio.timeout(10):
            answer = await house.browser().post("/log-in", content=stalled(), headers=FORM)
        assert answer.status_code == 408


@asynccontextmanager
async def serving() -> AsyncIterator[int]:
    """Serve one empty page and give its port."""
    app = FastAPI()
    app.get("/")(lambda: "here")
    listening: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(serve(app, "127.0.0.1", 0, listening.set_result))
    try:
        yield int((await listening).rstrip("/").rpartition(":")[2])
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def ask(port: int, said: bytes, source: str = "127.0.0.1") -> bytes:
    """Say something on a new connection and return all that comes back until it is closed."""
    async with asyncio.timeout(10):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0))
        writer.write(said)
        try:
            return await reader.read()
        except ConnectionResetError:
            return b""
        finally:
            writer.close()


WHOLE = b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"


async def test_one_source_leaves_connections_for_everybody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "MOST_OF_ONE_SOURCE", 3)
    async with serving() as port, AsyncExitStack() as silent:
        for _ in range(3):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            silent.callback(writer.close)
        assert await ask(port, WHOLE) == b""
        assert b"here" in await ask(port, WHOLE, "127.0.0.2")


@pytest.mark.parametrize("said", [b"", b"GET / HTTP/1.1\r\nhost: loc"])
async def test_a_connection_that_asks_for_nothing_is_closed(said: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "HEAD_S", 0.05)
    async with serving() as port:
        assert await ask(port, said) == b""
        again = WHOLE.replace(b"connection: close\r\n", b"")
        assert (await ask(port, again + said)).count(b"here") == 1


@pytest.mark.requirement("R13")
async def test_who_is_disabled_while_a_command_is_under_way_enters_nothing(people: Path, tmp_path: Path) -> None:
    from cultureops.batch.commands import Command, Note
    from cultureops.errors import AccessError
    from cultureops.ledger.event import Actor

    async with open_house(people, tmp_path) as house:
        gather = house.lab.desk.facts

        async def slowly(*arguments: Any) -> Any:
            facts = await gather(*arguments)
            if house.lab.access.accounts.get("operator-1").is_active:  # type: ignore[union-attr]
                await house.lab.access.disable("operator-1", ADMIN, "left")
            return facts

        house.lab.desk.facts = slowly  # type: ignore[method-assign]
        with pytest.raises(AccessError, match="is disabled"):
            await house.lab.execute(Command("B-1", Note(text="a last word")), Actor("operator-1", "OP"))
        assert house.events("batch:B-1")[-1].type == "command_refused"


@pytest.mark.requirement("R13")
@pytest.mark.parametrize("second", ["admin-1", "operator-9"])
async def test_a_witness_of_an_alarm_handles_records_and_is_who_the_account_says(
    people: Path, tmp_path: Path, second: str
) -> None:
    async with open_house(people, tmp_path, has_batch=False) as house:
        access = house.lab.access
        await access.accept(await access.create("operator-9", "Operator Nine", ["OP"], ADMIN), PASSWORD)
        operator = await house.of("operator-1")
        shelving = {"reason": "the door stands open", "minutes": "5", "witness": second, "witness_password": PASSWORD}
        answer = await operator.post("/alarms/incubator_1/shelve", data=shelving)
        assert answer.status_code == 403 and second in answer.text
        unchecked = await house.of("operator-9")
        answer = await unchecked.post("/alarms/incubator_1/acknowledge", data={"reason": "seen"})
        assert answer.status_code == 403


async def test_only_a_link_itself_is_open_to_strangers(people: Path, tmp_path: Path) -> None:
    async with open_house(people, tmp_path, has_batch=False) as house:
        operator = await house.of("operator-1")
        operator.csrf = "none"
        answer = await operator.post("/alarms/link/co2/acknowledge", data={"reason": "from a page of somebody else"})
        assert answer.status_code == 403 and "this form is not from a page of yours" in answer.text
        assert (await house.browser().post("/alarms/link/co2/acknowledge", data={"reason": "x"})).status_code == 401
