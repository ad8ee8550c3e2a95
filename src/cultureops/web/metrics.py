"""What a running lab says of itself in Prometheus' text format.

Of the program, never of the product: values of channels belong to the mirror, and nothing here names a batch, a patient
or a person. The number of series grows with devices and routes alone.
Source of the format: https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4 as CONTENT_TYPE
from prometheus_client import PlatformCollector, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector, CollectorRegistry

from cultureops.alarms.rule import Priority
from cultureops.alarms.state import State
from cultureops.web.context import WebContext
from cultureops.web.gateways import GatewayView

__all__ = ["CONTENT_TYPE", "exposition"]

PREFIX: Final = "cultureops_"
LOST_AFTER: Final = 3
"""Polls in a row without an answer: the link counts as lost, as it does for the poller."""


def exposition(context: WebContext) -> bytes:
    """Return all measures of this moment."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Lab(context))
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    return generate_latest(registry)


class _Lab(Collector):
    def __init__(self, context: WebContext) -> None:
        self._context = context

    def describe(self) -> Iterator[Metric]:
        """Promise nothing, so that registering asks nothing."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Yield the measures, in the order of the reference."""
        said: Mapping[str, Any] = self._context.health()
        yield _info(said["versions"])
        yield from _records(said)
        yield from _devices(said["devices"])
        yield from _alarms(self._context)
        yield from _mirror(said["influxdb"])
        yield from _broker(said["mqtt"])
        yield from _people(said["notify"], said["heartbeat"])
        yield from _machine(said)
        yield from _gateways(self._context)
        yield from _hub(self._context)
        for name, delays in self._context.delays.items():
            family = HistogramMetricFamily(f"{PREFIX}{name}_seconds", f"How late: {name.replace('_', ' ')}")
            buckets = [(_number(step_s), count) for step_s, count in delays.cumulated()]
            family.add_metric([], buckets, delays.sum_s)
            yield family


def _number(step_s: float) -> str:
    return "+Inf" if step_s == float("inf") else str(step_s)


def _gauge(name: str, says: str, value: float | None) -> Iterator[Metric]:
    """Yield a measure that is known; what nobody knows has no sample, and no invented one."""
    if value is not None:
        yield GaugeMetricFamily(PREFIX + name, says, float(value))


def _count(name: str, says: str, value: float | None) -> Iterator[Metric]:
    if value is not None:
        yield CounterMetricFamily(PREFIX + name, says, float(value))


def _info(versions: Mapping[str, str]) -> Metric:
    family = GaugeMetricFamily(f"{PREFIX}build_info", "Versions in use; always 1", labels=list(versions))
    family.add_metric(list(versions.values()), 1)
    return family


def _records(said: Mapping[str, Any]) -> Iterator[Metric]:
    yield from _count("readings_accepted", "Readings handed to the store since the start", said["readings_accepted"])
    yield from _gauge("readings_durable", "Readings that the store holds", said["readings_stored"])
    yield from _gauge("durable_frame", "Number of the newest durable frame", said["durable_frame"]["seq"])
    yield from _gauge("store_up", "Whether readings can be kept", said["store_failure"] is None)
    yield from _gauge("ledger_up", "Whether events can be recorded", said["ledger_failure"] is None)
    yield from _gauge("ledger_events", "Events on record", said["ledger"]["position"])
    yield from _gauge("ledger_events_unreadable", "Events that this program can't read", len(said["unreadable_events"]))
    signing = said["heads"]["signing"]
    yield from _gauge("ledger_events_unsigned", "Events behind the newest signed head", signing["unsigned"])
    failing = [anchor for anchor in said["heads"]["anchors"] if anchor["problem"]]
    yield from _gauge("anchors_failing", "Anchors that could not be given the newest head", len(failing))
    if (backups := said["backups"]) is not None:
        yield from _gauge("backup_age_seconds", "Age of the last good backup", backups["age_s"])
        yield from _gauge("backup_failed", "Whether the last attempt at a backup failed", bool(backups["failure"]))


def _devices(devices: Mapping[str, Mapping[str, Any]]) -> Iterator[Metric]:
    up = GaugeMetricFamily(f"{PREFIX}device_up", "Whether the device answers", labels=["device"])
    misses = GaugeMetricFamily(f"{PREFIX}device_misses", "Polls in a row without an answer", labels=["device"])
    for device, link in devices.items():
        missed = link["misses"]
        if missed is None:
            continue  # a gateway's device, of which only the gateway knows
        up.add_metric([device], float(missed < LOST_AFTER and not (missed == 0 and link["reason"])))
        misses.add_metric([device], missed)
    yield up
    yield misses


def _alarms(context: WebContext) -> Iterator[Metric]:
    """Count alarms by state and priority; each pair has a series from the start, so that a first alarm is a change."""
    views = (*context.engine.active(), *context.engine.suppressed())
    counts = Counter((view.state, view.rule.priority) for view in {view.rule.id: view for view in views}.values())
    family = GaugeMetricFamily(f"{PREFIX}alarms", "Alarms that are not normal", labels=["state", "priority"])
    for state in State:
        if state is not State.NORMAL:
            for priority in Priority:
                family.add_metric([state.value, priority.value], counts[state, priority])
    yield family
    yield from _gauge("alarm_rules", "Alarm rules in force", len(context.engine.rules))


