"""Second factors, passwords and what is kept of them."""

from __future__ import annotations

import json
import sqlite3
from base64 import urlsafe_b64decode, urlsafe_b64encode
from pathlib import Path
from typing import Any

import pyotp
import pytest
from soft_webauthn import SoftWebauthnDevice
from tests.unit.access.bench import CHEAP, HOME, PASSWORD, Bench

from cultureops.access.events import AccessEvent
from cultureops.access.password import check_password, hash_password, needs_rehash, password_matches
from cultureops.access.vault import KEY_FILE, SECRETS_FILE, make_vault
from cultureops.errors import AccessError, StorageError

OTHER = "four other words of my own"
ORIGIN = "https://lab.example"


def code_at(secret: str, wall_s: float) -> str:
    """Return the code that a phone shows."""
    return pyotp.TOTP(secret).generate_otp(int(wall_s // 30))


async def test_a_code_counts_once_within_its_time_and_the_password_alone_no_more(bench: Bench) -> None:
    new = await bench.desk.begin_totp("qa-1", PASSWORD, "", HOME)
    assert new.uri.startswith("otpauth://totp/") and await bench.desk.sign_in("qa-1", PASSWORD, "", HOME)
    with pytest.raises(AccessError):
        await bench.desk.confirm_totp(new.factor_id, "000000")
    code = code_at(new.secret, bench.wall_s)
    await bench.desk.confirm_totp(new.factor_id, code, "phone")
    for wrong in ("", code, "000000", "x" * 9000, "１２３４５６"):
        bench.wait(301)
        with pytest.raises(AccessError):
            await bench.desk.sign_in("qa-1", PASSWORD, wrong, HOME)
        await bench.desk.sign_in("qa-1", PASSWORD, code_at(new.secret, bench.wall_s), HOME)
    used = code_at(new.secret, bench.wall_s)
    with pytest.raises(AccessError):  # the same code a second time, also for a signature
        await bench.desk.sign(await bench.offered(), PASSWORD, used, HOME)
    bench.wait(30)
    signature = await bench.desk.sign(await bench.offered(), PASSWORD, code_at(new.secret, bench.wall_s), HOME)
    assert signature.method == "password+totp"
    bench.wait(90)
    late = code_at(new.secret, bench.wall_s - 60)
    with pytest.raises(AccessError):
        await bench.desk.sign_in("qa-1", PASSWORD, late, HOME)


async def test_a_role_that_needs_a_second_factor_does_nothing_before_it_has_one(bench: Bench) -> None:
    desk = await bench.reopen(second_factor_roles=frozenset({"QA"}))
    secret, session = await desk.sign_in("qa-1", PASSWORD, "", HOME)
    assert session.asks_for == "second factor" and not desk.identify(secret).roles
    new = await desk.begin_totp("qa-1", PASSWORD, "", HOME)
    await desk.confirm_totp(new.factor_id, code_at(new.secret, bench.wall_s))
    assert desk.identify(secret).roles == {"QA"}


class Browser:
    """What a browser does between the page and a security key."""

    def __init__(self) -> None:
        self.key = SoftWebauthnDevice()

    def make(self, options: str) -> str:
        given = json.loads(options)
        given["challenge"], given["user"]["id"] = _bytes(given["challenge"]), _bytes(given["user"]["id"])
        given.pop("attestation", None)
        return self._sent(self.key.create({"publicKey": given}, ORIGIN))

    def answer(self, options: str, origin: str = ORIGIN) -> str:
        given = json.loads(options)
        given["challenge"] = _bytes(given["challenge"])
        return self._sent(self.key.get({"publicKey": given}, origin))

    def _sent(self, made: dict[str, Any]) -> str:
        response = {name: _text(value) for name, value in made["response"].items() if isinstance(value, bytes)}
        raw_id = _text(made["rawId"])
        return json.dumps({"id": raw_id, "rawId": raw_id, "type": "public-key", "response": response})


def _bytes(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _text(value: bytes) -> str:
    return urlsafe_b64encode(value).decode().rstrip("=")


async def test_a_security_key_signs_in_once_for_each_challenge(bench: Bench) -> None:
    desk, browser, thief = await bench.reopen(webauthn_origin=ORIGIN), Browser(), Browser()
    made = browser.make(await desk.begin_security_key("qa-1", PASSWORD, "", HOME))
    with pytest.raises(AccessError):
        await desk.confirm_security_key("operator-1", made)
    with pytest.raises(AccessError):
        await desk.confirm_security_key("qa-1", made.replace("public-key", "x"))
    made = browser.make(await desk.begin_security_key("qa-1", PASSWORD, "", HOME))
    await desk.confirm_security_key("qa-1", made, "key")
    answer = browser.answer(await desk.security_key_options("qa-1"))
    _, session = await desk.sign_in("qa-1", PASSWORD, answer, HOME)
    assert session.method == "password+webauthn"
    stolen = thief.key
    stolen.cred_init("lab.example", b"x")
    for wrong in (
        answer,
        browser.answer(await desk.security_key_options("operator-1")),
        browser.answer(await desk.security_key_options("qa-1"), "https://evil.example"),
        thief.answer(await desk.security_key_options("qa-1")),
        "{}", "{", '{"response": {"clientDataJSON": 5}}', '{"response": []}',
    ):  # fmt: skip
        with pytest.raises(AccessError):
            await desk.sign_in("qa-1", PASSWORD, wrong, HOME)
        bench.wait(600)
        await desk.sign_in("qa-1", PASSWORD, browser.answer(await desk.security_key_options("qa-1")), HOME)
    assert json.loads(await desk.security_key_options("nobody-1"))["challenge"]


@pytest.mark.parametrize(
    "password",
    ["short one", "x" * 129, "aaaaaaaaaaaaaaaaaaaa", "abcdefghijklmnopqrstuvwxyz", "password1234567890",
     "P@ssw0rdP@ssw0rd!!", "testlab-testlab-2026", "Quality.One.2026!!", "qwertyuiopasdfghjkl", "123456789012345678",
     "a quiet\x00morning by", "\ud800" * 20],
)  # fmt: skip
def test_a_password_that_others_would_try_is_refused_and_never_repeated(password: str) -> None:
    with pytest.raises(AccessError, match="password") as refused:
        check_password(password, CHEAP, "qa-1", "Quality One")
    assert password not in str(refused.value)


@pytest.mark.parametrize("password", [PASSWORD, "kX7!mQ2#vR9@pL4z", "vier ganz andere Wörter", "x7k" * 3 + "mn2q" * 29])
def test_a_long_password_of_any_kind_is_taken(password: str) -> None:
    check_password(password, CHEAP, "qa-1", "Quality One")
    assert password_matches(hash_password(password, CHEAP), password)
    assert not password_matches(hash_password(password, CHEAP), password + "x")
    assert not password_matches("no hash", password)


async def test_stronger_parameters_are_taken_over_at_the_next_log_in(bench: Bench) -> None:
    desk = await bench.reopen(argon2_memory_kib=16)
    await desk.sign_in("qa-1", PASSWORD, "", HOME)
    kept = desk.secrets().get("secret-qa-1", "password", "qa-1")
    assert kept is not None and "m=16" in kept.decode() and not needs_rehash(kept.decode(), desk.policy)
    assert await desk.sign_in("qa-1", PASSWORD, "", HOME)


async def test_a_changed_password_ends_the_old_one_and_an_old_file_of_secrets_brings_nothing_back(bench: Bench) -> None:
    old_file = (bench.folder / SECRETS_FILE).read_bytes()
    await bench.desk.change_password("qa-1", PASSWORD, "", OTHER, HOME)
    for again in (PASSWORD, "x"):
        with pytest.raises(AccessError):
            await bench.desk.sign_in("qa-1", again, "", HOME)
    await bench.desk.sign_in("qa-1", OTHER, "", HOME)
    (bench.folder / SECRETS_FILE).write_bytes(old_file)
    for again in (PASSWORD, OTHER):
        with pytest.raises(AccessError):
            await bench.desk.sign_in("qa-1", again, "", HOME)


async def test_a_secret_moved_to_another_account_is_found_out(bench: Bench) -> None:
    with sqlite3.connect(bench.folder / SECRETS_FILE) as file:
        file.execute("UPDATE secrets SET value = (SELECT value FROM secrets WHERE id = 'secret-operator-1') "
                     "WHERE id = 'secret-qa-1'")  # fmt: skip
    file.close()
    with pytest.raises(AccessError, match="was changed"):
        await bench.desk.sign_in("qa-1", PASSWORD, "", HOME)


@pytest.mark.parametrize("lost", [SECRETS_FILE, KEY_FILE])
async def test_lost_secrets_are_never_replaced_in_silence_and_a_recovery_is_loud(bench: Bench, lost: str) -> None:
    (bench.folder / lost).unlink()
    desk = await bench.reopen()
    assert lost in desk.status().problem and "access recover" in desk.status().problem
    with pytest.raises(AccessError, match="is lost"):
        await desk.sign_in("qa-1", PASSWORD, "", HOME)
    assert not (bench.folder / lost).exists()
    for nobody in ("qa-1", "nobody-1"):
        with pytest.raises(AccessError):
            await desk.recover(bench.folder, nobody, "disk died", "uid 1000")
    with pytest.raises(AccessError, match="why"):
        await desk.recover(bench.folder, "admin-1", " ", "uid 1000")
    link = await desk.recover(bench.folder, "admin-1", "disk died", "uid 1000")
    await desk.accept(link, OTHER)
    assert await desk.sign_in("admin-1", OTHER, "", HOME)
    (told,) = [event for event in bench.ledger.read("access") if event.type == AccessEvent.RECOVERED]
    assert (told.actor.id, told.reason, told.data["secrets_lost"]) == ("shell:uid 1000", "disk died", True)


def test_the_files_are_for_their_owner_alone_and_rubbish_is_no_file_of_secrets(tmp_path: Path) -> None:
    vault = make_vault(tmp_path)
    for name in (SECRETS_FILE, KEY_FILE):
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600
    vault.put("a", "totp", "x", b"1", 5)
    assert vault.advance("a", 6) and not vault.advance("a", 6) and not vault.advance("none", 1)
    (tmp_path / SECRETS_FILE).write_bytes(b"rubbish" * 1000)
    with pytest.raises(StorageError, match="restore it"):
        make_vault(tmp_path)
    (tmp_path / KEY_FILE).write_bytes(b"short")
    with pytest.raises(AccessError, match="32 bytes"):
        make_vault(tmp_path)


async def test_no_secret_ever_stands_in_the_ledger_or_the_log(empty: Bench, capfd: pytest.CaptureFixture[str]) -> None:
    desk, told = await empty.reopen(webauthn_origin=ORIGIN), [PASSWORD, OTHER]
    link = await desk.first_link() or ""
    await desk.accept(link, PASSWORD, username="admin-1", printed_name="Admin One")
    admin = await desk.authenticate("admin-1", PASSWORD, "", HOME)
    invitation = await desk.create("qa-1", "Quality One", ["QA"], admin)
    await desk.accept(invitation, PASSWORD)
    await desk.verify_identity("qa-1", "passport", admin)
    cookie, session = await desk.sign_in("qa-1", PASSWORD, "", HOME)
    token = await desk.issue_token(desk.identify(cookie), "t", ["read"], empty.clock.now() + 1000)
    desk.identify(token)
    new = await desk.begin_totp("qa-1", PASSWORD, "", HOME)
    code = code_at(new.secret, empty.wall_s)
    await desk.confirm_totp(new.factor_id, code)
    empty.wait(30)
    await desk.change_password("qa-1", PASSWORD, code_at(new.secret, empty.wall_s), OTHER, HOME)
    for typed in ("my secret typed as a name", "qa-1"):
        with pytest.raises(AccessError):
            await desk.sign_in(typed, "another wrong guess", "123987", HOME)
    await desk.settle(empty.clock.now())
    told += [
        link.rpartition(".")[2],
        invitation.rpartition(".")[2],
        cookie.rpartition(".")[2],
        token.rpartition(".")[2],
    ]
    told += [new.secret, code, "my secret typed as a name", "another wrong guess", "123987", "$argon2id$"]
    with sqlite3.connect(empty.folder / SECRETS_FILE) as file:
        kept = [bytes(row[0]) for row in file.execute("SELECT value FROM secrets")]
    file.close()
    vault_bytes, log = (empty.folder / SECRETS_FILE).read_bytes(), "".join(capfd.readouterr())
    ledger = b"".join(event.canonical for event in empty.ledger.read_all())
    for secret in told:
        assert secret.encode() not in ledger and secret not in log and secret.encode() not in vault_bytes, secret
    assert len(kept) >= 4 and not any(one in ledger or one.hex().encode() in ledger for one in kept)
    assert session.id.encode() in ledger
