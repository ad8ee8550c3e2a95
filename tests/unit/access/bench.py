"""A desk and what it stands on, whose real time only a test moves."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cultureops.access import Identity, Meaning, Shown
from cultureops.access.desk import AccessDesk, open_access
from cultureops.access.events import PREFIX, SYSTEM, AccessEvent, account_stream, new_event, username_claim
from cultureops.access.password import hash_password
from cultureops.access.policy import Policy
from cultureops.access.signature import details_sha256, shown
from cultureops.clock import SeededEntropy, SteppedClock
from cultureops.ledger import Event, SqlLedger

__all__ = ["CHEAP", "ELSEWHERE", "HOME", "PASSWORD", "Bench"]

PASSWORD = "a quiet morning by the lake"
CHEAP = Policy("Test lab", "Europe/Berlin", argon2_memory_kib=8, argon2_passes=1)
HOME, ELSEWHERE = "10.0.0.1", "203.0.113.9"


@dataclass
class Bench:
    """A desk and what it stands on."""

    folder: Path
    clock: SteppedClock
    ledger: SqlLedger
    desk: AccessDesk = field(init=False)
    seconds: list[float] = field(default_factory=lambda: [1000.0])

    async def reopen(self, **policy: Any) -> AccessDesk:
        """Open another desk on the same folder, as after a restart or in another process."""
        chosen = replace(CHEAP, **policy)
        self.desk = await open_access(
            self.folder, self.ledger, chosen, self.clock, SeededEntropy(99),
            real_s=lambda: self.seconds[0], wall_s=lambda: 1_800_000_000 + self.seconds[0],
        )  # fmt: skip
        return self.desk

    def wait(self, seconds: float) -> None:
        """Let real time pass."""
        self.seconds[0] += seconds

    @property
    def wall_s(self) -> float:
        return 1_800_000_000 + self.seconds[0]

    def who(self, username: str) -> Identity:
        """Return an identity as a log-in would."""
        account = self.desk.accounts.get(username)
        assert account is not None
        return Identity(account.username, account.printed_name, account.roles, "password")

    def events(self, username: str, kind: AccessEvent | None = None) -> list[Event]:
        """Return the events of an account, of one kind where one is named."""
        return [event for event in self.ledger.read(PREFIX + username) if kind in (None, event.type)]

    async def employ(self, username: str, *roles: str) -> None:
        """Give somebody an account that may sign, written straight into the ledger."""
        data = {"username": username, "printed_name": username.title(), "roles": sorted(roles)}
        secret_id = f"secret-{username}"
        self.desk.secrets().put(secret_id, "password", username, hash_password(PASSWORD, CHEAP).encode())
        await self.ledger.append(
            account_stream(username),
            [
                new_event(AccessEvent.ACCOUNT_CREATED, data, SYSTEM, claims=(username_claim(username),)),
                new_event(AccessEvent.PASSWORD_SET, {"secret_id": secret_id}, SYSTEM),
                new_event(AccessEvent.IDENTITY_VERIFIED, {"how": "seen"}, SYSTEM),
                *([] if "AD" in roles else [new_event(AccessEvent.SIGNING_ENABLED, {}, SYSTEM)]),
            ],
            0,
        )

    def record(self, stream: str = "batch:B-1") -> Shown:
        """Return something to be signed."""
        return shown(stream, (), "Release", details_sha256({"decision": "full"}, "", None))

    async def offered(self, username: str = "qa-1", session_id: str | None = None) -> str:
        """Return the id of an offer to sign as QA."""
        offer = await self.desk.offer(username, "QA", Meaning.RELEASED, self.record(), session_id)
        return offer.id
