"""`cultureops access`, and how commands on records ask who somebody is: at a prompt, by file, by token."""

from __future__ import annotations

import json
import os
import pty
import select
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.command_line import at_terminal
from tests.hired import WORDS, hire_named, password_file
from typer.testing import CliRunner, Result

from cultureops.cli import access, alarms, equipment
from cultureops.ledger.verify import read_stream

GROUPS = {"access": access.group, "alarms": alarms.group, "equipment": equipment.group}
OTHER = "four other words of my own"


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder; nothing in the environment proves anything."""
    password_file()
    for variable in ("CULTUREOPS_PASSWORD_FILE", "CULTUREOPS_WITNESS_PASSWORD_FILE", "CULTUREOPS_TOKEN"):
        monkeypatch.delenv(variable, raising=False)
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


def call(data: Path, *arguments: str) -> Result:
    """Run one command in this process."""
    group, *rest = arguments
    return CliRunner().invoke(GROUPS[group], [*rest, "--data-dir", str(data)])


def kept(folder: Path, text: str, mode: int = 0o600) -> str:
    """Return the path of a file that holds a text."""
    file = folder.parent / f"file-{len(list(folder.parent.iterdir()))}"
    file.touch(mode=mode)
    file.chmod(mode)
    file.write_text(text)
    return str(file)


def stop(data: Path, *proof: str) -> Result:
    """Take a chamber out of service as operator-1."""
    order = ("equipment", "out-of-service", "x", "--actor", "operator-1", "--role", "OP", "--reason", "broken")
    return call(data, *order, *proof)


def test_without_an_account_every_entry_says_how_to_begin(data: Path) -> None:
    for asked in (stop(data), call(data, "access", "list")):
        assert asked.exit_code == 1 and asked.stderr.endswith("`cultureops access set-up`\n"), asked.stderr
        assert asked.stderr.count("\n") == 1
    assert not list(data.iterdir())


def test_a_site_is_set_up_from_the_shell_and_a_record_is_signed(data: Path) -> None:
    hire_named(data)
    mine, other = kept(data, WORDS), kept(data, OTHER)
    made = call(data, "access", "set-up", "--username", "admin-1", "--printed-name", "Admin One",
                "--new-password-file", mine, "--json")  # fmt: skip
    assert json.loads(made.stdout) == {"username": "admin-1", "roles": ["AD"]}, made.stderr
    by = ("--actor", "admin-1", "--password-file", mine)
    invited = call(data, "access", "create", "qa-1", "--printed-name", "QA One", "--role", "QA", *by)
    assert invited.exit_code == 0 and invited.stdout.startswith("coi.")
    link = kept(data, invited.stdout)
    accept = ("access", "accept", "--invitation-file", link, "--new-password-file")
    weak = call(data, *accept, kept(data, "password12345678"))
    assert weak.exit_code == 1 and "password12345678" not in weak.stderr
    assert call(data, *accept, other).exit_code == 0
    again = call(data, *accept, other)
    assert again.exit_code == 1 and "used already" in again.stderr
    commission = ("equipment", "commission", "x", "--document", "Q-1", "--actor", "qa-1", "--role", "QA")
    unchecked = call(data, *commission, "--password-file", other)
    assert unchecked.exit_code == 1 and "identity" in unchecked.stderr
    assert call(data, "access", "verify-identity", "qa-1", "--how", "passport", *by).exit_code == 0
    done = call(data, *commission, "--password-file", other)
    assert done.exit_code == 0, done.stderr
    event = read_stream(data / "ledger.sqlite", "equipment:x")[-1]
    (signature,) = event.data["signatures"]  # type: ignore[misc, union-attr]
    assert (signature["username"], signature["meaning"], signature["method"]) == ("qa-1", "approved", "password")
    review = ("access", "review", "--actor", "qa-1", "--conclusion", "fine", "--json")
    reviewed = call(data, *review, "--password-file", other)
    assert json.loads(reviewed.stdout)["signed_by"] == "qa-1", reviewed.stderr


def test_every_proof_that_is_none_is_refused_in_one_line_and_nothing_is_recorded(data: Path) -> None:
    hire_named(data, ("operator-1", "OP"), ("operator-2", "OP"))
    issue = ("access", "token", "issue", "--title", "t", "--actor", "operator-2", "--password-file", kept(data, WORDS))
    token = call(data, *issue, "--scope", "read").stdout.strip()
    foreign = call(data, *issue, "--scope", "records:write").stdout.strip()
    for code, said, proof, given in (
        (2, "use a terminal", (), ""),
        (1, "is wrong", ("--password-file", kept(data, "not the password")), ""),
        (2, "first line is empty", ("--password-file", kept(data, "\n" + WORDS)), ""),
        (2, "others may read it", ("--password-file", kept(data, WORDS, 0o644)), ""),
        (2, "No such file", ("--password-file", str(data / "none")), ""),
        (1, "is of operator-2", (), foreign),
        (1, "not recognised", (), "rubbish"),
        (1, "not recognised", (), token + "x"),
    ):
        os.environ.pop("CULTUREOPS_TOKEN", None)
        if given:
            os.environ["CULTUREOPS_TOKEN"] = given
        refused = stop(data, *proof)
        assert refused.exit_code == code and said in refused.stderr, (said, refused.stderr)
        assert refused.stderr.count("\n") == 1
    os.environ["CULTUREOPS_TOKEN"] = token
    narrow = call(data, "equipment", "out-of-service", "x", "--actor", "operator-2", "--role", "OP", "--reason", "r")
    assert narrow.exit_code == 1 and "does not allow records:write" in narrow.stderr
    os.environ.pop("CULTUREOPS_TOKEN")
    assert not read_stream(data / "ledger.sqlite", "equipment:x")


def test_a_witness_proves_to_be_themselves_too(data: Path) -> None:
    hire_named(data, ("operator-1", "OP"), ("operator-2", "OP"))
    words = ("alarms", "shelve", "a/high", "--minutes", "5", "--actor", "operator-1", "--role", "OP", "--reason", "r",
             "--witness", "operator-2", "--password-file", kept(data, WORDS), "--wait", "0")  # fmt: skip
    alone = call(data, *words)
    assert alone.exit_code == 2 and "--witness-password-file" in alone.stderr
    wrong = call(data, *words, "--witness-password-file", kept(data, OTHER))
    assert wrong.exit_code == 1 and "is wrong" in wrong.stderr
    both = call(data, *words, "--witness-password-file", kept(data, WORDS))
    assert both.exit_code == 0, both.stderr


def test_a_password_is_asked_for_at_a_terminal_and_never_shown(data: Path) -> None:
    hire_named(data, ("qa-1", "QA"))
    arguments = ("equipment", "commission", "x", "--document", "Q-1", "--actor", "qa-1", "--role", "QA")
    main, terminal = pty.openpty()
    with ThreadPoolExecutor(1) as beside:
        asked = beside.submit(at_terminal, *arguments, "--data-dir", str(data), terminal=os.ttyname(terminal))
        said, give_up, is_typed = b"", time.monotonic() + 50, False
        while time.monotonic() < give_up and not (asked.done() and is_typed):
            if select.select([main], [], [], 0.02)[0]:
                said += os.read(main, 4096)
            if b"Password of qa-1: " in said and not is_typed:
                is_typed = bool(os.write(main, WORDS.encode() + b"\n"))
        assert asked.result(10) == 0, said
    os.close(terminal)
    os.close(main)
    assert WORDS.encode() not in said and b"qa-1 (QA) signs as approved: Commissioned of equipment:x" in said
    assert read_stream(data / "ledger.sqlite", "equipment:x")[-1].actor.id == "qa-1"