def _mirror(mirror: Mapping[str, Any] | None) -> Iterator[Metric]:
    if mirror is None:
        return
    yield from _gauge("mirror_up", "Whether the last call to the mirror's server went well", not mirror["last_error"])
    yield from _gauge("mirror_lag_seconds", "Age of the oldest reading that is not mirrored", mirror["lag_s"])
    yield from _gauge("mirror_backlog_readings", "Readings that are not mirrored yet", mirror["backlog_readings"])
    yield from _count("mirror_readings_sent", "Readings that the server confirmed", mirror["sent"])
    yield from _count("mirror_readings_refused", "Readings that the server refused", mirror["quarantined"])
    yield from _count("mirror_readings_outlived", "Readings too old for the server", mirror["outlived"])


def _broker(broker: Mapping[str, Any] | None) -> Iterator[Metric]:
    if broker is None:
        return
    yield from _gauge("mqtt_up", "Whether the broker has everything as it stands", broker["connected"])
    yield from _gauge("mqtt_topics_waiting", "Topics that are to be told", broker["waiting"])
    yield from _count("mqtt_messages_sent", "Messages that the broker took", broker["sent"])
    yield from _count("mqtt_readings_overtaken", "Readings overtaken while they waited", broker["coalesced"])


def _people(notify: Mapping[str, Any], heartbeat: Mapping[str, Any] | None) -> Iterator[Metric]:
    if not notify["tells_nobody"]:
        yield from _gauge("incidents_unacknowledged", "Alarms that wait for somebody", notify["unacknowledged"])
        yield from _gauge("messages_waiting", "Messages that wait for a route", notify["waiting"])
        undelivered = "How long an alarm has reached nobody"
        yield from _gauge("people_not_reached_seconds", undelivered, notify["undelivered_s"])
        sent = CounterMetricFamily(f"{PREFIX}route_messages_sent", "Messages a route took", labels=["route"])
        failing = GaugeMetricFamily(f"{PREFIX}route_failures", "Failures of a route in a row", labels=["route"])
        for route in notify["routes"]:
            sent.add_metric([route["name"]], route["sent"])
            failing.add_metric([route["name"]], route["failures"])
        yield sent
        yield failing
    if heartbeat is not None:
        is_heard = heartbeat["beaten_at"] is not None and not heartbeat["withheld"] and not heartbeat["last_error"]
        yield from _gauge("heartbeat_up", "Whether the outside hears the heartbeat", is_heard)


def _machine(said: Mapping[str, Any]) -> Iterator[Metric]:
    yield from _count("faults", "Faults of the program itself since the start", said["faults"]["count"])
    yield from _count("live_messages_dropped", "Messages to open pages that were lost", said["live_messages_dropped"])
    yield from _gauge("sessions", "Open sessions of people", said["access"]["open_sessions"])
    machine = said["machine"]
    if (disk := machine.get("disk")) is not None:
        yield from _gauge("disk_free_bytes", "Free space for the data folder", disk["free_gb"] * 1e9)
    clock = machine.get("clock")
    if isinstance(clock, Mapping):
        yield from _gauge("clock_error_seconds", "How wrong the clock is at most", clock["most_error_s"])


def _gateways(context: WebContext) -> Iterator[Metric]:
    if context.gateways is None:
        return
    rows: tuple[tuple[str, str, Callable[[GatewayView], float | None]], ...] = (
        ("up", "Whether the gateway is in reach", lambda one: float(not one.is_away)),
        ("events_waiting", "Events of its log that are still to come", lambda one: one.events_waiting),
        ("readings_waiting", "Readings that are still to come", lambda one: one.readings_waiting),
        ("behind_seconds", "Age of the oldest reading that is still to come", lambda one: one.behind_s),
        ("clock_ahead_seconds", "How far its clock is ahead", lambda one: _seconds(one.clock_ahead_ms)),
        ("orders_waiting", "Orders that it has not answered", lambda one: one.orders_waiting),
        ("problems", "What is wrong with it", lambda one: len(one.problems)),
        ("certificate_ends_timestamp_seconds", "When its certificate ends", lambda one: _seconds(one.certificate_ends)),
    )
    views = context.gateways()
    for name, says, value_of in rows:
        family = GaugeMetricFamily(f"{PREFIX}gateway_{name}", says, labels=["gateway"])
        for view in views:
            if (value := value_of(view)) is not None:
                family.add_metric([view.name], value)
        yield family


def _hub(context: WebContext) -> Iterator[Metric]:
    if context.hub is None:
        return
    view = context.hub()
    yield from _gauge("hub_up", "Whether the hub is in reach", view.connected)
    yield from _gauge("hub_events_waiting", "Events that the hub has not confirmed", view.events_waiting)
    yield from _gauge("hub_readings_waiting", "Readings that the hub has not confirmed", view.readings_waiting)
    yield from _gauge("hub_lag_seconds", "Age of the oldest reading that the hub has not confirmed", view.lag_s)


def _seconds(ms: int | None) -> float | None:
    return None if ms is None else ms / 1000
