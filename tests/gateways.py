"""A hub and gateways on paper: site files that fit together, with certificates made for this machine."""

import ipaddress
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

__all__ = ["INCUBATOR", "lay_out", "make_certificate"]

INCUBATOR = """
[[chamber]]
id = "{name}"
class = "incubator"
calibrated_until = "2099-12-31T00:00:00Z"
[[device]]
id = "{name}"
chamber = "{name}"
driver = "modbus"
link = "modbus+tcp://127.0.0.1:{port}"
period_s = {period_s}
simulated = true
options = {{ profile = "cultureops_virtual_incubator" }}
[[alarm]]
chamber = "{name}"
channel = "co2"
kind = "low"
limit = 4.0
on_delay_s = {on_delay_s}
priority = "high"
gmp_critical = true
consequence = "The medium turns alkaline."
response = "Check the gas."
"""
"""A chamber with one device, whose low CO2 is an alarm."""


def make_certificate(folder: Path, name: str) -> None:
    """Write a self-signed certificate and its key, good for 127.0.0.1."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=365))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / f"{name}.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    form = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / f"{name}.key").write_bytes(key.private_bytes(serialization.Encoding.PEM, *form))
    (folder / f"{name}.key").chmod(0o600)


def lay_out(folder: Path, port: int, rooms: Mapping[str, str], *, web_port: int = 0, hub_rows: str = "") -> Path:
    """Write the site file of a hub that listens at ``port``, and one for each gateway; return the hub's.

    ``rooms`` says by gateway's name what stands there. Each gateway's own lies in a folder of its name.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "gateways").mkdir()
    make_certificate(folder, "hub")
    rows = ""
    for name, rows_there in rooms.items():
        there = folder / name
        there.mkdir()
        make_certificate(there, name)
        (there / "hub.pem").write_bytes((folder / "hub.pem").read_bytes())
        (folder / "gateways" / f"{name}.pem").write_bytes((there / f"{name}.pem").read_bytes())
        text = (
            f'[site]\nname = "{name}"\n[web]\nport = 0\n[hub]\ngateway = "{name}"\nurl = "https://127.0.0.1:{port}"\n'
            f'certificate = "{name}.pem"\nkey = "{name}.key"\nca_file = "hub.pem"\nperiod_s = 0.2\n{rows_there}'
        )
        (there / "site.toml").write_text(text)
        (folder / "gateways" / f"{name}.toml").write_text(text)
        rows += f'[[gateway]]\nname = "{name}"\nsite = "gateways/{name}.toml"\ncertificate = "gateways/{name}.pem"\n'
    (folder / "site.toml").write_text(
        f'[site]\nname = "hub"\n[web]\nport = {web_port}\n[gateways]\nhost = "127.0.0.1"\nport = {port}\n'
        f'certificate = "hub.pem"\nkey = "hub.key"\n{rows}{hub_rows}'
    )
    return folder / "site.toml"
