"""Rules are read from the site file and expanded to single alarms; wrong ones are refused with their line."""

import pytest

from cultureops.alarms import AlarmClass, ChamberInfo, Kind, Priority, Rule, Suppressor, rules_from
from cultureops.config import parse
from cultureops.device.channel import Channel
from cultureops.device.channel import Kind as Channels
from cultureops.errors import ConfigError


def named(*rows: Channel) -> dict[str, Channel]:
    return {row.name: row for row in rows}


TEMPERATURE = Channel("temperature", "Cel", valid_range=(-20.0, 80.0))
CO2 = Channel("co2", "%", valid_range=(0.0, 20.0))
DOOR = Channel("door", "1", Channels.STATE, decimals=0)
SETPOINT = Channel("temperature_setpoint", "Cel", Channels.SETPOINT)
INCUBATOR = named(TEMPERATURE, CO2, DOOR, SETPOINT)
TANK = named(
    Channel("temp_a", "Cel", valid_range=(-200.0, 50.0), decimals=1),
    Channel("temp_b", "Cel", valid_range=(-200.0, 50.0), decimals=1),
    Channel("level", "mm", valid_range=(0.0, 800.0), decimals=0),
    Channel("fill", "1", Channels.STATE),
    Channel("lid", "1", Channels.STATE),
)
CHAMBERS = {
    "left": ChamberInfo("left", "incubator", {"incubator_1": INCUBATOR}, {"incubator_1": 60.0}),
    "right": ChamberInfo(
        "right", "incubator", {"heracell_4": named(TEMPERATURE, CO2), "probe_4": named(CO2)}, {"probe_4": 60.0}
    ),
    "tank": ChamberInfo("tank", "cryostore", {"mve_1": TANK, "idle_1": {}}, {"mve_1": 300.0}),
}
SAID = 'priority = "high"\nconsequence = "Cells die."\nresponse = "Move them."\n'


def rules(text: str, chambers: dict[str, ChamberInfo] = CHAMBERS) -> tuple[Rule, ...]:
    return rules_from(parse(text, "site.toml").tables("alarm"), chambers)


def test_a_row_for_one_chamber_gives_one_rule_with_all_its_fields() -> None:
    (rule,) = rules(
        '[[alarm]]\nchamber = "left"\nchannel = "co2"\nkind = "low"\nlimit = 4\n'
        f"deadband = 0.2\non_delay_s = 600\noff_delay_s = 120\ngmp_critical = true\n{SAID}"
    )
    assert rule == Rule(
        id="incubator_1/co2/low",
        chamber="left",
        channel="incubator_1/co2",
        device="incubator_1",
        kind=Kind.LOW,
        limit=4.0,
        unit="%",
        deadband=0.2,
        on_delay_s=600.0,
        off_delay_s=120.0,
        misses=3,
        priority=Priority.HIGH,
        gmp_critical=True,
        consequence="Cells die.",
        response="Move them.",
        realarm_s=3600.0,
        shelve_max_s=900.0,
    )


def test_what_a_row_leaves_out_is_none_of_it() -> None:
    (rule,) = rules(f'[[alarm]]\nchamber = "left"\nchannel = "co2"\nkind = "low"\nlimit = 4\n{SAID}')
    assert (rule.deadband, rule.on_delay_s, rule.off_delay_s, rule.gmp_critical) == (0.0, 0.0, 0.0, False)
    (link,) = rules(f'[[alarm]]\nchamber = "left"\nkind = "communication"\n{SAID}')
    assert (link.deadband, link.on_delay_s, link.off_delay_s, link.gmp_critical) == (0.0, 0.0, 0.0, False)


def test_a_class_row_watches_every_device_that_delivers_the_channel() -> None:
    found = rules(f'[[alarm]]\nclass = "incubator"\nchannel = "co2"\nkind = "high"\nlimit = 6\n{SAID}')
    assert [(rule.id, rule.chamber) for rule in found] == [
        ("incubator_1/co2/high", "left"),
        ("heracell_4/co2/high", "right"),
        ("probe_4/co2/high", "right"),
    ]


