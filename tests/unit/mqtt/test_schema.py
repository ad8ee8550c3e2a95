"""The shipped schemas: one with the words of the code, and narrow enough to refuse what is not said."""

from __future__ import annotations

import copy
import itertools
import json
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.mqtt_schema import faults_of, validator
from typer.testing import CliRunner

from cultureops.alarms.alarm import AlarmView
from cultureops.alarms.rule import AlarmClass, Kind, Level, Priority, Rule
from cultureops.alarms.state import State
from cultureops.cli.mqtt import group
from cultureops.device.reading import Quality, Reading, Reason
from cultureops.mqtt.message import Presence, alarm_message, reading_message, status_message
from cultureops.mqtt.schema import schemas
from cultureops.telemetry import ChannelInfo

AT = 1_767_600_060_012
RULE = Rule(
    "incubator_1/co2/low", "incubator_1", "incubator_1/co2", "incubator_1", Kind.LOW, 4.0, "%", 0.1, 0, 0, 1,
    Priority.HIGH, True, "The medium turns alkaline.", "Check the gas.",
)  # fmt: skip


def said_readings() -> Iterator[bytes]:
    info = ChannelInfo("%", 2, simulated=True)
    yield reading_message("incubator_1/co2", info, None)
    for channel, reason in itertools.product(("incubator_1/co2", "batch:B-1/passage"), Reason):
        quality = Quality.GOOD if reason is Reason.NONE else Quality.BAD
        value = 5.01 if quality is Quality.GOOD else None
        yield reading_message(channel, info, Reading(channel, value, quality, reason, AT, AT + 12))
    yield reading_message("a/b", info, Reading("a/b", -1, Quality.UNCERTAIN, Reason.UNVERIFIED, AT, AT))


def said_alarms() -> Iterator[bytes]:
    for kind, level, class_, priority in itertools.product(Kind, Level, AlarmClass, Priority):
        rule = replace(RULE, kind=kind, level=level, alarm_class=class_, priority=priority)
        yield alarm_message(rule, None, None, ())
    bare = replace(RULE, channel=None, limit=None, unit="1", chamber="")
    for rule, state in itertools.product((RULE, bare), set(State) - {State.NORMAL}):
        returned_at = None if state.is_active or state.is_suppressed else AT + 1
        by = "op-1" if state in (State.ACK, State.LATCH_ACK) else None
        yield alarm_message(rule, AlarmView(rule, state, AT, 3.0, returned_at, by, AT, state.is_active), "c", ("B-1",))


def said_statuses() -> Iterator[bytes]:
    for presence in Presence:
        yield status_message(presence, AT, AT, "Lab 1")
    yield status_message(Presence.LOST, None, AT, "Lab 1")


SAID = {"reading": said_readings, "alarm": said_alarms, "status": said_statuses}


@pytest.mark.parametrize("name", SAID)
def test_whatever_the_code_can_say_is_allowed(name: str) -> None:
    judge = validator(name)
    for said in SAID[name]():
        assert not [error.message for error in judge.iter_errors(json.loads(said))], said


def test_the_words_are_those_of_the_code() -> None:
    words = {schema.name: schema.body["properties"] for schema in schemas()}
    alarm = words["alarm"]
    for key, enum in (("kind", Kind), ("level", Level), ("alarm_class", AlarmClass), ("priority", Priority),
                      ("state", State)):  # fmt: skip
        assert alarm[key]["enum"] == [word.value for word in enum]
    assert set(words["reading"]["quality"]["enum"]) == {quality.name for quality in Quality}
    assert set(words["status"]["reason"]["enum"]) - {""} == set(Presence) - {Presence.ONLINE}


