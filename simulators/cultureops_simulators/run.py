"""Running simulators in this process until they are told to end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import Final

from cultureops_simulators.arguments import Arguments
from cultureops_simulators.control import ControlDialect
from cultureops_simulators.faults import Disturbance
from cultureops_simulators.fleet import Fleet, FleetConfig
from cultureops_simulators.lab import child_rng
from cultureops_simulators.wire import TcpWire

__all__ = ["run_fleet", "serve_one"]

_TICK_S: Final = 1.0


def _new_event_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


def run_fleet(config: FleetConfig) -> None:
    """Serve a fleet that is stepped over its control port, until standard input ends or a signal comes.

    Prints one JSON line with all addresses when ready. Raises SimulatorError if it cannot be built.
    """
    with asyncio.Runner(loop_factory=_new_event_loop) as runner:
        runner.run(_run_fleet(config))


async def _run_fleet(config: FleetConfig) -> None:
    with contextlib.closing(Fleet(config)) as fleet, _end_signals() as end:
        disturbance = Disturbance(child_rng(config.seed, "control"))
        control = TcpWire(
            config.control_host,
            config.control_port,
            lambda: ControlDialect(fleet),
            disturbance,
        )
        with contextlib.closing(control):
            _end_with_stdin(end)
            print(
                json.dumps({"control": control.address["tcp"], "devices": fleet.addresses}),
                flush=True,
            )
            await end.wait()


def serve_one(
    config: FleetConfig,
    faults: Sequence[tuple[str, Arguments]] = (),
    control: tuple[str, int] | None = None,
    *,
    as_json: bool = False,
) -> None:
    """Serve one instrument in real time, stepped once a second, until a signal comes.

    ``faults`` are there from the beginning; ``control`` is where the control port listens, if there is to be one.
    """
    with asyncio.Runner(loop_factory=_new_event_loop) as runner:
        runner.run(_serve_one(config, faults, control, as_json=as_json))


async def _serve_one(
    config: FleetConfig, faults: Sequence[tuple[str, Arguments]], control: tuple[str, int] | None, *, as_json: bool
) -> None:
    with contextlib.closing(Fleet(config)) as fleet, contextlib.ExitStack() as open_ports, _end_signals() as end:
        (address,) = fleet.addresses.values()
        for fault, arguments in faults:
            fleet.set_fault(config.devices[0].name, fault, arguments)
        if control is not None:
            port = TcpWire(*control, lambda: ControlDialect(fleet), Disturbance(child_rng(config.seed, "control")))
            open_ports.enter_context(contextlib.closing(port))
            address = {**address, "control": port.address["tcp"]}
        name = config.devices[0].name
        where = ", ".join(f"{form} {value}" for form, value in address.items()) or "no wire: it writes files"
        said = f"{name}: {where}; simulated; Ctrl-C ends it"
        print(json.dumps({"name": name, "simulated": True, **address}) if as_json else said, flush=True)
        loop = asyncio.get_running_loop()
        last_s = loop.time()
        while not end.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_TICK_S):
                    await end.wait()
            now_s = loop.time()
            fleet.lab.step(max(now_s - last_s, 1e-3))
            last_s = now_s


@contextlib.contextmanager
def _end_signals() -> Iterator[asyncio.Event]:
    loop, end = asyncio.get_running_loop(), asyncio.Event()
    signals = (signal.SIGINT, signal.SIGTERM)
    for number in signals:
        loop.add_signal_handler(number, end.set)
    try:
        yield end
    finally:
        for number in signals:
            loop.remove_signal_handler(number)


def _end_with_stdin(end: asyncio.Event) -> None:
    """Set ``end`` when standard input does; a thread, since not every standard input can be watched by the loop."""
    loop = asyncio.get_running_loop()

    def wait() -> None:
        with contextlib.suppress(OSError):
            while os.read(sys.stdin.fileno(), 4096):
                pass
        with contextlib.suppress(RuntimeError):  # the loop is closed: the fleet has ended already
            loop.call_soon_threadsafe(end.set)

    threading.Thread(target=wait, name="standard-input", daemon=True).start()