def test_a_chamber_of_the_class_that_lacks_the_channel_is_passed_over() -> None:
    found = rules(f'[[alarm]]\nclass = "incubator"\nchannel = "door"\nkind = "high"\nlimit = 1\n{SAID}')
    assert [rule.id for rule in found] == ["incubator_1/door/high"]


def test_a_named_device_is_watched_alone() -> None:
    found = rules(f'[[alarm]]\nchamber = "right"\ndevice = "probe_4"\nchannel = "co2"\nkind = "low"\nlimit = 4\n{SAID}')
    assert [rule.id for rule in found] == ["probe_4/co2/low"]


def test_communication_gives_one_rule_per_measuring_device() -> None:
    found = rules(f'[[alarm]]\nclass = "incubator"\nkind = "communication"\nmisses = 5\n{SAID}')
    assert [rule.id for rule in found] == [
        "incubator_1/communication",
        "heracell_4/communication",
        "probe_4/communication",
    ]
    assert {(rule.channel, rule.limit, rule.unit, rule.misses) for rule in found} == {(None, None, "", 5)}
    (tank,) = rules(f'[[alarm]]\nchamber = "tank"\nkind = "communication"\n{SAID}')
    assert (tank.id, tank.misses) == ("mve_1/communication", 3)


MIXED = {
    "box": ChamberInfo("box", "incubator", {"a_1": named(CO2), "b_1": named(Channel("co2", "[ppm]"))}),
}


def test_a_limit_never_meets_a_value_in_another_unit() -> None:
    row = f'[[alarm]]\nchamber = "box"\nchannel = "co2"\nkind = "high"\nlimit = 6\n{SAID}'
    with pytest.raises(ConfigError, match=r"site\.toml:1: .*several units \(%, \[ppm\]\)"):
        rules(row, MIXED)
    assert [(rule.id, rule.unit) for rule in rules(row + 'unit = "%"\n', MIXED)] == [("a_1/co2/high", "%")]
    with pytest.raises(ConfigError, match=r"site\.toml:9: .*delivered in %, \[ppm\], not in 'Cel'"):
        rules(row + 'unit = "Cel"\n', MIXED)


LOW = f'channel = "co2"\nkind = "low"\nlimit = 4\n{SAID}'


