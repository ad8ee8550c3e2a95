"""The access desk: recognises people and programs, and takes their signatures.

A thin shell around the fold of accounts (``accounts.py``) and the file of secrets; whatever happens is an event first.
Sessions, offers and throttles run in real seconds, what is recorded carries the lab's time.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cultureops.access import decide
from cultureops.access.account import Account, Session
from cultureops.access.accounts import Accounts
from cultureops.access.events import ACCESS, PREFIX, SYSTEM, AccessEvent, account_stream, new_event
from cultureops.access.identity import Identity
from cultureops.access.offer import Offer, OfferRefused, Offers
from cultureops.access.own_account import OwnAccount
from cultureops.access.policy import Policy, policy_of
from cultureops.access.review import AccessReview, review
from cultureops.access.roles import PEOPLE, Role
from cultureops.access.secrets_file import SecretsFile
from cultureops.access.session import Ended, Sessions
from cultureops.access.signature import Meaning, Shown, Signature, details_sha256, shown, signed
from cultureops.access.token import TOKEN, Handed, matches, read
from cultureops.clock import Clock, Entropy, Instant
from cultureops.errors import AccessError, ClaimTaken, ConcurrencyError
from cultureops.ledger.event import Actor, Event, NewEvent
from cultureops.ledger.ledger import Ledger

__all__ = ["AccessDesk", "AccessStatus", "open_access"]

UNKNOWN = "not recognised: the session has ended or the token does not count; log in again"


@dataclass(frozen=True, slots=True)
class AccessStatus:
    """How access stands, for alarms and the health page; ``problem`` says why nobody can be recognised."""

    is_set_up: bool
    locked: tuple[str, ...]
    slowed_sources: tuple[str, ...]
    open_sessions: int
    problem: str


class AccessDesk(OwnAccount):
    """Recognises people and programs; opened by ``open_access``."""

    def __init__(
        self, ledger: Ledger, vault: SecretsFile | None, problem: str, policy: Policy, clock: Clock, entropy: Entropy,
        real_s: Callable[[], float] = time.monotonic, wall_s: Callable[[], float] = time.time,
    ) -> None:  # fmt: skip
        super().__init__(ledger, vault, problem, policy, clock, entropy, real_s, wall_s)
        self._sessions = Sessions(policy.idle_s, policy.session_max_s)
        self._offers = Offers()
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
            self._vault = await asyncio.to_thread(SecretsFile.make, data_dir)
            self.problem = ""
        actor, invitation_id = Actor(f"shell:{by}", SYSTEM.role), self._new_id()
        told = new_event(AccessEvent.RECOVERED, {"username": username, "secrets_lost": was_lost}, actor, reason)
        await self._ledger.append(ACCESS, [told], None)
        data = {"invitation_id": invitation_id, "is_reset": True}
        return await self._inviting(
            account.username, invitation_id, lambda: [new_event(AccessEvent.INVITED, data, actor, reason)], None
        )

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


def _told_of(offer: Offer) -> dict[str, str]:
    return {"offer_id": offer.id, "shown_sha256": offer.shown.sha256}


def _identity(account: Account, method: str) -> Identity:
    return Identity(account.username, account.printed_name, account.roles, method)


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
        vault = await asyncio.to_thread(SecretsFile.open, data_dir, is_expected=len(known) > 0)
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
