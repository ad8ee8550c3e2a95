"""Who may do what to an alarm: a name and a reason always, a second person and less time where more is at stake."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from cultureops.access.name import is_name, same_person
from cultureops.alarms.alarm import Act
from cultureops.alarms.own import OWN
from cultureops.alarms.rule import Exposure, Rule
from cultureops.alarms.text import duration
from cultureops.clock import Instant
from cultureops.errors import CultureOpsError

__all__ = [
    "CRITICAL_SHELVING_S",
    "AlarmError",
    "check_act",
    "check_shelving",
    "is_critical_now",
    "longest_shelving_s",
]

CRITICAL_SHELVING_S: Final = 900.0
"""The longest shelving of a GMP-critical alarm. A default of this project's alarm brief."""


class AlarmError(CultureOpsError):
    """A command on an alarm was not carried out."""


def is_critical_now(rule: Rule, exposed: Exposure, now: Instant, *, is_known: bool = True) -> bool:
    """Whether acting on the alarm takes a second person: the rule says so, or a live batch is at stake.

    Where it is not known who stands in the chambers, one may.
    """
    may_be_inside = not is_known and rule.device != OWN
    return rule.gmp_critical or may_be_inside or bool(rule.reached(exposed, now, now))


def longest_shelving_s(rule: Rule, *, is_critical: bool) -> float:
    """Return how long an alarm may be shelved in all [s]."""
    return min(rule.shelve_max_s, CRITICAL_SHELVING_S) if is_critical else rule.shelve_max_s


def check_act(rule_id: str, act: Act, what: str, *, needs_witness: bool = False) -> Act:
    """Return the act without blanks around; raise AlarmError when its name, its reason or a second person lacks."""
    act = replace(act, actor_id=act.actor_id.strip(), reason=act.reason.strip(), witness_id=act.witness_id.strip())
    if not act.actor_id or not act.reason:
        raise AlarmError(f"alarm {rule_id}: {what} needs a name and a reason; give both")
    for name in filter(None, (act.actor_id, act.witness_id)):
        if not is_name(name):
            raise AlarmError(
                f"alarm {rule_id}: {name[:40]!r} is no name; use printable letters of one script and digits"
            )
    if not any(char.isalnum() for char in act.reason):
        raise AlarmError(f"alarm {rule_id}: {what} needs a reason in words")
    if needs_witness and not act.witness_id:
        raise AlarmError(f"alarm {rule_id} is critical: {what} needs a second person; name a witness")
    if act.witness_id and same_person(act.witness_id, act.actor_id):
        raise AlarmError(f"alarm {rule_id}: {act.actor_id} can't be their own witness; name somebody else")
    return act


def check_shelving(
    rule: Rule, act: Act, now: Instant, until: Instant, *, is_critical: bool, shelved_since: Instant | None = None
) -> Act:
    """Return the act; raise AlarmError for a shelving without name and reason, or for longer than is allowed.

    ``shelved_since`` is when a shelving began that is now made longer: the whole of it is bound [ms UTC].
    Source: OPC 10000-9 section 5.8.2 (MaxTimeShelved binds timed and one-shot shelving).
    """
    is_critical = is_critical or rule.gmp_critical
    act = check_act(rule.id, act, "shelving it", needs_witness=is_critical)
    longest_s = longest_shelving_s(rule, is_critical=is_critical)
    began = now if shelved_since is None else shelved_since
    if shelved_since is not None and until - began > longest_s * 1000:
        raise AlarmError(
            f"alarm {rule.id} is shelved already and can be for at most {duration(longest_s)} in all; let it end first"
        )
    if not 0 < until - now <= longest_s * 1000:
        raise AlarmError(
            f"alarm {rule.id} can be shelved for at most {duration(longest_s)}, not {duration((until - now) / 1000)}; "
            "for longer work take it out of service"
        )
    return act
