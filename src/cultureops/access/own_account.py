"""What people do to their own accounts: set and change a password, add and remove second factors."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, NoReturn

from cultureops.access import decide
from cultureops.access.account import Account
from cultureops.access.administration import Administration
from cultureops.access.authentication import PASSWORD, Authentication, Proven
from cultureops.access.events import ACCESS, SYSTEM, AccessEvent, new_event
from cultureops.access.password import check_password
from cultureops.access.policy import Policy
from cultureops.access.roles import Role
from cultureops.access.second_factor import TOTP, WEBAUTHN, SecondFactors
from cultureops.access.throttle import network_of
from cultureops.access.token import FIRST_LINK, INVITATION, Handed, matches, read
from cultureops.access.totp import new_totp_secret, provisioning_uri, totp_step
from cultureops.access.vault import Vault
from cultureops.access.webauthn import check_new, registration_options
from cultureops.clock import Clock, Entropy
from cultureops.errors import AccessError
from cultureops.ledger.event import Actor, NewEvent
from cultureops.ledger.ledger import Ledger

__all__ = ["NewTotp", "OwnAccount"]

FIRST_CLAIM: Final = "access:first_administrator"
PENDING_S: Final = 600.0
"""How long a person may take to set up a second factor."""
_NEW_KEY: Final = "new key:"


class NewTotp(NamedTuple):
    """A second factor that counts once a code of it was given: its id, secret [base32] and what phones scan."""

    factor_id: str
    secret: str
    uri: str


class OwnAccount(Administration):
    """What each person decides alone, after proving to be themselves; ``real_s`` monotonic, ``wall_s`` UTC [s]."""

    def __init__(
        self, ledger: Ledger, vault: Vault | None, problem: str, policy: Policy, clock: Clock, entropy: Entropy,
        real_s: Callable[[], float] = time.monotonic, wall_s: Callable[[], float] = time.time,
    ) -> None:  # fmt: skip
        super().__init__(ledger, vault, problem, policy, clock, entropy)
        self._real_s, self._wall_s = real_s, wall_s
        self._factors = SecondFactors(self.secrets, policy.webauthn_origin, wall_s, real_s)
        self._authentication = Authentication(ledger, self.secrets, self.accounts, policy, self._factors, clock, real_s)
        self._new_totps: dict[str, tuple[str, str, float]] = {}

    async def accept(
        self, token: str, password: str, *, username: str = "", printed_name: str = "", source: str = ""
    ) -> Account:
        """Let a person set their own password by an invitation, or the first administrator by the first link.

        ``username`` and ``printed_name`` are those of the first administrator; an invitation names its account.
        """
        self._authentication.wait((self._authentication.sources, network_of(source)))
        handed = read(token)
        if handed is not None and handed.kind == FIRST_LINK:
            return await self._accept_first(handed, password, username, printed_name, source)
        account = None if handed is None else self.accounts.invited_by_token(handed.id)
        if handed is None or account is None or handed.kind != INVITATION or account.disabled_at is not None:
            await self._refuse_link(source)
        kept = await asyncio.to_thread(self.secrets().get, handed.id, INVITATION, account.username)
        if not matches(handed, kept) or self._clock.now() >= self.invitation_ends_at(account):
            await self._refuse_link(source)
        secret_id = await self._keep_password(account.username, account.printed_name, password)
        data = {"secret_id": secret_id, "by": "invitation"}

        def decided() -> list[NewEvent]:
            if self.accounts.invited_by_token(handed.id) is None:
                raise AccessError("this link was used meanwhile; ask an administrator for another")
            return [new_event(AccessEvent.PASSWORD_SET, data, account.actor)]

        done = await self._carry_out(account.username, decided)
        await asyncio.to_thread(self.secrets().remove, handed.id)
        return done

    async def change_password(self, username: str, password: str, code: str, new_password: str, source: str) -> Account:
        """Let a person change their own password; all their sessions end, this one too."""
        proven = await self._authentication.prove(username, password, code, source, "change of password")
        if new_password == password:
            raise AccessError("the new password is the old one; choose another")
        return await self._set_password(proven, new_password, "change")

    async def begin_totp(self, username: str, password: str, code: str, source: str) -> NewTotp:
        """Return a new secret for a phone; it counts once ``confirm_totp`` was given a code of it."""
        proven = await self._authentication.prove(username, password, code, source, "new second factor")
        now_s = self._real_s()
        self._new_totps = {key: one for key, one in self._new_totps.items() if now_s - one[2] < PENDING_S}
        name, secret, factor_id = proven.account.username, new_totp_secret(), self._new_id()
        self._new_totps[factor_id] = (name, secret, now_s)
        return NewTotp(factor_id, secret, provisioning_uri(secret, name, self.policy.site))

    async def confirm_totp(self, factor_id: str, code: str, title: str = "") -> Account:
        """Add a second factor whose phone gives the right code; raises AccessError when it does not."""
        username, secret, made_s = self._new_totps.get(factor_id, ("", "", 0.0))
        step = totp_step(secret, code, self._wall_s(), 0) if username else None
        if step is None or self._real_s() - made_s > PENDING_S:
            raise AccessError("the code does not fit, or came too late; check the clock of the phone, or begin again")
        del self._new_totps[factor_id]
        await asyncio.to_thread(self.secrets().put, factor_id, TOTP, username, secret.encode(), step)
        return await self._add_factor(username, factor_id, TOTP, title)

    async def begin_security_key(self, username: str, password: str, code: str, source: str) -> str:
        """Return what a browser needs to make a key for this site [JSON]."""
        proven = await self._authentication.prove(username, password, code, source, "new second factor")
        account = proven.account
        known = [one.credential_id for one in await asyncio.to_thread(self._factors.credentials, account)]
        challenge = self._factors.challenges.make(_NEW_KEY + account.username, self._real_s())
        return registration_options(
            self.policy.webauthn_origin, account.username, account.printed_name, challenge, known
        )

    async def confirm_security_key(self, username: str, answer: str, title: str = "") -> Account:
        """Add the key that a browser has made [its answer as JSON]; raises AccessError when it does not fit."""
        account, factor_id = decide.known(self.accounts, username), self._new_id()
        challenge = self._factors.challenges.take(answer, _NEW_KEY + account.username, self._real_s())
        if challenge is None:
            raise AccessError("no key was asked for here, or the answer came too late; begin again")
        key, count = await asyncio.to_thread(check_new, self.policy.webauthn_origin, factor_id, answer, challenge)
        await asyncio.to_thread(self.secrets().put, factor_id, WEBAUTHN, account.username, key.dumps(), count)
        return await self._add_factor(account.username, factor_id, WEBAUTHN, title)

    async def security_key_options(self, username: str) -> str:
        """Return what a browser needs to answer with a person's key [JSON]; the same for a name that nobody has."""
        account = self.accounts.get(username)
        return await self._factors.options(username, account)

    async def remove_factor(self, username: str, password: str, code: str, factor_id: str, source: str) -> Account:
        """Remove a second factor of one's own; all sessions end."""
        proven = await self._authentication.prove(username, password, code, source, "removal of a second factor")

        def decided() -> Sequence[NewEvent]:
            account = decide.known(self.accounts, proven.account.username)
            return [decide.remove_factor(account, factor_id, account.actor, "removed by its owner")]

        done = await self._carry_out(proven.account.username, decided)
        await asyncio.to_thread(self.secrets().remove, factor_id)
        return done

    async def _accept_first(
        self, handed: Handed, password: str, username: str, printed_name: str, source: str
    ) -> Account:
        kept = await asyncio.to_thread(self.secrets().get, handed.id, FIRST_LINK, "")
        if self.is_set_up or not matches(handed, kept):
            await self._refuse_link(source)
        actor = Actor(username or "?", Role.ADMINISTRATOR)
        reason = "by the one-time link of the first start"
        decide.create(self.accounts, actor, username, printed_name, [Role.ADMINISTRATOR], reason)
        secret_id = await self._keep_password(username, printed_name, password)

        def decided() -> Sequence[NewEvent]:
            if self.is_set_up:
                raise AccessError("somebody has used the link meanwhile; ask the administrator for an account")
            made = decide.create(self.accounts, actor, username, printed_name, [Role.ADMINISTRATOR], reason)
            claimed = new_event(
                AccessEvent.ACCOUNT_CREATED, made.data, actor, reason, claims=(*made.claims, FIRST_CLAIM)
            )
            return claimed, new_event(AccessEvent.PASSWORD_SET, {"secret_id": secret_id, "by": "first link"}, actor)

        done = await self._carry_out(username, decided)
        await asyncio.to_thread(self.secrets().remove, handed.id)
        return done

    async def _refuse_link(self, source: str) -> NoReturn:
        data = {"source": source, "cause": "link", "purpose": "link", "is_guess": True}
        await self._ledger.append(ACCESS, [new_event(AccessEvent.SIGN_IN_REFUSED, data, SYSTEM)], None)
        await self._authentication.failed_at(source)
        raise AccessError("this link is not valid, was used already, or is too old; ask an administrator for another")

    async def _set_password(self, proven: Proven, password: str, how: str) -> Account:
        account = proven.account
        secret_id = await self._keep_password(account.username, account.printed_name, password)

        def decided() -> Sequence[NewEvent]:
            now = decide.known(self.accounts, account.username)
            if now.password_id != account.password_id or not now.is_active:
                raise AccessError(f"{account.username} was changed meanwhile; log in again")
            return [new_event(AccessEvent.PASSWORD_SET, {"secret_id": secret_id, "by": how}, account.actor)]

        done = await self._carry_out(account.username, decided)
        await asyncio.to_thread(self.secrets().remove, account.password_id)
        return done

    async def _keep_password(self, username: str, printed_name: str, password: str) -> str:
        """Check and keep a password under a new id, which counts once an event names it."""
        check_password(password, self.policy, username, printed_name)
        vault, secret_id = self.secrets(), self._new_id()
        kept = await self._authentication.hashed(password)
        await asyncio.to_thread(vault.put, secret_id, PASSWORD, username, kept.encode())
        return secret_id

    async def _add_factor(self, username: str, factor_id: str, kind: str, title: str) -> Account:
        def decided() -> Sequence[NewEvent]:
            account = decide.known(self.accounts, username)
            if not account.is_active:
                raise AccessError(f"{username} is {account.state}; no second factor was added")
            data = {"factor_id": factor_id, "kind": kind, "title": "".join(filter(str.isprintable, title))[:100]}
            return [new_event(AccessEvent.SECOND_FACTOR_ADDED, data, account.actor)]

        return await self._carry_out(username, decided)
