"""The site file under change control: adopted once, then in force as signed; its secrets stay out of the ledger."""

import stat
from pathlib import Path

import pytest
from tests.signing import signature

from cultureops.access import Meaning
from cultureops.clock import MINUTE_MS, SteppedClock, parse_iso
from cultureops.conduct import Command, shown_of
from cultureops.errors import ConfigError, TransitionRefused
from cultureops.ledger import Actor
from cultureops.recording import LEDGER_FILE, open_ledger_beside
from cultureops.site_approval import (
    STREAM,
    ApproveSite,
    SiteText,
    SiteWatch,
    adopt_site,
    approve_site,
    approving_site,
    named_files,
    text_in_force,
)
from cultureops.site_secrets import SiteKey

START = parse_iso("2026-01-05T08:00:00Z")
QA = Actor("qa-1", "QA")
PLAIN = """
[site]
name = "lab"
[web]
port = 8080
"""
HELD = """
[site]
name = "lab"
# the gauge's password = 'not a setting'
[[device]]
id = "incubator_1"
driver = "modbus"
link = "modbus+tcp://127.0.0.1:502"
options = { profile = "cultureops_virtual_incubator" }
[heartbeat]
url = "https://ping.example/1f0c2a9e-watch"
file = "/tmp/beat"
"""


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock(START)


@pytest.fixture
def place(tmp_path: Path) -> tuple[Path, Path]:
    """A data folder, and a site file beside it."""
    data, file = tmp_path / "data", tmp_path / "site.toml"
    data.mkdir()
    file.write_text(PLAIN)
    return data, file


async def sign(data: Path, command: Command, clock: SteppedClock, person: Actor = QA) -> SiteText:
    async with open_ledger_beside(data, clock) as ledger:
        shown = shown_of(STREAM, ledger.read(STREAM), command)
        signed = (signature(shown, person, Meaning.APPROVED, clock.now()),)
        return await approve_site(ledger, command, clock.now(), person, signed)


@pytest.mark.requirement("R22")
async def test_an_edited_limit_is_not_in_force_until_quality_assurance_has_signed_it(
    place: tuple[Path, Path], clock: SteppedClock
) -> None:
    data, file = place
    first = await adopt_site(data, file, clock)
    assert (first.site.web.port, first.differs, first.text.signature) == (8080, False, None)
    assert not (await adopt_site(data, file, clock)).differs
    file.write_text(PLAIN.replace("8080", "9090"))
    unsigned = await adopt_site(data, file, clock)
    assert unsigned.differs and unsigned.site.web.port == 8080, "the lab goes on with what was adopted"
    command = approving_site(data, file, "the proxy moved")
    with pytest.raises(TransitionRefused, match="ApproveSite is not for role OP, only for QA"):
        await sign(data, command, clock, Actor("operator-1", "OP"))
    async with open_ledger_beside(data, clock) as ledger:
        with pytest.raises(TransitionRefused, match=r"ApproveSite must be signed \(approved\) by qa-1"):
            await approve_site(ledger, command, clock.now(), QA, ())
        assert [event.type for event in ledger.read("refusals")] == ["command_refused"] * 2
    assert (await adopt_site(data, file, clock)).differs
    approved = await sign(data, command, clock)
    assert approved.signature is not None and approved.signature.username == "qa-1"
    now = await adopt_site(data, file, clock)
    assert (now.site.web.port, now.differs, now.text.reason) == (9090, False, "the proxy moved")
    with pytest.raises(TransitionRefused, match="this text is in force already"):
        await sign(data, command, clock)


@pytest.mark.parametrize("text", ["[site\n", "", "[site]\nname = 3\n", "[site]\nname='x'\nnonsense=1\n"])
async def test_garbage_is_neither_adopted_nor_approved(
    place: tuple[Path, Path], clock: SteppedClock, text: str
) -> None:
    data, file = place
    file.write_text(text)
    with pytest.raises(ConfigError, match=r"site\.toml"):
        await adopt_site(data, file, clock)
    async with open_ledger_beside(data, clock) as ledger:
        assert text_in_force(ledger.read(STREAM)) is None
    with pytest.raises(ConfigError):
        approving_site(data, file, "why")
    file.write_text(PLAIN)
    await adopt_site(data, file, clock)
    file.write_text(text)
    assert (await adopt_site(data, file, clock)).site.name == "lab", "a broken file stops no lab"
    file.unlink()
    with pytest.raises(ConfigError, match="can't be read"):
        await adopt_site(data, file, clock)


async def test_secrets_in_the_file_never_enter_the_ledger(place: tuple[Path, Path], clock: SteppedClock) -> None:
    data, file = place
    file.write_text(HELD)
    adopted = await adopt_site(data, file, clock)
    assert adopted.site.notify is not None or adopted.site.name == "lab"
    stored = b"".join(path.read_bytes() for path in data.glob(f"{LEDGER_FILE}*"))
    assert b"1f0c2a9e" not in stored and b"ping.example" not in stored
    assert "***" in adopted.text.text and "127.0.0.1:502" in adopted.text.text
    whole = data / "keys" / "site.toml"
    assert whole.read_text() == HELD and stat.S_IMODE(whole.stat().st_mode) == 0o600
    assert stat.S_IMODE((data / "keys" / "site.key").stat().st_mode) == 0o600
    file.write_text(HELD.replace("1f0c2a9e", "2222"))
    assert (await adopt_site(data, file, clock)).differs, "another secret is another text"
    whole.unlink()
    with pytest.raises(ConfigError, match="put the approved file back, or have this one approved"):
        await adopt_site(data, file, clock)
    file.write_text(HELD)
    assert not (await adopt_site(data, file, clock)).differs


