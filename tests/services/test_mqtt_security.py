"""TLS, certificates and passwords against a real broker: refusals are said, nothing falls back to plain."""

from __future__ import annotations

import asyncio
import gc
import json
import re
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.conftest import require_program
from tests.services.test_mosquitto import (
    Broker,
    OpenLab,
    broker,
    clock,
    incubator,
    opened,
    poll,
    published,
    status,
    until,
)

from cultureops.clock import SteppedClock
from cultureops.lab_health import health_of

__all__ = ["broker", "clock", "incubator", "opened"]

SECRET = "right-Geheim-9"
# The library leaves the socket of a failed handshake to the garbage collector.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <ssl.SSLSocket:pytest.PytestUnraisableExceptionWarning"
)


@dataclass(frozen=True)
class Signed:
    """A certificate and its key, as files."""

    certificate: Path
    key: Path


class Authority:
    """Signs certificates for as long as a test lasts."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder, self._name = folder, name
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.file = self._write(f"{name}.pem", self._signed(name, self._key.public_key(), is_authority=True))

    def sign(self, name: str, *, address: str = "127.0.0.1", days: int = 2) -> Signed:
        key = ec.generate_private_key(ec.SECP256R1())
        signed = self._signed(f"{name} of {self._name}", key.public_key(), address=address, days=days)
        plain = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        (self._folder / f"{self._name}-{name}.key").write_bytes(plain)
        return Signed(self._write(f"{self._name}-{name}.pem", signed), self._folder / f"{self._name}-{name}.key")

    def _signed(
        self, name: str, key: ec.EllipticCurvePublicKey, *, is_authority: bool = False, address: str = "", days: int = 2
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self._name)])
        made = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=10))
            .not_valid_after(now + timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        )
        if address:
            made = made.add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(IPv4Address(address))]), critical=False
            )
        return made.sign(self._key, hashes.SHA256())

    def _write(self, name: str, certificate: x509.Certificate) -> Path:
        file = self._folder / name
        file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        return file


@dataclass(frozen=True)
class Plant:
    """The broker's authority, another one, and the broker's right certificate."""

    own: Authority
    other: Authority
    server: Signed


@pytest.fixture
def plant(tmp_path: Path) -> Plant:
    own = Authority(tmp_path, "own")
    return Plant(own, Authority(tmp_path, "other"), own.sign("server"))


def listen(broker: Broker, server: Signed, *more: str) -> None:
    broker.kill()
    wanted = more if any(line.startswith("allow_anonymous") for line in more) else ("allow_anonymous true", *more)
    broker.configure(
        f"listener {broker.port} 127.0.0.1", f"certfile {server.certificate}", f"keyfile {server.key}", *wanted
    )
    broker.start()


async def refused(opened: OpenLab, more: str, said: str) -> None:
    """The lab says this and goes on without the broker."""
    async with opened(more) as lab:
        await until(lambda: status(lab).last_error is not None)
        assert said in str(status(lab).last_error)
        assert not status(lab).connected and not status(lab).sent
    gc.collect()


async def test_the_right_certificate_is_trusted(broker: Broker, opened: OpenLab, plant: Plant) -> None:
    listen(broker, plant.server)
    async with opened(f'tls = true\nca_file = "{plant.own.file}"\n[mqtt.sparkplug]\ngroup = "A"') as lab:
        await published(lab)
        assert status(lab).target.startswith("mqtts://") and ", mqtts://" in status(lab).target


@pytest.mark.parametrize(
    ("address", "days", "authority", "said"),
    [
        ("127.0.0.1", 2, "other", "is not signed by one that is trusted; name the right one as ca_file ="),
        ("192.0.2.7", 2, "own", "is not for this address; write the name it bears as host ="),
        ("127.0.0.1", -1, "own", "the broker's certificate has expired; renew it"),
    ],
)
async def test_a_wrong_certificate_of_the_broker(
    broker: Broker, opened: OpenLab, plant: Plant, address: str, days: int, authority: str, said: str
) -> None:
    listen(broker, plant.own.sign("doubtful", address=address, days=days))
    trusted = plant.own if authority == "own" else plant.other
    await refused(opened, f'tls = true\nca_file = "{trusted.file}"', said)


async def test_a_broker_that_wants_a_certificate_of_ours(broker: Broker, opened: OpenLab, plant: Plant) -> None:
    listen(broker, plant.server, f"cafile {plant.own.file}", "require_certificate true")
    trusting = f'tls = true\nca_file = "{plant.own.file}"\ntimeout_s = 1'

    def showing(ours: Signed) -> str:
        return f'{trusting}\ncert_file = "{ours.certificate}"\nkey_file = "{ours.key}"'

    await refused(opened, trusting, "wants a certificate of ours; name one: cert_file = and key_file =")
    await refused(opened, showing(plant.other.sign("lab")), "our certificate")
    await refused(opened, showing(plant.own.sign("lab", days=-1)), "our certificate")
    async with opened(showing(plant.own.sign("lab"))) as lab:
        await published(lab)


async def test_ports_of_the_wrong_kind(broker: Broker, opened: OpenLab, plant: Plant) -> None:
    await refused(opened, f'tls = true\nca_file = "{plant.own.file}"\ntimeout_s = 1', "is of the kind that tls = says")
    listen(broker, plant.server)
    await refused(
        opened, "timeout_s = 0.5", f"127.0.0.1:{broker.port}: the broker hung up before it let us in; check that"
    )


async def test_secrets_are_told_to_nobody(
    broker: Broker,
    opened: OpenLab,
    clock: SteppedClock,
    plant: Plant,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    passwords, own = tmp_path / "passwords", tmp_path / "own_password"
    subprocess.run((require_program("mosquitto_passwd"), "-b", "-c", passwords, "lab", SECRET), check=True)
    listen(broker, plant.server, "allow_anonymous false", f"password_file {passwords}")
    log_in = f'tls = true\nca_file = "{plant.own.file}"\nusername = "lab"\npassword_file = "{own}"\ntimeout_s = 1'
    for password, is_right in ((SECRET + "-wrong", False), (SECRET, True)):
        own.write_text(password + "\n")
        async with opened(log_in) as lab:
            await poll(lab, clock)
            if is_right:
                await published(lab)
            else:
                await until(lambda lab=lab: status(lab).last_error is not None)
                assert "check username =, password_file =" in str(status(lab).last_error)
            assert SECRET not in json.dumps(health_of(lab)) + repr(lab.site) + repr(status(lab))
    said = capfd.readouterr()
    assert SECRET not in said.out + said.err
    kept = [file for file in (tmp_path / "data").rglob("*") if file.is_file()]
    assert len(kept) > 2 and all(SECRET.encode() not in file.read_bytes() for file in kept)


@pytest.mark.parametrize("sparkplug", ["", '[mqtt.sparkplug]\ngroup = "A"\n'])
async def test_nothing_is_ever_said_in_clear(
    broker: Broker, opened: OpenLab, clock: SteppedClock, plant: Plant, tmp_path: Path, sparkplug: str
) -> None:
    """A port that refuses every handshake hears nothing but the beginnings of handshakes."""
    broker.kill()
    (tmp_path / "own_password").write_text(SECRET)
    heard: list[bytes] = []

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read(4096))
        writer.write(b"\x15\x03\x03\x00\x02\x02\x28")  # a fatal alert: handshake failure
        writer.close()

    log_in = f'username = "lab"\npassword_file = "{tmp_path / "own_password"}"\ntimeout_s = 0.5\n{sparkplug}'
    async with (
        await asyncio.start_server(refuse, "127.0.0.1", broker.port),
        opened(f'tls = true\nca_file = "{plant.own.file}"\n{log_in}') as lab,
    ):
        async with asyncio.timeout(10):
            while len(heard) < 6:
                clock.advance(60_000)
                await asyncio.sleep(0.01)
        assert not status(lab).connected
    assert all(first.startswith(b"\x16\x03") and SECRET.encode() not in first for first in heard if first)
    gc.collect()


def blocks(page: str, begins: str) -> str:
    """The example of the how-to that begins like this."""
    text = (Path(__file__).parents[2] / "docs" / "how-to" / page).read_text(encoding="utf-8")
    return next(
        block.split("\n", 1)[1] for block in text.split("```")[1::2] if block.split("\n", 1)[1].startswith(begins)
    )


async def test_the_broker_of_the_how_to(broker: Broker, opened: OpenLab, clock: SteppedClock, tmp_path: Path) -> None:
    page = "publish-to-a-broker.md"
    require_program("openssl")
    making = blocks(page, "openssl req").replace("DNS:broker.example", "IP:127.0.0.1")
    subprocess.run(("sh", "-e", "-c", making), cwd=tmp_path, check=True, capture_output=True)
    (tmp_path / "acl").write_text(blocks(page, "user lab-1"))
    (tmp_path / "own_password").write_text(SECRET)
    naming = (require_program("mosquitto_passwd"), "-b", "-c", "passwords", "lab-1", SECRET)
    subprocess.run(naming, cwd=tmp_path, check=True)
    lines = blocks(page, "listener 8883").replace("8883", f"{broker.port} 127.0.0.1")
    broker.kill()
    broker.configure(*re.sub("/etc/mosquitto(/certs)?", str(tmp_path), lines).splitlines())
    broker.start()
    sparkplug = blocks(page, "[mqtt]").partition("[mqtt.sparkplug]")[2]
    trusted, own = tmp_path / "ca.pem", tmp_path / "own_password"
    log_in = f'tls = true\nca_file = "{trusted}"\nusername = "lab-1"\npassword_file = "{own}"'
    async with opened(f"{log_in}\n[mqtt.sparkplug]{sparkplug}") as lab:
        await published(lab)
        await poll(lab, clock)
        await published(lab)
        assert status(lab).sent > 10 and status(lab).last_error is None
