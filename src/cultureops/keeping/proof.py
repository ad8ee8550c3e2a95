"""How people prove at the command line who they are: at a prompt, by a file with the password, or by an API token.

A password is never an argument: other accounts of the machine see those.
"""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cultureops.access import Identity, Meaning, Shown, Signature
from cultureops.access.desk import AccessDesk, open_access
from cultureops.access.roles import PEOPLE
from cultureops.clock import Clock, SystemEntropy
from cultureops.errors import AccessError, ConfigError
from cultureops.ledger.event import Actor
from cultureops.ledger.store import Ledger

__all__ = [
    "ALARMS",
    "RECORDS",
    "SHELL",
    "Secret",
    "desk_of",
    "given_code",
    "given_password",
    "nobody_yet",
    "proven",
    "recognised",
]

RECORDS: Final = "records:write"
ALARMS: Final = "alarms:act"
SHELL: Final = "shell"
"""The source of everybody who proves to be somebody at the command line."""
TOKEN_VARIABLE: Final = "CULTUREOPS_TOKEN"
_LONGEST: Final = 4096


@dataclass(frozen=True, slots=True)
class Secret:
    """Where the proof of one person comes from; ``option`` is the option that names the file."""

    file: Path | None = None
    option: str = "--password-file"

    @property
    def is_token(self) -> bool:
        """Whether a token speaks for the person."""
        return self.file is None and self.option == "--password-file" and bool(os.environ.get(TOKEN_VARIABLE))

    def given(self, username: str) -> str:
        """Return the password of a person; raises ConfigError where there is none."""
        if self.file is not None:
            return _in_file(self.file, self.option)
        if not sys.stdin.isatty():
            token = f" or {TOKEN_VARIABLE}" if self.option == "--password-file" else ""
            raise ConfigError(f"{username} has to prove to be themselves: use a terminal, {self.option} FILE{token}")
        return getpass.getpass(f"Password of {username}: ")


def given_password(username: str, file: Path | None, option: str = "--new-password-file") -> str:
    """Return a new password, typed twice or from a file; raises ConfigError."""
    if file is not None:
        return _in_file(file, option)
    if not sys.stdin.isatty():
        raise ConfigError(f"{username} chooses a password: use a terminal, or {option} FILE")
    password = getpass.getpass(f"New password of {username}: ")
    if getpass.getpass("Once more: ") != password:
        raise ConfigError("the two are not the same; nothing was changed")
    return password


async def desk_of(data_dir: Path, ledger: Ledger, clock: Clock) -> AccessDesk:
    """Open the access desk beside a ledger, by the policy that it keeps; raises AccessError where nobody can act."""
    desk = await open_access(data_dir, ledger, None, clock, SystemEntropy())
    if not desk.is_set_up:
        raise nobody_yet(data_dir)
    return desk


def nobody_yet(data_dir: Path) -> AccessError:
    """Say how a data folder gets its first account."""
    return AccessError(f"{data_dir}: nobody has an account here yet; begin with `cultureops access set-up`")


async def recognised(desk: AccessDesk, username: str, secret: Secret, scope: str = "") -> Identity:
    """Return who a person has proven to be; ``scope`` is what a token must allow, empty: no token does.

    Raises ConfigError where no proof is given, AccessError where it is none.
    """
    if secret.is_token:
        identity = desk.identify(os.environ[TOKEN_VARIABLE], SHELL)
        if identity.username != username:
            raise AccessError(f"the token is of {identity.username}, not of {username[:60]}; name the one who acts")
        if identity.scopes is None or scope not in identity.scopes:
            raise AccessError(f"the token of {username} does not allow {scope or 'this'}; use the password")
        await desk.tell()
        return identity
    password = secret.given(username)
    return await desk.authenticate(username, password, given_code(desk, username), SHELL)


async def proven(
    desk: AccessDesk,
    person: Actor,
    secret: Secret,
    scope: str = RECORDS,
    meaning: Meaning | None = None,
    shown: Callable[[], Shown] | None = None,
) -> tuple[Signature, ...]:
    """See to it that an actor is who they say, and return their signature where one is needed.

    ``meaning`` and ``shown`` are what is signed, None where nothing is: then a token of ``scope`` does.
    Raises AccessError.
    """
    if meaning is None or shown is None:
        await recognised(desk, person.id, secret, scope)
        await _permit(desk, person, handles_records=scope == RECORDS)
        return ()
    if secret.is_token:
        raise AccessError(f"{person.id} signs this: a token can't; use the password ({secret.option} or a terminal)")
    await _permit(desk, person)
    offer = await desk.offer(person.id, person.role, meaning, shown())
    if sys.stdin.isatty() and secret.file is None:
        what = f"{offer.shown.step} of {offer.shown.stream}, version {offer.shown.version}"
        print(f"{person.id} ({person.role}) signs as {meaning}: {what}", file=sys.stderr)
    password = secret.given(person.id)
    return (await desk.sign(offer.id, password, given_code(desk, person.id), SHELL),)


async def _permit(desk: AccessDesk, person: Actor, *, handles_records: bool = False) -> None:
    """Refuse who may not act in this role; that they asked is on record."""
    try:
        desk.permit(person)
        if handles_records and person.role not in PEOPLE:
            raise AccessError(f"{person.role} keeps accounts and nothing else; name a role that handles records")
    except AccessError as refused:
        await desk.tell_refused(person, str(refused))
        raise


def given_code(desk: AccessDesk, username: str) -> str:
    """Ask for the code of a second factor where the person has one, and a terminal."""
    account = desk.accounts.get(username)
    if account is None or not account.factors or not sys.stdin.isatty():
        return ""
    return getpass.getpass("Code of the second factor: ")


def _in_file(file: Path, option: str) -> str:
    """Return the first line of a file that nobody else may read."""
    try:
        if file.stat().st_mode & 0o077:
            raise ConfigError(f"{option} {file}: others may read it; allow it to you alone (chmod 600)")
        with file.open(encoding="utf-8") as opened:
            password = opened.read(_LONGEST).split("\n")[0].rstrip("\r")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{option} {file}: {getattr(error, 'strerror', None) or 'is no text'}") from None
    if not password:
        raise ConfigError(f"{option} {file}: its first line is empty")
    return password
