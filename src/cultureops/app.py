"""The programs of cultureops that run: a lab, or the demo.

This is the composition root: the only module that knows everyone.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    asynccontextmanager,
    contextmanager,
    nullcontext,
)
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias
from urllib.parse import urlsplit

import structlog
import uvloop
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from cultureops.clock import (
    DAY_MS,
    HOUR_MS,
    MINUTE_MS,
    Clock,
    Entropy,
    Instant,
    SeededEntropy,
    SteppedClock,
    SystemClock,
    SystemEntropy,
    parse_iso,
)
from cultureops.demo.bench import DemoBench
from cultureops.demo.director import Director
from cultureops.demo.fleet import Fleet, start_fleet
from cultureops.demo.hands import Hands
from cultureops.demo.lab import LAB_DAY_ONE, fleet_devices, folders
from cultureops.demo.pace import DemoPace, HandPace
from cultureops.demo.patient import FROZEN, Patient, expected_days, patients_of, step_ms
from cultureops.demo.site_file import site_text
from cultureops.demo.summary import summarise
from cultureops.demo.technician import Technician
from cultureops.demo.trouble import AnyTrouble, Troubles
from cultureops.device.registry import driver_folder
from cultureops.errors import ConfigError
from cultureops.gateway import approved_at_hub, check_gateway, open_gateway
from cultureops.gathering import alarm_performance
from cultureops.hub import check_hub, open_hub
from cultureops.imaging.shelf import MicrographShelf
from cultureops.keeping.dossiers import dossiers_in
from cultureops.lab import Lab, open_lab
from cultureops.lab_health import health_of
from cultureops.ledger.generation import program_started
from cultureops.ledger.verify import verify
from cultureops.logs import log_to_stderr
from cultureops.nodes import Across, across_of
from cultureops.pack.shelf import PackShelf
from cultureops.recording import LEDGER_FILE, SITE_FILE
from cultureops.rule_history import RuleHistory
from cultureops.self_check.loop_lag import loop_lag
from cultureops.service_notice import ServiceNotice
from cultureops.site import Site, read_site
from cultureops.site_approval import SiteInForce, SiteWatch, adopt_site
from cultureops.tracing import tracing
from cultureops.upkeep import Upkeep
from cultureops.web.bench import Bench
from cultureops.web.board.sparkline import Sparklines
from cultureops.web.context import Pace, WebContext
from cultureops.web.server import create_app, serve

__all__ = [
    "DemoOptions",
    "run_demo",
    "run_gateway",
    "run_hub",
    "run_site",
    "web_context",
]

log = structlog.get_logger(__name__)

GATHER_S: Final = 0.02
"""A thousand devices polled each second share fifty commits; a reading is durable that much later."""
DRAIN_S: Final = 60.0
SETTLING_MS: Final = 30 * MINUTE_MS
"""A demo by hand begins when its instruments have shown something."""
ENDLESS_DAYS: Final = 3_650.0
COUNTER_S: Final = 60
"""Who waits at the counter sees its result soon, however far lab time strides."""


def run_site(site_file: Path, data_dir: Path) -> None:
    """Run a lab by itself until SIGINT or SIGTERM."""
    _run_node(site_file, data_dir, _lab_alone, _check_alone)


def run_gateway(site_file: Path, data_dir: Path) -> None:
    """Run a gateway until SIGINT or SIGTERM."""
    _run_node(site_file, data_dir, _gateway, check_gateway)


def run_hub(site_file: Path, data_dir: Path) -> None:
    """Run a hub until SIGINT or SIGTERM."""
    _run_node(site_file, data_dir, _hub, check_hub)


@dataclass(frozen=True, slots=True)
class _Node:
    """A lab that runs, whatever it is to others."""

    lab: Lab
    run: Callable[[], Coroutine[None, None, None]]
    across: Across


_Opening: TypeAlias = Callable[[SiteInForce, Path, Clock, Entropy, SiteWatch], AbstractAsyncContextManager[_Node]]
_Check: TypeAlias = Callable[[Site], object]


def _check_alone(site: Site) -> None:
    """Raise ConfigError for the site file of a gateway or a hub."""
    if site.hub is not None:
        raise ConfigError(f"{site.file}: has [hub], so it is a gateway's: start it by `cultureops gateway`")
    if site.gateways is not None:
        raise ConfigError(f"{site.file}: has [gateways], so it is a hub's: start it by `cultureops hub`")


@asynccontextmanager
async def _lab_alone(
    it: SiteInForce, data_dir: Path, clock: Clock, entropy: Entropy, watch: SiteWatch
) -> AsyncIterator[_Node]:
    _check_alone(it.site)
    opening = open_lab(it.site, data_dir, clock, entropy, gather_s=GATHER_S, seals_apart=True, site_watch=watch)
    async with opening as lab:
        yield _Node(lab, lab.run, Across())


@asynccontextmanager
async def _gateway(
    it: SiteInForce, data_dir: Path, clock: Clock, entropy: Entropy, watch: SiteWatch
) -> AsyncIterator[_Node]:
    async with open_gateway(
        it.site, data_dir, clock, entropy, it.sha256, gather_s=GATHER_S, seals_apart=True, site_watch=watch
    ) as gateway:
        yield _Node(gateway.lab, gateway.run, across_of(gateway))


@asynccontextmanager
async def _hub(
    it: SiteInForce, data_dir: Path, clock: Clock, entropy: Entropy, watch: SiteWatch
) -> AsyncIterator[_Node]:
    async with open_hub(
        it.site, data_dir, clock, entropy, gather_s=GATHER_S, seals_apart=True, site_watch=watch
    ) as hub:
        yield _Node(hub.lab, hub.run, across_of(hub))


def _run_node(site_file: Path, data_dir: Path, opening: _Opening, check: _Check) -> None:
    log_to_stderr(logging.INFO)
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{data_dir}: can't be made: {error}") from None
    uvloop.run(_until_signalled(_open_and_run(site_file, data_dir, opening, check)))


async def _open_and_run(site_file: Path, data_dir: Path, opening: _Opening, check: _Check) -> None:
    clock, entropy = SystemClock(), SystemEntropy()
    in_force = await adopt_site(data_dir, site_file, clock, approved_at_hub(data_dir), check=check)
    watch = SiteWatch(data_dir, site_file, in_force)
    async with tracing(in_force.site.tracing), opening(in_force, data_dir, clock, entropy, watch) as node:
        lab = node.lab
        await lab.ledger.append("node", [program_started(lab.site.name)], None)
        if unverified := [row.id for row in lab.channels.values() if not row.channel.verified]:
            log.warning("unverified: address or meaning of these channels is second-hand", channels=unverified)
        gc.collect()
        gc.freeze()  # what stands now stays; walking over it again would hold polls up for a tenth of a second
        await _run(node)


async def _run(node: _Node) -> None:
    lab = node.lab
    service = ServiceNotice.of_environment()
    try:
        async with asyncio.TaskGroup() as work:
            work.create_task(node.run())
            work.create_task(loop_lag(lab.loop_lag))
            work.create_task(service.keep(lambda: lab.vitals.stands_still))
            first_link = None if lab.access.problem else await lab.access.first_link()
            work.create_task(_serve(lab, None, first_link, service=service, across=node.across))
    finally:
        service.stopping()


async def _serve(
    lab: Lab,
    pace: Pace | None,
    first_link: str | None = None,
    bench: Bench | None = None,
    service: ServiceNotice | None = None,
    across: Across | None = None,
) -> None:
    """Serve the pages; say where they are, and by which link the first administrator begins."""
    web = lab.site.web

    def say(listening: str) -> None:
        port = urlsplit(listening).port
        url = f"https://{web.names[0]}:{port}/" if web.tls is not None and web.names else listening
        print(f"pages: {url}  (Ctrl-C ends)", file=sys.stderr, flush=True)
        if first_link is not None:
            print(f"nobody has an account yet; begin once with {url}set-up/{first_link}", file=sys.stderr, flush=True)
        if service is not None:
            service.ready(f"pages: {url}")

    await serve(create_app(web_context(lab, pace, bench, across)), web.host, web.port, say, web.tls)


async def _until_signalled(work: Coroutine[None, None, None]) -> None:
    """Do the work until it ends or a signal asks for the end; cancelled work cleans up after itself."""
    task = asyncio.create_task(work)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        return
    except BaseExceptionGroup as group:
        raise _first(group) from None
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the error a user should read out of what went wrong side by side."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def web_context(lab: Lab, pace: Pace | None, bench: Bench | None = None, across: Across | None = None) -> WebContext:
    """Hand a lab's parts to its pages; ``across`` is what it knows of its hub or gateways."""
    across = across or Across()
    return WebContext(
        site_name=lab.site.name,
        zone=lab.site.zone,
        simulated=any(device.simulated for device in lab.site.every_device),
        clock=lab.clock,
        chambers=lab.site.every_chamber,
        channels=lab.channels,
        store=lab.store,
        engine=lab.alarms,
        ledger=lab.ledger,
        batches=lab.batches,
        recipes=lab.recipes,
        feed=lab.feed,
        sparklines=Sparklines(lab.recent),
        access=lab.access,
        execute=lab.desk.execute,
        identify=lab.desk.identify,
        rehearse=lab.desk.rehearse,
        gaps=lab.desk.gaps_seen_by,
        facts=lab.desk.facts_of,
        dossier=dossiers_in(lab),
        packs=PackShelf(lab.data_dir, lab.site.file, lab.clock),
        settings=lab.site.web,
        command=lab.alarming.desk.carry_out,
        endangered=lab.alarming.endangered.of,
        links=lab.alarming.links,
        public_url=None if lab.site.notify is None else lab.site.notify.public_url,
        equipment=lab.equipment,
        lots=lab.lots,
        devices={**lab.acquisition.pollers, **across.links},
        activations=lab.alarming.activations,
        rules_in_force=RuleHistory(lab.ledger, lab.channels, lab.alarms.rules).of,
        performance=lambda since, until: alarm_performance(lab.ledger, since, until, lab.site.zone),
        health=lambda: health_of(lab) | across.health(),
        gateways=across.gateways,
        hub=across.hub,
        upkeep=Upkeep(lab),
        notify=lab.site.notify,
        micrographs=MicrographShelf(lab.ledger, lab.attachments),
        process_limits=lab.site.process_limits,
        delays={"poll_lateness": lab.acquisition.lateness, "loop_lag": lab.loop_lag},
        pace=pace,
        bench=bench,
    )


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What the demo command was asked for."""

    headless: bool
    as_json: bool
    seed: int
    recipe: str
    data_dir: Path | None
    speed: float
    port: int
    days: float | None
    influxdb: str | None = None
    step_min: int | None = None
    by_hand: bool = False


def run_demo(options: DemoOptions) -> None:
    """Play one batch, or several side by side, in a simulated lab; prints the summary when they are closed."""
    log_to_stderr(logging.ERROR)
    if options.by_hand and options.headless:
        raise ConfigError("by hand means on the pages: leave out --headless, or --by-hand")
    patients = patients_of(options.recipe)
    with _demo_folder(options.data_dir) as folder:
        uvloop.run(_until_signalled(_play(options, patients, Path(folder).resolve())))


def _demo_folder(chosen: Path | None) -> AbstractContextManager[str]:
    if chosen is None:
        return tempfile.TemporaryDirectory(prefix="cultureops-demo-", ignore_cleanup_errors=True)
    if chosen.exists() and (not chosen.is_dir() or any(chosen.iterdir())):
        raise ConfigError(f"{chosen} is already in use; name an empty or a new folder for --data-dir")
    chosen.mkdir(parents=True, exist_ok=True)
    return nullcontext(str(chosen))


async def _play(options: DemoOptions, patients: Sequence[Patient], folder: Path) -> None:
    stride_ms = step_ms(options.recipe) if options.step_min is None else options.step_min * MINUTE_MS
    for inbox in folders(folder):
        inbox.mkdir()
    thaws = any(patient.recipe == FROZEN for patient in patients)
    devices = fleet_devices(driver_folder("modbus") / "profiles", folder, thaws=thaws)
    async with start_fleet(folder / "fleet.json", options.seed, LAB_DAY_ONE, devices) as fleet:
        site_file = folder / SITE_FILE
        site_file.write_text(
            site_text(fleet.wires, folder, options.port, stride_ms // 1000, COUNTER_S if options.by_hand else None)
            + _mirror_section(options.influxdb),
            encoding="utf-8",
        )
        clock = SteppedClock(parse_iso(LAB_DAY_ONE))
        async with open_lab(read_site(site_file), folder, clock, SeededEntropy(options.seed)) as lab:
            if options.by_hand:
                await _work_by_hand(options, patients, lab, fleet, stride_ms)
                return
            pace = DemoPace(clock, options.speed, headless=options.headless)
            technician = Technician(lab, fleet, patients, options.seed)
            director = Director(lab, fleet, technician, Troubles(clock.now()), pace, options.days, stride_ms)
            with _progress(clock, options.days or expected_days(patients)) as show:
                if options.headless:
                    await director.run(show)
                else:
                    await _play_on_pages(director, lab, pace, show)
            await _drain(lab)
            summary = await summarise(lab, technician.batch_ids, verify(folder / LEDGER_FILE))
    print(json.dumps(summary, indent=None if options.as_json else 1))


async def _work_by_hand(
    options: DemoOptions, patients: Sequence[Patient], lab: Lab, fleet: Fleet, stride_ms: int
) -> None:
    """Serve the pages of a lab in which only people work; its time passes when they let it."""
    now, recipes = lab.clock.now(), {patient.recipe for patient in patients}
    pace = HandPace(lab.clock, options.speed, now + SETTLING_MS)
    bench = DemoBench(lab, fleet, pace, patients, options.seed)
    hands = Hands(lab, bench, pace, recipes)
    director = Director(lab, fleet, hands, AnyTrouble(now), pace, options.days or ENDLESS_DAYS, stride_ms)
    async with asyncio.TaskGroup() as work:
        work.create_task(_serve(lab, pace, bench=bench))
        work.create_task(bench.cells.run())
        work.create_task(director.run(lambda _: None))


def _mirror_section(url: str | None) -> str:
    """Write the section that mirrors the demo to a server, of whatever make: one that may forget is served too."""
    if url is None:
        return ""
    return f'\n[influxdb]\nurl = {json.dumps(url)}\nbucket = "cultureops_demo"\nresend_window_s = 60\n'


async def _drain(lab: Lab) -> None:
    """Let the mirror hand over what is left, for a while."""
    if lab.mirror is None:
        return
    try:
        async with asyncio.timeout(DRAIN_S):
            await lab.store.flush()
            await lab.mirror.drain()
    except TimeoutError:
        status = lab.mirror.status()
        print(f"{status.backlog_readings} readings are not mirrored: {status.last_error}", file=sys.stderr)


async def _play_on_pages(director: Director, lab: Lab, pace: DemoPace, show: Callable[[Instant], None]) -> None:
    """Serve the pages from the first moment, and go on serving them after the batch is closed."""
    async with asyncio.TaskGroup() as work:
        work.create_task(_serve(lab, pace))
        work.create_task(director.run(show))


@contextmanager
def _progress(clock: SteppedClock, days: float) -> Iterator[Callable[[Instant], None]]:
    """Show lab days on standard error, where somebody watches it."""
    start = clock.now()
    columns = (TextColumn("lab day {task.completed:.1f}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("lab", total=days)

        def show(now: Instant) -> None:
            if (now - start) % HOUR_MS == 0:
                progress.update(task, completed=(now - start) / DAY_MS)

        yield show
