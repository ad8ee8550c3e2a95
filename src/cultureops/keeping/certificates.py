"""Making the certificates that gateways and their hub know each other by."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cultureops.clock import SystemClock, iso
from cultureops.errors import ConfigError
from cultureops.keeping.entry import print_json
from cultureops.sync.certificate import make_certificate, read_certificate

__all__ = ["print_certificate", "write_certificate"]


def write_certificate(name: str, folder: Path, hosts: Sequence[str], valid_days: int, *, as_json: bool) -> None:
    """Make a key and a certificate in a folder, and print its fingerprint; raises ConfigError."""
    if not folder.is_dir():
        raise ConfigError(f"{folder}: no such folder; make it first")
    make_certificate(name, folder, SystemClock().now(), hosts=hosts, valid_days=valid_days)
    print_certificate(folder / f"{name}.pem", as_json=as_json)


def print_certificate(path: Path, *, as_json: bool) -> None:
    """Print a certificate's fingerprint, and until when it is valid; raises ConfigError."""
    found = read_certificate(path)
    key = path.with_suffix(".key")
    if as_json:
        print_json({"certificate": str(path), "sha256": found.sha256, "valid_until": iso(found.ends)})
        return
    print(f"certificate  {path}")
    if key.exists():
        print(f"key          {key} (stays on this machine)")
    print(f"SHA-256      {found.sha256}")
    print(f"valid until  {iso(found.ends)}")
