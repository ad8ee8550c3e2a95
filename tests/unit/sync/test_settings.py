"""The sections of gateways and hubs in a site file: what they may say, and what is complained about with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from cultureops.clock import DAY_MS
from cultureops.config import parse
from cultureops.errors import ConfigError
from cultureops.sync import GatewaysSettings, HubSettings, gateways_from, hub_from
from cultureops.sync.certificate import make_certificate, read_certificate

HUB = """[hub]
url = "https://hub.example:9443/"
gateway = "room_1"
certificate = "room_1.pem"
key = "room_1.key"
ca_file = "hub.pem"
"""
GATEWAYS = """[gateways]
host = "192.0.2.7"
port = 9443
certificate = "hub.pem"
key = "hub.key"
[[gateway]]
name = "room_1"
site = "room_1.toml"
certificate = "room_1.pem"
[[gateway]]
name = "room_2"
site = "room_2.toml"
certificate = "room_2.pem"
"""


def hub(text: str, folder: Path) -> HubSettings | None:
    return hub_from(parse(text, "site.toml").optional_table("hub"), folder)


def gateways(text: str, folder: Path) -> GatewaysSettings | None:
    table = parse(text, "site.toml")
    return gateways_from(table.optional_table("gateways"), table.tables("gateway"), folder)


@pytest.fixture
def folder(tmp_path: Path, certificates: Path) -> Path:
    for name in ("room_1", "room_2"):
        (tmp_path / f"{name}.pem").write_bytes((certificates / f"{name}.pem").read_bytes())
        (tmp_path / f"{name}.toml").write_text("[site]\n")
    return tmp_path


def test_a_hub_is_named(tmp_path: Path) -> None:
    assert hub("", tmp_path) is None
    found = hub(HUB, tmp_path)
    assert found is not None
    assert (found.url, found.gateway, found.ca_file) == ("https://hub.example:9443", "room_1", tmp_path / "hub.pem")
    assert hub(HUB.replace("hub.example:9443/", "[2001:db8::7]"), tmp_path).url == "https://[2001:db8::7]:8444"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("https:", "http:", "site.toml:2: [hub] url: 'http://hub.example:9443/' is no address of a hub"),
        ("9443/", "9443/pages", "site.toml:2: "),
        ("hub.example", "op:secret@hub.example", "site.toml:2: "),
        (":9443", ":99999", "site.toml:2: "),
        ('"room_1"', '"Room 1"', "site.toml:3: [hub] gateway: 'Room 1' is no name of a gateway"),
        ('"room_1"', '"local"', "site.toml:3: "),
        ("ca_file", "cafile", "ca_file: is missing"),
        ("[hub]", "[hub]\ntimeout = 3", "site.toml:2: [hub] timeout: unknown key; did you mean 'timeout_s'?"),
    ],
)
def test_what_is_wrong_with_a_hub_is_said(tmp_path: Path, old: str, new: str, said: str) -> None:
    with pytest.raises(ConfigError) as raised:
        hub(HUB.replace(old, new), tmp_path)
    assert said in str(raised.value)


def test_gateways_are_known_by_their_certificates(folder: Path) -> None:
    assert gateways("", folder) is None
    found = gateways(GATEWAYS, folder)
    assert found is not None and (found.host, found.port) == ("192.0.2.7", 9443)
    assert [row.name for row in found.rows] == ["room_1", "room_2"]
    assert found.row("room_2").certificate_sha256 == read_certificate(folder / "room_2.pem").sha256
    assert found.row("room_1").site_sha256() == "8dee708104e53a548c4057ecea5fc89512d1ae08b5e9f672ee292a3bd28a21ee"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"room_2"', '"room_1"', "site.toml:11: [gateway] name: two gateways are called 'room_1'"),
        ('"room_2.pem"', '"room_1.pem"', "site.toml:13: [gateway] certificate: is the one of 'room_1'"),
        ('"room_2.pem"', '"room_2.toml"', "holds no certificate"),
        ('"room_2.pem"', '"none.pem"', "site.toml:13: [gateway] certificate: "),
        ('"room_2.toml"', '"none.toml"', "site.toml:12: [gateway] site: "),
        ("port = 9443", "port = 99999", "site.toml:3: "),
        ("[gateways]", "[other]", "site.toml:6: [gateway]: stands without [gateways]"),
    ],
)
def test_what_is_wrong_with_gateways_is_said(folder: Path, old: str, new: str, said: str) -> None:
    with pytest.raises(ConfigError) as raised:
        gateways(GATEWAYS.replace(old, new), folder)
    assert said in str(raised.value)


def test_gateways_without_a_row_are_refused(folder: Path) -> None:
    with pytest.raises(ConfigError, match="stands without gateways"):
        gateways(GATEWAYS[: GATEWAYS.index("[[gateway]]")], folder)


def test_a_certificate_is_made_once_with_a_key_for_its_owner_alone(tmp_path: Path) -> None:
    now = 1_767_600_000_000
    made = make_certificate("hub", tmp_path, now, hosts=["hub.example", "192.0.2.7", "2001:db8::7"], valid_days=30)
    assert read_certificate(tmp_path / "hub.pem") == made
    assert (made.begins, made.ends) == (now - DAY_MS, now + 30 * DAY_MS)
    assert (tmp_path / "hub.key").stat().st_mode & 0o777 == 0o600
    key = (tmp_path / "hub.key").read_bytes()
    with pytest.raises(ConfigError, match="never written over"):
        make_certificate("hub", tmp_path, now)
    (tmp_path / "hub.key").rename(tmp_path / "old.key")
    with pytest.raises(ConfigError, match="never written over"):
        make_certificate("hub", tmp_path, now)
    assert not (tmp_path / "hub.key").exists() and (tmp_path / "old.key").read_bytes() == key
    for name in ("../hub", "", "a b", "x" * 65):
        with pytest.raises(ConfigError, match="no name for a file"):
            make_certificate(name, tmp_path, now)
    with pytest.raises(ConfigError, match="no host name"):
        make_certificate("other", tmp_path, now, hosts=["hüb.example"])
