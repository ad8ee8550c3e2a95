"""What the commands `access` do for people's own accounts: passwords, second factors, tokens."""

from __future__ import annotations

import asyncio
import getpass
import sys
from collections.abc import Sequence
from pathlib import Path

from cultureops.access.account import Account
from cultureops.clock import DAY_MS, SystemClock
from cultureops.errors import AccessError
from cultureops.keeping.access import By, say_account
from cultureops.keeping.entry import entering, print_json
from cultureops.keeping.proof import SHELL, Secret, given_code, given_password, recognised

__all__ = ["accept_invitation", "add_totp", "change_password", "hand_out_token"]


def accept_invitation(data_dir: Path, link_file: Path | None, new_password_file: Path | None, *, as_json: bool) -> None:
    """Let a person set their own password by an invitation, which is typed or stands in a file."""
    link = Secret(link_file, "--invitation-file").given("the invitation")

    async def accept() -> Account:
        async with entering(data_dir, SystemClock()) as (_, desk):
            return await desk.accept(link, given_password("the account", new_password_file), source=SHELL)

    say_account(asyncio.run(accept()), as_json=as_json)


def change_password(data_dir: Path, by: By, new_password_file: Path | None, *, as_json: bool) -> None:
    """Change one's own password."""

    async def change() -> Account:
        async with entering(data_dir, SystemClock()) as (_, desk):
            password = by.secret.given(by.username)
            code = given_code(desk, by.username)
            new = given_password(by.username, new_password_file)
            return await desk.change_password(by.username, password, code, new, SHELL)

    say_account(asyncio.run(change()), as_json=as_json)


def add_totp(data_dir: Path, by: By, title: str, *, as_json: bool) -> None:
    """Add a phone as second factor of one's own: show what it scans, then ask for a code of it."""

    async def add() -> Account:
        async with entering(data_dir, SystemClock()) as (_, desk):
            password = by.secret.given(by.username)
            new = await desk.begin_totp(by.username, password, given_code(desk, by.username), SHELL)
            print(new.uri, file=sys.stderr)
            if not sys.stdin.isatty():
                raise AccessError("a phone's code is asked for at a terminal; nothing was changed")
            return await desk.confirm_totp(new.factor_id, getpass.getpass("Code that the phone shows: "), title)

    say_account(asyncio.run(add()), as_json=as_json)


def hand_out_token(data_dir: Path, by: By, title: str, scopes: Sequence[str], days: float, *, as_json: bool) -> None:
    """Issue an API token of one's own account and print it once."""

    async def issue() -> str:
        clock = SystemClock()
        async with entering(data_dir, clock) as (_, desk):
            identity = await recognised(desk, by.username, by.secret)
            return await desk.issue_token(identity, title, scopes, clock.now() + round(days * DAY_MS))

    token = asyncio.run(issue())
    if as_json:
        print_json({"username": by.username, "token": token, "scopes": sorted(set(scopes))})
    else:
        print(token)
        print("shown this once; keep it where only its program can read it", file=sys.stderr)
