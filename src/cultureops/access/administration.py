"""What is done to accounts: each change is decided, written to the ledger, and takes effect with its event."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from cultureops.access import decide
from cultureops.access.account import Account
from cultureops.access.accounts import Accounts
from cultureops.access.events import ACCESS, PREFIX, SYSTEM, AccessEvent, account_stream, new_event
from cultureops.access.identity import Identity
from cultureops.access.policy import Policy
from cultureops.access.roles import Role
from cultureops.access.token import FIRST_LINK, INVITATION, SCOPES, TOKEN, hand_out
from cultureops.access.vault import Vault
from cultureops.clock import DAY_MS, HOUR_MS, Clock, Entropy, Instant, iso
from cultureops.errors import AccessError, ClaimTaken, ConcurrencyError, StorageError
from cultureops.field import printable
from cultureops.ledger.event import Actor, NewEvent
from cultureops.ledger.ledger import Ledger

__all__ = ["Administration"]

LONGEST_TOKEN_D: Final = 366.0


class Administration:
    """Changes of accounts on one ledger and one file of secrets."""

    def __init__(
        self, ledger: Ledger, vault: Vault | None, problem: str, policy: Policy, clock: Clock, entropy: Entropy
    ) -> None:
        self.accounts = Accounts()
        self.policy = policy
        self.problem = problem
        self._ledger, self._vault, self._clock, self._entropy = ledger, vault, clock, entropy

    @property
    def is_set_up(self) -> bool:
        """Whether an account exists."""
        return len(self.accounts) > 0

    def secrets(self) -> Vault:
        """Return the file of secrets; raises AccessError that says how to recover where it is lost."""
        if self._vault is None:
            raise AccessError(self.problem)
        return self._vault

    async def first_link(self) -> str | None:
        """Return a new one-time token that makes the first administrator; None once there is an account.

        An earlier one counts no more.
        """
        if self.is_set_up:
            return None
        vault, link_id = self.secrets(), self._new_id()
        text, kept = hand_out(FIRST_LINK, link_id)
        await asyncio.to_thread(lambda: vault.remove(*vault.ids(FIRST_LINK)))
        await asyncio.to_thread(vault.put, link_id, FIRST_LINK, "", kept)
        await self._ledger.append(ACCESS, [new_event(AccessEvent.FIRST_LINK_MADE, {"link_id": link_id}, SYSTEM)], None)
        return text

    async def create(
        self, username: str, printed_name: str, roles: Sequence[str], by: Identity, reason: str = ""
    ) -> str:
        """Make an account and return the invitation by which its person sets a password; raises AccessError."""
        invitation_id = self._new_id()

        def decided() -> Sequence[NewEvent]:
            actor = decide.administrator(self.accounts, by)
            made = decide.create(self.accounts, actor, username, printed_name, roles, reason)
            data = {"invitation_id": invitation_id, "is_reset": False}
            return made, new_event(AccessEvent.INVITED, data, actor, reason)

        return await self._inviting(username, invitation_id, decided, by)

    async def invite(self, username: str, by: Identity, reason: str = "") -> str:
        """Return a new invitation; for an account in use it is a reset, and takes everything else away."""
        invitation_id = self._new_id()
        return await self._inviting(
            username,
            invitation_id,
            lambda: [decide.invite(self.accounts, by, username, invitation_id, reason)],
            by,
        )

    async def verify_identity(self, username: str, how: str, by: Identity) -> Account:
        """Record that another person has checked who uses the account, and let it sign; administrators never sign."""

        def decided() -> Sequence[NewEvent]:
            event = decide.verify_identity(self.accounts, by, username, how)
            if Role.ADMINISTRATOR in decide.known(self.accounts, username).roles:
                return [event]
            return event, new_event(AccessEvent.SIGNING_ENABLED, {}, event.actor)

        return await self._carry_out(username, decided, by)

    async def enable_signing(self, username: str, by: Identity) -> Account:
        """Let an account sign whose identity was checked; raises AccessError where it was not."""

        def decided() -> Sequence[NewEvent]:
            return [
                decide.enable_signing(self.accounts, decide.administrator(self.accounts, by), username),
            ]

        return await self._carry_out(username, decided, by)

    async def grant(self, username: str, role: str, by: Identity, reason: str) -> Account:
        """Grant a role to somebody else; their sessions end."""
        return await self._carry_out(username, lambda: [decide.grant(self.accounts, by, username, role, reason)], by)

    async def revoke(self, username: str, role: str, by: Identity, reason: str) -> Account:
        """Take a role away; their sessions end."""
        return await self._carry_out(username, lambda: [decide.revoke(self.accounts, by, username, role, reason)], by)

    async def disable(self, username: str, by: Identity, reason: str) -> Account:
        """End an account's use; sessions, tokens and offers are dead at once."""
        return await self._carry_out(username, lambda: [decide.disable(self.accounts, by, username, reason)], by)

    async def reinstate(self, username: str, by: Identity, reason: str) -> Account:
        """Let the same person use a disabled account again, after an invitation."""
        return await self._carry_out(username, lambda: [decide.reinstate(self.accounts, by, username, reason)], by)

    async def unlock(self, username: str, by: Identity, reason: str) -> Account:
        """End a lock."""
        return await self._carry_out(username, lambda: [decide.unlock(self.accounts, by, username, reason)], by)

    async def issue_token(self, by: Identity, title: str, scopes: Sequence[str], expires_at: Instant) -> str:
        """Return a new API token of one's own account, shown once; it ends at ``expires_at`` [ms UTC]."""
        vault, token_id = self.secrets(), self._new_id()
        text, kept = hand_out(TOKEN, token_id)

        def decided() -> Sequence[NewEvent]:
            account = decide.person(self.accounts, by)
            if not scopes or (unknown := sorted(set(scopes) - set(SCOPES))):
                named = ", ".join(unknown)[:60] if scopes else "none"
                raise AccessError(f"scopes: expected some of {', '.join(SCOPES)}, not {named}")
            if not title.strip() or not title.isprintable() or len(title) > 100:
                raise AccessError("title: say in 1 to 100 printable characters what the token is for")
            if not 0 < expires_at - self._clock.now() <= LONGEST_TOKEN_D * DAY_MS:
                raise AccessError(f"expires_at: expected a time within the next {LONGEST_TOKEN_D:.0f} days")
            data = {
                "token_id": token_id,
                "title": title.strip(),
                "scopes": sorted(set(scopes)),
                "expires_at": iso(expires_at),
            }
            return [new_event(AccessEvent.TOKEN_ISSUED, data, account.actor)]

        await self._or_refused(by.username, decided, by)
        await asyncio.to_thread(vault.put, token_id, TOKEN, by.username, kept)
        await self._carry_out(by.username, decided, by)
        return text

    async def revoke_token(self, token_id: str, by: Identity, reason: str = "") -> Account:
        """End a token of one's own, or as administrator anybody's."""
        holder = self.accounts.token_holder(token_id)
        if holder is None:
            raise AccessError("nobody has such a token; see the list of tokens")

        def decided() -> Sequence[NewEvent]:
            actor = self._owner_or_administrator(by, holder.username)
            if self.accounts.token_holder(token_id) is None or holder.tokens[token_id].is_revoked:
                raise AccessError("this token was revoked already")
            return [new_event(AccessEvent.TOKEN_REVOKED, {"token_id": token_id}, actor, reason)]

        return await self._carry_out(holder.username, decided, by)

    async def end_session(self, username: str, session_id: str, by: Identity, reason: str = "") -> Account:
        """End a session of one's own, or as administrator anybody's."""

        def decided() -> Sequence[NewEvent]:
            actor = self._owner_or_administrator(by, username)
            if session_id not in decide.known(self.accounts, username).sessions:
                raise AccessError("there is no such session, or not any more")
            data = {"session_id": session_id, "cause": "ended by a person"}
            return [new_event(AccessEvent.SESSION_ENDED, data, actor, reason)]

        return await self._carry_out(username, decided, by)

    def invitation_ends_at(self, account: Account) -> Instant:
        """Return until when an account's invitation can be used [ms UTC]."""
        assert account.invitation is not None
        return account.invitation.at + round(self.policy.invitation_h * HOUR_MS)

    def _owner_or_administrator(self, by: Identity, username: str) -> Actor:
        """Return the actor; raises AccessError for somebody else who is no administrator."""
        own = decide.person(self.accounts, by)
        is_own = own is self.accounts.get(username)
        return own.actor if is_own else decide.administrator(self.accounts, by)

    async def _inviting(
        self, username: str, invitation_id: str, decided: Callable[[], Sequence[NewEvent]], by: Identity | None
    ) -> str:
        vault = self.secrets()
        await self._or_refused(username, decided, by)
        text, kept = hand_out(INVITATION, invitation_id)
        account = self.accounts.get(username)
        owner = username if account is None else account.username
        await asyncio.to_thread(vault.put, invitation_id, INVITATION, owner, kept)
        await self._carry_out(owner, decided, by)
        return text

    async def _or_refused(
        self, username: str, decided: Callable[[], Sequence[NewEvent]], by: Identity | None
    ) -> Sequence[NewEvent]:
        """Decide, and record a refusal in the name of whoever asked."""
        try:
            return decided()
        except AccessError as error:
            actor = SYSTEM if by is None else Actor(by.username, "+".join(sorted(by.roles)) or "none")
            data = {"account": printable(username)[:200], "cause": printable(str(error))[:500]}
            await self._ledger.append(ACCESS, [new_event(AccessEvent.CHANGE_REFUSED, data, actor)], None)
            raise

    async def _carry_out(
        self, username: str, decided: Callable[[], Sequence[NewEvent]], by: Identity | None = None
    ) -> Account:
        """Decide on what stands in the ledger now, append, and return the account; decided anew when others were first.

        What administrators do moves against all administrators' accounts as they stand, so that two of them can't
        disable each other at once.
        """
        for attempt in (1, 2, 3):
            await self._ledger.catch_up()
            events = await self._or_refused(username, decided, by)
            account = self.accounts.get(username)
            stream = account_stream(username if account is None else account.username)
            others = [account_stream(one.username) for one in self.accounts.holding(Role.ADMINISTRATOR)]
            unmoved = [(one, (), self._ledger.version(one)) for one in others if one != stream]
            try:
                await self._ledger.append_many([(stream, events, self._ledger.version(stream)), *unmoved])
            except ConcurrencyError:
                if attempt == 3:
                    raise StorageError(f"{stream}: others keep changing it; try again") from None
            except ClaimTaken:
                raise AccessError(f"{username} reads like a name on record; names are never given twice") from None
            else:
                break
        return decide.known(self.accounts, stream.removeprefix(PREFIX))

    def _new_id(self) -> str:
        """Return a public id; secrets never come from here."""
        return self._entropy.event_id(self._clock.now())
