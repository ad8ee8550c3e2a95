"""The mirror against a server on a real socket that answers what the test says."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from cultureops.clock import SteppedClock, SystemClock
from cultureops.config import parse as parse_toml
from cultureops.device.reading import Quality, Reading, Reason
from cultureops.errors import ConfigError
from cultureops.telemetry import ChannelInfo, Cursor, EmbeddedStore
from cultureops.telemetry.line_protocol import Labels
from cultureops.telemetry.mirror import Mirror
from cultureops.telemetry.mirror_files import LARGEST_QUARANTINE_BYTES, CursorFile, Quarantine
from cultureops.telemetry.mirror_settings import MirrorSettings, mirror_from
from cultureops.telemetry.mirror_window import ResendWindow

Answer = tuple[int, str] | tuple[int, str, str] | None
"""Status, body and perhaps a header line; None closes the connection without a word."""


class Peer:
    """A write endpoint; ``judge`` says what it answers to the lines it is sent."""

    def __init__(self) -> None:
        self.judge: Callable[[list[str]], Answer] = lambda lines: (204, "")
        self.accepted: list[str] = []
        self.calls: list[tuple[str, dict[str, str], int]] = []
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                first, *rest = head.decode().strip().split("\r\n")
                headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in rest)}
                lines = (await reader.readexactly(int(headers["content-length"]))).decode().split("\n")
                self.calls.append((first, headers, len(lines)))
                if (answer := self.judge(lines)) is None:
                    return
                if answer[0] == 204:
                    self.accepted += lines
                more = "".join(f"{line}\r\n" for line in answer[2:])
                body = answer[1].encode()
                writer.write(f"HTTP/1.1 {answer[0]} -\r\n{more}Content-Length: {len(body)}\r\n\r\n".encode() + body)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    found = Peer()
    tasks: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.create_task(found.serve(reader, writer)))

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    found.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    yield found
    server.close()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[EmbeddedStore]:
    opened = EmbeddedStore.open(tmp_path / "telemetry")
    opened.declare({"a/t": ChannelInfo("Cel")})
    yield opened
    await opened.close()


async def read(store: EmbeddedStore, *instants: int) -> None:
    await store.append([Reading("a/t", float(at), Quality.GOOD, Reason.NONE, at, at) for at in instants])


@asynccontextmanager
async def mirroring(
    store: EmbeddedStore, peer: Peer, folder: Path, clock: SystemClock | SteppedClock | None = None, **settings: Any
) -> AsyncIterator[Mirror]:
    chosen = MirrorSettings(peer.url, "an org", "lab", **({"period_s": 0.01, "timeout_s": 2.0} | settings))
    mirror = Mirror(store, chosen, Labels("S", {}), folder, clock or SystemClock())
    task = asyncio.create_task(mirror.run())
    try:
        async with asyncio.timeout(10):
            yield mirror
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def line(at: int) -> str:
    return f"t,device=a,site=S,unit=Cel value={float(at)},quality=192i,reason_code=0i {at}"


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.005)


async def test_what_is_durable_arrives_once_and_in_order(store: EmbeddedStore, peer: Peer, tmp_path: Path) -> None:
    async with mirroring(store, peer, tmp_path, token="secret") as mirror:
        for at in range(0, 30_000, 1000):
            await read(store, *range(at, at + 1000))
        await mirror.drain()
        assert mirror.status().sent == 30_000 and mirror.status().backlog_readings == 0
    assert peer.accepted == [line(at) for at in range(30_000)]
    request, headers, _ = peer.calls[0]
    assert request == "POST /api/v2/write?org=an+org&bucket=lab&precision=ms HTTP/1.1"
    assert headers["authorization"] == "Token secret"
    assert max(count for _, _, count in peer.calls) <= 5000


async def test_a_restarted_mirror_goes_on_where_the_server_confirmed(
    store: EmbeddedStore, peer: Peer, tmp_path: Path
) -> None:
    async with mirroring(store, peer, tmp_path) as mirror:
        await read(store, 1, 2)
        await mirror.drain()
    await read(store, 3)
    async with mirroring(store, peer, tmp_path) as mirror:
        await mirror.drain()
    assert peer.accepted == [line(1), line(2), line(3)]


async def test_a_store_from_a_backup_is_mirrored_anew(store: EmbeddedStore, peer: Peer, tmp_path: Path) -> None:
    await read(store, 1)
    CursorFile(tmp_path / "mirror-cursor.json", f"{peer.url} an org lab").save(Cursor(1000))
    async with mirroring(store, peer, tmp_path) as mirror:
        await mirror.drain()
    assert peer.accepted == [line(1)]


@pytest.mark.parametrize(
    "answer",
    [(401, "unauthorized"), (403, "no"), (404, "no bucket"), (429, "slow"), (500, ""), (503, "later"), None],
    ids=str,
)
async def test_a_server_that_can_not_take_points_is_waited_for(
    store: EmbeddedStore, peer: Peer, tmp_path: Path, answer: Answer
) -> None:
    clock = SteppedClock(10_000)
    peer.judge = lambda lines: answer
    await read(store, 1, 2)
    async with mirroring(store, peer, tmp_path, clock) as mirror:
        await until(lambda: mirror.status().last_error is not None)
        status = mirror.status()
        assert (status.backlog_readings, status.sent, status.quarantined) == (2, 0, 0)
        assert status.lag_s == pytest.approx(9.999)
        assert answer is None or str(answer[0]) in str(status.last_error)
        assert "\n" not in str(status.last_error)
        peer.judge = lambda lines: (204, "")
        clock.advance(999)
        await asyncio.sleep(0.05)
        assert not peer.accepted
        clock.advance(1)
        await until(lambda: mirror.status().sent == 2)
        assert mirror.status().last_error is None
    assert peer.accepted == [line(1), line(2)]


async def test_a_server_says_when_to_try_again(store: EmbeddedStore, peer: Peer, tmp_path: Path) -> None:
    clock = SteppedClock(0)
    peer.judge = lambda lines: (429, "slow", "Retry-After: 30")
    await read(store, 1)
    async with mirroring(store, peer, tmp_path, clock) as mirror:
        await until(lambda: mirror.status().last_error is not None)
        peer.judge = lambda lines: (204, "")
        clock.advance(29_999)
        await asyncio.sleep(0.05)
        assert not peer.accepted
        clock.advance(1)
        await until(lambda: bool(peer.accepted))


async def test_tries_become_rarer_up_to_a_minute(store: EmbeddedStore, peer: Peer, tmp_path: Path) -> None:
    clock = SteppedClock(0)
    peer.judge = lambda lines: (500, "")
    await read(store, 1)
    async with mirroring(store, peer, tmp_path, clock) as mirror:
        for tries, wait_s in enumerate((1, 2, 4, 8, 16, 32, 60, 60), 1):
            await until(lambda tries=tries: len(peer.calls) == tries and mirror.status().last_error is not None)
            await asyncio.sleep(0.02)
            clock.advance(wait_s * 1000 - 1)
            await asyncio.sleep(0.02)
            assert len(peer.calls) == tries
            clock.advance(1)


async def test_an_answer_that_never_comes_has_a_deadline(store: EmbeddedStore, peer: Peer, tmp_path: Path) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(1 << 16):
            pass
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    peer.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    await read(store, 1)
    async with mirroring(store, peer, tmp_path, timeout_s=0.2) as mirror:
        await until(lambda: mirror.status().last_error is not None)
    server.close()


@pytest.mark.parametrize("bad", [{17}, {0}, {9999}, {3, 4, 5000, 9998}, set(range(100, 140))], ids=lambda bad: len(bad))
async def test_poison_is_found_and_put_aside(store: EmbeddedStore, peer: Peer, tmp_path: Path, bad: set[int]) -> None:
    poison = {line(at) for at in bad}
    peer.judge = lambda lines: (400, '{"error":"no\\nthanks"}') if poison.intersection(lines) else (204, "")
    await read(store, *range(10_000))
    async with mirroring(store, peer, tmp_path) as mirror:
        await mirror.drain()
        assert mirror.status().quarantined == len(bad)
    assert sorted(peer.accepted) == sorted(line(at) for at in range(10_000) if at not in bad)
    entries = [json.loads(entry) for entry in (tmp_path / "mirror-quarantine.jsonl").read_text().splitlines()]
    assert {entry["line"] for entry in entries} == poison and all("400" in entry["answer"] for entry in entries)
    assert len(peer.calls) < 60 * len(bad) + 10


async def test_a_server_that_refuses_everything_is_set_up_wrongly(
    store: EmbeddedStore, peer: Peer, tmp_path: Path
) -> None:
    clock = SteppedClock(0)
    peer.judge = lambda lines: (400, '{"error":"database is required"}')
    await read(store, *range(5000))
    async with mirroring(store, peer, tmp_path, clock) as mirror:
        await until(lambda: mirror.status().last_error is not None)
        assert "refuses every line" in str(mirror.status().last_error)
        assert len(peer.calls) < 50 and mirror.status().quarantined == 0
        peer.judge = lambda lines: (204, "")
        clock.advance(1000)
        await until(lambda: mirror.status().sent == 5000)
    assert not (tmp_path / "mirror-quarantine.jsonl").exists()


async def test_a_whole_call_that_is_dropped_is_not_halved(store: EmbeddedStore, peer: Peer, tmp_path: Path) -> None:
    said = "partial write: field type conflict: input field is type float dropped="
    peer.judge = lambda lines: (400, f"{said}{len(lines)}")
    await read(store, *range(300))
    async with mirroring(store, peer, tmp_path) as mirror:
        await mirror.drain()
        assert mirror.status().quarantined == 300 and len(peer.calls) == 1


async def test_a_broken_connection_has_the_window_sent_again(store: EmbeddedStore, peer: Peer, tmp_path: Path) -> None:
    async with mirroring(store, peer, tmp_path, resend_window_s=60) as mirror:
        for at in (1, 2, 3):
            await read(store, at)
            await mirror.drain()
        before = len(peer.accepted)
        peer.judge = lambda lines: None
        await read(store, 4)
        await until(lambda: mirror.status().last_error is not None)
        peer.judge = lambda lines: (204, "")
        await mirror.drain()
        assert set(peer.accepted[before:]) == {line(at) for at in (1, 2, 3, 4)}
        assert peer.accepted[-1] == line(4)


async def test_a_killed_mirror_begins_where_the_server_can_not_forget(
    store: EmbeddedStore, peer: Peer, tmp_path: Path
) -> None:
    for window_s, again in ((0, []), (60, [line(1), line(2)])):
        folder = tmp_path / str(window_s)
        folder.mkdir()
        if not window_s:
            await read(store, 1, 2)
        for expected in ([line(1), line(2)], again):
            peer.accepted.clear()
            async with mirroring(store, peer, folder, resend_window_s=window_s) as mirror:
                await mirror.drain()
            assert sorted(set(peer.accepted)) == expected


def test_a_window_forgets_only_what_a_later_answer_outlived() -> None:
    window, position = ResendWindow(60), Cursor(4)
    for frame, at_s in ((0, 0.0), (1, 30.0), (2, 59.9)):
        window.confirmed(Cursor(frame), at_s)
    assert window.safe(position) == Cursor(0)
    window.confirmed(Cursor(3), 60.0)
    assert window.safe(position) == Cursor(1)
    assert window.go_back(position) == Cursor(1)
    assert window.safe(Cursor(1)) == Cursor(1)
    none = ResendWindow(0)
    none.confirmed(Cursor(3), 1.0)
    assert none.safe(position) == position


@pytest.mark.parametrize(
    "content", ["", "{}", "[]", "\0\xff", '{"target": "x", "cursor": "1:2"}', '{"target": "t", "cursor": 7}']
)
def test_a_damaged_cursor_begins_anew(tmp_path: Path, content: str) -> None:
    (tmp_path / "c").write_text(content)
    file = CursorFile(tmp_path / "c", "t")
    assert file.load() == Cursor()
    file.save(Cursor(5, 1, 2))
    assert file.load() == Cursor(5, 1, 2)
    assert CursorFile(tmp_path / "c", "another").load() == Cursor()


def test_a_quarantine_does_not_grow_for_ever(tmp_path: Path) -> None:
    quarantine = Quarantine(tmp_path / "q")
    quarantine.add([(b"x" * 2**20, "why")] * 40, 0)
    size = (tmp_path / "q").stat().st_size
    quarantine.add([(b"x", "why")], 0)
    assert LARGEST_QUARANTINE_BYTES <= size == (tmp_path / "q").stat().st_size < LARGEST_QUARANTINE_BYTES + 2**21


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('bucket = "b"', "site.toml:1: [influxdb] url: is missing"),
        ('url = "localhost:8086"\nbucket = "b"', "site.toml:2: [influxdb] url: 'localhost:8086' is no address"),
        ('url = "http://h:99999"\nbucket = "b"', "url: 'http://h:99999' is no address"),
        ('url = "http://me:pw@h"\nbucket = "b"', "must not hold a password"),
        ('url = "http://h"', "bucket: is missing"),
        ('url = "http://h"\nbucket = " "', "bucket: is empty"),
        ('url = "http://h"\nbucket = "b"\ntoken_file = "/nobody/here"', "site.toml:4: [influxdb] token_file:"),
        ('url = "http://h"\nbucket = "b"\nresend_window_s = -1', "resend_window_s: expected a number from 0"),
        ('url = "http://h"\nbucket = "b"\ntoken = "x"', "token: unknown key; did you mean 'token_file'?"),
        ('url = "https://h"\nbucket = "b"\nca_file = "/nobody/here"', "ca_file: /nobody/here: no such file"),
    ],
)
def test_a_wrong_section_is_named_by_line(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        mirror_from(parse_toml(f"[influxdb]\n{text}", "site.toml").optional_table("influxdb"))
    assert said in str(refused.value) and "\n" not in str(refused.value) and "pw" not in str(refused.value)


def test_a_token_is_read_and_never_shown(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("s3cret==\n")
    text = f'[influxdb]\nurl = "http://h/"\nbucket = "b"\ntoken_file = "{tmp_path / "token"}"'
    settings = mirror_from(parse_toml(text, "site.toml").optional_table("influxdb"))
    assert settings is not None and settings.token == "s3cret==" and settings.url == "http://h"
    assert "s3cret" not in repr(settings)
    (tmp_path / "token").write_text("two\nlines")
    with pytest.raises(ConfigError, match="holds no token"):
        mirror_from(parse_toml(text, "site.toml").optional_table("influxdb"))
