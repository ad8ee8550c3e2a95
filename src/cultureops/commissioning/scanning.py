"""Looking for known devices on a port, with the harmless questions that drivers declare and nothing else."""

from __future__ import annotations

import importlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from cultureops.commissioning.catalog import known_devices, shown_profile
from cultureops.device.driver import Identity, ResultSource
from cultureops.device.registry import create_driver, installed
from cultureops.device.transport.open import open_link
from cultureops.device.transport.serial import SerialSettings
from cultureops.errors import ConfigError, DriverError

__all__ = ["Found", "Probe", "probes", "scan"]

DECLARATION: Final = "SCAN_SETTINGS"
"""The name under which a driver's package says with which settings of a serial port its ``identify`` may be tried."""


@dataclass(frozen=True, slots=True)
class Probe:
    """One question: a driver's ``identify`` with the settings of the port; ``profile`` for a Modbus device."""

    driver: str
    profile: str
    settings: SerialSettings

    @property
    def title(self) -> str:
        """What a person reads."""
        chosen = self.settings
        framing = f"{chosen.bytesize}{chosen.parity}{chosen.stopbits}"
        return f"{self.profile or self.driver} at {chosen.baudrate} {framing}"

    @property
    def options(self) -> Mapping[str, object]:
        """The device's options in a site file."""
        return {"profile": self.profile} if self.profile else {}

    def uri(self, port: str) -> str:
        """Return the link of a device on a port: a path, or ``host:port`` of a terminal server."""
        if not port.startswith("/"):
            return f"{'modbus+rtu+tcp' if self.profile else 'tcp'}://{port}"
        chosen = self.settings
        query = urlencode(
            {"baudrate": chosen.baudrate, "bytesize": chosen.bytesize, "parity": chosen.parity,
             "stopbits": chosen.stopbits} | ({"rtscts": 1} if chosen.rtscts else {})
        )  # fmt: skip
        return f"{'modbus+rtu' if self.profile else 'serial'}://{port}?{query}"


@dataclass(frozen=True, slots=True)
class Found:
    """A device that answered a probe as its protocol demands; ``link`` goes into the site file."""

    probe: Probe
    link: str
    identity: Identity


def probes(only: Sequence[str] = ()) -> tuple[Probe, ...]:
    """Return the questions that may be asked: of drivers that declare them, and of profiles that tell who answers.

    A profile tells it by a register that must hold a fixed number. ``only`` names drivers or profiles; raises
    ConfigError for one that declares no question.
    """
    found = [
        Probe(name, "", settings)
        for name, entry in installed().items()
        for settings in _declared(entry.module)
    ]  # fmt: skip
    for row in known_devices()[1]:
        shown = shown_profile(row.name)
        if shown is not None and shown[1].serial is not None and any(p.point.expect for p in shown[1].points):
            found.append(Probe(row.driver, row.name, shown[1].serial))
    for name in only:
        if not any(name in (probe.driver, probe.profile) for probe in found):
            raise ConfigError(f"{name!r} declares no harmless question to scan with; read it by its own link instead")
    return tuple(probe for probe in found if not only or probe.driver in only or probe.profile in only)


def _declared(module: str) -> tuple[SerialSettings, ...]:
    try:
        return tuple(getattr(importlib.import_module(module), DECLARATION, ()))
    except ImportError:
        return ()


async def scan(port: str, asked: Sequence[Probe], deadline_s: float) -> AsyncIterator[tuple[Probe, Found | None]]:
    """Ask one probe after the other and yield each with what it found; raises ConfigError for a port that is none.

    ``deadline_s`` is the real time each answer may take.
    """
    done: set[tuple[str, str, str]] = set()
    for probe in asked:
        link = probe.uri(port)
        if (question := (probe.driver, probe.profile, link)) in done:
            continue  # behind a terminal server the port's settings are its own
        done.add(question)
        driver = create_driver(probe.driver, "scan", open_link(link, deadline_s), probe.options)
        if isinstance(driver, ResultSource):
            continue
        try:
            await driver.connect()
            yield probe, Found(probe, link, await driver.identify())
        except (DriverError, OSError):
            yield probe, None
        finally:
            await driver.disconnect()
