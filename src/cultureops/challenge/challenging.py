"""A whole challenge: twins started, what they show by themselves, the plan, the trials, and the evidence."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

from cultureops.acquisition import MeasuredChannel
from cultureops.alarms.own import OWN
from cultureops.alarms.rule import Kind, Rule
from cultureops.challenge.bench import Bench
from cultureops.challenge.declared import differences
from cultureops.challenge.drill import with_drills
from cultureops.challenge.plan import plan
from cultureops.challenge.result import Result
from cultureops.challenge.room import Room
from cultureops.challenge.run import carry_out
from cultureops.challenge.stimulus import Excused, Stimulus
from cultureops.challenge.telling import is_told_at_once, telling
from cultureops.challenge.twin import Twin, twin_site
from cultureops.challenge.twinning import device_of, running_twins
from cultureops.clock import SeededEntropy, SteppedClock, parse_iso
from cultureops.demo.lab import LAB_DAY_ONE
from cultureops.device.channel import ChannelId
from cultureops.errors import ConfigError
from cultureops.lab import Lab, open_lab
from cultureops.ledger.head import Head
from cultureops.site import Site

__all__ = ["Outcome", "Progress", "challenge_site"]

Progress = Callable[[int, int], None]
"""Told how many alarms of how many are done."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a challenge found, in the order of the rules; ``head`` is the last event of its own ledger.

    ``twins`` says which simulator stood in for each device, ``untwinned`` why none did.
    """

    rows: tuple[Result | Excused, ...]
    twins: Mapping[str, str]
    untwinned: Mapping[str, str]
    head: Head


async def challenge_site(site: Site, folder: Path, seed: int, only: Sequence[str], progress: Progress) -> Outcome:
    """Challenge the alarms of a site, those whose ids ``only`` matches where given, with the evidence in ``folder``.

    Nothing is opened but simulators on this machine. Raises ConfigError for a site without what it needs, and
    FleetFailed when simulators can't be started.
    """
    channels, rules = Lab.plan(site)
    _check_wanted(rules, only)
    watched = _watched(rules, channels)
    async with running_twins(site.devices, watched, folder, seed) as running:
        twinned = twin_site(site, running.twins, running.fleet.wires, {row.device for row in channels.values()})
        clock = SteppedClock(parse_iso(LAB_DAY_ONE))
        async with (
            open_lab(twinned, folder, clock, SeededEntropy(seed)) as lab,
            telling(site, lab, folder, seed) as notifier,
        ):
            bench = Bench(lab, running.fleet, notifier)
            natural, mute = await bench.listen()
            untwinned = {**_mute(running.twins, mute), **running.untwinned}
            room = Room(rules, lab.channels, natural)
            wanted = [rule for rule in lab.engine.rules if _is_wanted(rule, only)]
            planned = [plan(rule, room, running.unforced, untwinned, OWN) for rule in wanted]
            stimuli = with_drills([row for row in planned if isinstance(row, Stimulus)], room, running.unforced)
            drilled = {row.rule.id: row for row in stimuli}
            planned = [_with_telling(site, drilled.get(row.rule.id, row)) for row in planned]
            shown = [one for one in watched if device_of(one) in running.twins and one not in running.unforced]
            driven = await _driven(bench, planned, room.at_rest(shown), progress)
            await lab.store.flush()
            head = lab.ledger.head()
    said = [row.raw() for row in site.alarm_rows]
    class_of = {chamber.id: chamber.chamber_class for chamber in site.chambers.values()}
    for result in driven.values():
        result.problems += differences(result.stimulus.rule, said, class_of)
    rows = tuple(driven[row.rule.id] if isinstance(row, Stimulus) else row for row in planned)
    kinds = {device: twin.kind for device, twin in running.twins.items() if device not in untwinned}
    return Outcome(rows, kinds, untwinned, head)


def _mute(twins: Mapping[str, Twin], mute: Collection[str]) -> dict[str, str]:
    """Say of simulators that never answered that they are none."""
    reason = "its simulator {} does not answer the driver as the site file sets it"
    return {device: reason.format(twin.kind) for device, twin in twins.items() if device in mute}


def _with_telling(site: Site, row: Stimulus | Excused) -> Stimulus | Excused:
    return replace(row, is_told_at_once=is_told_at_once(site, row.rule)) if isinstance(row, Stimulus) else row


async def _driven(
    bench: Bench, planned: Sequence[Stimulus | Excused], at_rest: Mapping[ChannelId, float], progress: Progress
) -> dict[str, Result]:
    """Carry out what is planned and return the results by rule."""
    stimuli = [row for row in planned if isinstance(row, Stimulus)]
    # Silent wires take real time: all together they take it once.
    stimuli.sort(key=lambda stimulus: stimulus.rule.kind is not Kind.COMMUNICATION)
    results: dict[str, Result] = {}

    def done(result: Result) -> None:
        results[result.stimulus.rule.id] = result
        progress(len(results), len(stimuli))

    progress(0, len(stimuli))
    await carry_out(bench, stimuli, at_rest, done)
    return results


def _watched(rules: Sequence[Rule], channels: Mapping[ChannelId, MeasuredChannel]) -> tuple[ChannelId, ...]:
    """Return the channels that any rule looks at, what suppresses it included."""
    looked_at = (
        channel
        for rule in rules
        for channel in (*rule.channels, *(suppressor.channel for suppressor in rule.suppressors))
    )
    return tuple(dict.fromkeys(channel for channel in looked_at if channel in channels))


def _is_wanted(rule: Rule, only: Sequence[str]) -> bool:
    return not only or any(fnmatchcase(rule.id, pattern) for pattern in only)


def _check_wanted(rules: Sequence[Rule], only: Sequence[str]) -> None:
    if not rules:
        raise ConfigError("this site file configures no alarm; there is nothing to challenge")
    for pattern in only:
        if not any(fnmatchcase(rule.id, pattern) for rule in rules):
            known = ", ".join(rule.id for rule in rules[:5])
            raise ConfigError(f"--only {pattern!r}: no alarm has this id; the first of {len(rules)} are {known}")
