"""Alarms of cultureops itself, which every site has and no site file can leave out.

What is watched here has no instrument: each fact becomes a reading that only the engine sees, of a channel of the
device ``cultureops``, so that delays, states, shelving and the record are those of any alarm. All limits are ours
[OWN]; the site file may move them, never take one away.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from cultureops.alarms.rule import AlarmClass, Kind, Level, Priority, Rule
from cultureops.clock import Instant
from cultureops.device.channel import ChannelId, channel_id
from cultureops.device.reading import Quality, Reading, Reason

__all__ = [
    "FAULT",
    "HALF_HOUR_S",
    "LEDGER_BEHIND",
    "NOT_KEPT",
    "OWN",
    "PEOPLE_NOT_REACHED",
    "READINGS_MISSING",
    "RECORD_BEHIND",
    "RECORD_UNREADABLE",
    "ROUTES_FAILING",
    "SHIFT_S",
    "UNPUBLISHED",
    "OwnLimits",
    "kept_reading",
    "lag_rule",
    "own_reading",
    "own_rule",
    "record_rules",
]

OWN: Final = "cultureops"
"""The device, and the chamber, that cultureops is in its own alarms."""
_NOT_KEPT: Final = channel_id(OWN, "readings_not_kept")
READINGS_MISSING: Final = channel_id(OWN, "readings_missing")
LEDGER_BEHIND: Final = channel_id(OWN, "ledger_behind")
UNPUBLISHED: Final = channel_id(OWN, "broker_away")
ROUTES_FAILING: Final = channel_id(OWN, "routes_failing")
PEOPLE_NOT_REACHED: Final = channel_id(OWN, "people_not_reached")
RECORD_BEHIND: Final = channel_id(OWN, "record_behind")
RECORD_UNREADABLE: Final = channel_id(OWN, "record_unreadable")
FAULT: Final = channel_id(OWN, "fault")
HALF_HOUR_S: Final = 1800.0
SHIFT_S: Final = 8 * 3600.0


@dataclass(frozen=True, slots=True)
class OwnLimits:
    """Where the alarms of cultureops itself begin; all of it is a proposal of ours, which a site may change.

    Space free on the data folder's file system: [% of it] and [10^9 bytes], whichever is reached first.
    ``mirror_lag_s`` and ``broker_away_s`` [s] are how long an outlet may be behind or away; ``people_not_reached_s``
    (told by ``[notify]``) and ``record_behind_s`` [s] how long an alarm may be without reaching anybody, or the record;
    ``clock_unsynchronised_s`` [s] is how long nothing may steer the clock, as after a start of the machine.
    ``gateway_silent_s`` [s] is how long a hub may not hear of a gateway, ``gateway_clock_s`` [s] how far their clocks
    may be apart. ``backup_age_s`` (told by ``[backup]``) [s] is how long no backup may have succeeded, None where none
    is made.
    """

    disk_warning_pct: float = 10.0
    disk_alarm_pct: float = 2.0
    disk_warning_gb: float = 5.0
    disk_alarm_gb: float = 1.0
    mirror_lag_s: float = 3600.0
    broker_away_s: float = 120.0
    clock_unsynchronised_s: float = 900.0
    people_not_reached_s: float = 300.0
    record_behind_s: float = 60.0
    gateway_silent_s: float = 60.0
    gateway_clock_s: float = 5.0
    backup_age_s: float | None = None


NOT_KEPT: Final = Rule(
    id="cultureops/readings_not_kept",
    chamber=OWN,
    channel=_NOT_KEPT,
    device=OWN,
    kind=Kind.HIGH,
    limit=1.0,
    unit="1",
    deadband=0.5,
    on_delay_s=0.0,
    off_delay_s=0.0,
    misses=0,
    priority=Priority.HIGH,
    gmp_critical=False,
    consequence="Readings are in memory only: a stop of this machine would lose them.",
    response="Free the disk or mend it now; readings are tried again by themselves. Do not restart cultureops.",
    alarm_class=AlarmClass.SYSTEM,
    cause="The store can't write or seal: its disk is full, read-only or broken.",
    respond_within_s=HALF_HOUR_S,
)
"""Raised while the store can't keep or seal readings; watching and alarming go on from memory meanwhile."""


def kept_reading(is_failing: bool, now: Instant) -> Reading:
    """Say as a reading whether the store fails at present: 1 or 0."""
    return own_reading(_NOT_KEPT, float(is_failing), now)


def own_reading(channel: ChannelId, value: float, now: Instant) -> Reading:
    """Say a fact about cultureops itself as a reading; what nobody knows has none."""
    return Reading(channel, value, Quality.GOOD, Reason.NONE, now, now)


