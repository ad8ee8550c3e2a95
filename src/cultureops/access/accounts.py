"""All accounts as they stand, folded from the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog

from cultureops.access.account import Account
from cultureops.access.events import ACCESS, PREFIX, AccessEvent
from cultureops.access.evolve import evolve
from cultureops.access.name import folded
from cultureops.access.policy import policy_of
from cultureops.access.roles import Role
from cultureops.clock import Instant
from cultureops.errors import CultureOpsError
from cultureops.ledger.event import Event

__all__ = ["Accounts"]

log = structlog.get_logger(__name__)


class Accounts:
    """The register of accounts; events may come twice, but in order."""

    def __init__(self) -> None:
        self.policy_data: Mapping[str, Any] | None = None
        self.reviewed_at: Instant | None = None
        self.reviewed_by = ""
        self.has_verified_anyone = False
        self.unknown_attempts = 0
        self.recovered_at: Instant | None = None
        self._accounts: dict[str, Account] = {}
        self._position = 0

    def apply(self, event: Event) -> None:
        """Take an event of the ledger; one that is not of access, or can't be read, changes nothing."""
        if event.position <= self._position:
            return
        self._position = event.position
        try:
            if event.stream == ACCESS:
                self._apply_to_all(event)
            elif event.stream.startswith(PREFIX):
                self._apply_to_one(event)
        except (KeyError, TypeError, ValueError, AttributeError, CultureOpsError) as error:
            log.error("an event of access can't be read", position=event.position, type=event.type, error=repr(error))

    def get(self, username: str) -> Account | None:
        """Return the account of a name, however it was typed; None where nobody has it."""
        return self._accounts.get(folded(username))

    def all(self) -> tuple[Account, ...]:
        """Return all accounts by name, disabled ones too."""
        return tuple(sorted(self._accounts.values(), key=lambda account: account.username))

    def holding(self, role: Role) -> tuple[Account, ...]:
        """Return the active accounts that hold a role."""
        return tuple(account for account in self.all() if account.is_active and role in account.roles)

    def invited_by_token(self, invitation_id: str) -> Account | None:
        """Return the account that an invitation is for, None when it is not open any more."""
        found = (one for one in self._accounts.values() if one.invitation and one.invitation.id == invitation_id)
        return next(found, None)

    def token_holder(self, token_id: str) -> Account | None:
        """Return the account that an API token is of."""
        return next((one for one in self._accounts.values() if token_id in one.tokens), None)

    def __len__(self) -> int:
        return len(self._accounts)

    def _apply_to_one(self, event: Event) -> None:
        username = event.stream.removeprefix(PREFIX)
        if event.type == AccessEvent.ACCOUNT_CREATED and event.data["username"] != username:
            raise ValueError("an account in the stream of another")
        key = folded(username)
        account = evolve(self._accounts.get(key), event)
        if account is not None:
            self._accounts[key] = account
        self.has_verified_anyone |= event.type == AccessEvent.IDENTITY_VERIFIED

    def _apply_to_all(self, event: Event) -> None:
        if event.type == AccessEvent.POLICY_CHANGED:
            policy_of(event.data["policy"])  # type: ignore[arg-type]  # what can't be read does not count
            self.policy_data = event.data["policy"]  # type: ignore[assignment]
        elif event.type == AccessEvent.ACCESS_REVIEWED:
            self.reviewed_at, self.reviewed_by = event.recorded_at, event.actor.id
        elif event.type == AccessEvent.SIGN_IN_REFUSED:
            self.unknown_attempts += 1
        elif event.type == AccessEvent.RECOVERED:
            self.recovered_at = event.recorded_at
