"""Rules are read from the site file and expanded to single alarms; wrong ones are refused with their line."""

import pytest

from cultureops.alarms import ChamberInfo, Kind, Priority, Rule, rules_from
from cultureops.config import parse
from cultureops.errors import ConfigError

INCUBATOR = {"temperature": "Cel", "co2": "%", "door": "1"}
CHAMBERS = {
    "left": ChamberInfo("left", "incubator", {"incubator_1": INCUBATOR}),
    "right": ChamberInfo(
        "right", "incubator", {"heracell_4": {"temperature": "Cel", "co2": "%"}, "probe_4": {"co2": "%"}}
    ),
    "tank": ChamberInfo("tank", "cryostore", {"mve_1": {"temp_a": "Cel"}, "idle_1": {}}),
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
    "box": ChamberInfo("box", "incubator", {"a_1": {"co2": "%"}, "b_1": {"co2": "[ppm]"}}),
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
        (f'[[alarm]]\nchamber = "tank"\n{LOW}', 3, "nothing in tank delivers 'co2'; delivered: temp_a"),
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
        (f'[[alarm]]\nchamber = "left"\n{LOW.replace("low", "wide")}', 4, "one of high, low, communication"),
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
