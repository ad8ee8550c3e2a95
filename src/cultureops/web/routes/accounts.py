"""Accounts of everybody, for administrators, and for QA and QP, who check identities."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any, Final

from fastapi import APIRouter, Form, HTTPException, Request
from starlette.responses import RedirectResponse, Response

from cultureops.access import Identity, Role
from cultureops.access.account import Account
from cultureops.access.desk import AccessDesk
from cultureops.web.door.visitor import needing, proven
from cultureops.web.form.fields import Code, Reason, Secret, Word
from cultureops.web.templating import context_of, page

__all__ = ["KEEPERS", "router"]

router = APIRouter(prefix="/accounts", include_in_schema=False)

KEEPERS: Final = frozenset({Role.ADMINISTRATOR, Role.QUALITY_ASSURANCE, Role.QUALIFIED_PERSON})
"""Who sees the accounts of others."""
ROLES: Final[Mapping[Role, str]] = {
    Role.OPERATOR: "operator",
    Role.REVIEWER: "reviewer",
    Role.QUALITY_CONTROL: "quality control",
    Role.QUALITY_ASSURANCE: "quality assurance",
    Role.QUALIFIED_PERSON: "qualified person",
    Role.STORAGE: "storage and logistics",
    Role.CLINIC: "clinic",
    Role.EQUIPMENT: "equipment",
    Role.ADMINISTRATOR: "administrator of accounts, and nothing else",
}
_Act = Callable[[AccessDesk, str, Identity, str, str], Awaitable[Account | str]]
ACTS: Final[Mapping[str, tuple[str, Role | None, _Act]]] = {
    "verify": ("I have checked that this account is this person's (say how)", None,
               lambda desk, name, by, role, reason: desk.verify_identity(name, reason, by)),
    "invite": ("Make a link: they set a new password and second factor, and can't sign until then",
               Role.ADMINISTRATOR, lambda desk, name, by, role, reason: desk.invite(name, by, reason)),
    "grant": ("Grant the role", Role.ADMINISTRATOR,
              lambda desk, name, by, role, reason: desk.grant(name, role, by, reason)),
    "revoke": ("Take the role away", Role.ADMINISTRATOR,
               lambda desk, name, by, role, reason: desk.revoke(name, role, by, reason)),
    "unlock": ("Unlock", Role.ADMINISTRATOR, lambda desk, name, by, role, reason: desk.unlock(name, by, reason)),
    "enable": ("Let them sign; the identity was checked", Role.ADMINISTRATOR,
               lambda desk, name, by, role, reason: desk.enable_signing(name, by)),
    "disable": ("Disable for now or for good", Role.ADMINISTRATOR,
                lambda desk, name, by, role, reason: desk.disable(name, by, reason)),
    "reinstate": ("Reinstate, for the same person", Role.ADMINISTRATOR,
                  lambda desk, name, by, role, reason: desk.reinstate(name, by, reason)),
}  # fmt: skip
"""What can be done to an account: its words, the role it takes (None: any keeper), and how it is done."""


@router.get("")
async def accounts_page(request: Request) -> Response:
    """Every account, those that are disabled too."""
    needing(request, KEEPERS)
    return _list(request)


def _list(request: Request, **more: Any) -> Response:
    context, person = context_of(request), needing(request, KEEPERS)
    values = {
        "accounts": context.access.accounts.all(),
        "access": context.access,
        "zone": context.zone,
        "is_administrator": Role.ADMINISTRATOR in person.roles,
        "grantable": ROLES.items(),
        **more,
    }
    return page(request, "accounts.html", values)


@router.post("")
async def create(
    request: Request,
    username: Word,
    printed_name: Word,
    reason: Reason,
    roles: Annotated[tuple[str, ...], Form()] = (),
    password: Secret = "",
    code: Code = "",
) -> Response:
    """Make an account and show the link by which its person sets a password, once."""
    needing(request, (Role.ADMINISTRATOR,))
    by = await proven(request, password, code)
    token = await context_of(request).access.create(username.strip(), printed_name, roles, by, reason)
    return _list(request, link=_link(request, token), link_for=username.strip())


@router.get("/{username}")
async def account_page(request: Request, username: str) -> Response:
    """One account: who, what for, since when, where signed in, and what can be done to it."""
    needing(request, KEEPERS)
    return _one(request, username)


def _one(request: Request, username: str, **more: Any) -> Response:
    context, person = context_of(request), needing(request, KEEPERS)
    account = _named(request, username)
    values = {
        "account": account,
        "zone": context.zone,
        "acts": [(act, words) for act, (words, role, _) in ACTS.items() if role is None or role in person.roles],
        "grantable": ROLES.items(),
        "is_administrator": Role.ADMINISTRATOR in person.roles,
        **more,
    }
    return page(request, "account_of.html", values)


@router.post("/{username}")
async def change(
    request: Request,
    username: str,
    act: Word,
    reason: Reason = "",
    role: Word = "",
    password: Secret = "",
    code: Code = "",
) -> Response:
    """Change an account, with a reason and one's own password."""
    if act not in ACTS:
        raise HTTPException(400, f"act {act[:20]!r} is none of {', '.join(ACTS)}")
    _, needed, carry_out = ACTS[act]
    needing(request, KEEPERS if needed is None else (needed,))
    by, account = await proven(request, password, code), _named(request, username)
    done = await carry_out(context_of(request).access, account.username, by, role, reason.strip())
    if isinstance(done, str):
        return _one(request, username, link=_link(request, done))
    return RedirectResponse(str(request.url.path), 303)


@router.post("/{username}/sessions/{session_id}/end")
async def end_session(request: Request, username: str, session_id: str, reason: Reason = "") -> Response:
    """End somebody's session, at once."""
    by = needing(request, (Role.ADMINISTRATOR,))
    await context_of(request).access.end_session(_named(request, username).username, session_id, by, reason)
    return RedirectResponse(f"/accounts/{username}", 303)


@router.post("/{username}/tokens/{token_id}/revoke")
async def revoke_token(request: Request, username: str, token_id: str, reason: Reason = "") -> Response:
    """End somebody's token, at once."""
    by = needing(request, (Role.ADMINISTRATOR,))
    if token_id not in _named(request, username).tokens:
        raise HTTPException(404, f"{username[:60]!r} has no such token")
    await context_of(request).access.revoke_token(token_id, by, reason)
    return RedirectResponse(f"/accounts/{username}", 303)


def _named(request: Request, username: str) -> Account:
    account = context_of(request).access.accounts.get(username)
    if account is None:
        raise HTTPException(404, f"nobody has the account {username[:60]!r}; the list of accounts shows all")
    return account


def _link(request: Request, token: str) -> str:
    return f"{request.url.scheme}://{request.headers['host']}/set-up/{token}"
