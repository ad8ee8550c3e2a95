"""Every mistake in a site file is named with file and line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.unit.notify.stock import SITE, ZONE

from cultureops.alarms.rule import Priority
from cultureops.clock import parse_iso
from cultureops.config import parse
from cultureops.errors import ConfigError
from cultureops.notify import NotifySettings, notify_from
from cultureops.notify.policy import DEFAULT, EscalationLevel

MAIL = "mailto://localhost:2525/?from=lab@example.org&to=one@example.org"
BASE = f"""
[[route]]
name = "mail"
url = "{MAIL}"
[[person]]
id = "op-1"
routes = ["mail"]
"""


def read(text: str) -> NotifySettings:
    return notify_from(parse(text, "site.toml"), "Test lab", ZONE)


def test_a_site_without_routes_tells_nobody() -> None:
    assert read("") == NotifySettings("Test lab", ZONE)
    assert not read("").routes


def test_a_whole_file() -> None:
    found = read(SITE)
    assert [route.name for route in found.routes] == ["mail-1", "mail-2", "hook"]
    assert (found.routes[0].deadline_s, found.routes[0].retries, found.routes[0].retry_after_s) == (20, 1, 10)
    assert [person.id for person in found.people] == ["op-1", "op-2", "head"]
    assert found.policies.critical.levels[1] == EscalationLevel(600, ("head",), 600)
    assert found.policies.by_priority[Priority.LOW].levels == ()
    assert found.public_url is None and found.tell_when_acknowledged and found.heartbeat is None


def test_the_general_table_and_the_heartbeat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "switch").write_text("https://hc.example/5f9b-1234\n")
    monkeypatch.setenv("HOOK", "json://user:s3cret@hook.example/tok3n")
    found = read(
        BASE
        + f"""
