"""Command line: ``fleet`` serves a fleet file, ``serve`` one instrument in real time, ``list`` names the kinds."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from cultureops_simulators.arguments import Arguments
from cultureops_simulators.catalog import known_kinds
from cultureops_simulators.fleet import FleetConfig, parse_fleet, parse_host_port
from cultureops_simulators.instrument import SimulatorError
from cultureops_simulators.run import run_fleet, serve_one

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code: 0, or 2 with one line on standard error for a wrong configuration."""
    options = _parser().parse_args(arguments)
    try:
        if options.command == "fleet":
            run_fleet(_fleet_file(options.config))
        elif options.command == "serve":
            control = None if options.control is None else parse_host_port("--control", options.control)
            faults = [_fault(text) for text in options.fault]
            serve_one(_one(options), faults, control, as_json=options.json)
        else:
            for kind, what in sorted(known_kinds().items()):
                print(f"{kind:20} {what}")
    except SimulatorError as error:
        print(f"cultureops_simulators: {error}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="cultureops_simulators", description="Simulated laboratory instruments.")
    commands = parser.add_subparsers(dest="command", required=True)
    fleet = commands.add_parser(
        "fleet",
        help="serve the instruments of a fleet file, stepped over a control port",
    )
    fleet.add_argument("--config", type=Path, required=True, metavar="FLEET.json")
    serve = commands.add_parser("serve", help="serve one instrument in real time")
    serve.add_argument("kind")
    wire = serve.add_mutually_exclusive_group()
    wire.add_argument("--tcp", metavar="HOST:PORT")
    wire.add_argument("--pty", metavar="LINK")
    wire.add_argument("--mqtt", metavar="HOST:PORT", help="the broker of an instrument that publishes")
    serve.add_argument("--seed", type=int, default=0)
    serve.add_argument("--option", action="append", default=[], metavar="KEY=VALUE")
    serve.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="FAULT[,KEY=VALUE]",
        help="a fault from the beginning, e.g. silent, slow,delay_s=2 or drift,channel=co2,per_hour=0.5",
    )
    serve.add_argument("--control", metavar="HOST:PORT", help="a control port: faults at run time, as a fleet has it")
    serve.add_argument("--json", action="store_true", help="say where it can be reached as one JSON line")
    commands.add_parser("list", help="name the kinds of instruments")
    return parser


def _fleet_file(path: Path) -> FleetConfig:
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SimulatorError(f"fleet file {path}: {error.strerror}") from error
    except ValueError as error:
        raise SimulatorError(f"fleet file {path}: not JSON: {error}") from error
    return parse_fleet(fields)


def _fault(text: str) -> tuple[str, Arguments]:
    """Take apart ``fault,key=value,...``; values that look like numbers are numbers."""
    name, *pairs = text.split(",")
    given: dict[str, object] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise SimulatorError(f"--fault {text!r}: expected FAULT,KEY=VALUE")
        try:
            given[key] = float(value)
        except ValueError:
            given[key] = value
    return name, Arguments(f"--fault {name}", given)


def _one(options: argparse.Namespace) -> FleetConfig:
    given = {}
    for option in options.option:
        key, equals, value = option.partition("=")
        if not equals or not key:
            raise SimulatorError(f"--option {option!r}: expected KEY=VALUE")
        given[key] = value
    device: dict[str, object] = {
        "name": options.kind,
        "kind": options.kind,
        "options": given,
    }
    if options.tcp is not None:
        device["wire"] = {"tcp": options.tcp}
    elif options.pty is not None:
        device["wire"] = {"pty": options.pty}
    elif options.mqtt is not None:
        device["wire"] = {"mqtt": options.mqtt}
    return parse_fleet({"seed": options.seed, "devices": [device]})


if __name__ == "__main__":
    sys.exit(main())
