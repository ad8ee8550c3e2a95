"""What QA files: JSON that says everything, and a PDF of which every page says that its sources are simulated."""

from __future__ import annotations

import json
import re
from zoneinfo import ZoneInfo

import pytest
from tests.unit.challenge.made import T0, room, rule
from tests.unit.report.test_document import objects, words_of

from cultureops.alarms.rule import Kind
from cultureops.challenge.challenging import Outcome
from cultureops.challenge.report import Circumstances, as_json, as_pdf, is_good
from cultureops.challenge.result import Result
from cultureops.challenge.stimuli import STIMULI
from cultureops.challenge.stimulus import Excused, Why
from cultureops.ledger.head import Head

SAID = Circumstances(
    site='Lab "7" #panic',
    site_file="site.toml",
    site_file_sha256="ab" * 32,
    zone=ZoneInfo("Europe/Berlin"),
    program_version="0.1.0",
    seed=1,
    performed_by="qa-1",
    performed_at=T0,
    devices=(),
)


def result(number: int, *problems: str) -> Result:
    one = rule(id=f"inc_{number}/temperature/high")
    found = Result(STIMULI[Kind.HIGH](one, room(one)))
    found.driven_at, found.shown_at, found.shown_value, found.raised_at = T0, T0 + 60_000, 38.38, T0 + 660_000
    found.problems = list(problems)
    found.also_raised = ["inc/co2/low"]
    found.positions = [12, 13]
    return found


def outcome(*rows: Result | Excused) -> Outcome:
    return Outcome(rows, {}, {}, Head(99, "cd" * 32))


def test_json_says_what_was_seen_and_what_was_allowed() -> None:
    excused = Excused(rule(id="pio/communication"), Why.NO_SIMULATOR, "no simulator speaks pioreactor")
    inspected = Excused(rule(id="own"), Why.BY_INSPECTION, "the program's own")
    found = as_json(outcome(result(1), result(2, "not raised"), excused, inspected), SAID)
    assert json.loads(json.dumps(found)) == found
    assert found["schema"] == "cultureops/alarm-challenge/1" and found["simulated"] is True
    assert found["summary"] == {"alarms": 4, "pass": 1, "fail": 1, "not_challenged": 1, "by_inspection": 1}
    passed, failed, unchallenged, _ = found["alarms"]  # type: ignore[misc]
    assert passed["raise"] == {"delay_s": 600.0, "allowed_s": [600.0, 661.0]}  # type: ignore[index, call-overload]
    assert passed["cleared"] is None  # type: ignore[index, call-overload]
    assert failed["reason"] == "not raised"  # type: ignore[index, call-overload]
    assert unchallenged["why"] == "no simulator"  # type: ignore[index, union-attr, call-overload]


@pytest.mark.parametrize(
    ("row", "is_fine", "is_fine_if_allowed"),
    [
        (result(1), True, True),
        (result(1, "late"), False, False),
        (Excused(rule(), Why.NO_SIMULATOR, "none"), False, True),
        (Excused(rule(), Why.NOT_POSSIBLE, "no room"), False, True),
        (Excused(rule(), Why.BY_INSPECTION, "own"), True, True),
    ],
)
def test_what_was_not_challenged_is_no_success(row: Result | Excused, is_fine: bool, is_fine_if_allowed: bool) -> None:
    assert is_good(outcome(result(0), row), allow_unchallenged=False) is is_fine
    assert is_good(outcome(result(0), row), allow_unchallenged=True) is is_fine_if_allowed


def test_every_page_says_that_its_sources_are_simulated() -> None:
    rows = [result(number, *(["raised after 900 s"] if number == 7 else [])) for number in range(40)]
    pdf = as_pdf(outcome(*rows, Excused(rule(id="x"), Why.NO_SIMULATOR, "no simulator speaks it")), SAID)
    pages = sum(bool(re.search(rb"/Type\s*/Page\b", head)) for head, _ in objects(pdf).values())
    words = words_of(pdf)
    assert pages >= 3 and words.count("SIMULATEDSOURCES") >= 2 * pages
    assert 'Lab"7"#panic' in words and "raisedafter900s" in words and "nosimulatorspeaksit" in words
    assert "driven:raisedandclearedonce" in words and "notshown:justinside,twice,badreading,shelving" in words
    assert "performedby" in words and "reviewedby" in words and "ab" * 32 in words
    assert f"1of{pages}" in words and f"{pages}of{pages}" in words


def test_one_outcome_gives_one_pdf() -> None:
    assert as_pdf(outcome(result(1)), SAID) == as_pdf(outcome(result(1)), SAID)
