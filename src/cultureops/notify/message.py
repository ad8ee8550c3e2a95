"""What people are told: a subject as long as one SMS, and a body of plain text. Pure."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from cultureops.alarms.alarm import AlarmView
from cultureops.alarms.own import OWN
from cultureops.alarms.rule import BatchRef, Kind, Rule
from cultureops.alarms.text import developed, duration, exposed, fault, place
from cultureops.clock import SECOND_MS, Instant, local_text
from cultureops.notify.flood import subject_of
from cultureops.notify.incident import Call, News
from cultureops.notify.line import one_line, subject_line

__all__ = ["Message", "Writer"]

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
    ``levels`` is how many levels a policy has, ``view_of`` an alarm by its rule's id as it stands, None where that is
    not known. ``data_dir`` is the folder that commands on the terminal need to be told, None for the one they expect.
    ``remark`` is what is to be said of how old the knowledge of batches is, empty for fresh.
    """

    site: str
    zone: ZoneInfo
    endangered: Callable[[str, Instant, Instant], tuple[BatchRef, ...]]
    is_simulated: Callable[[Rule], bool]
    first_of: Callable[[Rule, Instant], str | None]
    link: Callable[[Call, Instant], str]
    levels: Callable[[str], int]
    view_of: Callable[[str], AlarmView | None] = lambda _: None
    data_dir: Path | None = None
    remark: Callable[[Instant], str] = lambda _: ""

    def write(self, calls: Sequence[Call], now: Instant) -> Message:
        """Write one message of alarms to one person; at least one."""
        if len(calls) == 1:
            return self._single(calls[0], now)
        return self._digest(calls, now)

    def _single(self, call: Call, now: Instant) -> Message:
        mark = self._mark(call)
        what = self._what(call)
        batches = self._batches(call, now)
        if call.news is News.ENDED:
            subject = subject_line(f"{mark}{call.rule.id} {call.ending}")
            lines = [_placed(call, what, batches), call.ending]
        elif call.news is News.RETURNED:
            subject = subject_line(f"{mark}returned: {_briefly(call, what)}", self._inside(call, batches))
            lines = ["Returned to normal, and nobody has acknowledged it.", _placed(call, what, batches)]
            lines += [*self._times(call, now), *self._acknowledge(call, now)]
        else:
            subject = subject_line(
                f"{mark}{self._rank(call)}{_NEWS[call.news]}{_briefly(call, what)}", self._inside(call, batches)
            )
            lines = self._alarm(call, _placed(call, what, batches), now)
        return _message(subject, [*self._simulated([call]), *lines], is_critical=call.gmp_critical)

    def _alarm(self, call: Call, what: str, now: Instant) -> list[str]:
        rule = call.rule
        returned = ["It has returned to normal meanwhile; nobody has acknowledged it."] if call.is_returned else []
        cause = call.cause or rule.cause
        return [
            what,
            *returned,
            *self._times(call, now),
            f"Where: {', '.join(filter(None, (place(rule), rule.channel or rule.device)))} ({self.site})",
            f"Endangered: {self._exposed(call, now)}",
            f"Consequence: {rule.consequence}",
            f"What to do: {rule.response}",
            f"Time to respond: {duration(rule.respond_within_s)}",
            *([f"Why: {cause}"] if cause else []),
            *self._first_out(call),
            *self._blind(call),
            f"Priority: {call.priority}{', GMP-critical' if call.gmp_critical else ''}; {self._level(call)}",
            *_in_place([call]),
            *self._acknowledge(call, now),
        ]

    def _digest(self, calls: Sequence[Call], now: Instant) -> Message:
        worst = min(calls, key=lambda call: call.urgency)
        kinds = Counter(_kind(call) for call in calls)
        counted = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
        about = subject_of(worst)
        subject = subject_line(
            f"{self._mark(worst)}{self._rank(worst)}{about}: {counted}; {worst.rule.id.removeprefix(about + '/')} first"
        )
        if worst.news is News.ENDED:
            subject = subject_line(f"{self._mark(worst)}{about}: {counted}; {worst.ending}")
        lines = [f"{about}: {counted}.", *self._first_of(calls), *_in_place(calls), ""]
        for call in calls[:LISTED]:
            ending = f" ({call.ending})" if call.ending else ""
            at = local_text(call.raised_at, self.zone)
            what = _placed(call, self._what(call), self._batches(call, now))
            lines.append(f"- {at} {_NEWS[call.news]}{call.priority} {what}{ending}")
            if call.news is not News.ENDED:
                lines.append(f"  What to do: {call.rule.response}")
                if len(calls) <= LINKED and (link := self.link(call, now)):
                    lines.append(f"  Acknowledge once by {link}")
        if rest := calls[LISTED:]:
            by_rule = Counter(f"{call.rule.chamber} {call.rule.kind}" for call in rest)
            counted_rest = ", ".join(f"{count} of {kind}" for kind, count in by_rule.most_common())
            lines.append(f"- and {len(rest)} more: {counted_rest}")
        if any(call.news is not News.ENDED for call in calls):
            lines += ["", f"Acknowledge on the page of alarms, or each on the terminal by {self._command(worst)}"]
        return _message(subject, [*self._simulated(calls), *lines], is_critical=worst.gmp_critical)

    def _what(self, call: Call) -> str:
        """Say the condition with the value at raising, and the one that it has now or had when it returned."""
        rule = call.rule
        if call.is_returned:
            condition = developed(rule, call.raised_value, call.value, "when it returned")
        elif call.news is News.ENDED or (view := self.view_of(rule.id)) is None:
            condition = developed(rule, call.raised_value, call.value)
        else:
            condition = developed(
                rule, call.raised_value, view.value, "when last known" if self._blind(call) else "now"
            )
        return fault(rule, condition)

    def _blind(self, call: Call) -> list[str]:
        """Say that a value can't be present because nothing comes from its channel or device."""
        rule = call.rule
        if rule.kind in (Kind.COMMUNICATION, Kind.NO_DATA) or rule.channel is None or call.is_returned:
            return []
        views = [self.view_of(one) for one in (f"{rule.channel}/{Kind.NO_DATA}", f"{rule.device}/{Kind.COMMUNICATION}")]
        is_blind = any(view is not None and view.is_active for view in views)
        return [f"Nothing comes from {rule.channel} now: its value is not known."] if is_blind else []

    def _batches(self, call: Call, now: Instant) -> tuple[BatchRef, ...]:
        return call.rule.reached(self.endangered, min(call.since, call.raised_at, now), now)

    @staticmethod
    def _inside(call: Call, batches: Sequence[BatchRef]) -> Sequence[BatchRef] | None:
        """Return the batches that a subject is to name; None for an alarm of one batch, which names it."""
        return batches if call.rule.batch is None else None

    def _exposed(self, call: Call, now: Instant) -> str:
        if call.rule.batch is not None:
            return f"batch {call.rule.batch}"
        return exposed(self._batches(call, now)) + ("" if call.rule.device == OWN else self.remark(now))

    def _times(self, call: Call, now: Instant) -> list[str]:
        lasted = duration((now - call.since) / SECOND_MS)
        since, raised = (local_text(at, self.zone) for at in (call.since, call.raised_at))
        ago = f"{lasted} ago" if now >= call.since else "by a clock that was ahead of the present one"
        return [f"Since: {since}, {ago}; alarm raised {raised}"]

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
        otherwise = f"on the page of alarms, or on the terminal by {self._command(call)}"
        link = self.link(call, now)
        return [f"Acknowledge {otherwise}"] if not link else [f"Acknowledge once by {link}", f"or {otherwise}"]

    def _command(self, call: Call) -> str:
        """Return a command that works as it is typed, but for who types it and why."""
        folder = "" if self.data_dir is None else f" --data-dir {shlex.quote(str(self.data_dir))}"
        alarm = shlex.quote(call.rule.id)
        return f'`cultureops alarms acknowledge {alarm} --actor ID --role OP --reason "WHY"{folder}`'

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


