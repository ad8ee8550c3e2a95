"""Proving to be somebody: password and second factor against what is kept, slowed and locked against guessing.

Everybody who is refused hears the same sentence after the same work, whether the name exists or not (OWASP ASVS 5.0
6.3.8). Each attempt that was looked at is recorded; a name that nobody has is not, since people type passwords there.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from weakref import WeakValueDictionary

from cultureops.access.account import Account
from cultureops.access.accounts import Accounts
from cultureops.access.events import ACCESS, SYSTEM, AccessEvent, account_stream, new_event
from cultureops.access.name import folded
from cultureops.access.password import hash_password, needs_rehash, password_matches
from cultureops.access.policy import Policy
from cultureops.access.roles import Role
from cultureops.access.second_factor import SecondFactors
from cultureops.access.throttle import Throttle, TooSoon, network_of
from cultureops.access.vault import Vault
from cultureops.clock import Clock
from cultureops.errors import AccessError
from cultureops.ledger.event import NewEvent
from cultureops.ledger.ledger import Ledger

__all__ = ["PASSWORD", "REFUSED", "Authentication", "Proven"]

PASSWORD = "password"
REFUSED = "name, password or code is wrong, or the account can't be used now; ask an administrator if it stays so"
MOST_AT_ONCE = 2
"""Passwords checked at the same time: each takes tens of megabytes."""
_DEADLINE_S = 30.0


@dataclass(frozen=True, slots=True)
class Proven:
    """An account whose person has just proven to be themselves, and by what (``password``, ``password+totp``, ...)."""

    account: Account
    method: str


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One attempt; ``place`` is where guesses are counted together."""

    username: str
    password: str = field(repr=False)
    code: str = field(repr=False)
    source: str
    purpose: str
    place: str


