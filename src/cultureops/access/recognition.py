"""Recognising people and programs: by a log-in, the secret of a session, an API token; and in which role they may act.

Whatever happens is an event first. Sessions and throttles run in real seconds, what is recorded carries the lab's time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from cultureops.access import decide
from cultureops.access.account import Account, Session
from cultureops.access.events import ACCESS, PREFIX, SYSTEM, AccessEvent, account_stream, new_event
from cultureops.access.identity import Identity
from cultureops.access.own_account import OwnAccount
from cultureops.access.policy import Policy
from cultureops.access.roles import PEOPLE, Role
from cultureops.access.session import Ended, Sessions
from cultureops.access.token import TOKEN, Handed, matches, read
from cultureops.access.vault import Vault
from cultureops.clock import Clock, Entropy, Instant
from cultureops.errors import AccessError
from cultureops.field import printable
from cultureops.ledger.event import Actor, Event, NewEvent
from cultureops.ledger.ledger import Ledger

__all__ = ["UNKNOWN", "Recognition"]

UNKNOWN = "not recognised: the session has ended or the token does not count; log in again"


class Recognition(OwnAccount):
    """Recognises whoever comes; ``real_s`` monotonic, ``wall_s`` UTC [s]."""

    def __init__(
        self, ledger: Ledger, vault: Vault | None, problem: str, policy: Policy, clock: Clock, entropy: Entropy,
        real_s: Callable[[], float] = time.monotonic, wall_s: Callable[[], float] = time.time,
    ) -> None:  # fmt: skip
        super().__init__(ledger, vault, problem, policy, clock, entropy, real_s, wall_s)
        self._sessions = Sessions(policy.idle_s, policy.session_max_s)
        self._token_digests: dict[str, bytes | None] = {}
        self._notes: dict[str, tuple[str, NewEvent]] = {}

    def apply(self, event: Event) -> None:
        """Take an event of the ledger; what ends sessions there ends them here."""
        self.accounts.apply(event)
        if not event.stream.startswith(PREFIX):
            return
        account = self.accounts.get(event.stream.removeprefix(PREFIX))
        if account is not None and event.type == AccessEvent.UNLOCKED:
            self._authentication.forget(account.username)

    def apply_all(self, events: Sequence[Event]) -> None:
        """Take what was appended; a hook of the ledger."""
        for event in events:
            self.apply(event)

    def permit(self, actor: Actor) -> None:
        """Refuse an actor who is no active account holding that role; what devices and cultureops itself say passes."""
        if actor.role in (Role.DEVICE, SYSTEM.role):
            return
        if not self.is_set_up:
            raise AccessError("nobody has an account yet; begin with `cultureops access set-up`")
        account = self.accounts.get(actor.id)
        if account is None or account.username != actor.id:
            raise AccessError(f"{actor.id[:60]!r} is no account; see `cultureops access list`")
        if not account.is_active:
            raise AccessError(f"{account.username} is {account.state} and may do nothing")
        if actor.role not in account.roles:
            held = ", ".join(sorted(account.roles)) or "no role"
            raise AccessError(f"{account.username} holds {held}, not {actor.role[:20]}")
        if actor.role in PEOPLE and account.verification is None:
            raise AccessError(
                f"nobody has checked that {account.username} is who the account says; QA or QP does: "
                "`cultureops access verify-identity`"
            )

    def permit_witness(self, identity: Identity) -> None:
        """Refuse a second person who handles no records, or whose identity nobody has checked; raises AccessError."""
        roles = identity.roles & PEOPLE
        if not roles:
            held = ", ".join(sorted(identity.roles)) or "no role"
            raise AccessError(f"{identity.username} holds {held}; a witness is somebody who handles the records")
        self.permit(identity.acting(min(roles)))

    async def tell_refused(self, actor: Actor, cause: str) -> None:
        """Record that somebody, or whoever gave their name, asked for what ``permit`` refuses."""
        data = {
            "account": printable(actor.id)[:200],
            "role": printable(actor.role)[:20],
            "cause": printable(cause)[:500],
        }
        await self._ledger.append(ACCESS, [new_event(AccessEvent.CHANGE_REFUSED, data, SYSTEM)], None)

    async def sign_in(self, username: str, password: str, code: str, source: str) -> tuple[str, Session]:
        """Return the secret for the person's cookie and the session that begins; raises AccessError.

        ``code`` is of a second factor: digits, or what a security key answered [JSON]; empty without one.
        """
        proven = await self._authentication.prove(username, password, code, source, "log-in")
        session_id = self._new_id()
        data = {
            "session_id": session_id,
            "source": source,
            "method": proven.method,
            "asks_for": self._asks_for(proven.account),
        }
        secret = self._sessions.begin(session_id, self._real_s())
        try:
            await self._tell(proven.account, new_event(AccessEvent.SIGNED_IN, data, proven.account.actor))
        except BaseException:
            self._sessions.end(session_id)
            raise
        session = decide.known(self.accounts, username).sessions.get(session_id)
        if session is None:
            raise AccessError(UNKNOWN)
        return secret, session

    async def authenticate(
        self,
        username: str,
        password: str,
        code: str,
        source: str,
        purpose: str = "command",
        session_id: str | None = None,
    ) -> Identity:
        """Recognise a person once more or without a session; raises AccessError."""
        proven = await self._authentication.prove(username, password, code, source, purpose, session_id)
        data = {"source": source, "method": proven.method, "purpose": purpose}
        await self._tell(proven.account, new_event(AccessEvent.AUTHENTICATED, data, proven.account.actor))
        if asked := self._asks_for(proven.account):
            raise AccessError(f"{proven.account.username} needs a {asked} first; see `cultureops access --help`")
        return _identity(proven.account, proven.method)

    def identify(self, secret: str, source: str = "", *, is_deed: bool = True) -> Identity:
        """Return whom the secret of a session or an API token is of; raises AccessError.

        ``is_deed``: a person does something, which keeps a session from running out.
        """
        handed = read(secret)
        if handed is not None and handed.kind == TOKEN:
            return self._identify_token(handed, source)
        found = self._sessions.touch(secret, self._real_s(), is_deed=is_deed)
        if isinstance(found, Ended):
            self._run_out(found)
        elif found is not None and (session := self._session(found)) is not None:
            account = decide.known(self.accounts, session.username)
            roles = frozenset[Role]() if session.asks_for else account.roles
            return Identity(account.username, account.printed_name, roles, session.method, session.id)
        raise AccessError(UNKNOWN)

    def session(self, secret: str) -> Session:
        """Return the session that a secret is of; raises AccessError."""
        session_id = self.identify(secret).session_id
        found = None if session_id is None else self._session(session_id)
        if found is None:
            raise AccessError(UNKNOWN)
        return found

    def idle_for_s(self, session_id: str) -> float | None:
        """Return for how long a session was not used [real s]; None when it is not of this process."""
        return self._sessions.idle_for_s(session_id, self._real_s())

    async def sign_out(self, secret: str) -> None:
        """End a session for good; nothing happens when it has ended already."""
        with suppress(AccessError):
            identity = self.identify(secret)
            if identity.session_id is None:
                return
            self._sessions.end(identity.session_id)
            account = decide.known(self.accounts, identity.username)
            data = {"session_id": identity.session_id}
            await self._tell(account, new_event(AccessEvent.SIGNED_OUT, data, account.actor))

    def is_due(self, now: Instant) -> bool:
        """Whether ``settle`` has something to write; cheap."""
        return bool(self._notes or self._sessions.run_out(self._real_s()) or self._orphans())

    async def settle(self, now: Instant) -> None:
        """Record which sessions have run out, or were lost in a restart; only for the lab, whose sessions they are."""
        for ended in self._sessions.run_out(self._real_s()):
            self._run_out(ended)
        for session in self._orphans():
            self._note_end(session, "restart of cultureops")
        self._sessions.keep_only([name for one in self.accounts.all() for name in one.sessions])
        await self.tell()

    async def tell(self) -> None:
        """Record what was noted while nobody could wait for it, such as the first use of a token."""
        for key, (username, event) in tuple(self._notes.items()):
            await self._ledger.append(account_stream(username), [event], None)
            self._notes.pop(key, None)

    def _orphans(self) -> list[Session]:
        """Return the sessions that the ledger knows and nobody has a secret of: those before a restart."""
        found = (session for account in self.accounts.all() for session in account.sessions.values())
        return [session for session in found if session.id not in self._sessions and session.id not in self._notes]

    def _session(self, session_id: str) -> Session | None:
        found = (account.sessions.get(session_id) for account in self.accounts.all() if account.is_active)
        return next((session for session in found if session is not None), None)

    def _run_out(self, ended: Ended) -> None:
        session = self._session(ended.session_id)
        if session is not None:
            self._note_end(session, ended.cause)
        self._sessions.end(ended.session_id)

    def _note_end(self, session: Session, cause: str) -> None:
        event = new_event(AccessEvent.SESSION_ENDED, {"session_id": session.id, "cause": cause}, SYSTEM)
        self._notes[session.id] = (session.username, event)

    def _identify_token(self, handed: Handed, source: str) -> Identity:
        account = self.accounts.token_holder(handed.id)
        token = None if account is None else account.tokens[handed.id]
        if account is None or token is None or not account.is_active or token.is_revoked:
            raise AccessError(UNKNOWN)
        if account.is_locked_everywhere or self._clock.now() >= token.expires_at:
            raise AccessError(UNKNOWN)
        if handed.id not in self._token_digests:  # once for each token; some other process may have made it just now
            self._token_digests[handed.id] = self.secrets().get(handed.id, TOKEN, account.username)
        if not matches(handed, self._token_digests[handed.id]):
            raise AccessError(UNKNOWN)
        if token.first_used_at is None and token.id not in self._notes:
            data = {"token_id": token.id, "source": source}
            self._notes[token.id] = (
                account.username,
                new_event(AccessEvent.TOKEN_FIRST_USED, data, account.actor),
            )
        return Identity(account.username, account.printed_name, account.roles, "token", None, token.scopes)

    def _asks_for(self, account: Account) -> str:
        """Return what a person has to set before anything else; empty when it is nothing."""
        if account.roles & self.policy.second_factor_roles and not account.factors:
            return "second factor"
        is_old = self.policy.is_password_too_old(account.password_set_at, self._clock.now())
        return "new password" if is_old else ""

    async def _tell(self, account: Account, event: NewEvent) -> None:
        await self._ledger.append(account_stream(account.username), [event], None)


def _identity(account: Account, method: str) -> Identity:
    return Identity(account.username, account.printed_name, account.roles, method)
