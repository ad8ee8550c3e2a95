"""The TLS of both sides: 1.2 or newer, each proves itself by its certificate."""

from __future__ import annotations

import ssl
import stat
from collections.abc import Iterable
from pathlib import Path

from cultureops.errors import ConfigError

__all__ = ["client_context", "server_context"]


def client_context(certificate: Path, key: Path, ca_file: Path) -> ssl.SSLContext:
    """Return the gateway's side: the hub's certificate and host name are checked by ``ca_file`` alone.

    Raises ConfigError for files that can't be loaded.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _trust(context, [ca_file])
    return _proving(context, certificate, key)


def server_context(certificate: Path, key: Path, pinned: Iterable[Path]) -> ssl.SSLContext:
    """Return the hub's side: nobody gets in without one of the pinned certificates, or one that such a one issued.

    Whoever uses it compares the fingerprint. Raises ConfigError for files that can't be loaded.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.verify_mode = ssl.CERT_REQUIRED
    _trust(context, pinned)
    return _proving(context, certificate, key)


def _trust(context: ssl.SSLContext, files: Iterable[Path]) -> None:
    # A certificate that is pinned is believed itself, whoever issued it.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    for file in files:
        try:
            context.load_verify_locations(file)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(f"{file}: holds no certificates (PEM): {error}") from None


def _proving(context: ssl.SSLContext, certificate: Path, key: Path) -> ssl.SSLContext:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        if key.stat().st_mode & stat.S_IROTH:
            raise ConfigError(f"{key}: everybody on this machine may read the key; chmod 600 it")
        context.load_cert_chain(certificate, key, password="")
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"{certificate}, {key}: no certificate and unencrypted key in PEM: {error}") from None
    return context
