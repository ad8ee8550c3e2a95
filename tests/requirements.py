"""Which test shows which requirement: R1 to R26 of the regulations, G1 to G17 of the hard gates, and how it went.

A test names what it shows by ``@pytest.mark.requirement("R7", "G14")``, or by its own name: ``test_g7_...`` shows G7.
``pytest --requirements FILE.json`` writes what was found, over all processes of a run; ``python -m tests.requirements
FILE.json PAGE.md`` makes the page of it.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest

__all__ = ["REQUIREMENTS", "Matrix", "Requirement", "named_in", "page_of", "shown_by"]

PROPERTY: Final = "requirements"
ROOT: Final = Path(__file__).parent.parent
_BY_NAME: Final = re.compile(r"test_g([0-9]+)_")
_MARK: Final = re.compile(r"mark\.requirement\(([^)]*)\)")
_ID: Final = re.compile(r"[\"']([RG][0-9]+)[\"']")


@dataclass(frozen=True, slots=True)
class Requirement:
    """One requirement in our words, where it comes from, and why no test shows it where none does."""

    id: str
    sentence: str
    clause: str
    untested: str = ""


REQUIREMENTS: Final = (
    Requirement("R1", "Every change leaves who, role, what with old and new, when and why; nothing is obscured.",
                "21 CFR 11.10(e); Annex 11 §9; draft §12.2"),
    Requirement("R2", "Nobody switches the audit trail off or edits it, administrators neither; a clock that is set is "
                "on record.", "draft Annex 11 §12.3; MHRA 2018 §6.13"),
    Requirement("R3", "The audit trail is sorted, searched, filtered and exported, and the export verified again.",
                "draft Annex 11 §12.9"),
    Requirement("R4", "No release without a review by somebody else.", "draft Annex 11 §12.6, §12.8"),
    Requirement("R5", "A signature shows name, time with zone, role and meaning, on screen and on paper.",
                "21 CFR 11.50; draft Annex 11 §13.6"),
    Requirement("R6", "A signature can't be moved to another record; a record that changed reads as unsigned.",
                "21 CFR 11.70; draft Annex 11 §13.8"),
    Requirement("R7", "Each signature is a full authentication of its own.", "21 CFR 11.200(a)(1); draft §13.3"),
    Requirement("R8", "Nobody can sign for another, administrators neither.", "21 CFR 11.200(a)(3)"),
    Requirement("R9", "An account is one person's for good, whose identity was verified before they sign.",
                "21 CFR 11.100(a), (b)"),
    Requirement("R10", "Guessing is locked out and told at once; what was lost is revoked and dead.",
                "21 CFR 11.300(a)-(d)"),
    Requirement("R11", "Lock-out, log-out by idling that nobody raises, log of access, second factor from outside.",
                "draft Annex 11 §11.6-§11.9"),
    Requirement("R12", "Rules for passwords are the site's, and their change is on record.",
                "21 CFR 11.300(b); ASVS 5.0 6.2; draft §11.5"),
    Requirement("R13", "Roles with least privilege; an administrator has no part in records; access is reviewed.",
                "Annex 11 §12; draft §11.10, §11.11"),
    Requirement("R14", "Steps happen in their order, by who may, with devices that are known.", "21 CFR 11.10(f)-(h)"),
    Requirement("R15", "Copies are complete, for people and for programs; what was changed shows on paper.",
                "21 CFR 11.10(b); Annex 11 §8.2"),
    Requirement("R16", "Records are read for as long as they are kept, also without this program.",
                "21 CFR 11.10(c); Annex 11 §17"),
    Requirement("R17", "Backups are restored and compared.", "Annex 11 §7.2; draft §16.6"),
    Requirement("R18", "Times are of a served clock, in UTC with the zone stated; a clock that drifts is told.",
                "draft Annex 11 §12.2, §13.4"),
    Requirement("R19", "What is entered by hand must be plausible, what is critical is seen by a second person.",
                "Annex 11 §6; draft §10.1, §10.2"),
    Requirement("R20", "Only a qualified person releases, and signs it.", "Annex 11 §15"),
    Requirement("R21", "What the system must do is traced to tests and their results; altered records are discerned.",
                "21 CFR 11.10(a); Annex 11 §4.4"),
    Requirement("R22", "Recipes and limits change by approval alone; a batch keeps what it began with.",
                "21 CFR 11.10(k)(2); Annex 11 §10"),
    Requirement("R23", "Incidents have causes; without a system there is paper, entered late with a witness.",
                "Annex 11 §13, §16"),
    Requirement("R24", "The system is evaluated from data, period by period, and quality assurance signs.",
                "Annex 11 §11"),
    Requirement("R25", "Nothing travels in the clear; what the program is made of is listed.",
                "draft Annex 11 §15.20, §10.4; Annex 11 §3"),
    Requirement("R26", "What contradicts ALCOA++ is counted.", "EMA/INS/GCP/112288/2023"),
)  # fmt: skip


def gates() -> tuple[Requirement, ...]:
    """Return the hard gates with their sentences, from the program itself."""
    from cultureops.batch.gates import GATES

    return tuple(Requirement(gate.id, gate.sentence, gate.source) for gate in GATES.values())


def shown_by(item: pytest.Item) -> tuple[str, ...]:
    """Return what a test says that it shows."""
    marked = [str(name) for mark in item.iter_markers("requirement") for name in mark.args]
    by_name = _BY_NAME.match(item.name)
    return tuple(dict.fromkeys([*marked, *([f"G{by_name[1]}"] if by_name else [])]))


def named_in(tests: Path) -> frozenset[str]:
    """Return what the tests of a folder say that they show, without running any."""
    found: set[str] = set()
    for file in tests.rglob("test_*.py"):
        text = file.read_text(encoding="utf-8")
        found.update(name for marks in _MARK.findall(text) for name in _ID.findall(marks))
        found.update(f"G{number}" for number in re.findall(r"def test_g([0-9]+)_", text))
    return frozenset(found)


class Matrix:
    """The plugin: gathers outcomes by requirement and writes them at the end of the run."""

    def __init__(self, target: Path | None) -> None:
        self._target = target
        self._tests: dict[str, dict[str, Any]] = {}

    def pytest_collection_modifyitems(self, items: Sequence[pytest.Item]) -> None:
        """Let each report carry what its test shows; the processes of a run pass it on."""
        for item in items:
            if names := shown_by(item):
                item.user_properties.append((PROPERTY, list(names)))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note one phase of one test; the worst of its phases is its outcome."""
        names = dict(report.user_properties).get(PROPERTY)
        if names is None:
            return
        test = self._tests.setdefault(report.nodeid, {"shows": names, "outcome": "passed", "seconds": 0.0})
        test["seconds"] = round(test["seconds"] + report.duration, 3)
        if not report.passed:
            test["outcome"] = report.outcome

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write what was found, in the process that the others report to."""
        if self._target is not None and not hasattr(session.config, "workerinput"):
            found = {"commit": _commit(), "date": f"{datetime.now(UTC):%Y-%m-%d}", "tests": self._tests}
            self._target.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def _commit() -> str:
    command = ("git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=12")
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return done.stdout.strip() or "unknown"


def page_of(found: Mapping[str, Any]) -> str:
    """Return the page of what a run found: every requirement with its tests and how they went."""
    lines = [
        "# Requirements, tests, results",
        "",
        f"Generated by `make matrix` from a run of {found['date']} at commit `{found['commit']}`; do not edit.",
        "cultureops supports these requirements as far as software can; whether they are met is for each site to show.",
        "",
    ]
    for title, rows in (("Regulations", REQUIREMENTS), ("Hard gates", gates())):
        lines += [f"## {title}", "", "| | What is asked | Source | Result | Tests |", "|---|---|---|---|---|"]
        lines += [_line(row, found["tests"]) for row in rows]
        lines.append("")
    return "\n".join(lines)


def _line(row: Requirement, tests: Mapping[str, Mapping[str, Any]]) -> str:
    shown = {test: result for test, result in tests.items() if row.id in result["shows"]}
    named = "<br>".join(f"`{name}`{times}" for name, times in _functions(shown))
    cells = (row.id, row.sentence, row.clause, _result(shown), named or row.untested or "none in this run")
    return f"| {' | '.join(_escaped(cell) for cell in cells)} |"


def _escaped(cell: str) -> str:
    return cell.replace("|", r"\|")


def _result(shown: Mapping[str, Mapping[str, Any]]) -> str:
    if not shown:
        return "not tested"
    outcomes = [result["outcome"] for result in shown.values()]
    passed, skipped = outcomes.count("passed"), outcomes.count("skipped")
    failed = len(outcomes) - passed - skipped
    said = (
        f"{passed} passed" + (f", {skipped} skipped" if skipped else "") + (f", **{failed} failed**" if failed else "")
    )
    return said


def _functions(nodeids: Iterable[str]) -> list[tuple[str, str]]:
    """Return the test functions once each, and how many cases each has."""
    counts: dict[str, int] = {}
    for nodeid in nodeids:
        name = nodeid.partition("[")[0].removeprefix("tests/")
        counts[name] = counts.get(name, 0) + 1
    return [(name, f" × {count}" if count > 1 else "") for name, count in sorted(counts.items())]


if __name__ == "__main__":
    source, target = map(Path, sys.argv[1:])
    target.write_text(page_of(json.loads(source.read_text(encoding="utf-8"))), encoding="utf-8")
