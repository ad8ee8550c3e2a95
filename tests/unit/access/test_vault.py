"""The vault of secrets, in a file and in a table: the same promises, also to several nodes at once."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import text
from tests.postgres import Database
from tests.unit.access.bench import CHEAP, HOME, PASSWORD, Bench
from tests.unit.access.test_factors import code_at

from cultureops.access.desk import open_access
from cultureops.access.vault import KEY_FILE, Vault, make_vault, open_vault, replace_secrets, rows_of
from cultureops.clock import SeededEntropy
from cultureops.errors import AccessError, StorageError
from cultureops.ledger.pointer import point_to


@pytest.fixture(params=["file", "table"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A data folder whose ledger would be in a file, or is in a database."""
    if request.param == "table":
        point_to(tmp_path, request.getfixturevalue("postgres").settings())
    return tmp_path


def test_a_secret_is_kept_replaced_and_forgotten(folder: Path) -> None:
    vault = make_vault(folder)
    vault.put("a", "totp", "op-1", b"seed", 5)
    vault.put("b", "password", "op-1", b"hash")
    again = open_vault(folder, is_expected=True)
    assert (again.get("a", "totp", "op-1"), again.counter("a"), again.ids("totp")) == (b"seed", 5, ("a",))
    assert (again.get("none", "totp", "op-1"), again.counter("none")) == (None, 0)
    vault.put("a", "totp", "op-1", b"new seed", 9)
    assert (again.get("a", "totp", "op-1"), again.counter("a")) == (b"new seed", 9)
    vault.remove("a", "none")
    assert again.get("a", "totp", "op-1") is None and again.ids("password") == ("b",)


def test_nothing_is_stored_in_the_clear_and_no_row_can_be_given_to_another(folder: Path) -> None:
    vault = make_vault(folder)
    vault.put("a", "password", "op-1", b"a hash that nobody must see")
    vault.put("b", "password", "qa-1", b"another")
    with rows_of(folder).begin() as connection:
        kept = bytes(connection.execute(text("SELECT value FROM secrets WHERE id = 'a'")).scalar_one())
        connection.execute(text("UPDATE secrets SET value = :value WHERE id = 'b'"), {"value": kept})
    assert b"nobody" not in kept
    with pytest.raises(AccessError, match="was changed"):
        vault.get("b", "password", "qa-1")
    with pytest.raises(AccessError, match="was changed"):
        Vault(rows_of(folder), b"0" * 32).get("a", "password", "op-1")


def test_of_all_who_come_with_one_step_one_moves_the_counter(folder: Path) -> None:
    nodes = [make_vault(folder) for _ in range(4)]
    nodes[0].put("a", "totp", "op-1", b"seed", 0)
    with ThreadPoolExecutor(4) as threads:
        for step in range(1, 6):
            taken = list(threads.map(lambda node, step=step: node.advance("a", step), nodes))  # type: ignore[misc]
            assert sorted(taken) == [False, False, False, True]
    assert not nodes[0].advance("none", 1) and nodes[3].counter("a") == 5


@pytest.mark.parametrize("lost", ["rows", "key"])
def test_what_is_lost_is_never_made_anew_in_silence(folder: Path, lost: str) -> None:
    make_vault(folder).put("a", "totp", "op-1", b"seed")
    if lost == "key":
        (folder / KEY_FILE).unlink()
    elif (folder / "access.sqlite").exists():
        (folder / "access.sqlite").unlink()
    else:
        with rows_of(folder).begin() as connection:
            connection.execute(text("DELETE FROM secrets"))
    with pytest.raises(AccessError, match="is lost"):
        open_vault(folder, is_expected=True)
    assert (folder / KEY_FILE).exists() == (lost == "rows")


def test_rows_go_from_one_place_to_another_sealed_as_they_are(postgres: Database, tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    for folder in (here, there):
        folder.mkdir()
    point_to(there, postgres.settings())
    make_vault(here).put("a", "totp", "op-1", b"seed", 7)
    make_vault(there).put("old", "totp", "op-9", b"of before")
    shutil.copy(here / KEY_FILE, there / KEY_FILE)
    assert replace_secrets(rows_of(here), rows_of(there)) == 1
    moved = open_vault(there, is_expected=True)
    assert (moved.ids("totp"), moved.get("a", "totp", "op-1"), moved.counter("a")) == (("a",), b"seed", 7)
    assert not moved.advance("a", 7) and moved.advance("a", 8)


def test_a_server_that_is_away_is_told_in_one_line(postgres: Database, tmp_path: Path) -> None:
    settings = postgres.settings()
    point_to(tmp_path, type(settings)("127.0.0.1", "nowhere", "cultureops", 1, connect_timeout_s=1.0))
    with pytest.raises(StorageError, match="see that the server answers") as told:
        make_vault(tmp_path)
    assert "\n" not in str(told.value)


async def test_a_code_that_one_node_took_is_taken_by_no_other(bench: Bench, postgres: Database) -> None:
    point_to(bench.folder, postgres.settings())
    desk = await bench.reopen()
    assert desk.status().problem and "is lost" in desk.status().problem
    (bench.folder / "ledger.json").unlink()
    source = rows_of(bench.folder)
    point_to(bench.folder, postgres.settings())
    replace_secrets(source, rows_of(bench.folder))
    desk = await bench.reopen()
    new = await desk.begin_totp("qa-1", PASSWORD, "", HOME)
    await desk.confirm_totp(new.factor_id, code_at(new.secret, bench.wall_s))
    other = await open_access(
        bench.folder, bench.ledger, CHEAP, bench.clock, SeededEntropy(5), real_s=lambda: bench.seconds[0],
        wall_s=lambda: bench.wall_s,
    )  # fmt: skip
    bench.wait(30)
    code = code_at(new.secret, bench.wall_s)
    assert await desk.sign_in("qa-1", PASSWORD, code, HOME)
    with pytest.raises(AccessError):
        await other.sign_in("qa-1", PASSWORD, code, HOME)
    bench.wait(30)
    assert await other.sign_in("qa-1", PASSWORD, code_at(new.secret, bench.wall_s), HOME)
