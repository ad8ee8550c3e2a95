"""How an account follows from its events; pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from cultureops.access.account import Account, Factor, Invitation, Lock, Session, Token, Verification
from cultureops.access.events import AccessEvent
from cultureops.access.roles import Role
from cultureops.clock import parse_iso
from cultureops.ledger.event import Event

__all__ = ["evolve"]

MOST_KNOWN_SOURCES: Final = 20


def evolve(account: Account | None, event: Event) -> Account | None:
    """Return the account after an event of its stream; raises KeyError, TypeError or ValueError for a malformed one."""
    if event.type == AccessEvent.ACCOUNT_CREATED:
        return _created(event)
    step = _STEPS.get(event.type)
    return account if account is None or step is None else step(account, event)


def _created(event: Event) -> Account:
    data: Mapping[str, Any] = event.data
    roles = frozenset(Role(role) for role in data["roles"])
    return Account(str(data["username"]), str(data["printed_name"]), roles, event.recorded_at, event.actor.id)


def _invited(account: Account, event: Event) -> Account:
    """An invitation takes everything away by which the account could be used or believed (11.200(a)(3))."""
    invitation = Invitation(str(event.data["invitation_id"]), event.actor.id, event.recorded_at)
    return replace(_stripped(account), invitation=invitation, invited_by=event.actor.id)


def _stripped(account: Account) -> Account:
    return replace(
        account, invitation=None, password_id="", password_set_at=None, factors=(), verification=None,
        is_signing_enabled=False, known_sources=(), failures=(0, 0), lock=None, sessions={}, tokens={},
    )  # fmt: skip


def _password_set(account: Account, event: Event) -> Account:
    kept = str(event.data.get("session_id", ""))
    return replace(
        account,
        invitation=None,
        password_id=str(event.data["secret_id"]),
        password_set_at=event.recorded_at,
        sessions={
            name: replace(one, asks_for="" if one.asks_for == "new password" else one.asks_for)
            for name, one in account.sessions.items()
            if name == kept
        },
    )


def _verified(account: Account, event: Event) -> Account:
    return replace(
        account, verification=Verification(event.actor.id, event.recorded_at, str(event.data.get("how", "")))
    )


def _factor_added(account: Account, event: Event) -> Account:
    data: Mapping[str, Any] = event.data
    factor = Factor(str(data["factor_id"]), str(data["kind"]), str(data.get("title", "")), event.recorded_at)
    sessions = {
        name: replace(one, asks_for="" if one.asks_for == "second factor" else one.asks_for)
        for name, one in account.sessions.items()
    }
    return replace(account, factors=(*account.factors, factor), sessions=sessions)


def _factor_removed(account: Account, event: Event) -> Account:
    gone = event.data["factor_id"]
    return replace(account, factors=tuple(one for one in account.factors if one.id != gone), sessions={})


def _granted(account: Account, event: Event) -> Account:
    return replace(account, roles=account.roles | {Role(str(event.data["role"]))}, sessions={})


def _revoked(account: Account, event: Event) -> Account:
    return replace(account, roles=account.roles - {Role(str(event.data["role"]))}, sessions={})


def _locked(account: Account, event: Event) -> Account:
    is_everywhere = bool(event.data["is_everywhere"])
    lock = Lock(event.recorded_at, is_everywhere, str(event.data.get("source", "")))
    return replace(account, lock=lock, sessions={} if is_everywhere else account.sessions)


def _failed(account: Account, event: Event) -> Account:
    if not event.data.get("is_guess"):
        return account
    known, elsewhere = account.failures
    is_known = event.data.get("source") in account.known_sources
    return replace(account, failures=(known + 1, elsewhere) if is_known else (known, elsewhere + 1))


def _used(account: Account, event: Event) -> Account:
    """Proving oneself forgives earlier failures at the same kind of source, and makes a source known."""
    source = str(event.data.get("source", ""))
    is_known = source in account.known_sources
    known, elsewhere = account.failures
    return replace(
        account,
        failures=(0, elsewhere) if is_known else (known, 0),
        known_sources=(*(one for one in account.known_sources if one != source), source)[-MOST_KNOWN_SOURCES:],
        last_used_at=event.recorded_at,
        # A lock against guesses from elsewhere stays; any other has run out, or nobody could have got in.
        lock=account.lock if is_known and account.lock is not None and not account.lock.is_everywhere else None,
    )


def _signed_in(account: Account, event: Event) -> Account:
    data: Mapping[str, Any] = event.data
    session = Session(
        str(data["session_id"]),
        account.username,
        str(data.get("source", "")),
        str(data.get("method", "")),
        event.recorded_at,
        str(data.get("asks_for", "")),
    )
    return replace(_used(account, event), sessions={**account.sessions, session.id: session})


def _session_over(account: Account, event: Event) -> Account:
    gone = event.data["session_id"]
    return replace(account, sessions={name: one for name, one in account.sessions.items() if name != gone})


def _token_issued(account: Account, event: Event) -> Account:
    data: Mapping[str, Any] = event.data
    token = Token(
        str(data["token_id"]),
        str(data.get("title", "")),
        frozenset(str(scope) for scope in data["scopes"]),
        event.recorded_at,
        parse_iso(str(data["expires_at"])),
    )
    return replace(account, tokens={**account.tokens, token.id: token})


def _token_changed(account: Account, event: Event) -> Account:
    token = account.tokens.get(str(event.data["token_id"]))
    if token is None:
        return account
    if event.type == AccessEvent.TOKEN_REVOKED:
        token = replace(token, is_revoked=True)
    else:
        token = replace(token, first_used_at=event.recorded_at)
    return replace(account, tokens={**account.tokens, token.id: token})


_STEPS: Final[Mapping[str, Callable[[Account, Event], Account]]] = {
    AccessEvent.INVITED: _invited,
    AccessEvent.PASSWORD_SET: _password_set,
    AccessEvent.IDENTITY_VERIFIED: _verified,
    AccessEvent.SIGNING_ENABLED: lambda account, _: replace(account, is_signing_enabled=True),
    AccessEvent.SECOND_FACTOR_ADDED: _factor_added,
    AccessEvent.SECOND_FACTOR_REMOVED: _factor_removed,
    AccessEvent.ROLE_GRANTED: _granted,
    AccessEvent.ROLE_REVOKED: _revoked,
    AccessEvent.LOCKED: _locked,
    AccessEvent.UNLOCKED: lambda account, _: replace(account, lock=None, failures=(0, 0)),
    AccessEvent.DISABLED: lambda account, event: replace(
        account, disabled_at=event.recorded_at, sessions={}, is_signing_enabled=False
    ),
    AccessEvent.REINSTATED: lambda account, _: replace(_stripped(account), disabled_at=None),
    AccessEvent.SIGNED_IN: _signed_in,
    AccessEvent.AUTHENTICATED: _used,
    AccessEvent.SIGN_IN_REFUSED: _failed,
    AccessEvent.SIGNATURE_REFUSED: _failed,
    AccessEvent.SIGNED_OUT: _session_over,
    AccessEvent.SESSION_ENDED: _session_over,
    AccessEvent.TOKEN_ISSUED: _token_issued,
    AccessEvent.TOKEN_REVOKED: _token_changed,
    AccessEvent.TOKEN_FIRST_USED: _token_changed,
}
