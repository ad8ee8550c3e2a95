"""How a command on a record of equipment or material becomes an event, or is refused and the refusal recorded.

``Rule`` is a row of a transition table; every pair of state and step that does not stand there is refused (21 CFR
11.10(f)). ``permit`` is pure; ``carry_out`` is the thin shell around a pure decision, and sees to it that what must be
signed is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from cultureops.access.signature import Meaning, Shown, Signature, details_sha256, shown, signed
from cultureops.clock import MINUTE_MS, Instant, iso
from cultureops.errors import BatchError, ClaimTaken, ConcurrencyError, TransitionRefused
from cultureops.field import Details, check_reason, printable
from cultureops.ledger.event import Actor, Event, NewEvent, Source
from cultureops.ledger.store import Group, Ledger
from cultureops.signing import check_signed

__all__ = [
    "ABSENT",
    "LATE_ENTRY_MS",
    "REFUSALS",
    "Also",
    "Command",
    "Rule",
    "carry_out",
    "is_late",
    "permit",
    "shown_of",
    "subject_of",
]

ABSENT: Final = "not on record"
"""The state of what no event and no site file names."""

LATE_ENTRY_MS: Final = 5 * MINUTE_MS
REFUSALS: Final = "refusals"
"""Stream of refused commands that belong to no batch on record."""

_LONGEST_ID: Final = 100


Also: TypeAlias = Callable[[NewEvent], Sequence[Group]]
"""What other streams are told of a decided event."""


@dataclass(frozen=True, slots=True)
class Command:
    """One step asked of one piece of equipment or one lot.

    ``occurred_at`` [ms UTC] is now unless given; a late entry (more than 5 min) needs a ``reason``.
    """

    subject_id: str
    details: Details
    occurred_at: Instant | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of a transition table: in which states a step is allowed, and by whom.

    ``in_order`` steps can't have happened before the last change of state. ``signed`` is what the signature of who does
    it says, None where none is needed.
    """

    states: frozenset[str]
    roles: frozenset[str]
    needs_reason: bool = False
    in_order: bool = True
    signed: Meaning | None = None


def is_late(event: Event) -> bool:
    """Whether a person entered it more than 5 min after it had happened; what no person enters is never late."""
    return event.source is Source.HUMAN and event.recorded_at - event.occurred_at > LATE_ENTRY_MS


def subject_of(prefix: str, subject_id: str) -> str:
    """Return the stream of a subject, e.g. ``lot:M-17``; raises BatchError for what can't be an id."""
    usable = subject_id.isprintable() and subject_id == subject_id.strip() and 0 < len(subject_id) <= _LONGEST_ID
    if not usable:
        raise BatchError(
            f"{subject_id[:60]!r} is no id; use 1 to {_LONGEST_ID} printable characters, without blanks around"
        )
    return prefix + subject_id


def shown_of(stream: str, events: Sequence[Event], command: Command) -> Shown:
    """Return exactly what is signed of a stream as it stands, when a command on it is to be carried out."""
    details = details_sha256(command.details.model_dump(mode="json"), command.reason, command.occurred_at)
    return shown(stream, events, type(command.details).__name__, details)


def permit(
    rule: Rule, command: Command, *, what: str, state: str, since: Instant | None, now: Instant, actor: Actor
) -> Instant:
    """Return when the step happened [ms UTC]; raise TransitionRefused when role, state, time or reason forbid it.

    ``what`` names the subject, ``since`` is when it came into its ``state`` (None: nobody knows).
    """
    step = type(command.details).__name__
    at = now if command.occurred_at is None else command.occurred_at
    if actor.role not in rule.roles:
        raise TransitionRefused(
            f"{what}: {step} is not for role {actor.role}, only for {', '.join(sorted(rule.roles))}"
        )
    if state not in rule.states:
        raise TransitionRefused(f"{what}: is {state}; {step} is allowed only when {' or '.join(sorted(rule.states))}")
    if not 0 <= at <= now:
        raise TransitionRefused(f"{what}: nothing can be recorded before it happens; it is {iso(now)}")
    if rule.in_order and since is not None and at < since:
        raise TransitionRefused(
            f"{what}: {step} at {iso(at)} would lie before {iso(since)}, when it came to be {state}; "
            "enter it as of a later time and say in the reason when it happened"
        )
    if not command.reason.strip():
        if rule.needs_reason:
            raise TransitionRefused(f"{what}: {step} needs a reason")
        if now - at > LATE_ENTRY_MS:
            raise TransitionRefused(f"{what}: a late entry ({iso(at)}, more than 5 min ago) needs a reason")
    return at


async def carry_out(
    ledger: Ledger,
    stream: str,
    decide: Callable[[Sequence[Event]], NewEvent],
    command: Command,
    now: Instant,
    actor: Actor,
    also: Also | None = None,
    meaning: Meaning | None = None,
    signatures: Sequence[Signature] = (),
) -> tuple[Event, ...]:
    """Decide on a stream's events, append what was decided, and return the stream's events after it.

    ``also`` gives what other streams are told of it in the same transaction; ``meaning`` is what the actor's signature
    has to say, where one is needed. A refusal is itself recorded, in the stream ``refusals``, then raised. When
    somebody else appended first, it is decided anew, once; a second time raises ConcurrencyError. What is signed is
    refused then: somebody has to read what came in between.
    """

    def decided(events: Sequence[Event]) -> NewEvent:
        wanted = [] if meaning is None else [(actor, meaning)]
        new, seen = decide(events), shown_of(stream, events, command)
        return signed(new, stream, check_signed(stream.replace(":", " ", 1), wanted, signatures, seen, now))

    try:
        return await _attempt(ledger, stream, decided, command, now, actor, also)
    except ConcurrencyError:
        return await _attempt(ledger, stream, decided, command, now, actor, also)


async def _attempt(
    ledger: Ledger,
    stream: str,
    decide: Callable[[Sequence[Event]], NewEvent],
    command: Command,
    now: Instant,
    actor: Actor,
    also: Also | None,
) -> tuple[Event, ...]:
    events = ledger.read(stream)
    try:
        check_reason(command.reason)
        decided = decide(events)
        told = () if also is None else also(decided)
        appended = await ledger.append_many([(stream, [decided], len(events)), *told])
    except ConcurrencyError:
        raise
    except (BatchError, ClaimTaken) as problem:
        refusal = problem if isinstance(problem, BatchError) else _used(stream)
        await ledger.append(REFUSALS, [_refusal(command, refusal, now, actor)], None)
        raise refusal from None
    return (*events, *(event for event in appended if event.stream == stream))


def _used(stream: str) -> TransitionRefused:
    return TransitionRefused(f"{stream.replace(':', ' ', 1)}: this signature was used already; sign anew")


def _refusal(command: Command, refusal: BatchError, now: Instant, actor: Actor) -> NewEvent:
    data = {
        "command": type(command.details).__name__,
        "error": "TransitionRefused" if isinstance(refusal, TransitionRefused) else "BatchError",
        "message": printable(str(refusal))[:2_000],
    }
    return NewEvent("command_refused", data, actor, Source.HUMAN, now, printable(command.reason, "\n\t")[:2_000])
