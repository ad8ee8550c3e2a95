"""Temperature, stirring, optical density, growth rate and volume of a Pioreactor; it only listens."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from cultureops.device.channel import Channel
from cultureops.device.driver import Identity, Link
from cultureops.device.option import Options
from cultureops.device.reading import Reason, Sample
from cultureops.device.transport.base import TopicLink, TopicMessage
from cultureops.errors import ConfigError, DriverTimeout, NotConnected, ProtocolError
from cultureops_drivers.pioreactor.protocol import (
    JobState,
    Setting,
    filter_of,
    is_name,
    number_of,
    state_of,
    state_topic,
    topic_of,
)

__all__ = ["Pioreactor", "create"]

_STALE_AFTER_S: Final = 120.0
_PHOTODIODES: Final = range(1, 5)

_WATCHED: Final[dict[str, tuple[Channel, Setting]]] = {
    "temperature": (Channel("temperature", "Cel"), Setting("temperature_automation", "temperature", "temperature")),
    "agitation": (Channel("agitation", "{rev}/min", decimals=1), Setting("stirring", "measured_rpm", "measured_rpm")),
    "growth_rate": (
        Channel("growth_rate", "/h", decimals=4),
        Setting("growth_rate_calculating", "growth_rate", "growth_rate"),
    ),
    "volume": (Channel("volume", "mL"), Setting("bioreactor", "current_volume_ml", "", has_state=False)),
}


def create(device: str, link: Link, options: Mapping[str, object]) -> Pioreactor:
    """Create the driver of one unit.

    Options: ``unit`` and ``experiment``, as the Pioreactor calls them; ``watch``, a list out of ``temperature``,
    ``agitation``, ``growth_rate`` and ``volume`` (the first two where not given); ``od_channel``, the photodiode (1-4)
    that is the optical density (0, none, where not given); ``stale_after_s``, the age from which a value is none
    (120). Needs an ``mqtt://`` link to its broker.
    """
    given = Options(device, options, ("unit", "experiment", "watch", "od_channel", "stale_after_s"))
    unit, experiment = (_name(given, option) for option in ("unit", "experiment"))
    watch = options.get("watch", ["temperature", "agitation"])
    if not isinstance(watch, Sequence) or isinstance(watch, str) or not all(name in tuple(_WATCHED) for name in watch):
        raise given.error("watch", f"must be a list out of {', '.join(_WATCHED)}, not {watch!r}")
    rows = [row for name, row in _WATCHED.items() if name in watch]
    photodiode = given.get("od_channel", int, 0, "a photodiode from 1 to 4")
    if photodiode:
        if photodiode not in _PHOTODIODES:
            raise given.error("od_channel", f"must be a photodiode from 1 to 4, not {photodiode}")
        rows.append((Channel("optical_density", "1", decimals=4), Setting("od_reading", f"od{photodiode}", "od")))
    if not rows:
        raise given.error("watch", "and od_channel leave nothing to be read; name at least one")
    stale_after_s = given.get("stale_after_s", float, _STALE_AFTER_S, "a number of seconds")
    if not 0 < stale_after_s <= 86_400:
        raise given.error("stale_after_s", f"must be above 0 and at most 86400, not {stale_after_s:g}")
    if not isinstance(link, TopicLink):
        raise ConfigError(f"{device}: a Pioreactor needs an mqtt://host:port link to its broker, mostly on port 1883")
    return Pioreactor(device, link, unit, experiment, rows, stale_after_s)


def _name(given: Options, option: str) -> str:
    name = given.get(option, str, "", f"the name of the {option}")
    if not is_name(name):
        raise given.error(option, f"must be the name of the {option}, without + # and /, not {name!r}")
    return name


class Pioreactor:
    """One unit in one experiment.

    A value counts while its job is ``ready`` and has said so before it, while it is younger than ``stale_after_s`` by
    our own clock, and not when the broker had only kept it, since then nobody knows how old it is.
    """

    check_bits: Final = 16

    def __init__(
        self,
        device: str,
        link: TopicLink,
        unit: str,
        experiment: str,
        rows: Sequence[tuple[Channel, Setting]],
        stale_after_s: float = _STALE_AFTER_S,
    ) -> None:
        self.device = device
        self._link = link
        self._unit, self._experiment = unit, experiment
        self._rows = tuple((channel, setting, topic_of(unit, experiment, setting)) for channel, setting in rows)
        self._stale_after_s = stale_after_s
        self._connected = False
        self._first_heard: dict[str, tuple[datetime, float]] = {}

    @property
    def channels(self) -> tuple[Channel, ...]:
        """What the site file wants to be watched."""
        return tuple(channel for channel, _, _ in self._rows)

    async def connect(self) -> None:
        """Subscribe; a second call does nothing."""
        await self._link.open(filter_of(self._unit, self._experiment))
        self._connected = True

    async def disconnect(self) -> None:
        """End the subscription and forget what was heard; never raises."""
        self._connected = False
        self._first_heard.clear()
        await self._link.close(filter_of(self._unit, self._experiment))

    async def identify(self) -> Identity:
        """Return the name of the unit; a Pioreactor is not asked for anything."""
        self._check()
        return Identity("Pioreactor", "Pioreactor", serial_number=self._unit)

    async def read(self) -> Sequence[Sample]:
        """Return what was heard last of each channel; right after connecting, wait for the first of them.

        A job that is lost or disconnected: no value, NOT_CONNECTED; asleep, starting or unheard of: NOT_DELIVERED;
        silent for too long: TIMEOUT.
        """
        self._check()
        if not self._all_gone():
            try:
                await self._link.wait([topic for _, _, topic in self._rows])
            except DriverTimeout as error:
                if not self._all_gone():
                    raise DriverTimeout(f"{self.device}: {error}; is {self._unit} at work?") from None
        now_s = asyncio.get_running_loop().time()
        return [self._sample(channel.name, setting, topic, now_s) for channel, setting, topic in self._rows]

    def _check(self) -> None:
        if not self._connected:
            raise NotConnected(f"{self.device}: not connected; connect first")

    def _all_gone(self) -> bool:
        jobs = {setting.job for _, setting, _ in self._rows if setting.has_state}
        return bool(jobs) and all((state := self._state(job)) is not None and state[0].is_gone for job in jobs)

    def _state(self, job: str) -> tuple[JobState, TopicMessage] | None:
        """Return what a job said of itself; None when that was nothing, or nothing that can be understood."""
        message = self._link.latest(state_topic(self._unit, self._experiment, job))
        if message is None:
            return None
        try:
            return state_of(message.payload), message
        except ProtocolError:
            return None

    def _sample(self, name: str, setting: Setting, topic: str, now_s: float) -> Sample:
        said_at_s = 0.0
        if setting.has_state:
            state = self._state(setting.job)
            if state is not None and state[0].is_gone:
                return Sample(name, None, Reason.NOT_CONNECTED)
            if state is None or state[0] is not JobState.READY:
                return Sample(name, None, Reason.NOT_DELIVERED)
            said_at_s = state[1].arrived_s
        message = self._link.latest(topic)
        if message is None or message.is_retained or message.arrived_s < said_at_s:
            return Sample(name, None, Reason.NOT_DELIVERED)
        try:
            number = number_of(message.payload, setting.field)
        except ProtocolError:
            return Sample(name, None, Reason.PROTOCOL_ERROR)
        if number is None:
            return Sample(name, None, Reason.NOT_DELIVERED)
        if now_s - self._heard_s(topic, number.at, message.arrived_s) > self._stale_after_s:
            return Sample(name, None, Reason.TIMEOUT)
        return Sample(name, number.value)

    def _heard_s(self, topic: str, at: datetime | None, arrived_s: float) -> float:
        """Return when this value was heard first: one that is told again with its old timestamp gets no younger."""
        if at is None:
            return arrived_s
        known = self._first_heard.get(topic)
        if known is None or at > known[0]:
            known = self._first_heard[topic] = at, arrived_s
        return known[1]
