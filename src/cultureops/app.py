"""The programs of cultureops: run a lab, check a site file, play the demo, look after the stores.

This is the composition root: the only module that knows everyone.
"""

from __future__ import annotations

import asyncio
import io
import json
import logging
import signal
import sys
import tempfile
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import structlog
import uvloop
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from cultureops.anchor import STREAM, check_roots
from cultureops.clock import (
    DAY_MS,
    HOUR_MS,
    MINUTE_MS,
    Instant,
    SeededEntropy,
    SteppedClock,
    SystemClock,
    SystemEntropy,
    parse_iso,
)
from cultureops.demo.director import Director
from cultureops.demo.fleet import start_fleet
from cultureops.demo.lab import LAB_DAY_ONE, fleet_devices, folders
from cultureops.demo.pace import DemoPace
from cultureops.demo.patient import FROZEN, Patient, expected_days, patients_of, step_ms
from cultureops.demo.site_file import site_text
from cultureops.demo.summary import summarise
from cultureops.demo.technician import Technician
from cultureops.demo.trouble import Troubles
from cultureops.device.registry import driver_folder
from cultureops.errors import ConfigError
from cultureops.gathering import alarm_performance
from cultureops.importing import patience
from cultureops.lab import LEDGER_FILE, TELEMETRY_FOLDER, Lab, open_lab
from cultureops.ledger.head import Head
from cultureops.ledger.verify import read_stream, verify
from cultureops.site import Site, read_site
from cultureops.telemetry.archive import Archive, is_archive
from cultureops.telemetry.archive_contents import file_name, month_range
from cultureops.telemetry.archiving import archive_month, check_archive
from cultureops.telemetry.exchange import (
    PARQUET,
    UTC,
    Stretch,
    check,
    kept_readings,
    write_csv,
    write_parquet,
)
from cultureops.telemetry.local_time import zone_named
from cultureops.telemetry.whole_file import whole_file
from cultureops.web.context import Pace, WebContext
from cultureops.web.server import create_app, serve

__all__ = [
    "DemoOptions",
    "archive_telemetry",
    "check_site",
    "export_telemetry",
    "run_demo",
    "run_site",
    "simulator_command",
    "verify_ledger",
    "verify_telemetry",
    "web_context",
]

log = structlog.get_logger(__name__)

GATHER_S: Final = 0.02
"""A thousand devices polled each second share fifty commits; a reading is durable that much later."""
DRAIN_S: Final = 60.0
TRACE_READER: Final = "columns"
TRACE_IMPORTED: Final = "trace_imported"
SITE_FILE: Final = "site.toml"
"""The site file that the demo leaves in its data folder."""
_END_OF_TIME: Final = 253_402_300_800_000


def run_site(site_file: Path, data_dir: Path) -> None:
    """Run a lab until SIGINT or SIGTERM."""
    _log_to_stderr(logging.INFO)
    site = read_site(site_file)
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{data_dir}: can't be made: {error}") from None
    uvloop.run(_until_signalled(_open_and_run(site, data_dir)))


async def _open_and_run(site: Site, data_dir: Path) -> None:
    async with open_lab(site, data_dir, SystemClock(), SystemEntropy(), gather_s=GATHER_S, seals_apart=True) as lab:
        if unverified := [row.id for row in lab.channels.values() if not row.channel.verified]:
            log.warning("unverified: address or meaning of these channels is second-hand", channels=unverified)
        await _run_lab(lab)


async def _run_lab(lab: Lab) -> None:
    async with asyncio.TaskGroup() as work:
        work.create_task(lab.run())
        work.create_task(serve(create_app(web_context(lab, None)), lab.site.host, lab.site.port, _say_where))


def _say_where(url: str) -> None:
    print(f"pages: {url}  (Ctrl-C ends)", file=sys.stderr, flush=True)


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


