"""Who may change an account, and how: each function gives the events of one change, or refuses it. Pure.

The administrator grants rights and has none over records; nobody grants rights to themselves; identity is checked by
somebody else than whoever handed out the invitation, so that no single person can sign as another (11.200(a)(3)).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from cultureops.access.account import Account
from cultureops.access.accounts import Accounts
from cultureops.access.events import AccessEvent, new_event, username_claim
from cultureops.access.identity import Identity
from cultureops.access.name import is_name, looks_like, same_person
from cultureops.access.policy import Policy
from cultureops.access.roles import PEOPLE, Role
from cultureops.errors import AccessError
from cultureops.ledger.event import Actor, NewEvent

__all__ = [
    "administrator",
    "check_roles",
    "create",
    "disable",
    "enable_signing",
    "grant",
    "invite",
    "known",
    "may_sign",
    "person",
    "reinstate",
    "remove_factor",
    "revoke",
    "unlock",
    "verify_identity",
]

LONGEST_USERNAME: Final = 64
_GRANTABLE: Final = PEOPLE | {Role.ADMINISTRATOR}
_VERIFIERS: Final = frozenset({Role.QUALITY_ASSURANCE, Role.QUALIFIED_PERSON})


def known(accounts: Accounts, username: str) -> Account:
    """Return an account that is on record; raises AccessError."""
    account = accounts.get(username)
    if account is None:
        raise AccessError(f"{username[:60]!r}: nobody has this account; see `cultureops access list`")
    return account


def person(accounts: Accounts, by: Identity) -> Account:
    """Return the active account of whoever acts in person; raises AccessError, also for a token."""
    account = known(accounts, by.username)
    if by.scopes is not None:
        raise AccessError("a token changes no account; log in with a password")
    if not account.is_active:
        raise AccessError(f"{account.username} is {account.state}; another person has to do this")
    return account


def administrator(accounts: Accounts, by: Identity) -> Actor:
    """Return the actor of an administrator's decision; raises AccessError for anybody else."""
    account = person(accounts, by)
    if Role.ADMINISTRATOR not in account.roles:
        raise AccessError(f"{account.username} is no administrator; accounts are theirs to change")
    return by.acting(Role.ADMINISTRATOR)


def check_roles(roles: Sequence[str]) -> frozenset[Role]:
    """Return roles that one person may hold together; raises AccessError."""
    for role in roles:
        if role not in _GRANTABLE:
            raise AccessError(f"{role[:20]!r} is no role of people; known are {', '.join(sorted(_GRANTABLE))}")
    found = frozenset(Role(role) for role in roles)
    if Role.ADMINISTRATOR in found and len(found) > 1:
        raise AccessError("an administrator has no part in records: AD stands alone, use a second person")
    return found


def create(
    accounts: Accounts, actor: Actor, username: str, printed_name: str, roles: Sequence[str], reason: str
) -> NewEvent:
    """Return the event of a new account; its name is claimed for good, however it is written (11.100(a))."""
    if not is_name(username) or username != username.strip() or len(username) > LONGEST_USERNAME:
        wanted = f"2 to {LONGEST_USERNAME} printable characters of one script, without blanks around"
        raise AccessError(f"{username[:80]!r} is no user name; expected {wanted}")
    if (taken := accounts.get(username)) is not None:
        raise AccessError(f"{taken.username} is {taken.state} and on record; names are never given twice, use another")
    if alike := next((one.username for one in accounts.all() if looks_like(one.username, username)), ""):
        raise AccessError(f"{username} is read as {alike}, which is on record; use another name")
    if not is_name(printed_name):
        raise AccessError(
            "the printed name stands beside signatures; expected 2 to 200 printable characters of one script"
        )
    held = check_roles(roles)
    data = {"username": username, "printed_name": printed_name.strip(), "roles": sorted(held)}
    return new_event(AccessEvent.ACCOUNT_CREATED, data, actor, reason, (username_claim(username),))


def invite(accounts: Accounts, by: Identity, username: str, invitation_id: str, reason: str) -> NewEvent:
    """Return the event of an invitation, which for an account in use is a reset."""
    account, actor = known(accounts, username), administrator(accounts, by)
    if account.disabled_at is not None:
        raise AccessError(f"{account.username} is disabled; reinstate it first")
    if same_person(account.username, actor.id):
        raise AccessError("nobody resets their own account; change the password, or ask another administrator")
    is_reset = bool(account.password_id)
    if is_reset:
        _needs(reason, "a reset takes password, second factors and the right to sign away")
    data = {"invitation_id": invitation_id, "is_reset": is_reset}
    return new_event(AccessEvent.INVITED, data, actor, reason)


def verify_identity(accounts: Accounts, by: Identity, username: str, how: str) -> NewEvent:
    """Return the event that another person has checked who uses the account (11.100(b)).

    The first of all is checked by an administrator; from then on by QA or QP whose own identity was checked, never by
    whoever made the invitation.
    """
    account, verifier = known(accounts, username), person(accounts, by)
    if same_person(account.username, verifier.username):
        raise AccessError("nobody vouches for themselves; another person checks the identity")
    if not account.is_active:
        raise AccessError(f"{account.username} is {account.state}; the person sets a password first, then is checked")
    _needs(how, "say how the identity was checked, e.g. which document was seen")
    if accounts.has_verified_anyone:
        if verifier.verification is None or not verifier.roles & _VERIFIERS:
            raise AccessError("identities are checked by QA or QP whose own identity was checked")
        if same_person(account.invited_by, verifier.username):
            raise AccessError(f"{verifier.username} made the invitation; somebody else checks the identity")
        role = min(verifier.roles & _VERIFIERS)
    else:
        role = Role.ADMINISTRATOR
        administrator(accounts, by)
    data = {"how": how, "is_first": not accounts.has_verified_anyone}
    return new_event(AccessEvent.IDENTITY_VERIFIED, data, by.acting(role))


