"""Profiles: what is loaded, and that what is wrong is refused with its line."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from cultureops import config
from cultureops.device.channel import Channel, Kind
from cultureops.device.profile import Profile, Settings, load_profile, parse_profile
from cultureops.device.profile_point import Writes
from cultureops.device.register import Block, Point, StatusRule
from cultureops.device.transport.serial import SerialSettings
from cultureops.errors import ConfigError

SOUND = """\
[device]
vendor = "Nobody"
model = "Nothing"
class = "incubator"
source = "this test"
page = "7"
confidence = "V"
unit_id = 5
max_gap = 4
min_gap_ms = 20
one_connection = true
[device.serial]
baudrate = 19200
parity = "E"
[[point]]
name = "temperature"
address = 41
base = 1
function = 3
type = "int16"
scale = 0.1
offset = -5.0
unit = "Cel"
decimals = 1
valid_range = [-20, 80]
sentinels = [32767]
access = "rw"
confidence = "2"
page = "9"
status = [{ point = "state", bad_bits = 6 }]
[[point]]
name = "co2"
address = 60
function = 4
type = "float32"
word_order = "low_first"
byte_order = "low_first"
unit = "%"
[[point]]
name = "state"
address = 70
function = 4
type = "uint16"
bitmask = 0x00F0
unit = "1"
kind = "state"
channel = false
expect = [1, 2]
"""


def read(text: str) -> Profile:
    return parse_profile(config.parse(text, "p.toml"))


def test_everything_is_loaded() -> None:
    profile = read(SOUND)
    assert (profile.identity.vendor, profile.identity.model) == ("Nobody", "Nothing")
    assert (profile.unit_id, profile.max_gap, profile.min_gap_s) == (5, 4, 0.02)
    assert (profile.ours, profile.one_connection, profile.device_class) == (False, True, "incubator")
    assert profile.serial == SerialSettings(19200, 8, "E", 1)
    temperature, co2, state = profile.points
    assert temperature.point == Point(
        "temperature",
        3,
        40,
        "int16",
        scale=0.1,
        offset=-5.0,
        sentinels=(32767,),
        status=(StatusRule("state", 6),),
    )
    assert temperature.point.scaled(420) == pytest.approx(37.0)
    assert temperature.channel == Channel("temperature", "Cel", Kind.MEASUREMENT, (-20, 80), None, 1, verified=False)
    assert (temperature.source, temperature.page, temperature.confidence) == ("this test", "9", "2")
    assert co2.point == Point("co2", 4, 60, "float32", low_word_first=True, low_byte_first=True)
    assert co2.channel is not None and co2.channel.verified
    assert (co2.page, co2.confidence) == ("7", "V")
    assert state.channel is None and (state.point.bitmask, state.point.expect) == (0xF0, (1, 2))
    assert [channel.name for channel in profile.channels] == ["temperature", "co2"]


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ('vendor = "Nobody"\n', "", 1, "vendor: is missing"),
        ('class = "incubator"', 'class = "oven"', 5, "class: expected one of incubator"),
        ("address = 60", "address = 40060", 32, "looks like a number counted from 30001 or 40001"),
        ('source = "this test"\n', "", 14, "source: is missing here and in [device]"),
        ('confidence = "V"\n', "", 30, "confidence: is missing here and in [device]"),
        ('confidence = "V"\n', 'confidence = "U"\n', 7, "U means that nobody knows"),
        ('confidence = "2"\n', 'confidence = "U"\n', 27, "U means that nobody knows"),
        ('confidence = "2"\n', 'confidence = "sure"\n', 27, "expected one of V, V*, 2, U"),
        ("unit_id = 5", "unit_id = 248", 8, "from 1 to 247"),
        ('parity = "E"', 'parity = "M"', 14, "one of N, E, O"),
        ("baudrate = 19200", "speed = 19200", 13, "unknown key"),
        ("address = 41", "address = 0", 17, "from 1 to 65536"),
        ("address = 60", "address = 65535", 32, "beyond the last register"),
        ("address = 60", "adress = 60", 31, "address: is missing"),
        ("function = 3", "function = 6", 19, "from 1 to 4"),
        ('function = 4\ntype = "float32"', 'function = 2\ntype = "float32"', 34, "deliver bits, not float32"),
        ('type = "int16"', 'type = "int"', 20, "one of int16"),
        ('word_order = "low_first"\n', "", 31, "never guess"),
        ('word_order = "low_first"\n', 'word_order = "swapped"\n', 35, "one of high_first, low_first"),
        ("scale = 0.1", "scale = 0", 21, "every value the same"),
        ('unit = "Cel"', 'unit = "degC"', 23, "no UCUM code"),
        ("valid_range = [-20, 80]", "valid_range = [80, -20]", 25, "[lowest, highest]"),
        ('access = "rw"', 'access = "w"', 27, "one of r, rw"),
        ('point = "state"', 'point = "nothing"', 30, "no point 'nothing'"),
        ("bitmask = 0x00F0", "bitmask = 0x10000", 45, "from 1 to 65535"),
        ('type = "int16"', 'type = "int16"\nbitmask = 1', 21, "uint16 registers and for bits"),
        ('type = "uint16"\nbitmask = 0x00F0', 'type = "bit"', 40, "say which bit"),
        ('name = "co2"', 'name = "temperature"', 32, "stands twice"),
        ('kind = "state"', 'kind = "status"', 47, "one of measurement"),
        ("channel = false", "chanel = false", 48, "did you mean 'channel'"),
        ("max_gap = 4", "maximum_gap = 4", 9, "unknown key"),
        ("[[point]]", "[[points]]", 15, "at least one"),
        ('vendor = "Nobody"', "vendor = Nobody", 2, "not valid TOML"),
    ],
)
def test_what_is_wrong_is_refused_with_its_line(old: str, new: str, line: int, message: str) -> None:
    assert old in SOUND
    with pytest.raises(ConfigError) as raised:
        read(SOUND.replace(old, new))
    text = str(raised.value)
    assert message in text and "\n" not in text
    assert text.startswith("p.toml:")
    if "TOML" not in message and "at least one" not in message:
        assert abs(int(text.split(":")[1]) - line) <= 1, text


OPEN = """\
[device]
vendor = "Nobody"
model = "Nothing"
class = "bioreactor"
source = "this test"
confidence = "V"
quirks = ["Leave it alone."]
one_connection = true
[device.configured]
word_order = "menu 1"
decimals = "menu 2"
unit_code = "menu 3"
[[device.block]]
function = 3
address = 40091
base = 40001
count = 10
[[point]]
name = "ph"
address = 40093
base = 40001
function = 3
type = "float32"
configured = ["word_order"]
unit = "[pH]"
sentinels = [nan, -127]
status = [
    { point = "unit", configured = "unit_code" },
    { point = "fitted", good_bits = 1 },
    { point = "mode", expect = [1, 2] },
]
[[point]]
name = "unit"
address = 40091
base = 40001
function = 3
type = "uint32"
word_order = "low_first"
unit = "1"
channel = false
[[point]]
name = "weight"
address = 30001
base = 30001
function = 4
type = "int16"
configured = ["decimals"]
unit = "g"
access = "rw"
writes = { function = 6, warning = "EEPROM" }
[[point]]
name = "fitted"
address = 2
function = 4
type = "uint16"
unit = "1"
channel = false
[[point]]
name = "mode"
address = 3
function = 4
type = "uint16"
unit = "1"
channel = false
access = "rw"
writes = { warning = "EEPROM" }
"""


def test_what_the_owner_sets_is_open_until_the_site_file_says_it() -> None:
    profile = read(OPEN)
    assert profile.configured == {"word_order": "menu 1", "decimals": "menu 2", "unit_code": "menu 3"}
    assert profile.blocks == (Block(3, 90, 10),)
    ph, _, weight, _, mode = profile.points
    assert (ph.configured, weight.configured) == (("word_order", "unit_code"), ("decimals",))
    assert ph.point.address == 92 and math.isnan(ph.point.sentinels[0])
    assert (weight.writes, mode.writes) == (Writes(6, "EEPROM"), Writes(0, "EEPROM"))

    settled = profile.settled(Settings("low_first", 2, 0x20))
    ph, unit, weight, _, _ = settled.points
    assert ph.point.low_word_first and unit.point.low_word_first
    assert ph.point.status == (
        StatusRule("unit", expect=(32,)),
        StatusRule("fitted", good_bits=1),
        StatusRule("mode", expect=(1, 2)),
    )
    assert weight.point.scaled(1234) == pytest.approx(12.34)
    assert weight.channel is not None and weight.channel.decimals == 2
    assert settled.configured == {} and not any(row.configured for row in settled.points)
    assert not profile.settled(Settings("high_first", 0, 0)).points[0].point.low_word_first


def test_cautions_are_said_once() -> None:
    assert read(OPEN).cautions == ("takes one connection only; close every other program", "Leave it alone.", "EEPROM")


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ('word_order = "menu 1"\n', "", 9, "is missing for word_order; say where the owner sees it"),
        ("[device.configured]", "[device.configuration]", 1, "is missing for word_order"),
        ('configured = ["word_order"]', 'word_order = "low_first"', 10, "no point takes it from the site file"),
        ('configured = ["word_order"]', 'configured = ["unit_code"]', 23, "expected some of word_order, decimals"),
        ('configured = ["decimals"]', 'configured = ["decimals"]\ndecimals = 1', 47, "is said by the site file"),
        ("base = 40001\ncount", "base = 30001\ncount", 15, "registers of function 3 are not counted from 30001"),
        ("base = 40001\ncount", "base = 40000\ncount", 15, "are not counted from 40000"),
        ("address = 40091\nbase = 40001\ncount", "address = 40000\nbase = 40001\ncount", 15, "from 40001 to"),
        ("count = 10", "count = 3", 17, "cuts through the point 'ph'"),
        ("count = 10", "count = 126", 17, "from 1 to 125"),
        ("count = 10", "counts = 10", 14, "count: is missing"),
        ("function = 6,", "function = 3,", 51, "expected one of 5, 6, 15, 16, 22, 23"),
        ('access = "rw"\nwrites = { function', 'access = "r"\nwrites = { function', 51, 'access = "rw" only'),
        ('warning = "EEPROM" }\n[[point]]\nname = "fitted"', 'warn = "E" }\n[[point]]\nname = "fitted"', 51, "did you"),
        ("good_bits = 1", "good_bits = 1, bad_bits = 2", 28, "expected one of bad_bits, good_bits, expect"),
        (", good_bits = 1", "", 28, "expected one of bad_bits, good_bits, expect"),
        ('configured = "unit_code"', 'configured = "decimals"', 27, "one of unit_code"),
        ('point = "mode"', 'point = "ph"', 29, "'ph' is a float32, which has no bits"),
        ("[nan, -127]", "[inf]", 25, "list of finite numbers"),
        ("expect = [1, 2]", "expect = [nan]", 29, "list of finite numbers"),
        ('quirks = ["Leave it alone."]', 'quirks = "Leave it alone."', 7, "list of texts"),
    ],
)
def test_what_is_wrong_with_open_settings_is_refused_with_its_line(old: str, new: str, line: int, message: str) -> None:
    assert OPEN.count(old) == 1
    with pytest.raises(ConfigError) as raised:
        read(OPEN.replace(old, new))
    text = str(raised.value)
    assert message in text and "\n" not in text
    assert abs(int(text.split(":")[1]) - line) <= 2, text


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        load_profile(tmp_path / "absent.toml")