def record_rules(limits: OwnLimits) -> tuple[Rule, ...]:
    """Return the alarms of what becomes of readings, events and messages."""
    return (
        NOT_KEPT,
        own_rule(
            READINGS_MISSING,
            limit=1.0,
            unit="1",
            deadband=0.5,
            on_delay_s=5.0,
            priority=Priority.HIGH,
            cause="The store reports no failure, and yet readings of a minute ago are not durable.",
            consequence="Readings are lost without anybody being told; the record of the chambers has holes.",
            response="Note the values of the chambers by hand, look into the program's log, and call whoever maintains "
            "cultureops; assess the gap for every batch in the lab.",
            respond_within_s=HALF_HOUR_S,
        ),
        own_rule(
            LEDGER_BEHIND,
            limit=1.0,
            unit="1",
            deadband=0.5,
            priority=Priority.HIGH,
            cause="The ledger can't take events: its disk is full, read-only or broken, or its chain is damaged.",
            consequence="Steps of batches can't be recorded; alarms and acknowledgements are in memory only.",
            response="Free the disk or mend it now and do not restart cultureops; write down on paper what is done "
            "meanwhile, and enter it late with a reason.",
            respond_within_s=HALF_HOUR_S,
        ),
        own_rule(
            UNPUBLISHED,
            limit=limits.broker_away_s,
            unit="s",
            priority=Priority.MEDIUM,
            cause="The MQTT broker can't be reached or refuses the log-in.",
            consequence="Whoever listens at the broker sees old values and no new alarm.",
            response="Check broker and network; nothing is lost here, the newest state is sent when it is back.",
            respond_within_s=HALF_HOUR_S,
        ),
        own_rule(
            ROUTES_FAILING,
            limit=1.0,
            unit="1",
            deadband=0.5,
            priority=Priority.HIGH,
            cause="A route to people, such as e-mail or SMS, refuses messages or does not answer.",
            consequence="The next alarm may reach nobody, or reach them late over another route.",
            response="Watch the page of alarms, check the route's server and account, and send a test message.",
            respond_within_s=HALF_HOUR_S,
        ),
        own_rule(
            PEOPLE_NOT_REACHED,
            limit=limits.people_not_reached_s,
            unit="s",
            priority=Priority.HIGH,
            cause="An alarm is open that was to be told, and no message about it has been taken by any route.",
            consequence="Nobody comes for it unless somebody looks at the page of alarms.",
            response="Act on what stands on the page of alarms; then check the routes, the roster and the network.",
            respond_within_s=HALF_HOUR_S,
        ),
        own_rule(
            RECORD_BEHIND,
            limit=limits.record_behind_s,
            unit="s",
            priority=Priority.HIGH,
            cause="The ledger takes events too slowly, or hangs without an error: a disk or file server that stalls.",
            consequence="Alarms and acknowledgements are in memory only: a stop of this machine would lose them.",
            response="Free or mend the disk now and do not restart cultureops; write down on paper what is done "
            "meanwhile, and enter it late with a reason.",
            respond_within_s=HALF_HOUR_S,
        ),
        own_rule(
            RECORD_UNREADABLE,
            limit=1.0,
            unit="1",
            deadband=0.5,
            priority=Priority.HIGH,
            cause="The ledger is whole but holds an event that this program can't read: of a newer one, or forged.",
            consequence="What that event says is missing: an alarm, a step of a batch, a lot or an instrument.",
            response="The program's log and the health page name its position; find out who appended it, and call "
            "whoever maintains cultureops. Do not use a batch whose record it stands in.",
            respond_within_s=HALF_HOUR_S,
        ),
        own_rule(
            FAULT,
            limit=1.0,
            unit="1",
            deadband=0.5,
            off_delay_s=60.0,
            priority=Priority.HIGH,
            cause="A part of cultureops met what it was not made for, and did not finish what it was doing.",
            consequence="Some alarm, message or record may be missing although everything looks well.",
            response="Watch the chambers themselves, keep the program's log, and call whoever maintains cultureops.",
            respond_within_s=HALF_HOUR_S,
        ),
    )


def lag_rule(channel: ChannelId, limits: OwnLimits) -> Rule:
    """Return the alarm of a mirror that is behind, for a site whose own file has none; the channel is its lag [s]."""
    return own_rule(
        channel,
        limit=limits.mirror_lag_s,
        unit="s",
        on_delay_s=60.0,
        off_delay_s=60.0,
        priority=Priority.LOW,
        cause="The mirror's server is away, slow or refuses what it is sent.",
        consequence="Charts and reports outside cultureops lack the newest readings; the store here has them all.",
        response="Check the mirror's server and network; it catches up by itself.",
        respond_within_s=SHIFT_S,
    )


def own_rule(
    channel: ChannelId,
    *,
    limit: float,
    unit: str,
    priority: Priority,
    cause: str,
    consequence: str,
    response: str,
    respond_within_s: float,
    kind: Kind = Kind.HIGH,
    level: Level = Level.ALARM,
    deadband: float = 0.0,
    on_delay_s: float = 0.0,
    off_delay_s: float = 0.0,
    group: str = "",
) -> Rule:
    """Return a rule on a channel of cultureops itself, ``<channel>/<kind>`` with ``/warning`` where it is one."""
    return Rule(
        id=f"{channel}/{kind}" + ("" if level is Level.ALARM else f"/{level}"),
        chamber=OWN,
        channel=channel,
        device=OWN,
        kind=kind,
        limit=limit,
        unit=unit,
        deadband=deadband,
        on_delay_s=on_delay_s,
        off_delay_s=off_delay_s,
        misses=0,
        priority=priority,
        gmp_critical=False,
        consequence=consequence,
        response=response,
        level=level,
        alarm_class=AlarmClass.SYSTEM,
        cause=cause,
        respond_within_s=respond_within_s,
        group=group,
    )