def _briefly(call: Call, what: str) -> str:
    """Say an alarm with its chamber, unless its channel or device has that name."""
    rule = call.rule
    is_named = rule.batch is not None or not rule.chamber or rule.chamber == rule.device
    return what if is_named else f"{place(rule)}: {what}"


def _placed(call: Call, what: str, batches: Sequence[BatchRef]) -> str:
    """Say an alarm with its chamber and whose cells are in it."""
    rule = call.rule
    return what if rule.batch is not None else f"{place(rule) or rule.device}: {what}; {exposed(batches)}"


def _in_place(calls: Sequence[Call]) -> list[str]:
    """Say why somebody is told who would not be by the roster or by its mutes."""
    said = []
    if any(call.is_gap for call in calls):
        said.append("NOBODY IS ON CALL NOW: you are told in their place. Mend the roster.")
    if any(call.is_muted for call in calls):
        said.append("EVERYBODY WHO IS TO BE TOLD HAS MUTED HIGH ALARMS NOW: you are told all the same. Mend the mutes.")
    return said


def _message(subject: str, lines: Sequence[str], *, is_critical: bool) -> Message:
    """Put a message together; no text of a rule or a person makes a line of its own."""
    indents = ("  " if line.startswith("  ") else "" for line in lines)
    body = "\n".join(indent + one_line(line) for indent, line in zip(indents, lines, strict=True))
    return Message(subject, body, is_critical)
