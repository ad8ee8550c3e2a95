"""The access review: who may do what, what is dormant, locked or open, so that QA can confirm or change it. Pure.

EU Annex 11 draft 11.11 and 21 CFR 11.300(b) ask for it again and again; the report is data, its confirmation an event
signed by QA.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from cultureops.access.account import Account
from cultureops.access.name import folded
from cultureops.access.policy import Policy
from cultureops.clock import DAY_MS, Instant, iso
from cultureops.ledger.event import JsonValue

__all__ = ["AccessReview", "ReviewRow", "review"]


@dataclass(frozen=True, slots=True)
class ReviewRow:
    """One account as a reviewer needs it; ``remarks`` say what wants a decision."""

    username: str
    printed_name: str
    state: str
    roles: tuple[str, ...]
    may_sign: bool
    verified_by: str
    second_factors: tuple[str, ...]
    last_used_at: Instant | None
    open_sessions: int
    open_tokens: tuple[str, ...]
    remarks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AccessReview:
    """All accounts at one time [ms UTC], and when they were last reviewed."""

    at: Instant
    reviewed_at: Instant | None
    is_due: bool
    rows: tuple[ReviewRow, ...]

    def rights(self) -> tuple[tuple[object, ...], ...]:
        """Return what it says of each account's rights, without what passes: when it was used, what is open."""
        return tuple(
            (row.username, row.printed_name, row.state, row.roles, row.may_sign, row.verified_by, row.second_factors,
             row.open_tokens)
            for row in self.rows
        )  # fmt: skip

    def data(self) -> dict[str, JsonValue]:
        """Return it as JSON values."""
        return {
            "at": iso(self.at),
            "reviewed_at": None if self.reviewed_at is None else iso(self.reviewed_at),
            "is_due": self.is_due,
            "accounts": [_row_data(row) for row in self.rows],
        }


def review(accounts: Iterable[Account], reviewed_at: Instant | None, policy: Policy, now: Instant) -> AccessReview:
    """Return the review of accounts as they stand ``now`` [ms UTC]."""
    accounts = tuple(accounts)
    printed = Counter(folded(one.printed_name) for one in accounts if one.disabled_at is None)
    namesakes = frozenset(name for name, count in printed.items() if count > 1)
    rows = tuple(_row(account, policy, now, namesakes) for account in accounts)
    is_due = reviewed_at is None or now - reviewed_at >= policy.review_every_d * DAY_MS
    return AccessReview(now, reviewed_at, is_due, rows)


def _row(account: Account, policy: Policy, now: Instant, namesakes: Collection[str]) -> ReviewRow:
    tokens = tuple(one for one in account.tokens.values() if not one.is_revoked and one.expires_at > now)
    return ReviewRow(
        username=account.username,
        printed_name=account.printed_name,
        state="locked" if account.lock and account.is_active else account.state.value,
        roles=tuple(sorted(account.roles)),
        may_sign=account.is_active and account.is_signing_enabled,
        verified_by="" if account.verification is None else account.verification.by,
        second_factors=tuple(sorted(factor.kind for factor in account.factors)),
        last_used_at=account.last_used_at,
        open_sessions=len(account.sessions),
        open_tokens=tuple(
            f"{one.title} ({', '.join(sorted(one.scopes))}) until {iso(one.expires_at)}" for one in tokens
        ),
        remarks=tuple(_remarks(account, policy, now, namesakes)),
    )


def _remarks(account: Account, policy: Policy, now: Instant, namesakes: Collection[str]) -> Iterable[str]:
    if account.disabled_at is not None:
        return
    if folded(account.printed_name) in namesakes:
        yield "shares its printed name with another account"
    dormant_ms = policy.dormant_d * DAY_MS
    if now - (account.last_used_at or account.created_at) >= dormant_ms:
        yield f"not used for {policy.dormant_d:g} d"
    if account.lock is not None:
        yield f"locked since {iso(account.lock.at)}"
    if account.invitation is not None:
        yield f"waits for its person since {iso(account.invitation.at)}"
    if account.verification is None and account.is_active:
        yield "identity not checked"
    if not account.roles:
        yield "holds no role"
    if account.roles & policy.second_factor_roles and not account.factors:
        yield "lacks the second factor that its role asks for"


def _row_data(row: ReviewRow) -> dict[str, JsonValue]:
    return {
        "username": row.username,
        "printed_name": row.printed_name,
        "state": row.state,
        "roles": list(row.roles),
        "may_sign": row.may_sign,
        "verified_by": row.verified_by or None,
        "second_factors": list(row.second_factors),
        "last_used_at": None if row.last_used_at is None else iso(row.last_used_at),
        "open_sessions": row.open_sessions,
        "open_tokens": list(row.open_tokens),
        "remarks": list(row.remarks),
    }
