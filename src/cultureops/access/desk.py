"""The access desk: recognises people and programs, and takes their signatures.

A thin shell around the fold of accounts (``accounts.py``) and the file of secrets; whatever happens is an event first.
What recognises them is in ``recognition.py``, what changes accounts in ``administration.py`` and ``own_account.py``.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from cultureops.access import decide
from cultureops.access.account import Account
from cultureops.access.accounts import Accounts
from cultureops.access.events import ACCESS, PREFIX, SYSTEM, AccessEvent, account_stream, new_event
from cultureops.access.offer import Offer, OfferRefused, Offers
from cultureops.access.policy import Policy, policy_of
from cultureops.access.recognition import UNKNOWN, Recognition
from cultureops.access.review import AccessReview, review
from cultureops.access.roles import Role
from cultureops.access.signature import Meaning, Shown, Signature, details_sha256, shown, signed
from cultureops.access.vault import Vault, make_vault, open_vault
from cultureops.clock import Clock, Entropy
from cultureops.errors import AccessError, ClaimTaken, ConcurrencyError
from cultureops.ledger.event import Actor, Event
from cultureops.ledger.ledger import Ledger

__all__ = ["AccessDesk", "AccessStatus", "open_access"]


@dataclass(frozen=True, slots=True)
class AccessStatus:
    """How access stands, for alarms and the health page; ``problem`` says why nobody can be recognised."""

    is_set_up: bool
    locked: tuple[str, ...]
    slowed_sources: tuple[str, ...]
    open_sessions: int
    problem: str


class AccessDesk(Recognition):
    """Recognises people and programs, and takes signatures; opened by ``open_access``."""

    def __init__(
        self, ledger: Ledger, vault: Vault | None, problem: str, policy: Policy, clock: Clock, entropy: Entropy,
        real_s: Callable[[], float] = time.monotonic, wall_s: Callable[[], float] = time.time,
    ) -> None:  # fmt: skip
        super().__init__(ledger, vault, problem, policy, clock, entropy, real_s, wall_s)
        self._offers = Offers()

    def status(self) -> AccessStatus:
        """Return how access stands."""
        now, lasts_s = self._clock.now(), self.policy.lockout_s
        accounts = self.accounts.all()
        locked = (one.username for one in accounts if one.lock and one.is_locked(one.lock.source, now, lasts_s))
        return AccessStatus(
            self.is_set_up,
            tuple(locked),
            self._authentication.sources.slowed(self._real_s()),
            sum(len(one.sessions) for one in accounts),
            self.problem,
        )

    async def offer(
        self, username: str, role: str, meaning: Meaning, shown: Shown, session_id: str | None = None
    ) -> Offer:
        """Keep what a person is shown, to be signed within 60 s and once; raises AccessError when they can't sign."""
        account = decide.known(self.accounts, username)
        try:
            self._check_may_sign(account, role, session_id)
        except AccessError as error:
            await self._refuse_signature(account.username, str(error), "", {"shown_sha256": shown.sha256})
            raise
        return self._offers.make(
            Offer(self._new_id(), account.username, Role(role), meaning, shown, session_id, self._real_s())
        )

    async def sign(
        self, offer_id: str, password: str, code: str, source: str, session_id: str | None = None
    ) -> Signature:
        """Return a person's signature under what was offered, after they have proven to be themselves once more.

        Raises AccessError, and records that it was refused: wrong password or code, offer used, expired, unknown or of
        another session, rights lost meanwhile. A wrong password leaves the offer open while its minute lasts.
        """
        try:
            offer = self._offers.take(offer_id, session_id, self._real_s())
        except OfferRefused as refused:
            await self._refuse_offer(refused, session_id, source)
            raise
        try:
            proven = await self._authentication.prove(offer.username, password, code, source, "signature", session_id)
        except BaseException:
            self._offers.give_back(offer)
            raise
        account = decide.known(self.accounts, offer.username)
        try:
            self._check_may_sign(account, offer.role, session_id)
        except AccessError as error:
            await self._refuse_signature(account.username, str(error), source, _told_of(offer))
            raise
        if sum(account.failures):
            data = {"source": source, "method": proven.method, "purpose": "signature"}
            await self._tell(account, new_event(AccessEvent.AUTHENTICATED, data, account.actor))
        return Signature(
            id=self._new_id(),
            username=account.username,
            printed_name=account.printed_name,
            role=offer.role,
            meaning=offer.meaning,
            signed_at=self._clock.now(),
            zone=self.policy.zone,
            method=proven.method,
            shown=offer.shown,
            session_id=session_id or "",
        )

    def _check_may_sign(self, account: Account, role: str, session_id: str | None) -> None:
        decide.may_sign(account, role, self.policy)
        if asked := self._asks_for(account):
            raise AccessError(f"{account.username} needs a {asked} first, then signs")
        if session_id is not None and session_id not in account.sessions:
            raise AccessError(UNKNOWN)

    async def _refuse_offer(self, refused: OfferRefused, session_id: str | None, source: str) -> None:
        """Record a refused offer with its person; of one that nobody knows with whoever's session asked."""
        session = None if session_id is None else self._session(session_id)
        by = {} if session is None else {"by": session.username}
        told = {} if refused.offer is None else _told_of(refused.offer)
        whose = refused.offer or session
        await self._refuse_signature("" if whose is None else whose.username, refused.cause, source, told | by)

    async def _refuse_signature(self, username: str, cause: str, source: str, told: Mapping[str, str]) -> None:
        data = {"source": source, "cause": cause, "purpose": "signature", "is_guess": False, **told}
        stream = account_stream(username) if username else ACCESS
        await self._ledger.append(stream, [new_event(AccessEvent.SIGNATURE_REFUSED, data, SYSTEM)], None)

    def review(self) -> AccessReview:
        """Return the access review as things stand."""
        return review(self.accounts.all(), self.accounts.reviewed_at, self.policy, self._clock.now())

    def shown_for_review(self, report: AccessReview, conclusion: str) -> Shown:
        """Return what QA is shown and signs of a review."""
        details = details_sha256({"report": report.data(), "conclusion": conclusion}, "", None)
        return shown(ACCESS, self._ledger.read(ACCESS), AccessEvent.ACCESS_REVIEWED, details)

    async def record_review(self, report: AccessReview, conclusion: str, signature: Signature) -> Event:
        """Record that QA has reviewed access; raises AccessError unless it is signed for exactly this report."""
        if signature.role != Role.QUALITY_ASSURANCE or signature.meaning is not Meaning.REVIEWED:
            raise AccessError("an access review is signed by QA, as reviewed")
        if not conclusion.strip():
            raise AccessError("say what the review found and what is changed after it")
        self.permit(Actor(signature.username, signature.role))
        is_current = self.review().rights() == report.rights()
        if not is_current or signature.shown != self.shown_for_review(report, conclusion):
            raise AccessError(
                "access was changed since it was shown, or another report was; look at it again, then sign"
            )
        actor = Actor(signature.username, signature.role.value)
        data = {"report": report.data(), "conclusion": conclusion}
        new = signed(new_event(AccessEvent.ACCESS_REVIEWED, data, actor), ACCESS, [signature])
        try:
            (event,) = await self._ledger.append(ACCESS, [new], signature.shown.version)
        except (ConcurrencyError, ClaimTaken):
            raise AccessError("access was changed meanwhile, or this was signed already; review it anew") from None
        return event

    async def recover(self, data_dir: Path, username: str, reason: str, by: str) -> str:
        """Return an invitation for an administrator whom nobody else can help; for the shell of the machine alone.

        It is loud: an event names the account of the machine (``by``) and the reason. Where the file of secrets is
        lost a new one is made, and everybody else needs an invitation too.
        """
        account = decide.known(self.accounts, username)
        if Role.ADMINISTRATOR not in account.roles or account.disabled_at is not None:
            raise AccessError(f"{account.username} is no active administrator; name one of them")
        if not reason.strip():
            raise AccessError("say why: what was lost, and who decided to recover it")
        was_lost = self._vault is None
        if was_lost:
            self._vault = await asyncio.to_thread(make_vault, data_dir)
            self.problem = ""
        actor, invitation_id = Actor(f"shell:{by}", SYSTEM.role), self._new_id()
        told = new_event(AccessEvent.RECOVERED, {"username": username, "secrets_lost": was_lost}, actor, reason)
        await self._ledger.append(ACCESS, [told], None)
        data = {"invitation_id": invitation_id, "is_reset": True}
        return await self._inviting(
            account.username, invitation_id, lambda: [new_event(AccessEvent.INVITED, data, actor, reason)], None
        )


