"""People whom a test names with --actor or --witness: they have accounts there, may sign, and share one password.

Their accounts are written straight into the ledger, with the cheapest hash: how people really get accounts is shown by
tests/unit/access and tests/system/test_access.py.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import shutil
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise
from pathlib import Path

from cultureops.access.account import Account
from cultureops.access.accounts import Accounts
from cultureops.access.authentication import PASSWORD
from cultureops.access.events import ACCESS, PREFIX, SYSTEM, AccessEvent, account_stream, new_event, username_claim
from cultureops.access.password import hash_password
from cultureops.access.policy import Policy
from cultureops.access.vault import make_vault
from cultureops.ledger import NewEvent
from cultureops.recording import open_ledger_beside

__all__ = ["ROLES", "WORDS", "hire", "hire_named", "password_file"]

WORDS = "a quiet morning by the lake"
ROLES = frozenset({"OP", "RV", "QC", "QA", "QP", "ST", "CL", "EQ", "AD"})
_CHEAP = Policy(argon2_memory_kib=8, argon2_passes=1)
_known: set[tuple[Path, str, str]] = set()


@cache
def password_file() -> Path:
    """Return the file that proves everybody's identity, also to commands that are started later."""
    folder = Path(tempfile.mkdtemp(prefix="cultureops-password-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    file = folder / "password"
    file.touch(mode=0o600)
    file.write_text(WORDS + "\n", encoding="utf-8")
    for variable in ("CULTUREOPS_PASSWORD_FILE", "CULTUREOPS_WITNESS_PASSWORD_FILE"):
        os.environ[variable] = str(file)
    return file


def hire(folder: Path, arguments: Sequence[str]) -> None:
    """See to it that whoever a command names has an account in the data folder that it names, where there is one."""
    password_file()
    given = dict(pairwise(arguments))
    data_dir = (folder / given.get("--data-dir", "data")).resolve()
    role = given.get("--role", "OP")
    people = [(given[option], held) for option, held in (("--actor", role), ("--witness", "OP")) if option in given]
    if usable := [one for one in people if one[0].strip() and one[0].isprintable() and len(one[0]) <= 190]:
        hire_named(data_dir, *usable)


def hire_named(data_dir: Path, *people: tuple[str, str]) -> None:
    """Give people accounts in their roles (name, role), where they have none yet and there is a data folder.

    With nobody named the folder gets its cheap policy only.
    """
    new = [(name, role) for name, role in people if role in ROLES and (data_dir, name, role) not in _known]
    if (new or not people) and data_dir.is_dir():
        with ThreadPoolExecutor(1) as beside:  # the test may run a loop of its own
            beside.submit(asyncio.run, _hire(data_dir, new)).result(30)
        _known.update((data_dir, name, role) for name, role in new)


async def _hire(data_dir: Path, people: Sequence[tuple[str, str]]) -> None:
    vault, accounts = make_vault(data_dir), Accounts()
    async with open_ledger_beside(data_dir) as ledger:
        streams = (*ledger.streams(PREFIX), ACCESS)
        events = [event for stream in streams for event in ledger.read(stream)]
        for event in sorted(events, key=lambda event: event.position):
            accounts.apply(event)
        if accounts.policy_data is None:  # commands hash by what the ledger says
            said = new_event(AccessEvent.POLICY_CHANGED, {"policy": _CHEAP.data(), "before": None}, SYSTEM)
            await ledger.append(ACCESS, [said], None)
        for name, role in people:
            account = accounts.get(name)
            if account is None:
                vault.put(f"secret-{name}", PASSWORD, name, _hash().encode())
            if account is None or role not in account.roles:
                for event in await ledger.append(account_stream(name), _events(account, name, role), None):
                    accounts.apply(event)


def _events(account: Account | None, name: str, role: str) -> list[NewEvent]:
    if account is not None:
        return [new_event(AccessEvent.ROLE_GRANTED, {"role": role}, SYSTEM, "test")]
    data = {"username": name, "printed_name": name.replace("-", " ").title(), "roles": [role]}
    return [
        new_event(AccessEvent.ACCOUNT_CREATED, data, SYSTEM, claims=(username_claim(name),)),
        new_event(AccessEvent.PASSWORD_SET, {"secret_id": f"secret-{name}", "by": "test"}, SYSTEM),
        new_event(AccessEvent.IDENTITY_VERIFIED, {"how": "test"}, SYSTEM),
        new_event(AccessEvent.SIGNING_ENABLED, {}, SYSTEM),
    ]


@cache
def _hash() -> str:
    return hash_password(WORDS, _CHEAP)