def web_context(lab: Lab, pace: Pace | None) -> WebContext:
    """Hand a lab's parts to its pages."""
    return WebContext(
        site_name=lab.site.name,
        zone=lab.site.zone,
        simulated=any(device.simulated for device in lab.site.devices),
        clock=lab.clock,
        chambers=lab.site.chambers,
        channels=lab.channels,
        store=lab.store,
        engine=lab.engine,
        ledger=lab.ledger,
        batches=lab.batches,
        recipes=lab.recipes,
        feed=lab.feed,
        command=lab.alarming.desk.carry_out,
        endangered=lab.alarming.endangered.of,
        links=lab.alarming.links,
        performance=lambda since, until: alarm_performance(lab.ledger, since, until, lab.site.zone),
        health=lab.health,
        pace=pace,
    )


def check_site(site_file: Path, *, as_json: bool) -> None:
    """Read a site file with its profiles and rules, and print what it holds."""
    site = read_site(site_file)
    channels, rules = Lab.plan(site)
    unverified = [row.id for row in channels.values() if not row.channel.verified]
    found = {
        "site": site.name,
        "chambers": len(site.chambers),
        "devices": len(site.devices),
        "channels": len(channels),
        "unverified_channels": unverified,
        "alarm_rules": len(rules),
    }
    if as_json:
        print(json.dumps(found))
        return
    print(
        f"{site_file}: {found['chambers']} chambers, {found['devices']} devices, {found['channels']} channels, "
        f"{found['alarm_rules']} alarm rules; nothing wrong"
    )
    for name in unverified:
        print(f"  unverified: {name} (its address or meaning is second-hand)")


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


def run_demo(options: DemoOptions) -> None:
    """Play one batch, or several side by side, in a simulated lab; prints the summary when they are closed."""
    _log_to_stderr(logging.ERROR)
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
            site_text(fleet.wires, folder, options.port, stride_ms // 1000) + _mirror_section(options.influxdb),
            encoding="utf-8",
        )
        clock = SteppedClock(parse_iso(LAB_DAY_ONE))
        async with open_lab(read_site(site_file), folder, clock, SeededEntropy(options.seed)) as lab:
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
        work.create_task(serve(create_app(web_context(lab, pace)), lab.site.host, lab.site.port, _say_where))
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


def simulator_command(
    name: str,
    wires: Mapping[str, str | None],
    seed: int,
    faults: Sequence[str],
    options: Sequence[str],
    control: str | None,
) -> list[str]:
    """Return the command that runs one simulated instrument; raise ConfigError for what can't be.

    ``wires`` are the ways to serve it with what was said of each, None for nothing.
    """
    if name == "list":
        return [sys.executable, "-m", "cultureops_simulators", "list"]
    known = sorted(found.name for found in entry_points(group="cultureops.simulators"))
    if name not in known:
        raise ConfigError(f"there is no simulator {name!r}; known: {', '.join(known)}")
    chosen = [(form, value) for form, value in wires.items() if value is not None]
    if len(chosen) > 1:
        raise ConfigError(f"serve it in one way, not with {' and '.join(form for form, _ in chosen)}")
    own_map = driver_folder("modbus") / "profiles" / f"cultureops_{name}.toml"
    given = [f"profile={own_map}", *options] if own_map.exists() else options
    arguments = [*chosen, ("--seed", str(seed)), *(("--fault", fault) for fault in faults)]
    arguments += [("--option", option) for option in given]
    arguments += [] if control is None else [("--control", control)]
    serve = [sys.executable, "-m", "cultureops_simulators", "serve", name]
    return serve + [part for pair in arguments for part in pair]


def verify_ledger(data_dir: Path, known: str | None, *, as_json: bool) -> None:
    """Hash every stored event again and say where the chain ends; ``known`` is a head noted elsewhere."""
    head = verify(data_dir / LEDGER_FILE, None if known is None else Head.parse(known))
    if as_json:
        print(json.dumps({"events": head.position, "head": head.hash}))
    else:
        print(f"{data_dir / LEDGER_FILE}: {head.position} events, chain unbroken, head {head}")