class Authentication:
    """Checks proofs of people, one at a time for each name; ``real_s`` is monotonic time [s]."""

    def __init__(
        self,
        ledger: Ledger,
        vault: Callable[[], Vault],
        accounts: Accounts,
        policy: Policy,
        factors: SecondFactors,
        clock: Clock,
        real_s: Callable[[], float],
    ) -> None:
        self._ledger, self._vault, self._accounts = ledger, vault, accounts
        self._policy, self._factors, self._clock, self._real_s = policy, factors, clock, real_s
        self.sources = Throttle(policy.source_failures, policy.slow_first_s, policy.slow_most_s)
        self._names = Throttle(policy.lockout_failures, policy.slow_first_s, policy.slow_most_s)
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._refusing = asyncio.Lock()
        self._hashing = asyncio.Semaphore(MOST_AT_ONCE)
        self._work: set[asyncio.Future[Proven]] = set()
        self._dummy: str | None = None

    async def prove(
        self, username: str, password: str, code: str, source: str, purpose: str, session_id: str | None = None
    ) -> Proven:
        """Return who somebody has proven to be; ``purpose`` says what for, and stands in the record of a refusal.

        Who proves it in an open session of their own does not wait for what strangers try at the same source. Raises
        TooSoon while name or source has to wait, AccessError otherwise; both before anything is told.
        """
        attempt = _Attempt(username, password, code, source, purpose, self._place(username, source, session_id))
        # Whoever goes away before the answer has still guessed: the attempt is finished and recorded.
        work = asyncio.ensure_future(self._in_turn(attempt))
        self._work.add(work)
        work.add_done_callback(self._finished)
        return await asyncio.shield(work)

    def forget(self, username: str) -> None:
        """Let a name be tried at once again: an administrator has unlocked it."""
        self._names.forget(_name_key(username, ""))

    def wait(self, *keys: tuple[Throttle, str]) -> None:
        """Refuse what comes too soon; raises TooSoon."""
        now_s = self._real_s()
        if (wait_s := max(throttle.wait_s(key, now_s) for throttle, key in keys)) > 0:
            raise TooSoon(wait_s)

    async def failed_at(self, source: str) -> None:
        """Count a failed attempt against its source; the one that slows it is recorded."""
        if self.sources.failed(network_of(source), self._real_s()):
            data = {"source": source, "failures": self._policy.source_failures}
            await self._ledger.append(ACCESS, [new_event(AccessEvent.SOURCE_SLOWED, data, SYSTEM)], None)

    def _finished(self, work: asyncio.Future[Proven]) -> None:
        self._work.discard(work)
        if not work.cancelled():
            work.exception()

    def _place(self, username: str, source: str, session_id: str | None) -> str:
        """Return where guesses are counted together: the network of the source, or somebody's own session."""
        account = self._accounts.get(username)
        is_own = account is not None and session_id is not None and session_id in account.sessions
        return f"session {session_id}" if is_own else network_of(source)

    async def _in_turn(self, attempt: _Attempt) -> Proven:
        """One attempt at a time from each place and for each name: the next one hears of the failure before it."""
        there = self._turns.setdefault(f"place {attempt.place}", asyncio.Lock())
        turn = self._turns.setdefault(f"name {folded(attempt.username[:200])}", asyncio.Lock())
        try:
            async with asyncio.timeout(_DEADLINE_S), there, turn:
                return await self._prove(attempt)
        except TimeoutError:
            raise AccessError(f"no answer within {_DEADLINE_S:.0f} s; try again, and see the program's log") from None

    async def _prove(self, attempt: _Attempt) -> Proven:
        await self._ledger.catch_up()  # another process may have disabled the account
        account, name_key = self._accounts.get(attempt.username), _name_key(attempt.username, attempt.place)
        self.wait((self.sources, attempt.place), (self._names, name_key))
        is_right, kept = await self._check_password(account, attempt.password)
        cause, method = await self._cause(account, is_right, attempt.code, attempt.source)
        if account is None or cause:
            self._names.failed(name_key, self._real_s())
            await self._refuse(account, attempt.source, cause, attempt.purpose)
            await self.failed_at(attempt.source)
            raise AccessError(REFUSED)
        # Only one's own failures are forgiven: a log-in of one's own buys no guesses at others.
        self.sources.forgive(network_of(attempt.source), self._names.count(name_key))
        self._names.forget(name_key)
        if kept is not None and needs_rehash(kept, self._policy):
            await self._rehash(account, attempt.password)
        return Proven(account, method)

    async def _check_password(self, account: Account | None, password: str) -> tuple[bool, str | None]:
        """Check a password, or as long one that nobody has: the time must not tell whether an account exists."""
        kept: str | None = None
        if account is not None and account.password_id:
            value = await asyncio.to_thread(self._vault().get, account.password_id, PASSWORD, account.username)
            kept = None if value is None else value.decode()
        else:
            await asyncio.to_thread(self._vault().get, "nobody", PASSWORD, "")
        async with self._hashing:
            if self._dummy is None:
                self._dummy = await asyncio.to_thread(hash_password, secrets.token_urlsafe(), self._policy)
            matches = await asyncio.to_thread(password_matches, kept or self._dummy, password)
        return matches and kept is not None, kept

    async def _cause(self, account: Account | None, is_right: bool, code: str, source: str) -> tuple[str, str]:
        """Return why somebody is refused (empty: not at all), and by what they have proven themselves."""
        if account is None:
            return "unknown name", ""
        if account.disabled_at is not None:
            return "disabled", ""
        if account.is_locked(source, self._clock.now(), self._policy.lockout_s):
            return "locked", ""
        if not account.password_id:
            return "no password set", ""
        if not is_right:
            return "password", ""
        if not account.factors:
            outside = self._policy.is_outside(source)
            return ("no second factor, and from outside", "") if outside else ("", PASSWORD)
        factor = await self._factors.check(account, code)
        return ("second factor", "") if factor is None else ("", f"{PASSWORD}+{factor.kind}")

    async def _refuse(self, account: Account | None, source: str, cause: str, purpose: str) -> None:
        """Record a refusal, and lock the account when it was one too many."""
        is_guess = cause in ("password", "second factor")
        data = {"source": source, "cause": cause, "purpose": purpose, "is_guess": is_guess}
        if account is None:
            await self._ledger.append(ACCESS, [new_event(AccessEvent.SIGN_IN_REFUSED, data, SYSTEM)], None)
            return
        kind = AccessEvent.SIGNATURE_REFUSED if purpose == "signature" else AccessEvent.SIGN_IN_REFUSED
        async with self._refusing:  # of two administrators one at a time is locked
            events = [new_event(kind, data, SYSTEM), *(self._lock(account, source) if is_guess else ())]
            await self._ledger.append(account_stream(account.username), events, None)

    def _lock(self, account: Account, source: str) -> Sequence[NewEvent]:
        """Return the lock that one more failure makes; who is left to unlock others is slowed but never locked out."""
        account = self._accounts.get(account.username) or account
        failures = account.failures_at(source) + 1
        if failures < self._policy.lockout_failures:
            return ()
        is_everywhere = source in account.known_sources and self._others_unlock(account)
        if not is_everywhere and account.is_locked("", self._clock.now(), self._policy.lockout_s):
            return ()
        lock = {"is_everywhere": is_everywhere, "source": source, "failures": failures}
        return [new_event(AccessEvent.LOCKED, lock, SYSTEM, f"{failures} wrong passwords or codes in a row")]

    def _others_unlock(self, account: Account) -> bool:
        others = (one for one in self._accounts.holding(Role.ADMINISTRATOR) if one.username != account.username)
        return Role.ADMINISTRATOR not in account.roles or any(not one.is_locked_everywhere for one in others)

    async def hashed(self, password: str) -> str:
        """Return what is kept of a password."""
        async with self._hashing:
            return await asyncio.to_thread(hash_password, password, self._policy)

    async def _rehash(self, account: Account, password: str) -> None:
        """Keep the same password with the parameters of today."""
        kept = await self.hashed(password)
        vault = self._vault()
        await asyncio.to_thread(vault.put, account.password_id, PASSWORD, account.username, kept.encode())


def _name_key(username: str, place: str) -> str:
    return f"{folded(username[:200])}\n{place}"
