"""Certificates that gateway and hub know each other by: made, read, and named by their fingerprint."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from cultureops.clock import Instant
from cultureops.errors import ConfigError

__all__ = ["Certificate", "read_certificate"]


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
    sha256 = hashlib.sha256(found.public_bytes(Encoding.DER)).hexdigest()
    begins, ends = (
        round(stamp.timestamp() * 1000) for stamp in (found.not_valid_before_utc, found.not_valid_after_utc)
    )
    return Certificate(sha256, begins, ends)