[[route]]
name = "hook"
url_env = "HOOK"
brief = true
[notify]
public_url = "https://lab.example/"
tell_when_acknowledged = false
first_out_s = 30
undelivered_limit_s = 600
[heartbeat]
url_file = "{tmp_path / "switch"}"
every_s = 30
tell_failure = true
"""
    )
    assert found.undelivered_limit_s == 600 and read(BASE).undelivered_limit_s == 300
    assert found.public_url == "https://lab.example" and not found.tell_when_acknowledged
    assert found.heartbeat is not None and found.heartbeat.url == "https://hc.example/5f9b-1234"
    assert found.routes[1].url.endswith("tok3n") and found.routes[1].brief
    for secret in ("s3cret", "tok3n", "5f9b"):
        assert secret not in repr(found)


def test_people_without_escalation_have_a_default() -> None:
    assert read(BASE).policies is DEFAULT


MISTAKES = [
    ("[[route]]\nname = 'a'\n", 1, "expected one of url =, url_file ="),
    (f"[[route]]\nname = 'a'\nurl = '{MAIL}'\nurl_env = 'X'\n", 1, "expected one of url ="),
    ("[[route]]\nname = 'a'\nurl = 'nonsense://x'\n", 3, "no service can be reached by it .it begins with 'nonsense'"),
    ("[[route]]\nname = 'a'\nurl = 'mailtos://u:s3cret@mail.example'\n", 3, "holds a secret"),
    ("[[route]]\nname = 'a'\nurl_env = 'NOT_THERE'\n", 3, "has no variable 'NOT_THERE'"),
    ("[[route]]\nname = 'a'\nurl_file = '/nowhere/url'\n", 3, "can't be read"),
    (f"[[route]]\nname = ''\nurl = '{MAIL}'\n", 2, "is no name"),
    (f"[[route]]\nname = 'a'\nurl = '{MAIL}'\nretries = -1\n", 4, "from 0 to 10"),
    (f"[[route]]\nname = 'a'\nurl = '{MAIL}'\ndeadline = 3\n", 4, "unknown key; did you mean 'deadline_s'"),
    (f"[[route]]\nname = 'a'\nurl = '{MAIL}'\n", 1, "leads to nobody"),
    (f"{BASE}[[route]]\nname = 'mail'\nurl = '{MAIL}'\n", 8, "two of the name 'mail'"),
    (f"{BASE}[[person]]\nid = 'op-2'\nroutes = ['sms']\n", 10, "no .*route.* 'sms'; known: mail"),
    (f"{BASE}[[person]]\nid = 'op-2'\nroutes = []\n", 10, "is missing or empty"),
    (f"{BASE}[[person]]\nid = 'on_call'\nroutes = ['mail']\n", 9, "means others"),
    (f"{BASE}[[person]]\nid = 'COI-7F3K2'\nroutes = ['mail']\n", 9, "is a patient's token"),
    (f"{BASE}mute = ['weekends low']\n", 8, "expected days and hours"),
    (f"{BASE}mute = 'Sat 00:00-24:00 low'\n", 8, "expected a list of texts"),
    (f"{BASE}off_duty = ['2026-12-26T00:00 to 2026-12-24T00:00']\n", 8, "ends before it begins"),
    (f"{BASE}[[roster]]\nperson = 'op-9'\nweekly = ['daily 00:00-24:00']\n", 9, "no .*person.* 'op-9'; known: op-1"),
    (f"{BASE}[[roster]]\nperson = 'op-1'\n", 8, "says no hours"),
    (f"{BASE}[[roster]]\nperson = 'op-1'\nweekly = ['Mon']\n", 10, "expected days and hours"),
    (f"{BASE}[[roster]]\nperson = 'op-1'\nshifts = ['2026-03-29T02:30 to 2026-03-29T09:00']\n", 10, "does not exist"),
    (f"{BASE}[[escalation]]\npriority = 'urgent'\n", 9, "expected one of low, medium, high"),
    (f"{BASE}[[escalation]]\npriority = 'low'\ngmp_critical = true\n", 8, "one of them"),
    (f"{BASE}[[escalation]]\ngmp_critical = false\n", 9, "expected true"),
    (f"{BASE}[[escalation]]\ngmp_critical = true\nnobody = true\n", 8, "always told to somebody"),
    (f"{BASE}[[escalation]]\npriority = 'low'\n", 8, "or nobody = true"),
    (f"{BASE}[[escalation]]\npriority = 'low'\nnobody = true\n", 8, "nothing is said for gmp_critical, medium, high"),
    (f"{BASE}[[escalation]]\npriority = 'low'\n[[escalation.level]]\nwho = ['on_call']\n", 11, "without a .*roster"),
    (f"{BASE}[[escalation]]\npriority = 'low'\n[[escalation.level]]\nwho = ['op-9']\n", 11, "no .*person.* 'op-9'"),
    (f"{BASE}[[escalation]]\npriority = 'low'\n[[escalation.level]]\ndelay_s = 5\n", 10, "is missing or empty"),
    (f"{BASE}[[escalation]]\npriority = 'low'\n[[escalation.level]]\nwho = ['op-1']\nrepeat_every_s = 5\n", 12,
     "at least 60"),
    (f"{BASE}[[escalation]]\npriority = 'low'\n[[escalation.level]]\nwho = ['op-1']\n[[escalation.level]]\n"
     "who = ['op-1']\n", 8, "longer delay_s"),
    (f"{BASE}[[escalation]]\npriority = 'low'\nnobody = true\n[[escalation]]\npriority = 'low'\nnobody = true\n", 11,
     "low escalates twice"),
    ("[notify]\npublic_url = 'lab.example'\n", 2, "is no address of pages"),
    ("[notify]\nfirst_out = 5\n", 2, "unknown key"),
    ("[notify]\nundelivered_limit_s = 5\n", 2, "from 60 to 3600"),
    ("[heartbeat]\nevery_s = 5\n", 1, "beats for nobody"),
    ("[heartbeat]\nurl = 'mailto://x'\n", 2, "expected http:// or https://"),
    ("[heartbeat]\nurl = 'http://[::1'\n", 2, "expected http:// or https://"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "line", "complaint"), MISTAKES)
def test_mistakes(text: str, line: int, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint) as caught:
        read(text)
    assert str(caught.value).startswith(f"site.toml:{line}: ")
    assert "\n" not in str(caught.value) and "s3cret" not in str(caught.value)


def test_the_example_of_the_guide_is_read(tmp_path: Path) -> None:
    guide = Path(__file__).parents[3] / "docs" / "how-to" / "be-told.md"
    (example,) = re.findall(r"```toml\n(.*?)```", guide.read_text(encoding="utf-8"), re.DOTALL)
    for name, url in (("sms-url", "json://user:s3cret@sms.example/send"), ("switch-url", "https://hc.example/5f9b")):
        (tmp_path / name).write_text(url + "\n")
    found = read(example.replace("/etc/cultureops", str(tmp_path)))
    assert [route.name for route in found.routes] == ["duty-mail", "duty-sms", "qa-hook"]
    assert found.public_url == "https://lab.example" and found.heartbeat is not None and found.heartbeat.tells_failure
    assert len(found.policies.critical.levels) == 3 and not found.policies.by_priority[Priority.LOW].levels
    roster = found.roster
    assert roster.next_gap(parse_iso("2026-03-26T00:00:00Z")) is None
    assert roster.on_call(parse_iso("2026-12-25T12:00:00Z")).people == ("op-2",)