@pytest.mark.parametrize(
    ("line", "secret"),
    [
        ('password = "hunter2 with blanks"', "hunter2"),
        ("options = { profile = 'x', api_key = 'k-17-abc' }", "k-17-abc"),
        ('link = "http://reader:s3cr3t@10.0.0.7/"', "s3cr3t"),
        ('url = "https://h.example/x?token=abc123&y=1"', "abc123"),
        ('mqtt_password="p"', '"p"'),
        ('[heartbeat]\nevery_s = 60\nurl = "https://ping.example/uuid-1"', "uuid-1"),
        ('password = "it\'s hunter2"', "hunter2"),
        ('password = """hunter2"""', "hunter2"),
        ('"password" = "hunter2"', "hunter2"),
        ("pass\\u0077ord".join(('"', '" = "hunter2"')), "hunter2"),
        ('tokens = ["hunter1", "hunter2"]', "hunter2"),
        ('pwd = "hunter2"', "hunter2"),
        ('[password]\nvalue = "hunter2"', "hunter2"),
        ('headers = { Authorization = "Bearer hunter2" }', "hunter2"),
        ('link = "modbus+tcp://reader:hun@ter2@10.0.0.7:502"', "ter2"),
        ('link = "serial:///dev/ttyS0;password=hunter2"', "hunter2"),
    ],
)
def test_what_is_hidden(tmp_path: Path, line: str, secret: str) -> None:
    hidden = SiteKey(tmp_path).redacted(line)
    assert secret not in hidden and "***" in hidden
    assert hidden == SiteKey(tmp_path).redacted(line), "the same key gives the same commitment"


@pytest.mark.parametrize(
    "line", ['password_file = "/etc/x"', 'token_file = "t"', 'url = "http://127.0.0.1:8086"', 'link = "tcp://a:1"']
)
def test_what_is_not_hidden(tmp_path: Path, line: str) -> None:
    assert SiteKey(tmp_path).redacted(line) == line


def test_a_secret_that_can_not_be_hidden_keeps_the_file_out_of_the_ledger(tmp_path: Path) -> None:
    for line in ('password = "a\\"hunter2"', 'link = "x://reader:hunt\\u0065r2@h"  # reader:hunter2'):
        try:
            assert "hunter2" not in SiteKey(tmp_path).fit_for_ledger(line)
        except ConfigError as refused:
            assert "password holds a secret" in str(refused) and "hunter2" not in str(refused)
    with pytest.raises(ConfigError, match="password holds a secret in a form that can't be hidden"):
        SiteKey(tmp_path).fit_for_ledger('password = "a\\"hunter2"')


@pytest.mark.requirement("R22")
async def test_a_named_file_that_is_not_what_was_approved_is_told_until_it_is(
    place: tuple[Path, Path], clock: SteppedClock
) -> None:
    data, file = place
    profile = file.with_name("own.toml")
    text = HELD.replace('"cultureops_virtual_incubator"', '"own.toml"')
    profile.write_text("scale = 0.1\n")
    file.write_text(text)
    adopted = await adopt_site(data, file, clock)
    assert adopted.text.files == named_files(file, text) and not adopted.differs
    watch = SiteWatch(data, file, adopted)
    for scale, differs in (("0.01", True), ("0.1", False), ("0.01", True)):
        profile.write_text(f"scale = {scale}\n")
        await watch.settle(START)
        assert watch.differs is differs
        assert (await adopt_site(data, file, clock)).differs is differs
    await sign(data, approving_site(data, file, "the gauge was changed"), clock)
    assert not (await adopt_site(data, file, clock)).differs
    profile.unlink()
    assert (await adopt_site(data, file, clock)).differs
    assert named_files(file, '[[recipe]]\nfile = "r.toml"') == (), "recipes are approved by themselves"


def test_an_approval_without_a_signature_counts_for_nothing() -> None:
    assert ApproveSite(text="", commitment="0" * 64)
    with pytest.raises(Exception, match="commitment"):
        ApproveSite(text="", commitment="x")


async def test_the_watch_sees_the_file_change_and_come_back(place: tuple[Path, Path], clock: SteppedClock) -> None:
    data, file = place
    watch = SiteWatch(data, file, await adopt_site(data, file, clock))
    assert watch.is_due(START) and not watch.differs
    await watch.settle(START)
    assert not watch.differs and not watch.is_due(START + MINUTE_MS - 1)
    for text, differs in ((PLAIN + "# a remark\n", True), (PLAIN, False)):
        file.write_text(text)
        await watch.settle(START + MINUTE_MS)
        assert watch.differs is differs
    file.unlink()
    await watch.settle(START + 2 * MINUTE_MS)
    assert watch.differs
