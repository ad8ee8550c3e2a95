from pathlib import Path

import pytest

from cultureops.config import parse
from cultureops.device.registry import driver_folder
from cultureops.errors import ConfigError
from cultureops.lab import Lab
from cultureops.mqtt import MqttSettings, mqtt_from
from cultureops.site import read_site


def read(text: str, site: str = "Lab, 2nd floor") -> MqttSettings | None:
    return mqtt_from(parse(text, "site.toml").optional_table("mqtt"), site)


def test_a_host_is_enough() -> None:
    assert read("") is None
    found = read('[mqtt]\nhost = "broker.example"')
    assert found is not None
    assert (found.port, found.prefix, found.client_id) == (1883, "cultureops/lab-2nd-floor", "cultureops-lab-2nd-floor")
    assert (found.username, found.password, found.tls) == (None, None, False)
    safe = read('[mqtt]\nhost = "::1"\ntls = true\nprefix = "plant/lab-1"')
    assert safe is not None and safe.target == "mqtts://::1:8883/plant/lab-1"


def test_a_password_comes_from_a_file_and_is_never_shown(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("s3cret word\n")
    found = read(f'[mqtt]\nhost = "b"\nusername = "lab"\npassword_file = "{tmp_path / "password"}"')
    assert found is not None and found.password == "s3cret word"
    assert "s3cret" not in repr(found) and "s3cret" not in found.target


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "site.toml:1: [mqtt] host: is missing"),
        ('host = ""', "no name of a machine"),
        ('host = "mqtt://broker:1883"', "site.toml:2: [mqtt] host: 'mqtt://broker:1883' is no name of a machine"),
        ('host = "lab@broker"', "no name of a machine"),
        ('host = "a..b"', "no name of a machine"),
        ('host = "b"\nport = 0', "site.toml:3: [mqtt] port: expected a number from 1 to 65535"),
        ('host = "b"\nport = "1883"', "expected a whole number"),
        ('host = "b"\nprefix = "lab/#"', "site.toml:3: [mqtt] prefix: 'lab/#' can't be a topic"),
        ('host = "b"\nprefix = "lab/+/x"', "wildcards"),
        ('host = "b"\nprefix = "lab\\u0000x"', "control character"),
        ('host = "b"\nprefix = "$SYS"', "begins with $"),
        ('host = "b"\nprefix = ""', "a level is empty"),
        ('host = "b"\nclient_id = ""', "no client id"),
        ('host = "b"\npassword = "s3cret"', "site.toml:3: [mqtt] password: must not stand in a site file"),
        ('host = "b"\npassword_file = "/nowhere"', "add username ="),
        ('host = "b"\nusername = "lab"\npassword_file = "/nowhere"', "can't be read"),
        ('host = "b"\nusername = "lab"\npassword_file = "/dev/null"', "holds no password"),
        ('host = "b"\nca_file = "/nowhere"', "add it, or leave the certificates out"),
        ('host = "b"\ntls = true\nca_file = "/nowhere"', "site.toml:4: [mqtt] ca_file: /nowhere holds no certificates"),
        ('host = "b"\ntls = true\nca_file = "/dev/null"', "holds no certificates"),
        ('host = "b"\ncert_file = "/nowhere"', "add it, or leave the certificate out"),
        ('host = "b"\ntls = true\nkey_file = "/nowhere"', "add cert_file ="),
        (
            'host = "b"\ntls = true\ncert_file = "/nowhere"',
            "site.toml:4: [mqtt] cert_file: /nowhere holds no certificate",
        ),
        ('host = "b"\njson = false', "site.toml:3: [mqtt] json: leaves nothing to be told"),
        ('host = "b"\n[mqtt.sparkplug]', "[mqtt.sparkplug] group: is missing"),
        ('host = "b"\n[mqtt.sparkplug]\ngroup = "a/b"', "site.toml:4: [mqtt.sparkplug] group: 'a/b' can't be a name"),
        ('host = "b"\n[mqtt.sparkplug]\ngroup = "a"\nedge_node = "#"', "site.toml:5: [mqtt.sparkplug] edge_node: '#'"),
        ('host = "b"\n[mqtt.sparkplug]\ngroup = "a"\nrebirth_gap_s = 0', "expected a number from 0.1"),
        ('host = "b"\n[mqtt.sparkplug]\ngroup = "a"\nnode = "b"', "edge_node"),
        ('host = "b"\nkeepalive_s = 0', "expected a number from 1 to 3600"),
        ('host = "b"\ntimeout_s = 0', "expected a number from 0.1"),
        ('host = "b"\nperiod_s = 0', "expected a number from 0.01"),
        ('host = "b"\nkeepalive = 5', "did you mean 'keepalive_s'"),
    ],
)
def test_each_mistake_is_named_with_its_line(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(f"[mqtt]\n{text}")
    assert said in str(caught.value) and "\n" not in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_sparkplug_has_a_session_of_its_own() -> None:
    found = read('[mqtt]\nhost = "b"\n[mqtt.sparkplug]\ngroup = "Plant A"')
    assert found is not None and found.sparkplug is not None and found.json
    assert found.sparkplug.client_id == f"{found.client_id}-sparkplug"
    assert found.sparkplug.names.node("NDEATH") == "spBv1.0/Plant A/NDEATH/lab-2nd-floor"


def test_a_site_name_without_a_letter_needs_a_prefix() -> None:
    with pytest.raises(ConfigError, match="prefix: is missing; no topic can be made"):
        read('[mqtt]\nhost = "b"', "細胞")
    found = read('[mqtt]\nhost = "b"\nprefix = "cells"', "細胞")
    assert found is not None and (found.prefix, found.client_id) == ("cells", "cultureops-site")


def test_a_profile_whose_channel_holds_a_wildcard_is_refused_by_check(tmp_path: Path) -> None:
    own = (driver_folder("modbus") / "profiles" / "cultureops_virtual_incubator.toml").read_text(encoding="utf-8")
    assert 'name = "co2"' in own
    (tmp_path / "own.toml").write_text(own.replace('name = "co2"', 'name = "co2#"'))
    (tmp_path / "site.toml").write_text(
        f"""
[site]
name = "lab"
[mqtt]
host = "b"
[[chamber]]
id = "incubator_1"
class = "incubator"
[[device]]
id = "incubator_1"
chamber = "incubator_1"
driver = "modbus"
link = "modbus+tcp://127.0.0.1:1"
options = {{ profile = "{tmp_path / "own.toml"}" }}
"""
    )
    with pytest.raises(ConfigError, match=r"site.toml:14: .*device 'incubator_1': .*co2#' can't be a topic"):
        Lab.plan(read_site(tmp_path / "site.toml"))
