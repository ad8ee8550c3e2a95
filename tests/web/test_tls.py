"""Pages over TLS: nothing older than 1.2, no word in the clear, cookies for this host alone."""

import asyncio
import datetime
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tests.web.house import House, open_house
from tests.web.people import PASSWORD, Browser

from cultureops.app import web_context
from cultureops.errors import ConfigError
from cultureops.web.server import create_app, serve
from cultureops.web.settings import Tls, WebSettings


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    """A certificate of lab.example that signs itself."""
    folder, key = tmp_path_factory.mktemp("tls"), ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "lab.example")])
    now = datetime.datetime.now(datetime.UTC)
    names = x509.SubjectAlternativeName([x509.DNSName("lab.example"), x509.DNSName("localhost")])
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1)).add_extension(names, critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    (folder / "lab.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    pem = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "lab.key").write_bytes(key.private_bytes(*pem))
    (folder / "lab.key").chmod(0o600)
    return Tls(folder / "lab.pem", folder / "lab.key")


@pytest.fixture
async def secured(people: Path, tmp_path: Path, tls: Tls) -> AsyncIterator[tuple[House, int]]:
    async with open_house(people, tmp_path) as house:
        settings = WebSettings("127.0.0.1", 0, ("lab.example",), tls)
        app = create_app(replace(web_context(house.lab, None), settings=settings))
        listening: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        serving = asyncio.create_task(serve(app, "127.0.0.1", 0, listening.set_result, tls))
        url = await listening
        assert url.startswith("https://127.0.0.1:")
        yield house, int(url.rstrip("/").rpartition(":")[2])
        serving.cancel()
        with pytest.raises(asyncio.CancelledError):
            async with asyncio.timeout(5):
                await serving


async def handshake(port: int, oldest: ssl.TLSVersion, newest: ssl.TLSVersion) -> str | None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version, context.maximum_version = oldest, newest
    async with asyncio.timeout(5):
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    version: str | None = writer.get_extra_info("ssl_object").version()
    writer.close()
    return version


@pytest.mark.requirement("R25")
async def test_only_tls_of_today_is_spoken_and_nothing_in_the_clear(secured: tuple[House, int], tls: Tls) -> None:
    _, port = secured
    spoken = ssl.TLSVersion
    assert await handshake(port, spoken.TLSv1_3, spoken.TLSv1_3) == "TLSv1.3"
    assert await handshake(port, spoken.TLSv1_2, spoken.TLSv1_2) == "TLSv1.2"
    for old in (spoken.TLSv1, spoken.TLSv1_1):
        with pytest.warns(DeprecationWarning), pytest.raises((ssl.SSLError, ConnectionError, OSError)):
            await handshake(port, old, old)
    if (scanner := shutil.which("openssl")) is not None:
        for option, works in (("-tls1_1", False), ("-tls1_2", True)):
            command = [scanner, "s_client", "-connect", f"127.0.0.1:{port}", option, "-cipher", "ALL:@SECLEVEL=0"]
            done = await asyncio.to_thread(subprocess.run, command, input=b"", capture_output=True, timeout=10)
            assert (b"BEGIN CERTIFICATE" in done.stdout) is works, option
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\r\nHost: lab.example\r\n\r\n")
    async with asyncio.timeout(5):
        assert b"HTTP/1.1" not in await reader.read()
    writer.close()


async def test_over_tls_cookies_are_for_this_host_and_browsers_come_back_over_tls(
    secured: tuple[House, int], tls: Tls
) -> None:
    _, port = secured
    trusting = ssl.create_default_context(cafile=str(tls.certificate))
    async with Browser(base_url=f"https://localhost:{port}", verify=trusting, timeout=10) as browser:
        for host in ("lab.example", "LAB.example", "localhost", "127.0.0.1"):
            assert (await browser.get("/log-in", headers={"host": host})).status_code == 200, host
        assert (await browser.get("/log-in", headers={"host": "evil.example"})).status_code == 403
        page = await browser.look("/log-in")
        assert page.headers["strict-transport-security"] == "max-age=31536000"
        answer = await browser.post("/log-in", data={"username": "operator-1", "password": PASSWORD})
        said = answer.headers["set-cookie"]
        assert said.startswith("__Host-cultureops=") and "; Secure" in said and "; HttpOnly" in said
        assert "domain" not in said.lower() and "; SameSite=strict" in said and "; Path=/;" in said + ";"
        assert (await browser.get("/account")).status_code == 200


def test_a_key_that_is_none_or_lies_open_is_refused_in_one_line(tls: Tls, tmp_path: Path) -> None:
    key = tmp_path / "lab.key"
    shutil.copy(tls.key, key)
    key.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        Tls(tls.certificate, key).context()
    key.write_text("nonsense")
    key.chmod(0o600)
    with pytest.raises(ConfigError, match="no certificate and unencrypted key"):
        Tls(tls.certificate, key).context()
    with pytest.raises(ConfigError, match=r"lab\.key"):
        Tls(tls.certificate, tmp_path / "nowhere" / "lab.key").context()
