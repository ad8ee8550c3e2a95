"""Answers to InfluxQL that are whole, refused, late or damaged, over a real socket; and names that mean harm."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import json
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from cultureops.clock import HOUR_MS, parse_iso
from cultureops.config import parse
from cultureops.errors import ConfigError, StorageError, Unreadable
from cultureops.telemetry import read_call
from cultureops.telemetry.influx import Unavailable
from cultureops.telemetry.influxql import InfluxQlStore
from cultureops.telemetry.influxql_answer import QueryRefused, as_points, parts, point_rows
from cultureops.telemetry.influxql_text import identifier, literal, of_series, within
from cultureops.telemetry.mirror_settings import MirrorSettings, mirror_from
from cultureops.telemetry.read_settings import Language, ReadSettings
from cultureops.telemetry.series_address import address_of, channel_at

START = parse_iso("2026-01-05T08:00:00Z")
COLUMNS = ["time", "value", "quality", "reason_code"]
ROWS: list[list[Any]] = [[START, 37.0, 192, 0], [START + 1000, None, 0, 1], [START + 2000, 36.5, 64, 9]]


def answer(rows: Sequence[Sequence[Any]] = ROWS, **result: Any) -> bytes:
    series = [{"name": "t", "columns": COLUMNS, "values": rows}] if rows else []
    return json.dumps({"results": [{"statement_id": 0, "series": series, **result}]}).encode()


def http(body: bytes, status: str = "200 OK", more: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{more}\r\n".encode() + body


def chunked(*bodies: bytes, ends: bool = True) -> bytes:
    parts = b"".join(b"%x\r\n%b\r\n" % (len(body), body) for body in bodies)
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + parts + (b"0\r\n\r\n" if ends else b"")


class Answering:
    """A server that says what it is told to, whatever it is asked; it remembers the questions."""

    def __init__(self) -> None:
        self.says: bytes | Callable[[asyncio.StreamWriter], Any] = http(answer())
        self.asked: list[dict[str, list[str]]] = []
        self.heads: list[str] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                self.heads.append(head)
                self.asked.append(parse_qs(urlsplit(head.split(" ")[1]).query))
                if callable(self.says):
                    await self.says(writer)
                    break
                writer.write(self.says)
                await writer.drain()
                is_whole = self.says.endswith(b"0\r\n\r\n") if b"chunked" in self.says else b": 1000" not in self.says
                if not is_whole or not self.says.startswith(b"HTTP"):
                    break
        writer.close()


@pytest.fixture
async def server() -> AsyncIterator[tuple[Answering, str]]:
    answering = Answering()
    async with await asyncio.start_server(answering.serve, "127.0.0.1", 0) as listening:
        yield answering, f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"


@contextlib.asynccontextmanager
async def asking(url: str, **settings: Any) -> AsyncIterator[InfluxQlStore]:
    store = InfluxQlStore(ReadSettings(url, "lab", **({"silence_s": 5.0} | settings)), "Lab")
    try:
        yield store
    finally:
        await store.close()


async def test_an_answer_in_parts_is_one_series(server: tuple[Answering, str]) -> None:
    answering, url = server
    answering.says = chunked(answer(ROWS[:2], partial=True) + b"\n", answer(ROWS[2:]) + b"\n")
    async with asking(url, token="secret") as store:
        series = await store.series("a/t", START, START + HOUR_MS)
    assert series.source_ms.tolist() == [START, START + 1000, START + 2000]
    assert [None if v != v else v for v in series.value.tolist()] == [37.0, None, 36.5]
    assert (series.quality.tolist(), series.reason.tolist()) == ([192, 0, 64], [0, 1, 9])
    assert set(series.received_ms.tolist()) == {-1}  # nobody knows
    (asked,) = answering.asked
    assert asked["epoch"] == ["ms"] and asked["chunked"] == ["true"] and asked["db"] == ["lab"]
    assert f"time >= {START}ms AND time < {START + HOUR_MS}ms" in asked["q"][0]
    assert answering.heads[0].startswith("GET /query?") and "Authorization: Token secret\r\n" in answering.heads[0]


@pytest.mark.parametrize(
    ("says", "error", "words"),
    [
        (http(b'{"error":"unable to parse"}', "400 Bad Request"), QueryRefused, "answered 400 .*unable to parse"),
        (http(b"", "401 Unauthorized"), QueryRefused, "check token, user and password"),
        (http(b"", "404 Not Found"), QueryRefused, "check url and database"),
        (http(b'{"results":[{"statement_id":0,"error":"database not found: lab"}]}'), QueryRefused, "database not"),
        (http(b"", "302 Found", "Location: http://192.0.2.1/\r\n"), Unavailable, "answered 302"),
        (http(b"busy\nnow", "503 Service Unavailable"), Unavailable, "answered 503 busy now"),
        (http(b"", "429 Too Many Requests"), Unavailable, "answered 429"),
        (http(b"<html>"), Unreadable, "no JSON"),
        (http(b"[" * 100_000 + b"\n"), Unreadable, "no JSON"),
        (http(b'{"results":"\xff"}'), Unreadable, "no JSON"),
        (http(b"[]\n"), Unreadable, "that is no object"),
        (http(b'{"results":{}}'), Unreadable, "without results"),
        (http(b'{"results":[{"series":[{"name":7}]}]}'), Unreadable, "names that are no text"),
        (http(b'{"results":[{"series":[{"columns":["a"],"values":[[1,2]]}]}]}'), Unreadable, "do not fit"),
        (http(b""), Unreadable, "ends before its last part"),
        (http(answer(partial=True)), Unreadable, "ends before its last part"),
        (chunked(answer(partial=True) + b"\n", ends=False), Unavailable, "gave no whole answer"),
        (http(answer()).replace(b"Content-Length: ", b"Content-Length: 10000000"), Unavailable, "bytes are missing"),
        (http(answer([[START, float("nan"), 192, 0]])), Unreadable, "NaN is no number"),
        (http(answer([[START, None, 192, 0]])), Unreadable, "is no reading"),
        (http(answer([[START, 1.0, 7, 0]])), Unreadable, "is no reading"),
        (http(answer([[START, 1.0, 192, 77]])), Unreadable, "is no reading"),
        (http(answer([[START, "1.0", 192, 0]])), Unreadable, "is no number"),
        (http(answer([[True, 1.0, 192, 0]])), Unreadable, "is no whole number"),
        (http(answer([[1 << 70, 1.0, 192, 0]])), Unreadable, "is no whole number"),
        (http(answer([[START, 1.0, None, 0]])), Unreadable, "is no whole number"),
        (http(answer(ROWS[::-1])), Unreadable, "not in order of time"),
        (b"nonsense\r\n\r\n", Unavailable, "gave no whole answer"),
    ],
)
async def test_what_is_no_answer_is_one_line(
    server: tuple[Answering, str], says: bytes, error: type[StorageError], words: str
) -> None:
    answering, url = server
    answering.says = says
    async with asking(url) as store:
        with pytest.raises(error, match=words) as refused:
            await store.series("a/t", START, START + HOUR_MS)
        assert "\n" not in str(refused.value)
        answering.says = http(answer())  # the next question is a new one
        assert (await store.series("a/t", START, START + HOUR_MS)).source_ms.size == 3


async def test_waiting_ends(server: tuple[Answering, str]) -> None:
    answering, url = server
    released = asyncio.Event()

    async def silent(writer: asyncio.StreamWriter) -> None:
        await released.wait()

    async def dripping(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        while not released.is_set():
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.01)

    for says, settings, words in [
        (silent, {"silence_s": 0.1}, r"nothing came for 0\.1 s"),
        (dripping, {"longest_s": 0.2}, r"takes longer than 0\.2 s"),
    ]:
        answering.says = says
        async with asking(url, **settings) as store:
            with pytest.raises(Unavailable, match=words):
                await store.series("a/t", START, START + HOUR_MS)
    answering.says = silent
    async with asking(url, silence_s=60.0) as store:  # and nobody who has gone keeps the thread
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await store.series("a/t", START, START + HOUR_MS)
        answering.says = http(answer())
        async with asyncio.timeout(5):
            assert (await store.series("a/t", START, START + HOUR_MS)).source_ms.size == 3
    released.set()


async def test_no_line_and_no_row_of_questions_grows_without_end(server: tuple[Answering, str]) -> None:
    answering, url = server
    answering.says = http(b" " * 100_000 + answer())
    with patch.object(read_call, "MOST_BYTES_A_LINE", 50_000):
        async with asking(url) as store:
            with pytest.raises(Unreadable, match="lines of more than 50,000 bytes"):
                await store.series("a/t", START, START + HOUR_MS)
    async with asking("http://127.0.0.1:9") as store:
        asked = [asyncio.create_task(store.series("a/t", START, START + 1)) for _ in range(70)]
        found = await asyncio.gather(*asked, return_exceptions=True)
        assert sum("questions wait" in str(error) for error in found) == 6
        assert all(isinstance(error, Unavailable) for error in found)


async def test_the_server_is_known_by_the_certificate(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    pem, secret, none = tmp_path / "lab.pem", tmp_path / "lab.key", tmp_path / "none.pem"
    pem.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    secret.write_bytes(key.private_bytes(serialization.Encoding.PEM, *private))
    none.write_text("no certificate\n")
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(pem, secret)
    answering = Answering()
    async with await asyncio.start_server(answering.serve, "127.0.0.1", 0, ssl=tls) as listening:
        port = listening.sockets[0].getsockname()[1]
        async with asking(f"https://localhost:{port}", ca_file=str(pem), user="u", password="p") as store:
            assert (await store.series("a/t", START, START + HOUR_MS)).source_ms.size == 3
        assert "Authorization: Basic dTpw\r\n" in answering.heads[0]
        for url, ca_file in ((f"https://localhost:{port}", None), (f"https://127.0.0.1:{port}", str(pem))):
            async with asking(url, ca_file=ca_file) as store:
                with pytest.raises(Unavailable, match="certificate verify failed"):
                    await store.series("a/t", START, START + HOUR_MS)
    assert len(answering.heads) == 1
    with pytest.raises(ConfigError, match=r"none.pem: holds no certificates"):
        InfluxQlStore(ReadSettings("https://localhost:1", "lab", ca_file=str(none)), "Lab")


@given(st.data())
def test_a_damaged_answer_is_never_taken_for_another(data: st.DataObject) -> None:
    """Whatever bytes change, readings come out as the server could have meant them, or one of our errors."""
    good = bytearray(answer(ROWS[:2], partial=True) + b"\n" + answer(ROWS[2:]) + b"\n")
    for _ in range(data.draw(st.integers(1, 4))):
        good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(good)))
    try:
        found = [as_points(point_rows(part, "s"), "a/t") for part in parts(bytes(good[:cut]).split(b"\n"), "s")]
    except StorageError as error:
        assert "\n" not in str(error)
        return
    for points in found:
        assert np.isin(points.quality, [0, 64, 192]).all()
        assert (np.isnan(points.value) == (points.quality == 0)).all()
        assert (np.diff(points.source_ms) >= 0).all()


NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)


@given(owner=NAMES, name=NAMES, of_batch=st.booleans())
def test_an_address_leads_back_to_its_channel(owner: str, name: str, of_batch: bool) -> None:
    if "/" in name or (not of_batch and owner.startswith("batch:")):
        return
    channel = f"batch:{owner}/{name}" if of_batch else f"{owner}/{name}"
    address = address_of(channel)
    assert channel_at(address.measurement, {address.key: address.owner}) == channel


@given(NAMES)
def test_a_quoted_name_ends_where_it_ends(name: str) -> None:
    """Read as the specification says: only an unescaped quote ends it, and what is between is the name."""
    for quote, written in (('"', identifier(name)), ("'", literal(name))):
        assert written[0] == quote
        read, at = "", 1
        while written[at] != quote:
            if written[at] == "\\":
                at += 1
                read += "\n" if written[at] == "n" else written[at]
            else:
                read += written[at]
            at += 1
        assert at == len(written) - 1 and read == name


def test_clauses() -> None:
    clauses = of_series(address_of("incubator_1/co2"), 'Lab\'s "one"')
    assert clauses == 'FROM "co2" WHERE "site" = \'Lab\\\'s "one"\' AND "device" = \'incubator_1\''
    assert within(-(1 << 62), 1 << 62) == "time >= -9223372036854ms AND time < 9223372036854ms"


def settings_of(text: str) -> MirrorSettings:
    found = mirror_from(parse('[influxdb]\nurl = "http://h:1"\nbucket = "b"\n' + text, "site.toml").table("influxdb"))
    assert found is not None
    return found


def test_settings_of_reading(tmp_path: Any) -> None:
    secret = tmp_path / "password"
    secret.write_text("a b\n")
    read = settings_of("").read
    assert read == ReadSettings("http://h:1", "b")
    text = (
        f'[influxdb.read]\nurl = "https://r:2/x/"\ndatabase = "d"\nuser = "u"\npassword_file = "{secret}"\n'
        'language = "victoriametrics"\nretention_policy = "p"\nsilence_s = 3\nlongest_s = 9'
    )
    read = settings_of(text).read
    assert read == ReadSettings(
        "https://r:2/x", "d", Language.VICTORIAMETRICS, "p", "u", "a b", silence_s=3, longest_s=9
    )
    assert "a b" not in repr(read)
    for wrong, words in [
        ('user = "u"', "belong together"),
        (f'user = "u:v"\npassword_file = "{secret}"', "must not hold a colon"),
        ('password_file = "/nowhere"', "can't be read"),
        ('url = "ftp://x"', "is no address of a server"),
        ('url = "http://u:p@x"', "is no address of a server"),
        ('database = " "', "is empty"),
        ('language = "sql"', "expected one of influxql, victoriametrics"),
        ("silence_s = 0", "expected a number from"),
        ('ca_file = "/nowhere"', "no such file"),
        ("tokn = 1", "unknown key"),
    ]:
        with pytest.raises(ConfigError, match=words) as refused:
            settings_of(f"[influxdb.read]\n{wrong}")
        assert str(refused.value).startswith("site.toml:")
