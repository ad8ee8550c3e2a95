"""`cultureops alarms kpi` on a real ledger that real alarms were written to: JSON, table, PDF, and wrong use."""

import asyncio
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from cultureops.alarms.alarm import Act, Alarm, Shelf, Transition
from cultureops.alarms.events import alarm_event
from cultureops.alarms.rule import Kind, Priority, Rule
from cultureops.cli.alarm_kpi import kpi
from cultureops.clock import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, SteppedClock, SystemClock, SystemEntropy, iso
from cultureops.ledger import Actor, NewEvent, Source, SqlLedger
from cultureops.report.document import render

T0 = 1_767_600_000_000
OPERATOR = Act("operator-1", "seen")
HOSTILE = "fridge #panic(1) [x] \\ `y` $z$"


def rule(name: str, priority: Priority = Priority.LOW) -> Rule:
    return Rule(
        id=name, chamber="left", channel="incubator_1/co2", device="incubator_1", kind=Kind.LOW, limit=4.0, unit="%",
        deadband=0.2, on_delay_s=120, off_delay_s=60, misses=3, priority=priority, gmp_critical=True,
        consequence="The medium turns alkaline.", response="Change the cylinder.", respond_within_s=1200,
    )  # fmt: skip


def life() -> list[Transition]:
    """Alarms of 40 days: one acknowledged and standing, one that chatters, one shelved without a reason."""
    seen, chatter, muted = (
        Alarm(rule("incubator_1/co2/low")),
        Alarm(rule("incubator_1/door", Priority.HIGH)),
        Alarm(rule(HOSTILE)),
    )
    transitions = [
        seen.begin(T0 + DAY_MS, T0 + DAY_MS - 2 * MINUTE_MS, 3.9, "low"),
        seen.acknowledge(T0 + DAY_MS + 5 * MINUTE_MS, OPERATOR),
        seen.end(T0 + DAY_MS + 26 * HOUR_MS, T0 + DAY_MS + 26 * HOUR_MS, 4.9, "back"),
    ]
    for second in (0, 20, 40):
        at = T0 + 9 * DAY_MS + second * SECOND_MS
        transitions += [chatter.begin(at, at, 3.0, "low"), chatter.end(at + 5 * SECOND_MS, at, 5.0, "back")]
    at = T0 + 10 * DAY_MS
    transitions += [
        muted.begin(at, at, 3.0, "low"),
        muted.shelve(at + 1, Shelf(Act("operator-1", " "), at + 1, at + HOUR_MS), "shelved"),
        muted.end(at + 2 * HOUR_MS, at + 2 * HOUR_MS, 5.0, "back"),
        muted.release(at + 9 * HOUR_MS, "over"),
        chatter.acknowledge(T0 + 9 * DAY_MS + HOUR_MS, OPERATOR),
    ]
    return sorted(transitions, key=lambda transition: transition.at)


def written(folder: Path, transitions: Iterable[Transition], until: int) -> Path:
    """A data folder whose ledger begins at T0 and ends at ``until``."""

    async def write() -> None:
        clock = SteppedClock(T0)
        ledger = SqlLedger.open(folder / "ledger.sqlite", clock, SystemEntropy())
        nobody = Actor("cultureops", "system")
        try:
            await ledger.append("lab", [NewEvent("lab_started", {}, nobody, Source.SYSTEM)], None)
            for transition in transitions:
                clock.advance(transition.at - clock.now())
                stream, kind, data = alarm_event(transition, ())
                await ledger.append(stream[:200], [NewEvent(kind, data, nobody, Source.SYSTEM, transition.at)], None)
            clock.advance(until - clock.now())
            await ledger.append("lab", [NewEvent("lab_stopped", {}, nobody, Source.SYSTEM)], None)
        finally:
            await ledger.close()

    folder.mkdir()
    asyncio.run(write())
    return folder


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("lab") / "data", life(), T0 + 40 * DAY_MS)


def call(*arguments: str) -> Result:
    app = typer.Typer()
    app.command()(kpi)
    return CliRunner().invoke(app, arguments)


def report_of(data_dir: Path, *arguments: str) -> Any:
    done = call("--data-dir", str(data_dir), *arguments, "--json")
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout)


def test_json_says_every_figure_of_a_real_ledger_with_its_judgement(data_dir: Path) -> None:
    report = report_of(data_dir, "--from", iso(T0), "--to", iso(T0 + 40 * DAY_MS), "--actor", "qa-1")
    rows = {row["key"]: row for row in report["kpis"]}
    assert (report["activations"], report["is_sufficient"], report["record_since"]) == (5, True, iso(T0))
    assert (rows["per_hour"]["value"], rows["per_hour"]["judgement"]) == (pytest.approx(5 / 960), "acceptable")
    assert rows["chattering"]["details"] == ["incubator_1/door: 3"]
    assert rows["fleeting"]["details"] == ["incubator_1/door: 3"]
    assert rows["priority_high"]["value"] == 60
    assert rows["acknowledge_mean"]["value"] == (300 + 3600 + 3580 + 3560) / 4
    assert rows["annunciate_p95"]["value"] == 120
    assert rows["unauthorised"]["details"] == [HOSTILE]
    assert rows["long_suppressed"]["judgement"] == "review"
    # Raised on 6 January at 08:00 for 26 h: stale from 7 January 08:00 to 10:00.
    assert report["stale_days"] == [{"day": "2026-01-07", "rule_ids": ["incubator_1/co2/low"]}]
    assert report["unacknowledged"] == []
    assert {actor["rule_id"]: actor["faults"] for actor in report["worst_actors"]} == {
        "incubator_1/door": ["chattering", "fleeting"],
        "incubator_1/co2/low": ["stale"],
        HOSTILE: ["suppressed for more than a shift", "suppressed without person or reason"],
    }
    assert report["printed_by"] == "qa-1"
    assert report["ledger"]["position"] == 2 + len(life())


