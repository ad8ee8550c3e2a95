"""The driver of every device that a profile describes."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final, TypeVar

from cultureops.device.channel import Channel
from cultureops.device.driver import Identity, Link
from cultureops.device.linked import LinkedDriver
from cultureops.device.option import Options
from cultureops.device.profile import MOST_DECIMALS, WORD_ORDERS, Profile, Settings, load_profile
from cultureops.device.reading import Reason, Sample
from cultureops.device.register import Point, Request, StatusRule, decode, plan
from cultureops.device.transport.base import RegisterLink
from cultureops.errors import ConfigError, DeviceFault, ProtocolError

__all__ = ["ModbusDevice", "create", "shipped_profiles"]

T = TypeVar("T", str, int)

MOST_UNIT_CODE: Final = 0xFFFF_FFFF
_PROFILES: Final = Path(__file__).parent / "profiles"


def shipped_profiles() -> tuple[str, ...]:
    """Return the names of the profiles that come with this package, sorted."""
    return tuple(sorted(path.stem for path in _PROFILES.glob("*.toml")))


def create(device: str, link: Link, options: Mapping[str, object]) -> ModbusDevice:
    """Create the driver of one Modbus device.

    Options: ``profile`` (the name of a shipped profile, or the path of a ``.toml`` file), ``unit_id`` (1-247, the
    profile's where not given), and what the profile says that its owner may have set on the instrument: ``word_order``
    (high_first, low_first), ``decimals`` (0-4), ``unit_code``. Raises ConfigError for wrong options, profile or link.
    """
    path = _profile_path(Options(device, options, tuple(options)))
    plan = _plan_of(path, path.stat().st_mtime_ns if path.is_file() else 0)
    given = Options(device, options, ("profile", "unit_id", *plan.profile.configured))
    if plan.profile.configured:
        plan = ReadPlan.of(plan.profile.settled(_settings(given, plan.profile.configured)))
    unit_id = given.get("unit_id", int, plan.profile.unit_id, "a whole number from 1 to 247")
    if not 1 <= unit_id <= 247:
        raise given.error("unit_id", f"must be a whole number from 1 to 247, not {unit_id}")
    if not isinstance(link, RegisterLink):
        raise ConfigError(
            f"{device}: a Modbus device needs a modbus+tcp://, modbus+rtu://, modbus+ascii://, modbus+rtu+tcp:// or "
            "modbus+ascii+tcp:// link"
        )
    return ModbusDevice(device, link, plan, unit_id)


def _profile_path(given: Options) -> Path:
    name = given.get("profile", str, "", "the name of a profile or the path of a .toml file")
    if name.endswith(".toml") and name.isprintable():
        return Path(name)
    if name in shipped_profiles():
        return _PROFILES / f"{name}.toml"
    raise given.error(
        "profile", f"{name!r} names no shipped profile; known: {', '.join(shipped_profiles())}, or a path"
    )


def _settings(given: Options, configured: Mapping[str, str]) -> Settings:
    """Return what the site file says of the instrument's own settings; none has a default: a guess can be wrong."""
    word_order, decimals, unit_code = None, None, None
    if "word_order" in configured:
        word_order = _required(given, "word_order", str, f"one of {', '.join(WORD_ORDERS)}", configured)
        if word_order not in WORD_ORDERS:
            raise given.error("word_order", f"must be one of {', '.join(WORD_ORDERS)}, not {word_order!r}")
    if "decimals" in configured:
        decimals = _whole(given, "decimals", MOST_DECIMALS, configured)
    if "unit_code" in configured:
        unit_code = _whole(given, "unit_code", MOST_UNIT_CODE, configured)
    return Settings(word_order, decimals, unit_code)


def _whole(given: Options, name: str, most: int, configured: Mapping[str, str]) -> int:
    expected = f"a whole number from 0 to {most}"
    number = _required(given, name, int, expected, configured)
    if not 0 <= number <= most:
        raise given.error(name, f"must be {expected}, not {number}")
    return number


def _required(given: Options, name: str, kind: type[T], expected: str, configured: Mapping[str, str]) -> T:
    if not given.has(name):
        raise given.error(name, f"is missing; it must be {expected}: {configured[name]}")
    return given.get(name, kind, kind(), expected)


@dataclass(frozen=True, slots=True)
class ReadPlan:
    """What is asked of a device by its profile.

    ``greeting`` once, ``requests`` for its points at each poll, and before them ``guards``: those that tell how far
    the points of others can be trusted. A device that recovers between two requests is caught by one of both looks.
    """

    profile: Profile
    points: tuple[Point, ...]
    expected: tuple[Point, ...]
    requests: tuple[Request, ...]
    guards: tuple[Request, ...]
    greeting: tuple[Request, ...]

    @classmethod
    def of(cls, profile: Profile) -> ReadPlan:
        """Plan the requests."""
        points = tuple(row.point for row in profile.points if row.channel is not None)
        expected = tuple(row.point for row in profile.points if row.point.expect)
        watched = {rule.point for point in points for rule in point.status}
        needed = tuple(row.point for row in profile.points if row.channel is not None or row.point.name in watched)
        requests = plan(needed, profile.max_gap, profile.blocks)
        greeting = plan(expected, profile.max_gap, profile.blocks) or requests[:1]
        return cls(profile, points, expected, requests, _guards(requests), greeting)


def _guards(requests: tuple[Request, ...]) -> tuple[Request, ...]:
    """Return the requests whose points are the status of points of another request."""
    watched = {
        rule.point
        for request in requests
        for point in request.points
        for rule in point.status
        if rule.point not in {own.name for own in request.points}
    }
    return tuple(request for request in requests if any(point.name in watched for point in request.points))


@lru_cache
def _plan_of(path: Path, _modified_ns: int) -> ReadPlan:
    """Read a profile once for all the devices that have it: they are many, and what they share stays in the cache."""
    return ReadPlan.of(load_profile(path))


class ModbusDevice(LinkedDriver[RegisterLink]):
    """A device whose registers are known from its profile."""

    def __init__(self, device: str, link: RegisterLink, plan: ReadPlan, unit_id: int) -> None:
        super().__init__(device, link)
        self.profile = plan.profile
        self._plan = plan
        self._unit_id = unit_id
        self._may_ask_at = 0.0

    @property
    def channels(self) -> tuple[Channel, ...]:
        """The channels of the profile."""
        return self.profile.channels

    @property
    def check_bits(self) -> int:
        """What the link's framing has: 16, or 8 in Modbus ASCII."""
        return self._link.check_bits

    async def identify(self) -> Identity:
        """Return what the profile says of the device, once the registers that must hold fixed numbers do.

        Raises ProtocolError when they hold others: another device or another version of the map.
        """
        raws: dict[str, float] = {}
        for request in self._plan.greeting:
            raws |= await self._ask(request)
        for point in self._plan.expected:
            if raws[point.name] not in point.expect:
                wanted = " or ".join(f"{number:g}" for number in point.expect)
                raise ProtocolError(
                    f"{self.device}: {point.name} is {raws[point.name]:g}, profile {self.profile.file} is for {wanted}"
                )
        return self.profile.identity

    async def read(self) -> Sequence[Sample]:
        """Read every channel once; channels whose registers the device refuses have no value, DEVICE_FAULT."""
        before = await self._ask_all(self._plan.guards)
        raws = await self._ask_all(self._plan.requests)
        guarded = {point.name: before.get(point.name) for request in self._plan.guards for point in request.points}
        return tuple(_sample(point, raws, guarded) for point in self._plan.points)

    async def _ask_all(self, requests: Sequence[Request]) -> dict[str, float]:
        raws: dict[str, float] = {}
        for request in requests:
            try:
                raws |= await self._ask(request)
            except DeviceFault:
                if len(self._plan.requests) == 1:
                    raise
        return raws

    async def _ask(self, request: Request) -> dict[str, float]:
        link = self.link
        if self.profile.min_gap_s:
            loop = asyncio.get_running_loop()
            await asyncio.sleep(max(0.0, self._may_ask_at - loop.time()))
        try:
            values = await link.read_registers(self._unit_id, request.function, request.address, request.count)
        finally:
            if self.profile.min_gap_s:
                self._may_ask_at = asyncio.get_running_loop().time() + self.profile.min_gap_s
        return {point.name: decode(point, request.address, values) for point in request.points}


def _sample(point: Point, raws: Mapping[str, float], before: Mapping[str, float | None]) -> Sample:
    """Turn a raw number into a sample; ``before`` holds the status that was read before it, None where refused."""
    raw = raws.get(point.name)
    if raw is None:
        return Sample(point.name, None, Reason.DEVICE_FAULT)
    for rule in point.status:
        looks = [before[rule.point]] if rule.point in before else []
        for status in (*looks, raws.get(rule.point)):
            if reason := _objection(rule, status):
                return Sample(point.name, None, reason)
    if raw in point.sentinels or (math.isnan(raw) and any(map(math.isnan, point.sentinels))):
        return Sample(point.name, None, Reason.SENTINEL)
    return Sample(point.name, point.scaled(raw))


def _objection(rule: StatusRule, status: float | None) -> Reason:
    """Return why a status forbids the values that depend on it, or NONE; one that could not be read forbids them."""
    if status is None:
        return Reason.DEVICE_FAULT
    if rule.expect:
        return Reason.NONE if status in rule.expect else Reason.NOT_AS_AGREED
    if int(status) & rule.bad_bits:
        return Reason.DEVICE_FAULT
    return Reason.SENTINEL if ~int(status) & rule.good_bits else Reason.NONE
