"""Alarms of a hub about its gateways: one that is silent, whose clock is off, or that is not what it should be.

A gateway goes on alarming by itself whatever stands here; what is at stake is what the hub knows. Limits are ours
[OWN]; the site file may move them, never take one away.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from cultureops.alarms.gateway import place_of
from cultureops.alarms.own import HALF_HOUR_S, OWN, SHIFT_S, OwnLimits, own_reading, own_rule
from cultureops.alarms.rule import AlarmClass, Priority, Rule
from cultureops.clock import Instant
from cultureops.device.channel import channel_id
from cultureops.device.reading import Reading

__all__ = ["GatewayState", "gateway_readings", "gateway_rules"]


@dataclass(frozen=True, slots=True)
class GatewayState:
    """How a gateway stands at one moment: for how long it has been silent [s], how far its clock is off at least [s].

    ``runs_other_site`` whether it runs on a site file other than the one approved at the hub, ``forked`` whether its
    log contradicts itself, ``has_problem`` whether something it sends can't be taken. None is: nobody knows.
    """

    silent_s: float
    clock_off_s: float | None = None
    runs_other_site: bool | None = None
    forked: bool = False
    has_problem: bool = False


def gateway_rules(gateway: str, limits: OwnLimits) -> tuple[Rule, ...]:
    """Return the alarms of one gateway; the batches in all its chambers are in danger while it is not heard."""
    silent = own_rule(
        channel_id(OWN, f"gateway_{gateway}_silent_s"),
        limit=limits.gateway_silent_s,
        unit="s",
        priority=Priority.HIGH,
        cause=f"Gateway {gateway} has not been heard of: its machine, its network or the program there has stopped.",
        consequence="Nobody here sees its chambers, nor its alarms; it alarms by itself as long as it runs.",
        response="Look at its chambers now, or have somebody there look; then mend machine or network. What it "
        "kept meanwhile comes by itself.",
        respond_within_s=HALF_HOUR_S,
    )

    def about_all(rule: Rule) -> Rule:
        """Its batches are told and stand in the alarm: nobody here hears of what becomes of them."""
        return replace(rule, chamber=place_of(gateway), alarm_class=AlarmClass.INSTRUMENT)

    return (
        about_all(silent),  # a release is held up by the values that lack meanwhile
        own_rule(
            channel_id(OWN, f"gateway_{gateway}_clock_s"),
            limit=limits.gateway_clock_s,
            unit="s",
            deadband=min(0.5, limits.gateway_clock_s / 2),
            priority=Priority.MEDIUM,
            cause=f"The clock of gateway {gateway} and that of the hub are apart.",
            consequence="Times in the record of its chambers do not fit those of steps; their order is not in doubt.",
            response="See to the time service of both machines; the record says by how much they were apart.",
            respond_within_s=SHIFT_S,
        ),
        own_rule(
            channel_id(OWN, f"gateway_{gateway}_site_differs"),
            limit=1.0,
            unit="1",
            deadband=0.5,
            priority=Priority.HIGH,
            cause=f"Gateway {gateway} runs on a site file other than the one approved here.",
            consequence="Its limits, channels or rules are not those that are shown and approved here.",
            response="Compare both files; have the right one approved here, put it on the gateway and start it again.",
            respond_within_s=HALF_HOUR_S,
        ),
        about_all(
            own_rule(
                channel_id(OWN, f"gateway_{gateway}_log_forked"),
                limit=1.0,
                unit="1",
                deadband=0.5,
                priority=Priority.HIGH,
                cause=f"The log of gateway {gateway} contradicts what it sent before: put back, begun anew or forged.",
                consequence="Nothing more of its log is taken: alarms of its chambers are not seen here.",
                response="Watch its chambers there; call whoever maintains cultureops, and keep both machines as "
                "they are.",
                respond_within_s=HALF_HOUR_S,
            ),
        ),
        about_all(
            own_rule(
                channel_id(OWN, f"gateway_{gateway}_refused"),
                limit=1.0,
                unit="1",
                deadband=0.5,
                on_delay_s=60.0,
                priority=Priority.HIGH,
                cause=f"Something that gateway {gateway} sends can't be taken in.",
                consequence="What is shown here of its chambers may be old or incomplete.",
                response="The page of gateways says why; watch its chambers there until it is mended.",
                respond_within_s=HALF_HOUR_S,
            ),
        ),
    )


def gateway_readings(gateway: str, state: GatewayState, now: Instant) -> list[Reading]:
    """Say how a gateway stands as readings; what nobody knows has none."""
    known = (
        ("silent_s", state.silent_s),
        ("clock_s", state.clock_off_s),
        ("site_differs", state.runs_other_site),
        ("log_forked", state.forked),
        ("refused", state.has_problem and not state.forked),
    )
    return [
        own_reading(channel_id(OWN, f"gateway_{gateway}_{name}"), float(value), now)
        for name, value in known
        if value is not None
    ]
