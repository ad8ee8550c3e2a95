"""Where a site file may say that the ledger is."""

from __future__ import annotations

from pathlib import Path

import pytest

from cultureops.config import parse
from cultureops.errors import ConfigError
from cultureops.ledger.postgres_settings import PostgresSettings, is_near
from cultureops.ledger.settings import LedgerSettings, ledger_from

DATABASE = """[ledger.postgresql]
host = "{host}"
database = "records"
user = "cultureops"
"""


def read(text: str, folder: Path) -> LedgerSettings:
    return ledger_from(parse(text, "site.toml").optional_table("ledger"), folder)


def test_a_database_is_read_with_its_files_beside_the_site_file(tmp_path: Path) -> None:
    for name in ("secret", "ca.pem"):
        (tmp_path / name).write_text("swordfish\n")
    more = 'port = 6543\npassword_file = "secret"\nca_file = "ca.pem"\nconnect_timeout_s = 2\n'
    found = read(DATABASE.format(host="records.example") + more, tmp_path).postgresql
    assert found == PostgresSettings(
        "records.example", "records", "cultureops", 6543, tmp_path / "secret", tmp_path / "ca.pem", 2.0
    )
    assert found.name == "PostgreSQL cultureops@records.example:6543/records"
    assert found.password() == "swordfish"
    assert "swordfish" not in repr(found) + str(found.data())
    assert PostgresSettings.from_data(found.data()) == found


def test_without_the_section_a_ledger_is_a_file(tmp_path: Path) -> None:
    assert read('[lab]\nname = "x"\n', tmp_path).postgresql is None


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.0.1", "::1", "localhost", "/run/postgresql"])
def test_this_machine_needs_no_certificate(tmp_path: Path, host: str) -> None:
    assert is_near(host)
    assert read(DATABASE.format(host=host), tmp_path).postgresql == PostgresSettings(host, "records", "cultureops")


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        ("", r"site.toml:2: \[ledger.postgresql\] host: .* is another machine; give ca_file"),
        ('ca_file = "ca.pem"\n', r"site.toml:5: .*ca_file: .*ca.pem: no such file"),
        ('password_file = "secret"\n', r"site.toml:5: .*password_file: .*secret: no such file"),
        ("port = 70000\n", r"site.toml:\d: .*port|another machine"),
        ('password = "swordfish"\n', r"site.toml:\d: .*"),
    ],
)
def test_what_is_wrong_names_file_and_line(tmp_path: Path, more: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        read(DATABASE.format(host="10.1.2.3") + more, tmp_path)


@pytest.mark.parametrize("secret", ["", "two\nlines\n"])
def test_a_password_is_one_line(tmp_path: Path, secret: str) -> None:
    file = tmp_path / "secret"
    file.write_text(secret)
    with pytest.raises(ConfigError, match="expected one line"):
        PostgresSettings("127.0.0.1", "records", "cultureops", password_file=file).password()


def test_a_pointer_to_another_machine_without_a_certificate_is_refused() -> None:
    data = PostgresSettings("10.1.2.3", "records", "cultureops").data()
    with pytest.raises(ValueError, match="no ca_file"):
        PostgresSettings.from_data(data)
