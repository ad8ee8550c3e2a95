"""The ``[[escalation]]`` rows of a site file."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from cultureops.alarms.rule import Priority
from cultureops.config import Table
from cultureops.notify.policy import CRITICAL, DEFAULT, EscalationLevel, Policies, Policy
from cultureops.notify.roster import EVERYBODY, ON_CALL, Person

__all__ = ["check_known", "policies_from"]

_DAY_S: Final = 86_400.0


def check_known(table: Table, key: str, name: str, people: Sequence[Person]) -> None:
    """Refuse the id of somebody who is not among the people; raises ConfigError."""
    known = [person.id for person in people]
    if name not in known:
        raise table.error(f"there is no [[person]] {name!r}; known: {', '.join(known) or 'none'}", key)


def policies_from(table: Table, people: Sequence[Person], *, has_roster: bool) -> Policies:
    """Read how a site's alarms escalate, or the default where it says nothing; raises ConfigError."""
    rows = table.tables("escalation")
    found: dict[str, Policy] = {}
    for row in rows:
        names = _escalated(row)
        levels = tuple(_level(level, people, has_roster=has_roster) for level in row.tables("level"))
        if any(later.delay_s <= earlier.delay_s for earlier, later in pairwise(levels)):
            raise row.error("its levels must come one after the other; give each a longer delay_s than the one before")
        tells_nobody = row.flag("nobody", False)
        if bool(levels) is tells_nobody:
            raise row.error("expected [[escalation.level]] rows, or nobody = true for alarms that are only shown")
        if CRITICAL in names and not levels:
            raise row.error("GMP-critical alarms are always told to somebody; add [[escalation.level]]")
        for name in names:
            if name in found:
                raise row.error(f"{name} escalates twice; keep one [[escalation]] for it")
            found[name] = Policy(name, levels)
        row.done()
    if not rows:
        return DEFAULT
    if missing := [name for name in (CRITICAL, *Priority) if name not in found]:
        said = "gmp_critical = true" if missing[0] == CRITICAL else f"priority = {missing[0]!r}"
        raise rows[-1].error(f"nothing is said for {', '.join(missing)}; add [[escalation]] with {said}")
    return Policies(found[CRITICAL], {priority: found[priority] for priority in Priority})


def _escalated(row: Table) -> tuple[str, ...]:
    if row.has("priority") is row.has("gmp_critical"):
        raise row.error("expected priority = or gmp_critical = true, one of them")
    if row.has("priority"):
        return (row.text("priority", choices=list(Priority)),)
    if not row.flag("gmp_critical"):
        raise row.error("expected true; alarms that are not GMP-critical escalate by priority =", "gmp_critical")
    return (CRITICAL,)


def _level(table: Table, people: Sequence[Person], *, has_roster: bool) -> EscalationLevel:
    who = table.texts("who")
    if not who:
        raise table.error(f"is missing or empty; expected ids of [[person]], {ON_CALL!r} or {EVERYBODY!r}", "who")
    for name in who:
        if name == ON_CALL and not has_roster:
            raise table.error("nobody is ever on call without a [[roster]]; add one or name people", "who")
        if name not in (ON_CALL, EVERYBODY):
            check_known(table, "who", name, people)
    if who == (EVERYBODY,) and not people:
        raise table.error("there is nobody to be told; add [[person]] and [[route]]", "who")
    repeat_every_s = table.number("repeat_every_s", 0.0, minimum=0, maximum=_DAY_S)
    if 0 < repeat_every_s < 60:
        raise table.error(f"expected 0 for never or at least 60, not {repeat_every_s:g}", "repeat_every_s")
    level = EscalationLevel(table.number("delay_s", 0.0, minimum=0, maximum=_DAY_S), who, repeat_every_s)
    table.done()
    return level
