"""What the commands `access` do and print."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cultureops.access import Identity, Meaning, Role
from cultureops.access.account import Account
from cultureops.access.desk import AccessDesk, open_access
from cultureops.clock import SystemClock, SystemEntropy, iso
from cultureops.errors import AccessError
from cultureops.field import printable
from cultureops.keeping.entry import entering, print_grid, print_json, when
from cultureops.keeping.proof import SHELL, Secret, given_code, given_password, recognised
from cultureops.recording import open_ledger_beside

__all__ = [
    "By",
    "Change",
    "change_account",
    "invite_person",
    "list_accounts",
    "list_sessions",
    "recover_administrator",
    "review_access",
    "say_account",
    "set_up",
]

Change = Callable[[AccessDesk, Identity], Awaitable[Account]]
"""One change of an account by somebody who was recognised."""


@dataclass(frozen=True, slots=True)
class By:
    """Who does it, and the file with their password."""

    username: str
    password_file: Path | None = None

    @property
    def secret(self) -> Secret:
        """Where the proof comes from."""
        return Secret(self.password_file)


def set_up(
    data_dir: Path, username: str, printed_name: str, new_password_file: Path | None, *, link_only: bool, as_json: bool
) -> None:
    """Make the first administrator, or print the one-time link by which the pages make one."""

    async def make() -> dict[str, Any]:
        clock = SystemClock()
        async with open_ledger_beside(data_dir, clock) as ledger:
            desk = await open_access(data_dir, ledger, None, clock, SystemEntropy())
            link = await desk.first_link()
            if link is None:
                raise AccessError(f"{data_dir}: is set up; an administrator makes further accounts")
            if link_only:
                return {"link": link}
            password = given_password(username, new_password_file)
            account = await desk.accept(link, password, username=username, printed_name=printed_name, source=SHELL)
            return {"username": account.username, "roles": sorted(account.roles)}

    made = asyncio.run(make())
    if as_json:
        print_json(made)
    elif link_only:
        print(made["link"])
    else:
        print(f"{made['username']} is the first administrator; next: `cultureops access create` for everybody else")


def list_accounts(data_dir: Path, *, as_json: bool) -> None:
    """Print every account as it stands, disabled ones too."""

    async def read() -> list[dict[str, Any]]:
        async with entering(data_dir, SystemClock()) as (_, desk):
            return [_as_json(account) for account in desk.accounts.all()]

    found = asyncio.run(read())
    if as_json:
        print_json(found)
        return
    rows = [
        (row["username"], row["printed_name"], row["state"], " ".join(row["roles"]), "yes" if row["may_sign"] else "no",
         row["last_used_at"] or "never")
        for row in found
    ]  # fmt: skip
    print_grid(("account", "name", "state", "roles", "signs", "last used"), rows, "nobody has an account")


def invite_person(
    data_dir: Path, username: str, printed_name: str | None, roles: Sequence[str], by: By, reason: str, *, as_json: bool
) -> None:
    """Make an account, or with printed name None invite its person anew, and print the invitation once."""

    async def invite() -> tuple[str, str]:
        async with entering(data_dir, SystemClock()) as (_, desk):
            identity = await recognised(desk, by.username, by.secret)
            if printed_name is not None:
                link = await desk.create(username, printed_name, roles, identity, reason)
            else:
                link = await desk.invite(username, identity, reason)
            account = desk.accounts.get(username)
            assert account is not None
            return link, iso(desk.invitation_ends_at(account))

    link, ends_at = asyncio.run(invite())
    if as_json:
        print_json({"username": username, "invitation": link, "ends_at": ends_at})
    else:
        print(link)
        print(f"for {username} alone, until {ends_at}: `cultureops access accept`, or the log-in page", file=sys.stderr)


def change_account(data_dir: Path, by: By, change: Change, *, as_json: bool) -> None:
    """Carry out one change of an account and print it as it then stands."""

    async def carry_out() -> Account:
        async with entering(data_dir, SystemClock()) as (_, desk):
            return await change(desk, await recognised(desk, by.username, by.secret))

    say_account(asyncio.run(carry_out()), as_json=as_json)


def list_sessions(data_dir: Path, username: str | None, *, as_json: bool) -> None:
    """Print the log-ins that have not ended, and the tokens that still count."""

    async def read() -> list[dict[str, Any]]:
        clock = SystemClock()
        async with entering(data_dir, clock) as (_, desk):
            accounts = [one for one in desk.accounts.all() if username in (None, one.username)]
            return [row for account in accounts for row in _opened(account, clock.now())]

    found = asyncio.run(read())
    if as_json:
        print_json(found)
        return
    rows = [tuple(str(row[name] or "") for name in ("username", "kind", "id", "since", "detail")) for row in found]
    print_grid(("account", "what", "id", "since", ""), rows, "nobody is logged in, and no token counts")


def review_access(data_dir: Path, by: By | None, conclusion: str, *, as_json: bool) -> None:
    """Print the access review; with a person and a conclusion, QA signs it."""

    async def show() -> dict[str, Any]:
        async with entering(data_dir, SystemClock()) as (_, desk):
            report = desk.review()
            if by is None:
                return report.data()
            shown = desk.shown_for_review(report, conclusion)
            offer = await desk.offer(by.username, Role.QUALITY_ASSURANCE, Meaning.REVIEWED, shown)
            password = by.secret.given(by.username)
            signature = await desk.sign(offer.id, password, given_code(desk, by.username), SHELL)
            await desk.record_review(report, conclusion, signature)
            return report.data() | {"signed_by": by.username, "conclusion": conclusion}

    found = asyncio.run(show())
    if as_json:
        print_json(found)
        return
    rows = [
        (row["username"], row["state"], " ".join(row["roles"]), row["last_used_at"] or "never",
         ", ".join((*row["remarks"], *row["open_tokens"])))
        for row in found["accounts"]
    ]  # fmt: skip
    print_grid(("account", "state", "roles", "last used", "remarks"), rows, "nobody has an account")
    print(f"last reviewed {found['reviewed_at'] or 'never'}{', due now' if found['is_due'] else ''}")


def recover_administrator(data_dir: Path, username: str, reason: str, *, as_json: bool) -> None:
    """Print an invitation for an administrator whom nobody else can help; recorded with the machine's account."""

    async def recover() -> str:
        clock = SystemClock()
        async with open_ledger_beside(data_dir, clock) as ledger:
            desk = await open_access(data_dir, ledger, None, clock, SystemEntropy())
            return await desk.recover(data_dir, username, reason, f"uid {os.getuid()}")

    link = asyncio.run(recover())
    if as_json:
        print_json({"username": username, "invitation": link})
    else:
        print(link)
        print("recorded; tell QA, and restart a lab that runs on this folder", file=sys.stderr)


