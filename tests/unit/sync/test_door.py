"""Who gets in at the hub's door, what it refuses, and that nobody holds up another."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import NameOID
from tests.joined import Gateway, Hub, certify, gateways_settings, hub_settings

from cultureops.clock import DAY_MS, SteppedClock
from cultureops.sync.certificate import make_certificate
from cultureops.sync.wire import MAX_BODY


def client(certificates: Path, name: str | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=certificates / "hub.pem")
    if name is not None:
        context.load_cert_chain(certificates / f"{name}.pem", certificates / f"{name}.key")
    return context


@asynccontextmanager
async def connection(hub: Hub, tls: ssl.SSLContext) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("localhost", hub.settings.port, ssl=tls)
    try:
        yield reader, writer
    finally:
        writer.close()


def request(path: str, body: bytes = b"{}", origin: str | None = "room_1", method: str = "POST") -> bytes:
    said = "" if origin is None else f"cultureops-origin: {origin}\r\n"
    head = f"{method} {path} HTTP/1.1\r\nhost: localhost\r\n{said}content-length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def ask(hub: Hub, tls: ssl.SSLContext, sent: bytes) -> tuple[int, dict[str, object]]:
    async with asyncio.timeout(10), connection(hub, tls) as (reader, writer):
        writer.write(sent)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        return int(head.split()[1]), json.loads(await reader.readexactly(length))


async def test_nobody_gets_in_without_a_pinned_certificate(hub: Hub, certificates: Path) -> None:
    for name in (None, "stranger", "hub"):
        with pytest.raises((ssl.SSLError, ConnectionError, asyncio.IncompleteReadError)):
            await ask(hub, client(certificates, name), request("/v1/hello"))
    assert hub.hellos == []


async def test_what_a_pinned_certificate_has_issued_is_not_pinned(hub: Hub, certificates: Path, tmp_path: Path) -> None:
    issuer_key = load_pem_private_key((certificates / "room_1.key").read_bytes(), None)
    assert isinstance(issuer_key, ec.EllipticCurvePrivateKey)
    issuer = x509.load_pem_x509_certificate((certificates / "room_1.pem").read_bytes())
    key = ec.generate_private_key(ec.SECP256R1())
    issued = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "room_1")]))
        .issuer_name(issuer.subject)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(issuer.not_valid_before_utc)
        .not_valid_after(issuer.not_valid_after_utc)
        .sign(issuer_key, hashes.SHA256())
    )
    chain = issued.public_bytes(Encoding.PEM) + issuer.public_bytes(Encoding.PEM)
    (tmp_path / "forged.pem").write_bytes(chain)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "forged.key").write_bytes(private)
    context = ssl.create_default_context(cafile=certificates / "hub.pem")
    context.load_cert_chain(tmp_path / "forged.pem", tmp_path / "forged.key")
    try:
        status, _ = await ask(hub, context, request("/v1/hello"))
    except (ssl.SSLError, ConnectionError, asyncio.IncompleteReadError):
        return
    assert status == 403


async def test_one_gateway_can_not_speak_for_another(hub: Hub, certificates: Path) -> None:
    for origin in ("room_2", "", None, "room_1\r\ncultureops-origin: room_2"):
        status, said = await ask(hub, client(certificates, "room_1"), request("/v1/hello", origin=origin))
        assert status == 403, origin
        assert "can't speak for another" in str(said["problem"])


async def test_a_greeting_in_another_name_is_refused(hub: Hub, room_1: Gateway, certificates: Path) -> None:
    room_1.forwarding._origin = "room_2"  # a gateway gone wrong: its certificate and header are its own
    assert not await room_1.forwarding.step()
    assert "'room_2' is not 'room_1'" in (room_1.forwarding.status().last_error or "")
    assert hub.hellos == []


async def test_an_expired_certificate_is_refused_in_plain_words(tmp_path: Path) -> None:
    certificates = tmp_path / "certificates"

    now = time.time_ns() // 1_000_000
    certify(certificates, "hub", now=now)
    make_certificate("room_1", certificates, now - 30 * DAY_MS, valid_days=29)
    clock = SteppedClock(now)
    hub = Hub(gateways_settings(certificates, "room_1"), tmp_path, clock)
    await hub.open()
    room_1 = Gateway(hub_settings(certificates, "room_1", hub.settings.port), tmp_path / "room_1", clock)
    await room_1.open()
    assert not await room_1.forwarding.step()
    said = room_1.forwarding.status().last_error or ""
    assert "this gateway's certificate ended at" in said
    assert "certificate has ended" in (hub.receiving.status()["room_1"].problem or "")
    await room_1.close()
    await hub.close()


async def test_a_foreign_hub_is_not_believed(hub: Hub, room_1: Gateway, certificates: Path) -> None:
    room_1.connect(replace(room_1.settings, ca_file=certificates / "stranger.pem"))
    assert not await room_1.forwarding.step()
    assert "the hub's certificate is not believed" in (room_1.forwarding.status().last_error or "")


async def test_a_hub_by_another_name_is_not_believed(hub: Hub, room_1: Gateway) -> None:
    room_1.connect(replace(room_1.settings, host="127.0.0.2"))
    assert not await room_1.forwarding.step()
    assert room_1.standings == []


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (request("/v1/nothing"), 404),
        (request("/v1/hello", method="PUT"), 405),
        (request("/v1/hello", b"[]"), 400),
        (request("/v1/hello", b'{"a":1,"a":2}'), 400),
        (request("/v1/hello", b"\xff" * 50), 400),
        (request("/v1/hello", b"[" * 100_000), 400),
        (request("/v1/events", b"\xff\xff\xff\xff"), 400),
        (request("/v1/readings", b""), 400),
        (b"GARBAGE\r\n\r\n", 400),
        (b"POST /v1/hello HTTP/1.1\r\nhost: a\r\ncontent-length: 99999999999\r\n\r\n", 413),
        (b"POST /v1/hello HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nhost: a\r\n" + b"x: " + b"y" * 200_000 + b"\r\n\r\n", 400),
    ],
)
async def test_what_is_no_request_is_refused(hub: Hub, certificates: Path, sent: bytes, status: int) -> None:
    assert (await ask(hub, client(certificates, "room_1"), sent))[0] == status
    assert hub.hellos == []


async def test_a_body_without_end_is_cut_off(hub: Hub, certificates: Path) -> None:
    head = b"POST /v1/hello HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n"
    async with asyncio.timeout(10), connection(hub, client(certificates, "room_1")) as (reader, writer):
        writer.write(head)
        chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
        for _ in range(MAX_BODY // 0x10000 + 1):
            writer.write(chunk)
        assert b" 413 " in await reader.readline()


async def test_who_is_slow_is_cut_off_and_holds_up_nobody(
    tmp_path: Path, certificates: Path, clock: SteppedClock
) -> None:
    hub = Hub(gateways_settings(certificates, "room_1", "room_2", timeout_s=0.3), tmp_path / "hub", clock)
    hub.folder.mkdir()
    await hub.open()
    gateway = Gateway(hub_settings(certificates, "room_2", hub.settings.port), tmp_path / "room_2", clock)
    await gateway.open()
    async with asyncio.timeout(10), connection(hub, client(certificates, "room_1")) as (reader, writer):
        answer = asyncio.create_task(reader.readline())
        sent = 0
        for byte in request("/v1/hello", b"{" + b" " * 1000):
            writer.write(bytes([byte]))
            sent += 1
            if sent == 5:
                await gateway.append(20)
                assert await gateway.forwarding.step(), gateway.forwarding.status()
            await asyncio.sleep(0.02)
            if answer.done():
                break
        assert b" 408 " in await answer
        assert sent < 100
    await gateway.close()
    await hub.close()


async def test_the_newest_connection_speaks_for_a_gateway(hub: Hub, room_1: Gateway, certificates: Path) -> None:
    assert await room_1.forwarding.step()
    async with connection(hub, client(certificates, "room_1")) as (reader, writer):
        writer.write(request("/v1/hello", b"[]"))
        assert b" 400 " in await reader.readline()
        await room_1.append()
        assert await room_1.forwarding.step(), "it connects anew"
        async with asyncio.timeout(5):
            await reader.read()  # and the other is closed


async def test_an_old_tls_is_not_spoken(hub: Hub, certificates: Path) -> None:
    tls = client(certificates, "room_1")
    with warnings.catch_warnings(action="ignore"):
        tls.minimum_version = tls.maximum_version = ssl.TLSVersion.TLSv1_1
    tls.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await ask(hub, tls, request("/v1/hello"))