def mutations(said: dict[str, Any], dice: random.Random) -> Iterator[dict[str, Any]]:
    for key in said:
        yield {other: value for other, value in said.items() if other != key}
        yield said | {key: {"an": "object"}}
        yield said | {key: copy.deepcopy([said[key], [said[key]]])}
        renamed = f"{key}{dice.choice('_xyz')}"
        yield {renamed if other == key else other: value for other, value in said.items()}
        if isinstance(said[key], str | bool):
            yield said | {key: dice.randint(2, 99)}
    yield said | {"else": None}


@pytest.mark.parametrize("name", SAID)
def test_what_was_changed_on_the_way_is_refused(name: str) -> None:
    judge, dice, refused = validator(name), random.Random(4), 0
    for said in list(SAID[name]())[:40]:
        for mutated in mutations(json.loads(said), dice):
            assert not judge.is_valid(mutated), mutated
            refused += 1
    assert refused > 40


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("reading", {"quality": "BAD"}),
        ("reading", {"value": None}),
        ("reading", {"reason": "no link to the device"}),
        ("reading", {"quality": "UNCERTAIN"}),
        ("reading", {"quality": "FAIR"}),
        ("reading", {"source_time": None}),
        ("reading", {"source_time": "2026-01-05 08:00:00"}),
        ("reading", {"channel": "co2"}),
        ("alarm", {"state": "UNACK"}),
        ("alarm", {"is_active": True}),
        ("alarm", {"batch_ids": ["B-1"]}),
        ("alarm", {"wants_acknowledgement": True}),
        ("alarm", {"state": "GONE"}),
        ("alarm", {"respond_within_s": -1}),
        ("status", {"state": "offline"}),
        ("status", {"reason": "lost"}),
        ("status", {"time": None}),
    ],
)
def test_keys_that_contradict_each_other_are_refused(name: str, changed: dict[str, Any]) -> None:
    said = {
        "reading": reading_message("a/b", ChannelInfo("%", 2), Reading("a/b", 5.0, Quality.GOOD, Reason.NONE, AT, AT)),
        "alarm": alarm_message(RULE, None, None, ()),
        "status": status_message(Presence.ONLINE, AT, AT, "Lab 1"),
    }[name]
    assert validator(name).is_valid(json.loads(said))
    assert not validator(name).is_valid(json.loads(said) | changed)


def test_each_topic_has_one_schema() -> None:
    status = json.loads(status_message(Presence.ONLINE, AT, AT, "Lab 1"))
    alarm = json.loads(alarm_message(RULE, None, None, ()))
    assert not faults_of("plant/lab-1", "plant/lab-1/status", status)
    assert not faults_of("plant/lab-1", "plant/lab-1/alarm/incubator_1/co2/low", alarm)
    assert faults_of("plant/lab-1", "plant/lab-1/channel/incubator_1/co2", alarm)
    assert faults_of("plant/lab-1", "plant/lab-1/other", status) == ["plant/lab-1/other: 0 schemas speak of it"]


def test_the_page_of_the_topics_names_every_key() -> None:
    page = (Path(__file__).parents[3] / "docs" / "reference" / "mqtt.md").read_text(encoding="utf-8")
    for schema in schemas():
        assert all(f"`{topic}`" in page for topic in schema.topics)
        for key, says in schema.body["properties"].items():
            assert f"| `{key}` | {says['description']} |" in page, key


def test_the_command_shows_and_writes_them(tmp_path: Path) -> None:
    run = CliRunner().invoke
    assert json.loads(run(group, ["schema", "--json"]).output) == {schema.name: schema.body for schema in schemas()}
    assert run(group, ["schema", "--out", str(tmp_path / "new")]).exit_code == 0
    for schema in schemas():
        assert (tmp_path / "new" / f"{schema.name}.schema.json").read_text(encoding="utf-8") == schema.text
    assert "<prefix>/batch/<batch>/<fact>" in run(group, ["schema"]).output
    (tmp_path / "file").touch()
    refused = run(group, ["schema", "--out", str(tmp_path / "file" / "x")])
    assert refused.exit_code == 2 and "name another folder with --out" in refused.output
