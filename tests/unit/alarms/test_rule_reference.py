"""The page of alarm rules names every key, kind and default that the code reads."""

from __future__ import annotations

import re
from pathlib import Path

from cultureops.alarms import rehearsal_rows, rule_rows
from cultureops.alarms.rule import AlarmClass, Kind, Level, Priority, WhenEmpty

PAGE = (Path(__file__).parents[3] / "docs/reference/alarm-rules.md").read_text(encoding="utf-8")

HOW_TO = frozenset({"alarm", "by", "reason", "witness", "minutes", "one_shot", "at"})
"""What people do in a replay is on the page that says how to tune an alarm."""


def test_every_key_is_on_the_page() -> None:
    for module in (rule_rows, rehearsal_rows):
        source = Path(module.__file__).read_text(encoding="utf-8")
        keys = set(re.findall(r'(?:row|_said)(?:\.\w+)?\((?:row, )?"(\w+)"', source))
        assert len(keys) > 10
        assert {key for key in keys - HOW_TO if f"`{key}`" not in PAGE} == set()


def test_every_word_is_on_the_page() -> None:
    for words in (Kind, Level, Priority, AlarmClass, WhenEmpty):
        for word in words:
            assert f"`{word.value}`" in PAGE


def test_the_defaults_are_those_of_the_code() -> None:
    for kind, seconds in rule_rows._WINDOWS_S.items():
        (line,) = re.findall(rf"^\| `{kind.value}` \|.*$", PAGE, re.MULTILINE)
        assert f"`window_s` {seconds:,.0f}".replace(",", "") in line.replace(",", "")
    for key, default in (
        ("recovery_s", rule_rows.RECOVERY_S),
        ("suppress_max_s", rule_rows.LONGEST_SUPPRESSION_S),
        ("shelve_max_s", rule_rows.DEFAULT_SHELVING_S),
    ):
        assert re.search(rf"^\| `{key}` \| {default:.0f}\b", PAGE, re.MULTILINE)