def verify_telemetry(data_dir: Path, *, as_json: bool) -> None:
    """Compare every frame and chunk with its checksum, and every sealed hour with its root in the ledger."""
    folder = data_dir / TELEMETRY_FOLDER
    if not folder.exists() and is_archive(data_dir):
        _verify_archive(data_dir, as_json=as_json)
        return
    verify(data_dir / LEDGER_FILE)
    with patience(f"reading {folder}"):
        events = read_stream(data_dir / LEDGER_FILE, STREAM)  # first: what is sealed meanwhile has no event here
        found = check(folder)
        roots = check_roots(folder, found.passes, events)
    if as_json:
        counts = {"frames": found.frames, "readings": found.readings, "chunks": found.chunks}
        print(json.dumps(counts | {"sealed_readings": found.sealed_readings, "roots": roots}))
    else:
        print(
            f"{folder}: {found.readings} readings in {found.frames} frames, {found.sealed_readings} of them sealed "
            f"in {found.chunks} chunks; {roots} roots in the ledger, all as sealed"
        )


def _verify_archive(path: Path, *, as_json: bool) -> None:
    """Compare every file of an archive with the SHA-256 it notes of its readings."""
    with patience(f"reading {path}"):
        Archive.open(path).close()
        files = [path] if path.is_file() else sorted(path.glob(f"*{PARQUET}"))
        found = [check_archive(file) for file in files]
    if as_json:
        print(json.dumps({"archives": [asdict(one) for one in found]}))
        return
    for one in found:
        print(f"{one.month}: {one.readings} readings of {one.channels} channels, SHA-256 {one.sha256} as noted")


def export_telemetry(
    data_dir: Path, out: Path, channels: list[str] | None, start: str | None, end: str | None, zone: str | None
) -> None:
    """Write readings of a data folder or an archive as Parquet or CSV; '-' is CSV on standard output."""
    first = 0 if start is None else parse_iso(start)
    last = _END_OF_TIME if end is None else parse_iso(end)
    with _readings(data_dir, channels, first, last, zone) as (kept, where):
        if str(out) == "-":
            write_csv(kept, sys.stdout, where)
            return
        with patience(f"writing {out}"), whole_file(out) as file:
            if out.suffix.lower() == PARQUET:
                count = write_parquet(kept, file, where)
            else:
                text = io.TextIOWrapper(file, encoding="utf-8", newline="")
                count = write_csv(kept, text, where)
                text.detach()
    print(f"{count} readings written to {out}, UTC offsets of {where.key}", file=sys.stderr)


@contextmanager
def _readings(
    data_dir: Path, channels: list[str] | None, start: Instant, end: Instant, zone: str | None
) -> Iterator[tuple[Iterator[Stretch], ZoneInfo]]:
    """Give what a data folder or an archive holds, and the zone that was asked for or is the source's own."""
    asked_for = None if zone is None else zone_named(zone)
    if (data_dir / TELEMETRY_FOLDER).exists() or not is_archive(data_dir):
        kept = kept_readings(data_dir / TELEMETRY_FOLDER, channels, start, end)
        yield kept, asked_for or _zone_of(data_dir)
        return
    archive = Archive.open(data_dir)
    try:
        yield archive.kept(channels, start, end), asked_for or archive.zone
    finally:
        archive.close()


def _zone_of(data_dir: Path) -> ZoneInfo:
    """Return the time zone of the site file in a data folder, UTC where there is none."""
    site_file = data_dir / SITE_FILE
    return read_site(site_file).zone if site_file.is_file() else UTC


def archive_telemetry(data_dir: Path, month: str, out: Path, zone: str | None, *, so_far: bool, as_json: bool) -> None:
    """Write one month's readings to a Parquet file of its own, read back before it gets its name."""
    month_range(month)
    where = _zone_of(data_dir) if zone is None else zone_named(zone)
    if not out.is_dir():
        raise ConfigError(f"{out}: no such folder; make it first")
    target = out / file_name(month, so_far=so_far)
    with whole_file(target) as file, _steps(f"archiving {month}") as show:
        found = archive_month(
            data_dir / TELEMETRY_FOLDER, month, where, file, SystemClock().now(), so_far=so_far, show=show
        )
    if as_json:
        print(json.dumps({"file": str(target), **asdict(found)}))
    else:
        print(f"{target}: {found.readings} readings of {found.channels} channels, SHA-256 {found.sha256}")


@contextmanager
def _steps(doing: str) -> Iterator[Callable[[int, int], None]]:
    """Show on standard error, where somebody watches it, how many steps of how many are done."""
    columns = (TextColumn(doing), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task(doing)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def _log_to_stderr(level: int) -> None:
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
