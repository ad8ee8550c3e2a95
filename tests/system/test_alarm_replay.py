"""`cultureops alarms replay`: one JSON object of any logged trace, one line for a file or a rule that is none."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from cultureops.cli import app

HIGH = '[[alarm]]\nchannel = "value"\nkind = "high"\nlimit = 10.0\n'
NAB = "environment/NAB/ambient_temperature_system_failure.csv"
ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "docs/examples/ambient_failure.toml"


def replayed(*arguments: object) -> Result:
    """Run the command in this process, which is quicker."""
    return CliRunner().invoke(app, ["alarms", "replay", *map(str, arguments)])


class Desk:
    """A folder with a trace and a rules file, and the command on them."""

    def __init__(self, folder: Path) -> None:
        self.trace, self.rules = folder / "trace.csv", folder / "rules.toml"
        self.rules.write_text(HIGH)

    def run(self, *arguments: object) -> Result:
        return replayed(self.trace, "--rules", self.rules, *arguments)

    def judged(self, *arguments: object) -> dict[str, Any]:
        done = self.run(*arguments, "--json")
        assert done.exit_code == 0, done.output
        found: dict[str, Any] = json.loads(done.stdout)
        assert list(found)[:2] == ["transitions", "gaps"]
        return found

    def refused(self, *arguments: object) -> str:
        done = self.run(*arguments, "--json")
        assert done.exit_code in (1, 2) and done.stdout == "", done.output
        assert done.stderr.startswith("cultureops: ") and done.stderr.count("\n") == 1
        return done.stderr


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def minutes(*cells: object, title: str = "timestamp,value") -> str:
    """A row a minute; a cell of "skip" leaves its row out."""
    begin = datetime(2026, 1, 5, 8, 0)
    rows = (f"{begin + timedelta(minutes=at)},{cell}\n" for at, cell in enumerate(cells) if cell != "skip")
    return f"{title}\n" + "".join(rows)


def steps(found: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    """Clock time, alarm without its place, state before and after."""
    return [
        (one["time"][11:19], one["alarm_id"].removeprefix("trace/"), one["from"], one["to"])
        for one in found["transitions"]
    ]


RAISED = [("08:02:00", "value/high", "NORMAL", "UNACK"), ("08:03:00", "value/high", "UNACK", "RTN_UNACK")]


def test_transitions_and_summary(desk: Desk) -> None:
    desk.trace.write_text(minutes(9, 9.5, 10.5, 9, 9))
    found = desk.judged()
    assert found["transitions"][0] == {
        "time": "2026-01-05T08:02:00.000Z",
        "alarm_id": "trace/value/high",
        "from": "NORMAL",
        "to": "UNACK",
        "value": 10.5,
        "what": "raised",
        "since": "2026-01-05T08:02:00.000Z",
        "is_active": True,
        "cause": "10.5 at or above the high limit 10 for 0 s",
    }
    assert steps(found) == RAISED and found["gaps"] == [] and found["refused"] == []
    assert (found["rows"], found["period_s"], found["alarms"]) == (5, 60.0, 1)
    assert (found["rules"][0]["in_alarm_s"], found["rules"][0]["alarms_per_week"]) == (60.0, 2520.0)


def test_for_people(desk: Desk) -> None:
    desk.trace.write_text(minutes(9, 9, 10.5, "skip", "skip", 9))
    done = desk.run()
    assert done.exit_code == 0
    assert "NORMAL -> UNACK" in done.stdout and "at or above the high limit 10" in done.stdout
    assert "no rows" in done.stdout and "4 rows, one every 60 s; 1 alarm; 1 gap" in done.stdout


KINDS = {
    "byte order mark": "\ufeff" + minutes(9, 9, 10.5, 9),
    "CRLF": minutes(9, 9, 10.5, 9).replace("\n", "\r\n"),
    "blank lines": minutes(9, 9, 10.5, 9).replace("\n", "\n\n"),
    "quoted": minutes('"9"', '"9"', '"10.5"', '" 9 "'),
    "quoted decimal comma": minutes('"9,0"', '"9,2"', '"10,5"', '"9,0"'),
    "semicolon": minutes("9,0", "9,2", "10,5", "9,0").replace(":00,", ":00;").replace("p,v", "p;v"),
    "tab": minutes(9, 9, 10.5, 9).replace(",", "\t"),
    "lines above": "A logger\nmade in 2026\n" + minutes(9, 9, 10.5, 9),
    "units below": minutes(9, 9, 10.5, 9, title="timestamp,value\n[UTC],[Cel]"),
    "date and time apart": minutes(9, 9, 10.5, 9, title="date,value").replace(" 08", ",08").replace("e,v", "e,time,v"),
    "German dates": minutes(9, 9, 10.5, 9).replace("2026-01-05 ", "05.01.2026 "),
    "American dates": minutes(9, 9, 10.5, 9).replace("2026-01-05 ", "1/13/2026 "),
    "ISO T": minutes(9, 9, 10.5, 9).replace("2026-01-05 ", "2026-01-05T"),
    "epoch seconds": "ts,value\n1767600000,9\n1767600060,9\n1767600120,10.5\n1767600180,9\n",
    "epoch ms": "ts,value\n1767600000000,9\n1767600060000,9\n1767600120000,10.5\n1767600180000,9\n",
    "a column of words": minutes("9,x", "9,y", "10.5,", "9,", title="timestamp,value,note"),
    "a duplicated other title": minutes("9,1,2", "9,1,2", "10.5,1,2", "9,1,2", title="t,value,x,x"),
    "written twice over": minutes(9, 9, 10.5, 9) + minutes(9, 9, 10.5, 9),
}


@pytest.mark.parametrize("name", KINDS)
def test_files_of_all_kinds(desk: Desk, name: str) -> None:
    desk.trace.write_text(KINDS[name], encoding="utf-8", newline="")
    assert steps(desk.judged()) == RAISED


def test_utf_16_and_a_stray_byte(desk: Desk) -> None:
    desk.trace.write_bytes(minutes(9, 9, 10.5, 9).encode("utf-16"))
    assert steps(desk.judged()) == RAISED
    desk.trace.write_bytes(minutes(9, 9, 10.5, 9, title="timestamp,value,\xb0").encode("latin-1"))
    assert steps(desk.judged()) == RAISED


HOSTILE = {
    "binary": (b"\x00\x01\x02\xff" * 99, "no text"),
    "empty": (b"", "is empty"),
    "blank": (b" \n\n", "is empty"),
    "workbook": (b"PK\x03\x04rest", "workbook"),
    "one column": (b"timestamp\n2026-01-05 08:00:00\n2026-01-05 08:01:00\n", "found no titles"),
    "no titles": (b"2026-01-05 08:00:00,9\n2026-01-05 08:01:00,9\n", "found no titles"),
    "titles alone": (b"timestamp,value\n", "found no titles"),
    "no times": (b"timestamp,value\nnever,9\nnever,9\n", "found no titles"),
    "mixed decimals": (minutes('"9,5"', "9.5").encode(), "trace.csv:3: value is '9.5', with another decimal sign"),
    "comma not quoted": (minutes("9,5").encode(), "trace.csv:2: 3 cells under 2 titles"),
    "value stands twice": (minutes("9,9", title="timestamp,value,value").encode(), "stands there twice"),
    "missing column": (minutes(9, title="timestamp,worth").encode(), "delivered: worth"),
    "open quote": (minutes(9, '"9', 9).encode(), "trace.csv:3: a quote"),
    "10 MB in a line": (minutes(9).encode() + b"x" * 10_000_000, "trace.csv:3: no row of a table"),
    "10 MB of commas": (minutes(9).encode() + b"1," * 5_000_000, "cells under 2 titles"),
    "zones mixed": (b"timestamp,value\n2026-01-05T08:00:00Z,9\n2026-01-05T08:01:00,9\n", "trace.csv:3: some times"),
    "day or month": (minutes(9, 9).replace("2026-01-05", "05/01/2026").encode(), "--dates"),
    "hardly a time": (minutes(9, 9).encode() + b"x,9\ny,9\n", "trace.csv:4: 'x' is no time, and 2 of 4 rows"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_files_that_are_no_trace(desk: Desk, name: str) -> None:
    contents, said = HOSTILE[name]
    desk.trace.write_bytes(contents)
    assert said in desk.refused()


def test_an_export_of_the_lab_holds_one_channel(desk: Desk) -> None:
    row = "2026-01-05T08:0{}:00.000Z,incubator_1/{},{},Cel,GOOD,NONE,2026-01-05T08:00:00.000Z,,,+00:00\n"
    title = "time_utc,channel,value,unit,quality,reason,received_utc,source,standing,utc_offset\n"
    rows = [row.format(at, "temperature", value) for at, value in enumerate((9, 9, 10.5, 9))]
    desk.trace.write_text("".join([title, *rows]))
    assert steps(desk.judged()) == RAISED
    desk.trace.write_text("".join([title, *rows, row.format(4, "co2", 5)]))
    assert "several channels" in desk.refused()


def test_no_file_and_a_column_that_is_not_there(desk: Desk) -> None:
    assert "name a file that can be read" in desk.refused()
    desk.trace.write_text(minutes(9, 9))
    assert "found no titles with 'when'" in desk.refused("--time", "when")
    assert "is no time zone" in desk.refused("--zone", "Middle/Earth")
    assert "no row lies between" in desk.refused("--from", "2027-01-01T00:00:00Z")
    assert "--from" in desk.refused("--from", "yesterday")


def test_cells_without_a_number_are_no_values(desk: Desk) -> None:
    desk.rules.write_text(HIGH + "on_delay_s = 120\n")
    for cell in ("", "NaN", "inf", "-inf", "1e999", "fault", "1_1", "1.2.3", "N/A", "--"):
        desk.trace.write_text(minutes(9, 12, cell, cell, 9, 9))
        found = desk.judged()
        assert found["transitions"] == [], cell
        (gap,) = found["gaps"]
        assert (gap["channel"], gap["from"][11:19], gap["to"][11:19]) == ("value", "08:01:00", "08:04:00")
        assert gap["seconds"] == 180.0 and gap["reason"].startswith("cell is") and gap["is_loss"] is False


def test_a_missing_row_is_a_gap_and_never_bridged(desk: Desk) -> None:
    desk.rules.write_text(
        HIGH + "on_delay_s = 300\n"
        '[[alarm]]\nkind = "communication"\n[[alarm]]\nchannel = "value"\nkind = "no_data"\non_delay_s = 360\n'
    )
    desk.trace.write_text(minutes(9, 12, *["skip"] * 8, 9, "skip", 9, 9, 9, 9))
    found = desk.judged()
    assert steps(found) == [
        ("08:04:00", "communication", "NORMAL", "UNACK"),
        ("08:07:00", "value/no_data", "NORMAL", "UNACK"),
        ("08:10:00", "value/no_data", "UNACK", "RTN_UNACK"),
        ("08:10:00", "communication", "UNACK", "RTN_UNACK"),
    ]
    assert [(gap["seconds"], gap["reason"], gap["is_loss"]) for gap in found["gaps"]] == [
        (540.0, "no rows", True),
        (120.0, "no rows", False),
    ]


def test_a_row_of_empty_cells_is_a_missed_poll(desk: Desk) -> None:
    desk.rules.write_text('[[alarm]]\nkind = "communication"\nmisses = 2\n')
    title = "timestamp,value,other"
    desk.trace.write_text(minutes("1,2", ",", ",2", ",", "x,", ",", ",", "1,2", title=title))
    assert steps(desk.judged()) == [
        ("08:06:00", "communication", "NORMAL", "UNACK"),
        ("08:07:00", "communication", "UNACK", "RTN_UNACK"),
    ]


def test_duplicates_and_rows_out_of_order(desk: Desk) -> None:
    rows = minutes(9, 9, 10.5, 9).splitlines(keepends=True)
    desk.trace.write_text("".join([*rows, rows[3], rows[2], rows[3].replace("10.5", "11")]))
    done = desk.run("--json")
    found = json.loads(done.stdout)
    assert (found["rows"], found["duplicates"], found["identical"], found["out_of_order"]) == (7, 3, 2, 3)
    assert steps(found) == RAISED and found["rows_replayed"] == 5
    assert "put in order" in done.stderr and "have the time of another" in done.stderr


def test_rows_that_can_not_be_placed_are_left_out_and_said(desk: Desk) -> None:
    desk.trace.write_text(minutes(*[9] * 30) + "timestamp,value\n" + "2026-01-05 08:3")
    done = desk.run("--json")
    assert [row["line"] for row in json.loads(done.stdout)["skipped"]] == [32, 33]
    assert "line 32 left out: 'timestamp' is no time" in done.stderr


def test_zone_and_span(desk: Desk) -> None:
    desk.trace.write_text(minutes(9, 9, 10.5, 9, 9, 10.5, 9))
    assert steps(desk.judged("--zone", "Europe/Vienna"))[0][0] == "07:02:00"
    found = desk.judged("--from", "2026-01-05T08:03:00Z", "--to", "2026-01-05 08:06:00")
    assert [step[0] for step in steps(found)] == ["08:05:00"]
    assert (found["rows"], found["rows_replayed"]) == (7, 3)


def test_the_hour_that_comes_twice(desk: Desk) -> None:
    begin = datetime(2026, 10, 25, 2, 0)
    twice = [begin + timedelta(minutes=10 * at) for at in (*range(6), *range(8))]
    desk.trace.write_text("timestamp,value\n" + "".join(f"{at},9\n" for at in twice))
    found = desk.judged("--zone", "Europe/Vienna")
    assert (found["from"], found["to"], found["gaps"]) == (
        "2026-10-25T00:00:00.000Z", "2026-10-25T02:10:00.000Z", [],
    )  # fmt: skip


def test_channels_are_described(desk: Desk) -> None:
    desk.rules.write_text(
        '[[channel]]\nname = "temperature"\ncolumn = "Temp/C"\nunit = "Cel"\nvalid_range = [-20, 60]\n'
        '[[alarm]]\nclass = "incubator"\ndevice = "mine"\nchannel = "temperature"\nkind = "high"\nlimit = 38\n'
        'unit = "Cel"\n'
        'suppressed_by = ["door"]\nrecovery_s = 0\nsuppress_max_s = 120\n'
        '[[alarm]]\nchannel = "door"\nkind = "open"\non_delay_s = 90\n'
    )
    cells = ("37,closed", "85,open", "39,open", "39,open", "39,open", "37,closed", "37,0")
    desk.trace.write_text(minutes(*cells, title="timestamp,Temp/C,door"))
    found = desk.judged()
    assert steps(found) == [
        ("08:01:00", "temperature/high", "NORMAL", "SUPPRESSED_BY_DESIGN"),
        ("08:02:30", "door/open", "NORMAL", "UNACK"),
        ("08:03:00", "temperature/high", "SUPPRESSED_BY_DESIGN", "UNACK"),
        ("08:05:00", "temperature/high", "UNACK", "RTN_UNACK"),
        ("08:05:00", "door/open", "UNACK", "RTN_UNACK"),
    ]
    assert [gap["reason"] for gap in found["gaps"]] == ["outside valid_range"]
    assert [one["what"] for one in found["conditions"]] == ["condition"]


def test_what_people_do(desk: Desk) -> None:
    desk.rules.write_text(
        HIGH + '[[acknowledge]]\nalarm = "value/high"\nat = "2026-01-05T08:02:30Z"\nby = "anna"\nreason = "seen"\n'
        '[[acknowledge]]\nalarm = "value/high"\nat = 2026-01-05T08:00:30\nby = "anna"\nreason = "too early"\n'
        '[[shelve]]\nalarm = "trace/value/high"\nat = 2026-01-05T08:03:30Z\nminutes = 2\nby = "anna"\n'
        'reason = "probe moved"\n'
        '[[out_of_service]]\nalarm = "value/high"\nfrom = "2026-01-05 08:06:30"\nto = "2026-01-05 08:07:30"\n'
        'by = "anna"\nreason = "new probe"\n'
    )
    desk.trace.write_text(minutes(9, 9, 11, 9, 11, 11, 11, 9, 9))
    found = desk.judged()
    assert [step[0::3] for step in steps(found)] == [
        ("08:02:00", "UNACK"), ("08:02:30", "ACK"), ("08:03:00", "NORMAL"), ("08:03:30", "SHELVED"),
        ("08:05:30", "UNACK"), ("08:06:30", "OUT_OF_SERVICE"), ("08:07:30", "NORMAL"),
    ]  # fmt: skip
    assert [(one["time"][11:19], one["order"]) for one in found["refused"]] == [("08:00:30", "acknowledge")]


SHELVE = '[[shelve]]\nalarm = "value/high"\nat = 2026-01-05T08:02:00Z\nby = "anna"\n'
FIVE = 'minutes = 5\nreason = "probe moved"\n'
RATE = '[[alarm]]\nchannel = "value"\nkind = "rate"\nlimit = 1\nwindow_s = 100\n'
WRONG_RULES = {
    "not TOML": ("[[alarm]\n", "line 1"),
    "no rule": ("", "has no [[alarm]]"),
    "typing error": (HIGH + "on_delays = 3\n", ":5: [alarm] on_delays: unknown key; did you mean 'on_delay_s'?"),
    "unknown section": (HIGH + "[site]\n", ":5: site: unknown key"),
    "unknown kind": (HIGH.replace("high", "hot"), ":3: [alarm] kind: expected one of high, low"),
    "unknown channel": (HIGH.replace("value", "valve"), ":2: [alarm] channel: nothing in trace delivers 'valve'"),
    "no limit": (HIGH.replace("limit", "#"), "limit: is missing"),
    "limit is nan": (HIGH.replace("10.0", "nan"), ":4: [alarm] limit"),
    "beyond the range": (
        '[[channel]]\nname = "value"\nvalid_range = [0, 9]\n' + HIGH,
        ":7: [alarm] limit: 10 is outside the sensor's range; value can show 0 to 9",
    ),
    "range upside down": ('[[channel]]\nname = "value"\nvalid_range = [9, 0]\n' + HIGH, ":3: [channel] valid_range"),
    "channel of no column": ('[[channel]]\nname = "co2"\n' + HIGH, ":2: [channel] name: column 'co2' is not there"),
    "the same twice": (HIGH + HIGH, ":5: [alarm]: alarm 'trace/value/high' stands twice"),
    "shelving without reason": (HIGH + SHELVE + "minutes = 5\n", ":5: [shelve] reason: is missing"),
    "shelving with a blank reason": (
        HIGH + SHELVE + 'minutes = 5\nreason = " "\n',
        ":5: [shelve]: alarm trace/value/high: shelving it needs a name and a reason",
    ),
    "shelving beyond the maximum": (
        HIGH + SHELVE + FIVE.replace("5", "61"),
        ":5: [shelve]: alarm trace/value/high can be shelved for at most 1 h, not 1 h 1 min",
    ),
    "critical without a witness": (HIGH + "gmp_critical = true\n" + SHELVE + FIVE, ":6: [shelve]: alarm"),
    "unknown alarm": (
        HIGH + SHELVE.replace("value/", "valve/") + FIVE,
        ":6: [shelve] alarm: there is no alarm 'valve/high'; this file has: trace/value/high",
    ),
    "no time": (
        HIGH + SHELVE.replace("2026-01-05T08:02:00Z", '"soon"') + FIVE,
        ":7: [shelve] at: expected a date-time such as",
    ),
    "endless": (HIGH + SHELVE + FIVE.replace("5", "inf"), ":9: [shelve] minutes"),
    "window too short": (HIGH + RATE, ":9: [alarm] window_s: holds fewer than 3 readings, one comes every 60 s"),
}


@pytest.mark.parametrize("name", WRONG_RULES)
def test_rules_that_are_refused(desk: Desk, name: str) -> None:
    text, said = WRONG_RULES[name]
    desk.trace.write_text(minutes(9, 9, 9))
    desk.rules.write_text(text)
    message = desk.refused()
    assert (f"rules.toml{said}" if said.startswith(":") else said) in message
    assert desk.run().exit_code == 2


def test_room_temperature_of_the_benchmark(acceptance_data: Path, record_property: pytest.RecordProperty) -> None:
    """NAB's office: an alarm in each labelled window, all ten gaps, and few alarms elsewhere."""
    (windows,) = json.loads((acceptance_data / "environment/NAB/windows.json").read_text()).values()
    spans = [[datetime.fromisoformat(at).replace(tzinfo=UTC) for at in window] for window in windows]
    done = replayed(acceptance_data / NAB, "--rules", EXAMPLE, "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    raised = [
        datetime.fromisoformat(one["time"])
        for one in found["transitions"]
        if one["to"] == "UNACK" and not one["alarm_id"].endswith("no_data")
    ]
    for begin, end in spans:
        assert any(begin <= at <= end for at in raised)
    elsewhere = [at for at in raised if not any(begin <= at <= end for begin, end in spans)]
    weeks = found["weeks"] - sum((end - begin) / timedelta(weeks=1) for begin, end in spans)
    print(f"{len(elsewhere)} alarms outside the windows in {weeks:.1f} weeks: {len(elsewhere) / weeks:.2f} a week")
    record_property("false_alarms_per_week", len(elsewhere) / weeks)
    assert len(elsewhere) / weeks < 0.5
    assert len(found["gaps"]) == 10 and {gap["reason"] for gap in found["gaps"]} == {"no rows"}
    assert (found["rows_replayed"], found["duplicates"]) == (7267, 0)
    for one in found["transitions"]:
        inside = [gap for gap in found["gaps"] if gap["from"] < one["time"] < gap["to"]]
        assert not inside or (one["alarm_id"].endswith("no_data") and one["value"] is None)