def test_below_thirty_days_rates_are_shown_and_not_judged(data_dir: Path) -> None:
    report = report_of(data_dir, "--from", iso(T0 + 8 * DAY_MS), "--to", iso(T0 + 37 * DAY_MS))
    rows = {row["key"]: row for row in report["kpis"]}
    assert not report["is_sufficient"]
    assert (rows["per_hour"]["judgement"], rows["per_hour"]["value"]) == ("insufficient", pytest.approx(4 / 29 / 24))
    assert rows["chattering"]["judgement"] == "too many"
    printed = call("--data-dir", str(data_dir), "--from", iso(T0 + 8 * DAY_MS), "--to", iso(T0 + 37 * DAY_MS)).stdout
    (line,) = [line for line in printed.splitlines() if line.startswith("alarms an hour")]
    assert "0.005747 /h" in line and line.rstrip().endswith("insufficient")
    assert "raise its deadband" in printed


def test_pdf_is_written_once_and_whole(data_dir: Path, tmp_path: Path) -> None:
    file = tmp_path / "kpi.pdf"
    arguments = ("--from", iso(T0), "--to", iso(T0 + 40 * DAY_MS), "--pdf", str(file))
    report = report_of(data_dir, *arguments)
    first = file.read_bytes()
    assert first == render("alarm_kpi", report)
    again = call("--data-dir", str(data_dir), *arguments)
    assert (again.exit_code, again.stdout) == (2, "")
    assert "exists" in again.stderr and file.read_bytes() == first


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--from", "yesterday"), 2, "--from: 'yesterday' is not an ISO 8601"),
        (("--to", "2026-01-20T00:00:00"), 2, "states no UTC offset"),
        (("--from", "2026-01-20T00:00:00Z", "--to", "2026-01-20T00:00:00Z"), 2, "is empty"),
        (("--from", "2026-01-21T00:00:00Z", "--to", "2026-01-20T00:00:00Z"), 2, "is empty"),
        (("--to", "2025-12-01T00:00:00Z"), 2, "the record begins at 2026-01-05"),
        (("--to", "2999-12-01T00:00:00Z"), 2, "yet to come"),
        (("--operators", "0"), 2, "0 operators"),
        (("--operators", "-3"), 2, "-3 operators"),
        (("--operators", "two"), 2, "Invalid value"),
        (("--from", "\x00"), 2, "--from"),
        (("--pdf", "/nowhere/x.pdf"), 2, "can't be written"),
        (("--pdf", "/"), 2, "name a file"),
        (("--actor", "#" * 10_000), 2, "no account name"),
        (("--actor", " "), 2, "no account name"),
    ],
)
def test_wrong_use_is_one_line(data_dir: Path, arguments: tuple[str, ...], code: int, said: str) -> None:
    done = call("--data-dir", str(data_dir), "--to", iso(T0 + 30 * DAY_MS), *arguments)
    assert (done.exit_code, done.stdout) == (code, "")
    assert said in done.stderr


def test_a_folder_without_a_ledger_and_an_empty_or_broken_one_are_refused(tmp_path: Path) -> None:
    missing = call("--data-dir", str(tmp_path))
    assert missing.exit_code == 2 and "no such file" in missing.stderr
    ledger = SqlLedger.open(tmp_path / "ledger.sqlite", SystemClock(), SystemEntropy())
    asyncio.run(ledger.close())
    empty = call("--data-dir", str(tmp_path))
    assert empty.exit_code == 1 and "nothing is on record" in empty.stderr
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "ledger.sqlite").write_bytes(b"garbage" * 1000)
    broken = call("--data-dir", str(tmp_path / "x"))
    assert broken.exit_code == 1 and broken.stderr.count("\n") == 1


def test_a_lab_without_alarms_has_figures_too(tmp_path: Path) -> None:
    quiet = written(tmp_path / "data", (), T0 + DAY_MS)
    report = report_of(quiet, "--to", iso(T0 + DAY_MS))
    rows = {row["key"]: row for row in report["kpis"]}
    assert (report["activations"], report["period"]["from"]) == (0, iso(T0))
    assert (rows["per_hour"]["value"], rows["top_10"]["value"], rows["acknowledge_mean"]["value"]) == (0, None, None)
    assert rows["chattering"]["judgement"] == "acceptable"
