"""The alarms of a hub's gateways as their own logs tell: never judged here, only followed. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from cultureops.alarms.alarm import AlarmView, Transition
from cultureops.alarms.events import ALARM_EVENT_TYPES, StandingAlarms, alarm_event
from cultureops.alarms.gateway import Gateway
from cultureops.alarms.rule import Kind, Rule
from cultureops.alarms.state import ANNOUNCED, State
from cultureops.clock import Instant
from cultureops.device.channel import ChannelId
from cultureops.errors import StorageError
from cultureops.ledger.event import Event, JsonValue

__all__ = ["ORIGIN", "POSITION", "Followed"]

ORIGIN = "origin"
"""Where the hub's record of a gateway's alarm says whose it is."""
POSITION = "origin_position"
"""And at which position of that gateway's log it stands."""
MOST_UNKNOWN = 1_000
"""Rules of a gateway that its site file here does not hold, such as those by which it watches itself [OWN]."""
_LIVE = (Kind.HIGH, Kind.LOW)
"""Kinds that judge their channel's value as it is."""


@dataclass(frozen=True, slots=True)
class _Told:
    type: str
    data: Mapping[str, JsonValue]


class Followed:
    """Alarms of gateways as they stand.

    ``latest`` returns the newest value of a channel here, None where none is known; ``waiting`` what was asked of an
    alarm and is not answered yet; ``away`` since when gateways are out of reach, by name [ms UTC].
    """

    def __init__(
        self,
        gateways: Iterable[Gateway],
        latest: Callable[[ChannelId], float | None] = lambda _: None,
        waiting: Callable[[str], str] = lambda _: "",
        away: Callable[[], Mapping[str, Instant]] = dict,
    ) -> None:
        self.gateways: Mapping[str, Gateway] = {gateway.name: gateway for gateway in gateways}
        self._latest, self._waiting, self._away = latest, waiting, away
        self._standing = StandingAlarms()
        self._rules: dict[str, Rule] = {}
        self._owners: dict[str, Gateway] = {}
        self._unknown: dict[str, int] = {}
        for gateway in self.gateways.values():
            for rule in gateway.rules:
                self._know(gateway, rule)

    def owner(self, rule_id: str) -> Gateway | None:
        """Return the gateway that watches for a rule; None for a rule of none of them."""
        return self._owners.get(rule_id)

    def recall(self, event: Event) -> None:
        """Take an event of the hub's own past, in order; raises StorageError for one that lacks what it must hold."""
        gateway = self.gateways.get(str(event.data.get(ORIGIN)))
        if gateway is None or event.type not in ALARM_EVENT_TYPES:
            return
        # A device that the hub had not heard of then may be in its copy of the site file by now, and have its own name.
        rule_id = gateway.here(gateway.there(str(event.data.get("rule_id"))))
        self._know(gateway, gateway.rule(rule_id, event.data))
        self._standing.apply(_Told(event.type, {**event.data, "rule_id": rule_id}))

    def take(self, gateway: Gateway, transition: Transition) -> None:
        """Take what a gateway says has become of an alarm; raises StorageError where nothing was before it."""
        _, event_type, data = alarm_event(transition, ())
        self._know(gateway, transition.rule)
        self._standing.apply(_Told(event_type, data))

    def _know(self, gateway: Gateway, rule: Rule) -> None:
        if rule.id not in self._rules and not gateway.has(rule.id):
            self._unknown[gateway.name] = count = self._unknown.get(gateway.name, 0) + 1
            if count > MOST_UNKNOWN:
                raise StorageError(f"gateway {gateway.name}: more than {MOST_UNKNOWN} alarms that its site file lacks")
        owner = self._owners.setdefault(rule.id, gateway)
        if owner is not gateway:
            raise StorageError(f"gateway {gateway.name}: alarm {rule.id} is {owner.name}'s")
        self._rules[rule.id] = rule

    @property
    def rules(self) -> tuple[Rule, ...]:
        """See Alarms."""
        return tuple(self._rules.values())

    def view(self, rule_id: str) -> AlarmView | None:
        """See Alarms."""
        return self._view(rule_id, self._away())

    def _view(self, rule_id: str, away: Mapping[str, Instant]) -> AlarmView | None:
        rule = self._rules.get(rule_id)
        if rule is None:
            return None
        stored = self._standing.get(rule_id)
        waits = self._waiting(rule_id)
        if stored is None:
            return AlarmView(rule, State.NORMAL, 0, None, None, None, 0, waits=waits)
        value = stored.value
        if stored.is_active and rule.channel is not None and rule.kind in _LIVE:
            latest = self._latest(rule.channel)
            value = value if latest is None else latest
        return AlarmView(
            rule, stored.state, stored.raised_at, value, stored.returned_at, stored.acknowledged_by, stored.since,
            stored.is_active, stored.acknowledged_at, stored.shelf, waits, away.get(self._owners[rule_id].name),
        )  # fmt: skip

    def active(self) -> tuple[AlarmView, ...]:
        """See Alarms."""
        return self._views(lambda state: state in ANNOUNCED)

    def suppressed(self) -> tuple[AlarmView, ...]:
        """See Alarms."""
        return self._views(lambda state: state.is_suppressed)

    def _views(self, is_wanted: Callable[[State], bool]) -> tuple[AlarmView, ...]:
        away = self._away()
        wanted = (alarm.rule_id for alarm in self._standing.alarms if is_wanted(alarm.state))
        return tuple(view for rule_id in wanted if (view := self._view(rule_id, away)) is not None)

    @property
    def standing(self) -> StandingAlarms:
        """The alarms that are not NORMAL, as recorded."""
        return self._standing
