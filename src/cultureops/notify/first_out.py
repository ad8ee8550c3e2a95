"""Which alarm of a group came first: what comes soon after it is most often its consequence. Pure."""

from __future__ import annotations

from bisect import insort
from dataclasses import dataclass, field

from cultureops.alarms.rule import Rule
from cultureops.clock import SECOND_MS, Instant

__all__ = ["FirstOut", "group_of"]


def group_of(rule: Rule) -> str:
    """Return the declared group of an alarm, or what it is about: a batch, a chamber, a device."""
    return rule.group or rule.batch or rule.chamber or rule.device


@dataclass(slots=True)
class _Cluster:
    """Alarms of one group by time of activation, beginning of the condition, and sequence."""

    members: list[tuple[Instant, Instant, int, str]] = field(default_factory=list)


class FirstOut:
    """The first alarm of each group, and those that followed it within ``window_s``.

    Source: OPC 10000-9 ``FirstInGroup``; ties are settled by source time, then by sequence.
    """

    def __init__(self, window_s: float = 60.0) -> None:
        self._window_ms = round(window_s * SECOND_MS)
        self._clusters: dict[str, _Cluster] = {}
        self._sequence = 0

    def note(self, rule: Rule, raised_at: Instant, since: Instant) -> None:
        """Take an activation; late ones may take the place of the first."""
        self._sequence += 1
        cluster = self._clusters.get(group_of(rule))
        if cluster is None or abs(raised_at - cluster.members[0][0]) > self._window_ms:
            cluster = self._clusters[group_of(rule)] = _Cluster()
        insort(cluster.members, (raised_at, since, self._sequence, rule.id))

    def first_of(self, rule: Rule, raised_at: Instant) -> str | None:
        """Return the id of the first alarm of the group that this activation belongs to; None for one long past."""
        cluster = self._clusters.get(group_of(rule))
        if cluster is None or not any((at, rule_id) == (raised_at, rule.id) for at, _, _, rule_id in cluster.members):
            return None
        return cluster.members[0][3]
