"""An edge node without a broker: its numbers, what it says when, and what it hears."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import islice

import pytest
from google.protobuf.descriptor_pb2 import DescriptorProto
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.mqtt.test_schema import RULE

from cultureops.alarms.alarm import AlarmView
from cultureops.alarms.state import State
from cultureops.clock import SteppedClock
from cultureops.device.reading import Quality, Reading, Reason
from cultureops.errors import ConfigError
from cultureops.mqtt.sparkplug import wire
from cultureops.mqtt.sparkplug.edge import EdgeNode, Said
from cultureops.mqtt.sparkplug.metrics import LabMetrics
from cultureops.mqtt.sparkplug.names import EdgeNames, check_name
from cultureops.telemetry import ChannelInfo

AT = 1_767_600_060_012
TEMPERATURE, CO2 = "incubator_1/temperature", "incubator_1/co2"


class Store:
    """The part of a store that is looked at, with what a test puts into it."""

    def __init__(self) -> None:
        self.known: dict[str, ChannelInfo] = {TEMPERATURE: ChannelInfo("Cel", 2), CO2: ChannelInfo("%", 2)}
        self.last: dict[str, Reading] = {}

    def channels(self) -> dict[str, ChannelInfo]:
        return self.known

    def latest(self) -> dict[str, Reading]:
        return self.last


class Alarms:
    """One rule, until a test adds more."""

    def __init__(self) -> None:
        self.rules = (RULE,)
        self.state = State.NORMAL

    def view(self, rule_id: str) -> AlarmView | None:
        found = [rule for rule in self.rules if rule.id == rule_id]
        return AlarmView(found[0], self.state, AT, 3.0, None, None, AT, True) if found else None


class Rig:
    """A node over a store and alarms that a test changes at will."""

    def __init__(self) -> None:
        self.store, self.alarms = Store(), Alarms()
        shown = frozenset((TEMPERATURE, CO2))
        self.metrics = LabMetrics(SteppedClock(AT), self.store, self.alarms, lambda *_: ("B-1", "B-2"), shown)  # type: ignore[arg-type]
        self.node = EdgeNode(EdgeNames("A", "lab"), self.metrics, (("Properties/Site", "Lab 1"),))

    def read(self, channel: str, value: float | None, reason: Reason = Reason.NONE) -> None:
        quality = Quality.BAD if value is None else Quality.UNCERTAIN if reason else Quality.GOOD
        self.store.last[channel] = Reading(channel, value, quality, reason, AT, AT + 5)
        self.metrics.hear([self.store.last[channel]])

    def born(self) -> list[Said]:
        self.node.begin(AT)
        return self.births()

    def births(self) -> list[Said]:
        return [said for said in self.node.births(AT) if said is not None]


def parsed(said: Said) -> wire.Any:
    return wire._payload_class().FromString(said.payload)


def kinds(said: list[Said]) -> list[str]:
    return [one.topic.split("/")[2] for one in said]


def test_field_numbers_and_types_are_those_of_the_specification() -> None:
    """Section 6.4.1 of Sparkplug 3.0.0, as far as it is spoken here."""
    described = {}
    for name in ("Payload", "Metric", "PropertySet", "PropertyValue"):
        proto = DescriptorProto()
        wire._payload_class().DESCRIPTOR.file.message_types_by_name[name].CopyToProto(proto)
        described[name] = {field.name: field.number for field in proto.field}
    assert described["Payload"] == {"timestamp": 1, "metrics": 2, "seq": 3}
    assert described["PropertySet"] == {"keys": 1, "values": 2}
    assert described["Metric"] == {
        "name": 1, "alias": 2, "timestamp": 3, "datatype": 4, "is_null": 7, "properties": 9, "int_value": 10,
        "long_value": 11, "double_value": 13, "boolean_value": 14, "string_value": 15,
    }  # fmt: skip
    assert described["PropertyValue"] == {
        "type": 1, "is_null": 2, "int_value": 3, "long_value": 4, "double_value": 6, "boolean_value": 7,
        "string_value": 8,
    }  # fmt: skip


def test_a_device_is_born_lives_dies_and_comes_back() -> None:
    rig = Rig()
    assert kinds(rig.born()) == ["NBIRTH"], "a device that was never read is not there"
    rig.read(TEMPERATURE, None, Reason.NOT_CONNECTED)
    assert kinds(list(rig.node.tell_channels([TEMPERATURE], AT))) == []
    rig.read(TEMPERATURE, 37.0)
    birth, *more = rig.node.tell_channels([TEMPERATURE], AT)
    assert kinds([birth, *more]) == ["DBIRTH"]
    co2 = {metric.name: metric for metric in parsed(birth).metrics}["co2"]
    assert co2.is_null and co2.properties.values[0].int_value == 0
    assert co2.properties.values[2].string_value == "nothing read yet"
    rig.read(CO2, None, Reason.NOT_FINITE)
    rig.read(TEMPERATURE, None, Reason.TIMEOUT)
    assert kinds(list(rig.node.tell_channels([CO2, TEMPERATURE], AT))) == ["DDATA"], "it answers, if only nonsense"
    rig.read(CO2, None, Reason.TIMEOUT)
    (death,) = rig.node.tell_channels([CO2], AT)
    assert kinds([death]) == ["DDEATH"] and not parsed(death).metrics
    assert not list(rig.node.tell_channels([CO2], AT)), "it dies once"
    rig.read(CO2, 5.0)
    assert kinds(list(rig.node.tell_channels([CO2], AT))) == ["DBIRTH"]
    rig.store.known["incubator_1/unknown"] = ChannelInfo("1", 0)
    assert kinds(list(rig.node.tell_channels([CO2], AT))) == ["DDATA"], "a channel the site has not is not told"


def test_what_was_kept_from_before_this_start_is_not_told_as_if_it_were_there() -> None:
    rig = Rig()
    rig.store.last[CO2] = Reading(CO2, 5.0, Quality.GOOD, Reason.NONE, AT, AT)
    assert kinds(rig.born()) == ["NBIRTH"]
    rig.store.known["batch:B-1/passage"] = ChannelInfo("1", 0)
    rig.store.last["batch:B-1/passage"] = Reading("batch:B-1/passage", 3.0, Quality.GOOD, Reason.NONE, AT, AT)
    assert kinds(rig.born()) == ["NBIRTH", "DBIRTH"], "a batch's facts are what they are"


@pytest.mark.parametrize(
    ("value", "reason", "quality", "opc"),
    [(5.0, Reason.NONE, 192, 192), (5.0, Reason.SUSPECT, 0, 64), (None, Reason.OUT_OF_RANGE, 0, 0)],
)
def test_qualities(value: float | None, reason: Reason, quality: int, opc: int) -> None:
    rig = Rig()
    rig.read(CO2, value, reason)
    said = {metric.name: metric for metric in parsed(rig.born()[1]).metrics}["co2"]
    told = dict(zip(said.properties.keys, said.properties.values, strict=True))
    assert (told["Quality"].int_value, told["OpcQuality"].int_value) == (quality, opc)
    assert told["Reason"].string_value == reason.text and told["engUnit"].string_value == "%"
    assert said.is_null == (value is None) and (value is None or said.double_value == value)


def test_numbers_go_round() -> None:
    rig = Rig()
    rig.read(CO2, 5.0)
    for session in range(300):
        will = rig.node.begin(AT)
        birth, *_ = rig.births()
        numbers = [parsed(said).metrics[0].long_value for said in (will, birth)]
        assert numbers == [session % 256] * 2 and will.qos == 1 and not parsed(will).HasField("seq")
    said = rig.born()
    for _ in range(600):
        said += rig.node.tell_channels([CO2], AT)
    assert [parsed(one).seq for one in said] == list(islice((number % 256 for number in range(10_000)), len(said)))
    assert [parsed(one).seq for one in rig.births()] == [0, 1], "a rebirth begins anew"
    assert parsed(rig.births()[0]).metrics[0].long_value == 300 % 256, "in the same session"


def test_alarms_are_the_nodes_own() -> None:
    rig = Rig()
    birth = {metric.name: metric for metric in parsed(rig.born()[0]).metrics}
    assert birth[f"Alarms/{RULE.id}/Active"].boolean_value is False
    assert birth[f"Alarms/{RULE.id}/State"].string_value == "NORMAL"
    rig.alarms.state = State.UNACK
    (data,) = rig.node.tell_rules([RULE.id], AT)
    active, state = parsed(data).metrics
    assert (active.alias, active.boolean_value) == (birth[f"Alarms/{RULE.id}/Active"].alias, True)
    assert state.string_value == "UNACK" and state.properties.values[0].string_value == "B-1, B-2"
    assert not list(rig.node.tell_rules(["gone"], AT))
    more = replace(RULE, id="incubator_1/co2/high")
    rig.alarms.rules = (RULE, more)
    assert rig.node.is_known([RULE.id]) and not rig.node.is_known([more.id])
    rig.births()
    assert rig.node.is_known([more.id])
    rig.alarms.rules = tuple(replace(RULE, id=f"incubator_{number}/co2/low") for number in range(500))
    assert list(rig.node.births(AT)).count(None) == 5, "a long birth is written in turns"
    assert len(parsed(rig.births()[0]).metrics) == 3 + 2 * 500


def command(name: str, value: bool | None) -> bytes:
    payload = wire._payload_class()()
    metric = payload.metrics.add(name=name, datatype=11)
    if value is not None:
        metric.boolean_value = value
    return bytes(payload.SerializeToString())


def test_only_a_rebirth_is_heard() -> None:
    asked = command(wire.REBIRTH, True)
    assert wire.wants_rebirth(asked)
    for other in (b"", command(wire.REBIRTH, False), command(wire.REBIRTH, None), command("Node Control/Reboot", True)):
        assert not wire.wants_rebirth(other)
    assert not wire.wants_rebirth(asked + command("x", True) * 10_000), "too long to be looked at"
    dice = random.Random(2)
    for _ in range(2_000):
        spoiled = bytearray(asked)
        spoiled[dice.randrange(len(spoiled))] ^= 1 << dice.randrange(8)
        wire.wants_rebirth(bytes(spoiled[: dice.randint(0, len(spoiled))]))


@given(st.binary(max_size=300))
def test_no_bytes_are_too_odd(payload: bytes) -> None:
    assert wire.wants_rebirth(payload) in (True, False)


def test_deep_nesting_is_no_command() -> None:
    nested = b""
    for _ in range(5_000):
        size = len(nested)
        count = bytes([size & 127 | 128, size >> 7 & 127 | 128, size >> 14])
        nested = b"\x4a" + count + nested if size < 60_000 else nested
    assert not wire.wants_rebirth(b"\x12" + bytes([len(nested) & 127 | 128, len(nested) >> 7 & 127 | 128, 0]) + nested)


@pytest.mark.parametrize("name", ["", "a/b", "a+", "#", "a\x00b", "x" * 2_000])
def test_what_can_be_no_name(name: str) -> None:
    with pytest.raises(ConfigError):
        check_name(name)
