"""Recipes and the site file under change control, as people approve them at the command line."""

import json
from pathlib import Path

import pytest
from tests.hired import hire
from tests.people import employ
from tests.system.conftest import OpenLab
from typer.testing import CliRunner, Result

from cultureops.batch import commands as do
from cultureops.batch.commands import Command
from cultureops.batch.recipe import find_recipe, load_recipe
from cultureops.batch.shelf import RecipeShelf
from cultureops.cli import app
from cultureops.conduct import REFUSALS
from cultureops.errors import AccessError, TransitionRefused
from cultureops.ledger import Actor

QA = ("--actor", "qa-1", "--role", "QA", "--reason", "first use")
OPERATOR = Actor("operator-1", "OP")
NAME = "tavakol_afshari_2021"
CREATE = Command("B-1", do.CreateBatch(patient_token="COI-7F3K2", recipe=NAME))


def cultureops(*arguments: str) -> Result:
    """Run one command in this process; whoever it names has an account."""
    hire(Path.cwd(), arguments)
    return CliRunner().invoke(app, arguments)


@pytest.mark.requirement("R22")
async def test_no_new_batch_follows_a_recipe_that_nobody_approved(opened: OpenLab) -> None:
    async with opened() as lab:
        await employ(lab, OPERATOR)
        with pytest.raises(TransitionRefused, match="quality assurance has not approved it for new batches"):
            await lab.execute(CREATE, OPERATOR)
        (refusal,) = lab.ledger.read(REFUSALS)
        assert refusal.data["command"] == "CreateBatch" and refusal.actor == OPERATOR


@pytest.mark.requirement("R13", "G14")
async def test_who_has_no_account_in_the_role_does_nothing_and_the_attempt_is_on_record(opened: OpenLab) -> None:
    async with opened() as lab:
        with pytest.raises(AccessError, match="nobody has an account yet"):
            await lab.execute(CREATE, OPERATOR)
        await employ(lab, OPERATOR, Actor("administrator-1", "AD"))
        for actor, said in (
            (Actor("operator-1", "QA"), "operator-1 holds OP, not QA"),
            (Actor("nobody-1", "OP"), "'nobody-1' is no account"),
            (Actor("Operator-1", "OP"), "'Operator-1' is no account"),
        ):
            with pytest.raises(AccessError, match=said):
                await lab.execute(CREATE, actor)
        with pytest.raises(AccessError, match="'nobody-2' is no account"):
            await lab.execute(CREATE, OPERATOR, Actor("nobody-2", "OP"))
        with pytest.raises(TransitionRefused, match=r"has not approved"):
            await lab.execute(CREATE, Actor("administrator-1", "AD"))
        refused = [(event.actor.id, event.data["error"]) for event in lab.ledger.read(REFUSALS)]
        assert refused[1:5] == [
            *(("operator-1", "AccessError"), ("nobody-1", "AccessError"), ("Operator-1", "AccessError")),
            ("operator-1", "AccessError"),
        ]


@pytest.mark.requirement("R22")
def test_recipes_are_approved_compared_and_listed(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    at = ("--data-dir", str(data))
    refused = cultureops("recipe", "approve", NAME, "--actor", "operator-1", "--role", "OP", "--reason", "x", *at)
    assert refused.exit_code == 1 and "not for role OP, only for QA" in refused.stderr
    assert refused.stderr.count("\n") == 1
    done = cultureops("recipe", "approve", NAME, *QA, "--json", *at)
    assert done.exit_code == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["name"], told["version"], told["reason"]) == (NAME, 2, "first use")
    assert (told["signature"]["username"], told["signature"]["meaning"]) == ("qa-1", "approved")
    again = cultureops("recipe", "approve", NAME, *QA, *at)
    assert again.exit_code == 1 and "is approved already, by qa-1" in again.stderr
    listed = {row["name"]: row for row in json.loads(cultureops("recipe", "list", "--json", *at).stdout)}
    assert listed[NAME]["approved"]["signature"] == told["signature"] and listed["karussis_2010"]["approved"] is None
    own = tmp_path / "own.toml"
    text = find_recipe(NAME).text
    own.write_text(text.replace("viability_min = { value = 80", "viability_min = { value = 79"))
    same = cultureops("recipe", "approve", str(own), *QA, *at)
    assert same.exit_code == 1 and "another text is known under this name and version" in same.stderr
    own.write_text(own.read_text().replace("version = 2", "version = 3", 1))
    told = json.loads(cultureops("recipe", "diff", str(own), "--json", *at).stdout)
    assert told["changes"] == [{"entry": "release.viability_min", "approved": "80 %", "new": "79 %"}]
    shelf = RecipeShelf([load_recipe(own)])
    _fold(data, shelf)
    with pytest.raises(TransitionRefused, match=r"approved is v2: approve this one or put it back"):
        shelf.lookup(NAME, None)
    assert cultureops("recipe", "approve", str(own), *QA, *at).exit_code == 0
    _fold(data, shelf)
    assert shelf.lookup(NAME, None).version == 3
    assert shelf.lookup(NAME, find_recipe(NAME).sha256).version == 2, "running batches keep theirs"


def _fold(data: Path, shelf: RecipeShelf) -> None:
    import asyncio

    from cultureops.recording import open_ledger_beside

    async def read() -> None:
        async with open_ledger_beside(data) as ledger:
            for event in ledger.read_all():
                shelf.apply(event)

    asyncio.run(read())


@pytest.mark.parametrize("what", ["nothing", "none.toml", "../x", ""])
def test_what_is_no_recipe(tmp_path: Path, what: str) -> None:
    (tmp_path / "data").mkdir()
    for command in ("diff", "approve"):
        more = QA if command == "approve" else ()
        done = cultureops("recipe", command, what, *more, "--data-dir", str(tmp_path / "data"))
        assert done.exit_code == 2 and done.stderr.count("\n") == 1, done.stderr


@pytest.mark.requirement("R22")
def test_a_site_file_is_shown_compared_and_approved(tmp_path: Path) -> None:
    import asyncio

    from cultureops.clock import SystemClock
    from cultureops.site_approval import adopt_site

    data, file = tmp_path / "data", tmp_path / "site.toml"
    data.mkdir()
    file.write_text('[site]\nname = "lab"\n')
    at = ("--data-dir", str(data))
    (tmp_path / "empty").mkdir()
    none = cultureops("site", "show", "--data-dir", str(tmp_path / "empty"))
    assert none.exit_code == 2 and none.stderr.count("\n") == 1
    asyncio.run(adopt_site(data, file, SystemClock()))
    shown = cultureops("site", "show", *at)
    assert shown.stdout.startswith("# adopted at the first start") and 'name = "lab"' in shown.stdout
    file.write_text('[site]\nname = "lab"\ntime_zone = "Europe/Berlin"\n')
    compared = cultureops("site", "diff", "--site", str(file), *at)
    assert '+time_zone = "Europe/Berlin"' in compared.stdout
    wrong = cultureops("site", "approve", "--site", str(tmp_path / "none.toml"), *QA, *at)
    assert wrong.exit_code == 2 and wrong.stderr.count("\n") == 1
    done = cultureops("site", "approve", "--site", str(file), *QA, "--json", *at)
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["signature"]["username"] == "qa-1"
    assert json.loads(cultureops("site", "diff", "--site", str(file), "--json", *at).stdout)["differs"] is False
    assert not asyncio.run(adopt_site(data, file, SystemClock())).differs
