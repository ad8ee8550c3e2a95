"""Site files of hubs and gateways: what a hub knows of them, and what it refuses to run on."""

from pathlib import Path

import pytest
from tests.gateways import INCUBATOR, lay_out

from cultureops.errors import ConfigError
from cultureops.lab import Lab
from cultureops.site import equipment_register, read_site


def incubator(name: str) -> str:
    return INCUBATOR.format(name=name, port=1, period_s=1, on_delay_s=60)


@pytest.fixture
def hub(tmp_path: Path) -> Path:
    rooms = {"room_1": incubator("incubator_1"), "room_2": incubator("incubator_2")}
    return lay_out(tmp_path, 8443, rooms, hub_rows=incubator("incubator_9"))


def test_a_hub_knows_what_stands_at_its_gateways_and_judges_its_own_only(hub: Path) -> None:
    site = read_site(hub)
    channels, rules = Lab.plan(site)
    assert {row.origin for row in channels.values()} == {None, "room_1", "room_2"}
    assert channels["incubator_2/co2"].origin == "room_2" and channels["incubator_9/co2"].origin is None
    assert [rule.chamber for rule in rules] == ["incubator_9"]
    assert list(site.every_chamber) == ["incubator_9", "incubator_1", "incubator_2"]
    assert equipment_register(site).fact("incubator_2", 0) is not None
    gateway = read_site(hub.parent / "room_1" / "site.toml")
    assert gateway.hub is not None and gateway.hub.gateway == "room_1" and not gateway.gateway_sites


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("site.toml", "incubator_9", "incubator_1", "'incubator_1' stands in this hub's own site file"),
        ("gateways/room_2.toml", "incubator_2", "incubator_1", "'incubator_1' stands in the site file of room_1 too"),
        ("gateways/room_2.toml", 'gateway = "room_2"', 'gateway = "room_3"', "is the site file of 'room_3'"),
        ("gateways/room_2.toml", "[hub]", "[web2]", "has no [hub] section"),
        ("gateways/room_2.toml", 'channel = "co2"', 'channel = "co3"', "room_2.toml:"),
        ("site.toml", "[gateways]", '[hub]\ngateway = "x"\nurl = "https://h"\n[gateways]', "is missing"),
        ("site.toml", 'site = "gateways/room_2.toml"', 'site = "gateways/room_4.toml"', "put a copy"),
    ],
)
def test_what_does_not_fit_together_is_refused_with_its_place(
    hub: Path, file: str, old: str, new: str, said: str
) -> None:
    changed = hub.parent / file
    text = changed.read_text()
    assert old in text
    changed.write_text(text.replace(old, new))
    with pytest.raises(ConfigError) as refused:
        Lab.plan(read_site(hub))
    assert said in str(refused.value) and ".toml:" in str(refused.value)


def test_a_hub_has_no_hub(hub: Path) -> None:
    gateway = (hub.parent / "room_1" / "site.toml").read_text()
    hub.write_text(hub.read_text() + gateway[gateway.index("[hub]") : gateway.index("[[chamber]]")])
    with pytest.raises(ConfigError, match="holds \\[hub\\] or \\[gateways\\], not both"):
        read_site(hub)