def _told_of(offer: Offer) -> dict[str, str]:
    return {"offer_id": offer.id, "shown_sha256": offer.shown.sha256}


async def open_access(
    data_dir: Path,
    ledger: Ledger,
    policy: Policy | None,
    clock: Clock,
    entropy: Entropy,
    *,
    real_s: Callable[[], float] = time.monotonic,
    wall_s: Callable[[], float] = time.time,
) -> AccessDesk:
    """Open the access desk of a data folder; ``policy`` None: that which the ledger keeps.

    A policy that differs from the ledger's is recorded. Where the file of secrets is lost the desk opens all the same,
    recognises nobody and says why: chambers are watched without anybody being logged in. Raises StorageError where disk
    or owner forbid.
    """
    events = [event for stream in (*ledger.streams(PREFIX), ACCESS) for event in ledger.read(stream)]
    known = Accounts()
    for event in sorted(events, key=lambda event: event.position):
        known.apply(event)
    vault, problem = None, ""
    try:
        vault = await asyncio.to_thread(open_vault, data_dir, is_expected=len(known) > 0)
    except AccessError as error:
        problem = str(error)
    chosen = policy_of(known.policy_data) if policy is None else policy
    desk = AccessDesk(ledger, vault, problem, chosen, clock, entropy, real_s, wall_s)
    for event in sorted(events, key=lambda event: event.position):
        desk.apply(event)
    ledger.on_append.append(desk.apply_all)
    if policy is not None and policy_of(known.policy_data).data() != policy.data():
        changed = {"policy": policy.data(), "before": known.policy_data}
        await ledger.append(
            ACCESS, [new_event(AccessEvent.POLICY_CHANGED, changed, SYSTEM, "the site file says so")], None
        )
    return desk
