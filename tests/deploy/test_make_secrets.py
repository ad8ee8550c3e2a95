"""The script that makes secrets: whole, never written over, and certificates that browsers and clients accept."""

import os
import re
import ssl
import stat
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from tests.deploy.conftest import DEPLOY, NAMES, make_secrets


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_a_second_run_writes_nothing_over(secrets: Path) -> None:
    before = contents(secrets)
    again = make_secrets(secrets, "other.example")
    assert again.returncode == 0 and "made" not in again.stderr
    assert "web.pem is not for other.example: move it away and run this again" in again.stderr
    assert "not for" not in make_secrets(secrets, *NAMES).stderr
    assert contents(secrets) == before
    assert not [name for name in before if name.endswith((".new", ".csr", ".ext", ".cnf"))]


def test_secrets_are_random_and_nobody_else_s(secrets: Path) -> None:
    random = [text for name, text in contents(secrets).items() if name.endswith(("password", "token"))]
    assert len(random) == len(set(random)) == 11
    assert all(re.fullmatch(rb"[0-9a-f]{64}\n", text) for text in random)
    for name in contents(secrets):
        mode = stat.S_IMODE((secrets / name).stat().st_mode)
        assert not mode & 0o007 or name.endswith(".pem"), name
        assert not mode & 0o222 or name.startswith("ca/"), name
    assert stat.S_IMODE((secrets / "ca").stat().st_mode) == 0o700


def test_the_certificates_are_the_house_s_for_these_names_alone(secrets: Path) -> None:
    ca, pages = (
        x509.load_pem_x509_certificates((secrets / f"{name}.pem").read_bytes()) for name in ("house_ca", "web")
    )
    assert pages[1:] == ca
    pages[0].verify_directly_issued_by(ca[0])
    names = pages[0].extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [NAMES[0]]
    assert [str(one) for one in names.get_values_for_type(x509.IPAddress)] == [NAMES[1]]
    usage = pages[0].extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.SERVER_AUTH]
    assert pages[0].extensions.get_extension_for_class(x509.BasicConstraints).value.ca is False
    assert (pages[0].not_valid_after_utc - pages[0].not_valid_before_utc).days <= 398  # what browsers take at most
    strict = ssl.create_default_context(cafile=str(secrets / "house_ca.pem"))
    strict.verify_flags |= ssl.VERIFY_X509_STRICT
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(secrets / "web.pem", secrets / "web.key")
    assert handshake(strict, server, NAMES[0])
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(strict, server, "other.example")


def handshake(client: ssl.SSLContext, server: ssl.SSLContext, name: str) -> bool:
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = [
        client.wrap_bio(to_client, to_server, server_hostname=name),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    for _ in range(10):
        waiting = 0
        for side in sides:
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                waiting += 1
        if not waiting:
            return True
    return False


def test_a_certificate_is_renewed_by_moving_it_away(tmp_path: Path) -> None:
    assert make_secrets(tmp_path, "lab.example").returncode == 0
    key, ca, old = ((tmp_path / name).read_bytes() for name in ("web.key", "house_ca.pem", "web.pem"))
    (tmp_path / "web.pem").unlink()
    assert make_secrets(tmp_path, "lab.example", "new.example", DAYS="30").returncode == 0
    assert ((tmp_path / "web.key").read_bytes(), (tmp_path / "house_ca.pem").read_bytes()) == (key, ca)
    assert (tmp_path / "web.pem").read_bytes() != old
    (tmp_path / "web.pem").unlink()
    (tmp_path / "ca" / "ca.key").unlink()
    refused = make_secrets(tmp_path, "lab.example")
    assert refused.returncode == 1 and "bring it back" in refused.stderr and not (tmp_path / "web.pem").exists()


@pytest.mark.parametrize("names", [(), ("https://lab.example",), ("Lab.Example",), ("-x",), ("a,IP:1.2.3.4",), ("",)])
def test_names_that_are_none_are_refused_and_nothing_is_made(tmp_path: Path, names: tuple[str, ...]) -> None:
    refused = make_secrets(tmp_path / "secrets", *names)
    assert refused.returncode == 2 and len(refused.stderr.splitlines()) == 1
    assert not (tmp_path / "secrets").exists()


def test_who_is_not_root_is_told_what_is_left_to_do() -> None:
    nobody: dict[str, Any] = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}
    script = (DEPLOY / "make-secrets.sh").read_text()
    with tempfile.TemporaryDirectory(prefix="cultureops-secrets-") as folder:  # pytest's own are root's alone
        if nobody:
            os.chown(folder, 65534, 65534)
        made = subprocess.run(
            ["sh", "-s", "lab.example"], input=script, env={"PATH": os.environ["PATH"], "SECRETS": "secrets"},
            cwd=folder, **nobody, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert made.returncode == 0 and "not root" in made.stderr, made.stderr
        assert (Path(folder) / "secrets" / "mosquitto_passwd").is_file()
