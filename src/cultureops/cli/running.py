"""Commands that run something: the demo, a lab, a simulated instrument; and those on a site file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from cultureops.cli.shell import AsJson, DataDir, finish

__all__ = ["check", "demo", "gateway", "hub", "init", "run", "simulate"]


def demo(
    headless: Annotated[bool, typer.Option(help="Run flat out without pages and end with the batch.")] = False,
    as_json: AsJson = False,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same ledger head.")] = 7,
    recipe: Annotated[
        str, typer.Option(help="tavakol_afshari_2021, karussis_2010, or both side by side.")
    ] = "tavakol_afshari_2021",
    data_dir: Annotated[
        Path | None, typer.Option(help="An empty or new folder; a fresh temporary one by default.")
    ] = None,
    speed: Annotated[float, typer.Option(min=1.0, max=100_000.0, help="Lab seconds per second.")] = 3600.0,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the pages; 0 takes a free one.")] = 8080,
    days: Annotated[float | None, typer.Option(min=0.0, help="Stop after this many lab days.")] = None,
    influxdb: Annotated[str | None, typer.Option(metavar="URL", help="Mirror the readings to this server.")] = None,
    step: Annotated[
        int | None, typer.Option(min=1, max=60, help="Lab minutes from poll to poll; by default as suits the recipe.")
    ] = None,
    by_hand: Annotated[
        bool, typer.Option("--by-hand", help="Nobody plays: whoever opens the pages does every step.")
    ] = False,
) -> None:
    """Play one autologous batch from marrow to dose, or several side by side, in a simulated lab."""
    from cultureops.app import DemoOptions, run_demo

    options = DemoOptions(headless, as_json, seed, recipe, data_dir, speed, port, days, influxdb, step, by_hand)
    finish(lambda: run_demo(options))


def run(
    site: Annotated[Path, typer.Argument(help="The site file.")],
    data_dir: DataDir = Path("data"),
) -> None:
    """Run a lab: poll, store, alarm and serve the pages until interrupted."""
    from cultureops.app import run_site

    finish(lambda: run_site(site, data_dir))


def gateway(
    site: Annotated[Path, typer.Argument(help="The site file, with [hub].")],
    data_dir: DataDir = Path("data"),
) -> None:
    """Run a gateway: a lab that hands its log and readings to a hub, and goes on alarming without it."""
    from cultureops.app import run_gateway

    finish(lambda: run_gateway(site, data_dir))


def hub(
    site: Annotated[Path, typer.Argument(help="The site file, with [gateways] and their copies.")],
    data_dir: DataDir = Path("data"),
) -> None:
    """Run a hub: a lab with the records, pages and alarms of its gateways beside its own."""
    from cultureops.app import run_hub

    finish(lambda: run_hub(site, data_dir))


def check(
    site: Annotated[Path, typer.Argument(help="The site file.")] = Path("site.toml"), as_json: AsJson = False
) -> None:
    """Read a site file with its profiles and rules and say what is wrong, without touching a device."""
    from cultureops.keeping.checking import check_site

    finish(lambda: check_site(site, as_json=as_json))


def init(
    out: Annotated[Path, typer.Argument(help="Site file to write.")] = Path("site.toml"), as_json: AsJson = False
) -> None:
    """Write a commented site file to start from; never over one that exists."""
    from cultureops.commissioning.commands import write_draft

    finish(lambda: write_draft(out, as_json=as_json))


def simulate(
    name: Annotated[str, typer.Argument(help="Kind of instrument; 'list' shows them.")],
    tcp: Annotated[str | None, typer.Option(metavar="HOST:PORT", help="Serve on this address.")] = None,
    pty: Annotated[
        str | None, typer.Option(metavar="LINK", help="Serve on a pseudo-terminal behind this link.")
    ] = None,
    mqtt: Annotated[str | None, typer.Option(metavar="HOST:PORT", help="Publish to this broker.")] = None,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FAULT[,KEY=VALUE]", help="A fault from the beginning: silent, garbage, cut, slow,delay_s=2, ..."
        ),
    ] = None,
    option: Annotated[list[str] | None, typer.Option(metavar="KEY=VALUE", help="Option of the simulator.")] = None,
    control: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Control port: faults and acts at run time.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run one simulated instrument in real time until interrupted."""
    from cultureops.commissioning.simulator import simulator_command

    def become_simulator() -> NoReturn:
        where = {"--tcp": tcp, "--pty": pty, "--mqtt": mqtt}
        command = simulator_command(name, where, seed, fault or (), option or (), control)
        command += ["--json"] if as_json and name != "list" else []
        os.execv(command[0], command)

    finish(become_simulator)