def test_the_benchmark_with_every_row_twice(acceptance_data: Path, desk: Desk) -> None:
    lines = (acceptance_data / NAB).read_text().splitlines(keepends=True)
    once, twice = [], []
    for name, rows in ((once, lines), (twice, [lines[0], *(line for line in lines[1:] for _ in range(2))])):
        desk.trace.write_text("".join(rows))
        desk.rules.write_text(EXAMPLE.read_text())
        name.append(desk.judged())
    assert once[0]["transitions"] == twice[0]["transitions"] and once[0]["gaps"] == twice[0]["gaps"]
    assert twice[0]["duplicates"] == twice[0]["identical"] == 7267


def test_the_worked_example_of_the_documentation(desk: Desk) -> None:
    text = (ROOT / "docs/how-to/tune-an-alarm.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```(csv|toml|text)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert [kind for kind, _ in blocks] == ["csv", "toml", "text", "toml", "text", "toml"]
    contents = [content for _, content in blocks]
    desk.trace.write_text(contents[0])
    for rules, printed in (contents[1:3], contents[3:5]):
        desk.rules.write_text(rules)
        assert [line.rstrip() for line in desk.run().stdout.splitlines()] == printed.splitlines()
    desk.rules.write_text(contents[3] + contents[5])
    found = desk.judged()
    assert found["refused"] == [] and {step[3] for step in steps(found)} >= {"ACK", "SHELVED", "OUT_OF_SERVICE"}
