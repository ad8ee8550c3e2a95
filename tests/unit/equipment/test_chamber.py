"""Rooms of the site file: chambers of class ``room``, with a grade."""

from pathlib import Path

import pytest

from cultureops.errors import ConfigError
from cultureops.lab import Lab
from cultureops.site import equipment_register, read_site

SITE = """
[site]
name = "lab"
[[room]]
id = "clean_room_1"
title = "Clean room 1"
grade = "B"
calibrated_until = "2026-12-31T00:00:00Z"
[[chamber]]
id = "incubator_1"
class = "incubator"
room = "clean_room_1"
[[device]]
id = "particles_1"
chamber = "clean_room_1"
driver = "modbus"
link = "modbus+tcp://127.0.0.1:1"
options = { profile = "lighthouse_remote" }
[[alarm]]
class = "room"
channel = "particles_1"
kind = "high"
limit = 3520
priority = "high"
gmp_critical = true
consequence = "The room is no longer clean."
response = "Close what is open."
"""


def written(folder: Path, text: str) -> Path:
    (folder / "site.toml").write_text(text)
    return folder / "site.toml"


def test_a_room_is_a_chamber_to_devices_and_rules(tmp_path: Path) -> None:
    site = read_site(written(tmp_path, SITE))
    room = site.chambers["clean_room_1"]
    assert (room.chamber_class, room.grade, room.title, room.room) == ("room", "B", "Clean room 1", None)
    assert (site.chambers["incubator_1"].room, site.chambers["incubator_1"].grade) == ("clean_room_1", "")
    channels, rules = Lab.plan(site)
    assert {row.chamber for row in channels.values()} == {"clean_room_1"}
    assert [(rule.chamber, rule.channel) for rule in rules] == [("clean_room_1", "particles_1/particles_1")]
    register = equipment_register(site)
    assert register.ids() == ("particles_1", "incubator_1", "clean_room_1")
    declared = register.declared("clean_room_1")
    assert declared is not None and declared.kind == "room"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('room = "clean_room_1"', 'room = "attic"', r"toml:12: \[chamber\] room: there is no room 'attic'; known"),
        ('room = "clean_room_1"', 'room = "incubator_1"', "there is no room 'incubator_1'"),
        ('grade = "B"', 'grade = "E"', r"toml:7: \[room\] grade: expected one of A, B, C, D"),
        ('id = "incubator_1"', 'id = "clean_room_1"', "'clean_room_1' stands twice"),
        ('grade = "B"', 'grad = "B"', r"\[room\] grad: unknown key; did you mean 'grade'"),
        ('grade = "B"', 'class = "room"', r"\[room\] class: unknown key"),
        ('[[room]]\nid = "clean_room_1"', "[[room]]", r"\[room\] id: is missing"),
        ('2026-12-31T00:00:00Z', "soon", r"toml:8: \[room\] calibrated_until"),
        ('[[room]]', "[room]", r"expected \[\[room\]\] tables"),
        ("[[chamber]]", '[[room]]\nid = "cultureops"\n[[chamber]]', "is this program itself"),
    ],
)  # fmt: skip
def test_a_wrong_room_is_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        read_site(written(tmp_path, SITE.replace(old, new, 1)))