def enable_signing(accounts: Accounts, actor: Actor, username: str) -> NewEvent:
    """Return the event that lets an account sign; refused without a checked identity (11.100(b))."""
    account = known(accounts, username)
    if account.verification is None:
        raise AccessError(f"{account.username} can't sign: nobody has checked who it is; see verify-identity")
    if Role.ADMINISTRATOR in account.roles:
        raise AccessError(f"{account.username} is an administrator; administrators sign nothing of a batch")
    return new_event(AccessEvent.SIGNING_ENABLED, {}, actor)


def grant(accounts: Accounts, by: Identity, username: str, role: str, reason: str) -> NewEvent:
    """Return the event of a role granted to somebody else."""
    account, actor = known(accounts, username), administrator(accounts, by)
    if same_person(account.username, actor.id):
        raise AccessError("nobody grants a role to themselves; ask another administrator")
    if account.disabled_at is not None:
        raise AccessError(f"{account.username} is disabled; reinstate it first")
    if role in account.roles:
        raise AccessError(f"{account.username} holds {role} already")
    check_roles([role, *account.roles])
    _needs(reason, "say why the role is granted")
    return new_event(AccessEvent.ROLE_GRANTED, {"role": role}, actor, reason)


def revoke(accounts: Accounts, by: Identity, username: str, role: str, reason: str) -> NewEvent:
    """Return the event of a role taken away."""
    account, actor = known(accounts, username), administrator(accounts, by)
    if role not in account.roles:
        raise AccessError(f"{account.username} does not hold {role[:20]}")
    if role == Role.ADMINISTRATOR:
        _leaves_administrator(accounts, account)
    _needs(reason, "say why the role is taken away")
    return new_event(AccessEvent.ROLE_REVOKED, {"role": role}, actor, reason)


def disable(accounts: Accounts, by: Identity, username: str, reason: str) -> NewEvent:
    """Return the event that ends an account's use; it stays on record and its name is never given again."""
    account, actor = known(accounts, username), administrator(accounts, by)
    if account.disabled_at is not None:
        raise AccessError(f"{account.username} is disabled already")
    _leaves_administrator(accounts, account)
    _needs(reason, "say why the account is disabled")
    return new_event(AccessEvent.DISABLED, {}, actor, reason)


def reinstate(accounts: Accounts, by: Identity, username: str, reason: str) -> NewEvent:
    """Return the event that lets the same person use a disabled account again, after a new invitation."""
    account, actor = known(accounts, username), administrator(accounts, by)
    if account.disabled_at is None:
        raise AccessError(f"{account.username} is {account.state}, not disabled")
    _needs(reason, "say why the account is used again, by the same person")
    return new_event(AccessEvent.REINSTATED, {}, actor, reason)


def unlock(accounts: Accounts, by: Identity, username: str, reason: str) -> NewEvent:
    """Return the event that ends a lock; only another administrator gives it."""
    account, actor = known(accounts, username), administrator(accounts, by)
    if account.lock is None:
        raise AccessError(f"{account.username} is not locked")
    if same_person(account.username, actor.id):
        raise AccessError("nobody unlocks their own account; ask another administrator, or see `access recover`")
    _needs(reason, "say why it is safe to unlock it: who tried, and how you know")
    return new_event(AccessEvent.UNLOCKED, {}, actor, reason)


def remove_factor(account: Account, factor_id: str, actor: Actor, reason: str) -> NewEvent:
    """Return the event that a second factor counts no more."""
    if factor_id not in {factor.id for factor in account.factors}:
        raise AccessError(f"{account.username} has no such second factor")
    return new_event(AccessEvent.SECOND_FACTOR_REMOVED, {"factor_id": factor_id}, actor, reason)


def may_sign(account: Account, role: str, policy: Policy) -> None:
    """Refuse a signature that an account may not give in a role; raises AccessError that says what is missing."""
    if not account.is_active:
        raise AccessError(f"{account.username} is {account.state} and can't sign")
    if role not in account.roles:
        held = ", ".join(sorted(account.roles)) or "no role"
        raise AccessError(f"{account.username} holds {held} and can't sign as {role[:20]}")
    if account.verification is None or not account.is_signing_enabled:
        raise AccessError(f"{account.username} can't sign yet: another person has to check the identity first")
    if policy.second_factor_for_signing and not account.factors:
        raise AccessError(f"{account.username} can't sign yet: this site asks for a second factor; add one")


def _leaves_administrator(accounts: Accounts, account: Account) -> None:
    if Role.ADMINISTRATOR not in account.roles:
        return
    if all(same_person(one.username, account.username) for one in accounts.holding(Role.ADMINISTRATOR)):
        raise AccessError(f"{account.username} is the last administrator; make another one first")


def _needs(text: str, what: str) -> None:
    if not text.strip():
        raise AccessError(f"{what} (a reason is missing)")
    if len(text) > 2_000 or any(not char.isprintable() and char not in "\n\t" for char in text):
        raise AccessError("the reason: expected at most 2,000 printable characters")