def _opened(account: Account, now: int) -> list[dict[str, Any]]:
    sessions = [
        {"username": account.username, "kind": "session", "id": one.id, "since": when(one.started_at),
         "detail": f"{one.method} from {one.source}"}
        for one in account.sessions.values()
    ]  # fmt: skip
    tokens = [
        {"username": account.username, "kind": "token", "id": one.id, "since": when(one.issued_at),
         "detail": f"{one.title}: {', '.join(sorted(one.scopes))} until {iso(one.expires_at)}"}
        for one in account.tokens.values()
        if not one.is_revoked and one.expires_at > now
    ]  # fmt: skip
    return sessions + tokens


def say_account(account: Account, *, as_json: bool) -> None:
    """Print an account as it stands."""
    if as_json:
        print_json(_as_json(account))
        return
    found = _as_json(account)
    roles = " ".join(found["roles"]) or "no role"
    print(
        printable(f"{account.username}: {found['state']}, {roles}, {'signs' if found['may_sign'] else 'can not sign'}")
    )


def _as_json(account: Account) -> dict[str, Any]:
    return {
        "username": account.username,
        "printed_name": account.printed_name,
        "state": "locked" if account.lock is not None and account.is_active else account.state.value,
        "roles": sorted(account.roles),
        "may_sign": account.is_active and account.is_signing_enabled,
        "identity_verified_by": None if account.verification is None else account.verification.by,
        "second_factors": [{"id": one.id, "kind": one.kind, "title": one.title} for one in account.factors],
        "last_used_at": when(account.last_used_at),
        "created_at": when(account.created_at),
        "created_by": account.created_by,
    }