@pytest.mark.parametrize(
    ("text", "line", "complaint"),
    [
        (f"[[alarm]]\n{LOW}", 1, "either chamber = or class ="),
        (f'[[alarm]]\nchamber = "left"\nclass = "incubator"\n{LOW}', 1, "either chamber = or class ="),
        (f'[[alarm]]\nchamber = "attic"\n{LOW}', 2, "no chamber 'attic'; known chambers: left, right, tank"),
        (f'[[alarm]]\nclass = "bath"\n{LOW}', 2, "no chamber of class 'bath'; it has: cryostore, incubator"),
        (
            f'[[alarm]]\nchamber = "tank"\n{LOW}',
            3,
            "nothing in tank delivers 'co2'; delivered: fill, level, lid, temp_a",
        ),
        (f'[[alarm]]\nclass = "incubator"\ndevice = "probe_4"\n{LOW}', 3, "goes with chamber ="),
        (f'[[alarm]]\nchamber = "left"\ndevice = "probe_4"\n{LOW}', 3, "devices there: incubator_1"),
        (f'[[alarm]]\nchamber = "left"\n{LOW}[[alarm]]\nclass = "incubator"\n{LOW}', 9, "stands twice"),
        (f'[[alarm]]\nchamber = "left"\n{LOW}on_delay = 5\n', 9, "did you mean 'on_delay_s'"),
        (f'[[alarm]]\nchamber = "left"\n{LOW}deadband = -1\n', 9, "expected a number from 0"),
        (f'[[alarm]]\nchamber = "left"\n{LOW}on_delay_s = nan\n', 9, "on_delay_s"),
        (f'[[alarm]]\nchamber = "left"\n{LOW}off_delay_s = 1e9\n', 9, "from 0 to 86400"),
        (f'[[alarm]]\nchamber = "left"\n{LOW}misses = 2\n', 9, "unknown key"),
        (f'[[alarm]]\nchamber = "left"\n{LOW.replace("4", "inf")}', 5, "limit"),
        (f'[[alarm]]\nchamber = "left"\n{LOW.replace("4", "true")}', 5, "expected a number"),
        (f'[[alarm]]\nchamber = "left"\n{LOW.replace("limit = 4", "")}', 1, "limit: is missing"),
        (f'[[alarm]]\nchamber = "left"\n{LOW.replace("low", "wide")}', 4, "one of high, low, deviation"),
        (f'[[alarm]]\nchamber = "left"\n{LOW.replace("Move them.", " ")}', 8, "response: is empty"),
        (f'[[alarm]]\nchamber = "left"\n{LOW.replace("high", "urgent")}', 6, "one of low, medium, high"),
        (f'[[alarm]]\nchamber = "left"\nkind = "communication"\nlimit = 4\n{SAID}', 4, "unknown key"),
        (f'[[alarm]]\nchamber = "left"\nkind = "communication"\nmisses = 0\n{SAID}', 4, "from 1 to 1000"),
    ],
)
def test_a_wrong_row_is_refused_with_file_and_line(text: str, line: int, complaint: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        rules(text)
    message = str(refusal.value)
    assert message.startswith(f"site.toml:{line}: [alarm]")
    assert complaint in message
    assert "\n" not in message


def test_communication_needs_a_device() -> None:
    empty = {"empty": ChamberInfo("empty", "incubator", {})}
    with pytest.raises(ConfigError, match=r"site\.toml:1: .*no device measures in empty"):
        rules(f'[[alarm]]\nchamber = "empty"\nkind = "communication"\n{SAID}', empty)


def test_a_level_other_than_alarm_is_part_of_the_name() -> None:
    row = '[[alarm]]\nchamber = "tank"\nchannel = "temp_a"\nkind = "high"\nlevel = "{}"\nlimit = {}\n' + SAID
    found = rules(row.format("warning", -150) + row.format("alarm", -140) + row.format("critical", -135))
    assert [rule.id for rule in found] == [
        "mve_1/temp_a/high/warning",
        "mve_1/temp_a/high",
        "mve_1/temp_a/high/critical",
    ]
    with pytest.raises(ConfigError, match="the warning limit -130 lies beyond the alarm limit -140"):
        rules(row.format("alarm", -140) + row.format("warning", -130))


def test_what_a_rule_of_each_kind_looks_at() -> None:
    def one(text: str) -> Rule:
        (rule,) = rules(f"[[alarm]]\n{text}\n{SAID}")
        return rule

    deviation = one('chamber = "left"\nkind = "deviation"\nchannel = "temperature"\nlimit = 1')
    assert (deviation.reference, deviation.settle_s) == ("incubator_1/temperature_setpoint", 1800.0)
    rate = one('chamber = "left"\nkind = "rate"\nchannel = "temperature"\nlimit = 0.5')
    assert (rate.window_s, rate.limit) == (300.0, 0.5)
    stuck = one('chamber = "left"\nkind = "stuck"\nchannel = "temperature"')
    assert (stuck.reference, stuck.limit, stuck.window_s, stuck.settle_s) == ("incubator_1/door", 0.01, 3600.0, 300.0)
    pair = one('chamber = "tank"\nkind = "disagreement"\nchannel = "temp_a"\nreference = "temp_b"\nlimit = 1')
    assert (pair.reference, pair.window_s) == ("mve_1/temp_b", 900.0)
    lid = one('chamber = "tank"\nkind = "open"\nchannel = "lid"')
    assert (lid.limit, lid.on_delay_s) == (1.0, 180.0)
    left = one('chamber = "tank"\nkind = "days_left"\nchannel = "level"\nlimit = 3\nreference_limit = 100')
    assert (left.unit, left.reference_limit, left.window_s) == ("d", 100.0, 259_200.0)
    fill = one('chamber = "tank"\nkind = "fill_time"\nchannel = "fill"')
    assert (fill.limit, fill.unit) == (1.5, "1")
    silent = one('chamber = "tank"\nkind = "no_data"\nchannel = "level"')
    assert (silent.on_delay_s, silent.limit, silent.alarm_class) == (900.0, None, AlarmClass.INSTRUMENT)
    door = one(CO2_LOW + 'suppressed_by = ["door"]\nrecovery_s = 300')
    assert door.suppressors == (Suppressor("incubator_1/door", 300.0, 900.0),)
    empty = one(CO2_LOW + 'when_empty = "suppress"')
    assert empty.suppressors == (Suppressor("cultureops/occupied/left", 0.0, None, is_on_at_zero=True),)


LEFT = 'chamber = "left"\n'
TANK_ROW = 'chamber = "tank"\n'
CO2_LOW = LEFT + 'kind = "low"\nchannel = "co2"\nlimit = 4\n'


@pytest.mark.parametrize(
    ("row", "line", "complaint"),
    [
        (CO2_LOW.replace("4", "21"), 5, "21 % is outside the sensor's range; co2 can show 0 to 20 %"),
        (LEFT + 'kind = "high"\nchannel = "co2"\nlimit = 6\ndeadband = 7', 6, "would never clear"),
        (LEFT + 'kind = "deviation"\nchannel = "co2"\nlimit = 1', 1, "nothing in left delivers 'co2_setpoint'"),
        (LEFT + 'kind = "deviation"\nchannel = "temperature"\nlimit = 101', 5, "spans 100 Cel only"),
        (LEFT + 'kind = "deviation"\nchannel = "temperature"\nlimit = 1\ndeadband = 1', 6, "never clear"),
        (LEFT + 'kind = "rate"\nchannel = "temperature"\nlimit = 1\nwindow_s = 100', 6, "fewer than 3 readings"),
        (LEFT + 'kind = "disagreement"\nchannel = "co2"\nlimit = 1', 1, "reference"),
        (TANK_ROW + 'kind = "disagreement"\nchannel = "temp_a"\nlimit = 1\nreference = "level"', 6, "level is in mm"),
        (TANK_ROW + 'kind = "disagreement"\nchannel = "temp_a"\nlimit = 1\nreference = "temp_a"', 6, "channel itself"),
        (TANK_ROW + 'kind = "days_left"\nchannel = "level"\nlimit = 3\nreference_limit = 900', 6, "the sensor's range"),
        (TANK_ROW + 'kind = "no_data"\nchannel = "level"\non_delay_s = 60', 5, "shorter than the 300 s"),
        (CO2_LOW + 'suppressed_by = ["temperature"]', 6, "is no state"),
        (CO2_LOW + 'suppressed_by = ["lid"]', 6, "delivers 'lid'"),
        (CO2_LOW + 'shelve_max_s = 50000', 6, "0 to 43200"),
        (CO2_LOW + 'shelve_max_s = 901\ngmp_critical = true', 6, "0 to 900"),
        (CO2_LOW + 'when_empty = "ignore"', 6, "one of announce"),
        (CO2_LOW + 'level = "loud"', 6, "one of warning"),
        (CO2_LOW + 'window_s = 5', 6, "unknown key"),
    ],
)  # fmt: skip
def test_what_could_never_work_is_refused_with_file_and_line(row: str, line: int, complaint: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        rules(f"[[alarm]]\n{row}\n{SAID}")
    message = str(refusal.value)
    assert message.startswith(f"site.toml:{line}: [alarm]")
    assert complaint in message
