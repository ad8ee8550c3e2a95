"""Certificates that gateway and hub know each other by: made, read, and named by their fingerprint."""

from __future__ import annotations

import hashlib
import ipaddress
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cultureops.clock import Instant
from cultureops.errors import ConfigError

__all__ = ["VALID_DAYS", "Certificate", "make_certificate", "read_certificate"]

VALID_DAYS: Final = 730
_SKEW: Final = timedelta(days=1)
"""Begins so much earlier, for a machine whose clock is behind must be able to use it."""
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class Certificate:
    """One certificate: SHA-256 of its DER [hex], and from when to when it is valid [ms UTC]."""

    sha256: str
    begins: Instant
    ends: Instant


def read_certificate(path: Path) -> Certificate:
    """Read the first certificate of a PEM file; raises ConfigError."""
    try:
        found = x509.load_pem_x509_certificate(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"{path}: can't be read: {error.strerror}; name a certificate (PEM)") from None
    except ValueError:
        raise ConfigError(f"{path}: holds no certificate (PEM); make one: cultureops sync certificate NAME") from None
    return _summary(found)


def make_certificate(
    name: str, folder: Path, now: Instant, *, hosts: Sequence[str] = (), valid_days: int = VALID_DAYS
) -> Certificate:
    """Make a P-256 key and a certificate signed with it, ``NAME.key`` (0600) and ``NAME.pem`` in a folder.

    ``hosts`` are the names and addresses by which a hub is reached; a gateway needs none. Never writes over a file.
    Raises ConfigError.
    """
    if not _NAME.fullmatch(name):
        raise ConfigError(f"{name[:70]!r} is no name for a file: 1 to 64 letters, digits, dots, _ and -")
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _signed(name, key, now, hosts, timedelta(days=valid_days))
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    _write_new(folder / f"{name}.key", private, 0o600)
    try:
        _write_new(folder / f"{name}.pem", certificate.public_bytes(Encoding.PEM), 0o644)
    except ConfigError:
        (folder / f"{name}.key").unlink()
        raise
    return _summary(certificate)


def _signed(
    name: str, key: ec.EllipticCurvePrivateKey, now: Instant, hosts: Sequence[str], valid: timedelta
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    begins = datetime.fromtimestamp(now / 1000, UTC).replace(microsecond=0)
    usage = x509.KeyUsage(
        digital_signature=True, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=False, crl_sign=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins - _SKEW)
        .not_valid_after(begins + valid)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]), critical=False
        )
        .add_extension(x509.SubjectAlternativeName([_host(host) for host in hosts or (name,)]), critical=False)
    )
    return builder.sign(key, hashes.SHA256())


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        pass
    try:
        return x509.DNSName(host)
    except ValueError:
        raise ConfigError(f"{host[:80]!r} is no host name; write it in ASCII, without scheme and port") from None


def _write_new(path: Path, content: bytes, mode: int) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    except FileExistsError:
        raise ConfigError(f"{path} exists and is never written over; move it away or choose another name") from None
    except OSError as error:
        raise ConfigError(f"{path}: can't be written: {error.strerror}") from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _summary(found: x509.Certificate) -> Certificate:
    sha256 = hashlib.sha256(found.public_bytes(Encoding.DER)).hexdigest()
    begins, ends = (
        round(stamp.timestamp() * 1000) for stamp in (found.not_valid_before_utc, found.not_valid_after_utc)
    )  # fmt: skip
    return Certificate(sha256, begins, ends)
