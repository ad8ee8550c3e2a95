"""What people are told: a subject as long as one SMS, and a body of plain text. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo

from cultureops.alarms.rule import BatchRef, Rule
from cultureops.alarms.text import describe, duration, exposed
from cultureops.clock import SECOND_MS, Instant, local_text
from cultureops.field import printable
from cultureops.notify.flood import subject_of
from cultureops.notify.incident import Call, News

__all__ = ["LONGEST_SUBJECT", "Message", "Writer"]

LONGEST_SUBJECT: Final = 160
LISTED: Final = 40
"""Alarms written out in one digest; the rest is counted there and named in the ledger [OWN]."""
LINKED: Final = 5
"""Alarms in one digest up to which each has a link of its own [OWN]."""

_NEWS: Final = {
    News.STANDS: "",
    News.REMINDER: "STILL UNACKNOWLEDGED: ",
    News.AGAIN: "AGAIN: ",
    News.RETURNED: "returned: ",
    News.ENDED: "",
}


@dataclass(frozen=True, slots=True)
class Message:
    """One message to one person."""

    subject: str
    body: str
    is_critical: bool = False


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes messages; each of the callables is asked at the moment of writing.

    ``endangered`` returns the batches exposed since a time, ``is_simulated`` whether a rule's source is a simulator,
    ``first_of`` the first alarm of an activation's group, ``link`` a person's link to acknowledge with, empty for none.
    ``levels`` is how many levels a policy has.
    """

    site: str
    zone: ZoneInfo
    endangered: Callable[[str, Instant, Instant], tuple[BatchRef, ...]]
    is_simulated: Callable[[Rule], bool]
    first_of: Callable[[Rule, Instant], str | None]
    link: Callable[[Call, Instant], str]
    levels: Callable[[str], int]

    def write(self, calls: Sequence[Call], now: Instant) -> Message:
        """Write one message of alarms to one person; at least one."""
        if len(calls) == 1:
            return self._single(calls[0], now)
        return self._digest(calls, now)

    def _single(self, call: Call, now: Instant) -> Message:
        mark = self._mark(call)
        what = self._what(call, now)
        if call.news is News.ENDED:
            subject = f"{mark}{call.rule.id} {call.ending}"
            lines = [what, call.ending]
        elif call.news is News.RETURNED:
            subject = f"{mark}returned: {what}"
            lines = [f"Returned to normal, and nobody has acknowledged it: {what}", *self._times(call, now)]
            lines += self._acknowledge(call, now)
        else:
            subject = f"{mark}{self._rank(call)}{_NEWS[call.news]}{what}"
            lines = self._alarm(call, what, now)
        return _message(subject, [*self._simulated([call]), *lines], is_critical=call.gmp_critical)

    def _alarm(self, call: Call, what: str, now: Instant) -> list[str]:
        rule = call.rule
        returned = ["It has returned to normal meanwhile; nobody has acknowledged it."] if call.is_returned else []
        cause = call.cause or rule.cause
        return [
            what,
            *returned,
            *self._times(call, now),
            f"Where: {', '.join(filter(None, (rule.chamber, rule.channel or rule.device)))} ({self.site})",
            f"Endangered: {self._exposed(call, now)}",
            f"Consequence: {rule.consequence}",
            f"What to do: {rule.response}",
            f"Time to respond: {duration(rule.respond_within_s)}",
            *([f"Why: {cause}"] if cause else []),
            *self._first_out(call),
            f"Priority: {call.priority}{', GMP-critical' if call.gmp_critical else ''}; {self._level(call)}",
            *(["NOBODY IS ON CALL NOW: you are told in their place. Mend the roster."] if call.is_gap else []),
            *self._acknowledge(call, now),
        ]

    def _digest(self, calls: Sequence[Call], now: Instant) -> Message:
        worst = min(calls, key=lambda call: call.urgency)
        kinds = Counter(_kind(call) for call in calls)
        counted = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
        about = subject_of(worst)
        subject = f"{self._mark(worst)}{self._rank(worst)}{about}: {counted}; {worst.rule.id} first"
        if worst.news is News.ENDED:
            subject = f"{self._mark(worst)}{about}: {counted}; {worst.ending}"
        lines = [f"{about}: {counted}.", *self._first_of(calls), ""]
        for call in calls[:LISTED]:
            ending = f" ({call.ending})" if call.ending else ""
            at = local_text(call.raised_at, self.zone)
            lines.append(f"- {at} {_NEWS[call.news]}{call.priority} {self._what(call, now)}{ending}")
            if call.news is not News.ENDED:
                lines.append(f"  What to do: {call.rule.response}")
                if len(calls) <= LINKED and (link := self.link(call, now)):
                    lines.append(f"  Acknowledge once by {link}")
        if rest := calls[LISTED:]:
            by_rule = Counter(f"{call.rule.chamber} {call.rule.kind}" for call in rest)
            counted_rest = ", ".join(f"{count} of {kind}" for kind, count in by_rule.most_common())
            lines.append(f"- and {len(rest)} more: {counted_rest}")
        if any(call.news is not News.ENDED for call in calls):
            lines += ["", "Acknowledge on the page of alarms or by `cultureops alarms`."]
        return _message(subject, [*self._simulated(calls), *lines], is_critical=worst.gmp_critical)

    def _what(self, call: Call, now: Instant) -> str:
        return describe(call.rule, call.value, self._batches(call, now))

    def _batches(self, call: Call, now: Instant) -> tuple[BatchRef, ...]:
        return call.rule.reached(self.endangered, min(call.since, call.raised_at), now)

    def _exposed(self, call: Call, now: Instant) -> str:
        return exposed(self._batches(call, now)) if call.rule.batch is None else f"batch {call.rule.batch}"

    def _times(self, call: Call, now: Instant) -> list[str]:
        lasted = duration((now - call.since) / SECOND_MS)
        since, raised = (local_text(at, self.zone) for at in (call.since, call.raised_at))
        return [f"Since: {since}, {lasted} ago; alarm raised {raised}"]

    def _first_of(self, calls: Sequence[Call]) -> list[str]:
        firsts = {self.first_of(call.rule, call.raised_at) for call in calls if call.news is not News.ENDED}
        return [f"First of them was {first}: look there first." for first in firsts if first and len(firsts) == 1]

    def _first_out(self, call: Call) -> list[str]:
        first = self.first_of(call.rule, call.raised_at)
        return [] if first is None or first == call.rule.id else [f"First of its group was {first}: look there first."]

    def _level(self, call: Call) -> str:
        level = f"level {call.key.level + 1} of {self.levels(call.key.policy)}" if call.key.policy else "told before"
        return f"{level}, nobody has acknowledged so far" if call.news is not News.STANDS or call.key.level else level

    def _acknowledge(self, call: Call, now: Instant) -> list[str]:
        otherwise = f"on the page of alarms or by `cultureops alarms acknowledge {call.rule.id}`, with your reason"
        link = self.link(call, now)
        return [f"Acknowledge {otherwise}."] if not link else [f"Acknowledge once by {link}", f"or {otherwise}."]

    def _rank(self, call: Call) -> str:
        return "GMP-CRITICAL " if call.gmp_critical else f"{call.priority} "

    def _mark(self, call: Call) -> str:
        return "SIMULATED " if self.is_simulated(call.rule) else ""

    def _simulated(self, calls: Sequence[Call]) -> list[str]:
        simulated = sum(self.is_simulated(call.rule) for call in calls)
        if not simulated:
            return []
        return ["SIMULATED: no real chamber is concerned." if simulated == len(calls) else "SIMULATED in part.", ""]


def _kind(call: Call) -> str:
    if call.news is News.ENDED:
        return call.ending.partition(" by ")[0]
    return {News.RETURNED: "returned", News.REMINDER: "unacknowledged"}.get(call.news, "alarms")


def _message(subject: str, lines: Sequence[str], *, is_critical: bool) -> Message:
    said = printable(" ".join(subject.split()))
    if len(said) > LONGEST_SUBJECT:
        said = said[: LONGEST_SUBJECT - 3] + "..."
    return Message(said, printable("\n".join(lines), "\n"), is_critical)
