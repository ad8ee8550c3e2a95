"""What the commands on batches show: state, history, what is due, and the air that a batch has lived in."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from cultureops.analysis.exposure import ChannelExposure
from cultureops.batch.batch import Batch
from cultureops.batch.clocks import clocks, minutes_out_of_storage
from cultureops.batch.conditions import conditions
from cultureops.batch.due import Due, DueRow, due
from cultureops.batch.lineage import Handling, lineage
from cultureops.batch.parts import VIALS, Action, Occupancy
from cultureops.batch.register import BatchRegister
from cultureops.batch.shelf import RecipeShelf, due_by
from cultureops.batch.state import State
from cultureops.batch.views import Expected, TimelineRow, expected, history_rows, summary
from cultureops.clock import Instant, SystemClock, local_text, parse_iso
from cultureops.dossier import Place
from cultureops.environment import StayEnvironment, environment_of, in_all, out_of_storage, silence_ms, time_above
from cultureops.errors import ConfigError
from cultureops.field import printable
from cultureops.keeping.dossiers import place_of
from cultureops.keeping.entry import ledger_of, print_grid, print_json, stream_named, when
from cultureops.pack.ledger import is_pack, site_text
from cultureops.pack.place import place_from
from cultureops.recording import SITE_FILE, TELEMETRY_FOLDER
from cultureops.site import read_site
from cultureops.telemetry import Watch
from cultureops.telemetry.folder import reading_folder

__all__ = ["list_batches", "list_due", "open_records", "show_batch", "show_exposure", "show_history", "zone_of"]

BATCHES: Final = "batch:"


class Records:
    """The ledger of a data folder, folded into batches and the recipes that they pin."""

    def __init__(self) -> None:
        self.batches = BatchRegister()
        self.recipes = RecipeShelf()

    def batch(self, batch_id: str) -> Batch:
        """Return a batch; raises ConfigError for an id that nobody knows."""
        if (batch := self.batches.get(batch_id)) is None:
            raise _unknown(batch_id)
        return batch


def _unknown(batch_id: str) -> ConfigError:
    return ConfigError(f"no batch {batch_id[:60]!r} in this ledger; `batch list` names them")


async def open_records(data_dir: Path) -> Records:
    """Fold the ledger of a data folder; raises ConfigError where there is none."""
    records = Records()
    async with ledger_of(data_dir, SystemClock()) as ledger:
        for event in ledger.read_all():
            records.batches.apply(event)
            records.recipes.apply(event)
    return records


def zone_of(data_dir: Path) -> ZoneInfo:
    """Return the zone of the site file in a data folder or of an opened pack, UTC where there is none."""
    if is_pack(data_dir):
        return place_from(site_text(data_dir)).zone
    file = data_dir / SITE_FILE
    return read_site(file).zone if file.is_file() else ZoneInfo("UTC")


def list_batches(data_dir: Path, state: str | None, *, as_json: bool) -> None:
    """Print every batch, the one opened last first; raises ConfigError for a state that is none."""
    if state is not None and state not in list(State):
        raise ConfigError(f"--state: expected one of {', '.join(State)}, not {state[:40]!r}")
    records, now = asyncio.run(open_records(data_dir)), SystemClock().now()
    chosen = [batch for batch in records.batches.batches() if state is None or batch.state == state]
    rows = [_row(batch, records.recipes, now) for batch in chosen]
    if as_json:
        print_json(rows)
        return
    zone = zone_of(data_dir)
    print_grid(
        ("batch", "patient", "recipe", "stage", "days", "stands in", "due next"),
        [
            (
                *(row["batch_id"], row["patient_token"], row["recipe"], row["stage"], f"{row['days']:.1f}"),
                *(row["chamber"] or "-", _next(row["due"], zone)),
            )
            for row in rows
        ],
        "no batch yet",
    )


def _next(coming: Mapping[str, Any] | None, zone: ZoneInfo) -> str:
    if coming is None:
        return "-"
    return f"{local_text(parse_iso(coming['at']), zone)} {coming['text']} ({coming['role']})"


def _row(batch: Batch, recipes: RecipeShelf, now: Instant) -> dict[str, Any]:
    coming = due_by(recipes, batch)
    return {
        "batch_id": batch.id,
        "patient_token": batch.patient_token,
        "recipe": batch.recipe.label,
        "state": str(batch.state),
        "stage": batch.stage,
        "passage": batch.passage,
        "days": round(batch.days(now), 3),
        "chamber": batch.chamber,
        "open_deviations": len(batch.open_deviations),
        "due": _due(coming[0]) if coming else None,
    }


def _due(item: Due) -> dict[str, Any]:
    return {"at": when(item.at), "text": item.text, "role": item.role, "latest": when(item.latest)}


def show_batch(data_dir: Path, batch_id: str, *, as_json: bool) -> None:
    """Print one batch as it stands; raises ConfigError for an unknown id."""
    records, now = asyncio.run(open_records(data_dir)), SystemClock().now()
    batch = records.batch(batch_id)
    recipe = records.recipes.of(batch)
    shown = {
        **summary(batch, now),
        "patient_token": batch.patient_token,
        "stage": batch.stage,
        "recipe_sha256": batch.recipe.sha256,
        "occupancies": [_stay(stay) for stay in batch.occupancies],
        "vials": [
            {"vial": vial.id, "cells": vial.cells, "status": vial.status, "place": vial.place and vial.place.label}
            for vial in batch.vials
        ],
        "washes": [asdict(wash) | {"at": when(wash.at)} for wash in batch.washes],
        "residual_dmso_pct": batch.residual_dmso_pct,
        "clocks": [
            {"stage": clock.stage, "minutes": round(clock.minutes(_until(batch, now)), 1), "limit_min": clock.limit_min}
            | {"runs": clock.ended_at is None and batch.ended_at is None}
            for clock in clocks(batch, recipe)
        ],
        "minutes_out_of_storage": round(minutes_out_of_storage(batch, recipe, _until(batch, now)), 1),
        "deviations": [
            asdict(deviation)
            | {name: when(getattr(deviation, name)) for name in ("opened_at", "due_at", "investigated_at", "closed_at")}
            | {"actions": [_action(action) for action in deviation.actions]}
            for deviation in batch.deviations
        ],
        "alarms": [
            asdict(one) | {"raised_at": when(one.raised_at), "cleared_at": when(one.cleared_at)}
            for one in batch.exposures
        ],
        "refusals": len(batch.refusals),
        "expected_confluence": _expected(expected(batch, recipe)),
        "lineage": [_handling(handling) for handling in lineage(batch.history)],
        "due": [_due(item) for item in due(batch, recipe)],
    }
    if as_json:
        print_json(shown)
        return
    for name, value in shown.items():
        if isinstance(value, list):
            print(f"{name.replace('_', ' ')}: {len(value) or '-'}")
            for row in value:
                print(f"  {printable(_in_words(row))}")
        else:
            print(f"{name.replace('_', ' ')}: {printable(_in_words(value))}")


def _in_words(value: object) -> str:
    """Write a value of the JSON answer on one line; what is empty is left out."""
    if isinstance(value, Mapping):
        given = ((key, item) for key, item in value.items() if item not in (None, "", []) and key != "event_id")
        return ", ".join(f"{key.replace('_', ' ')} {_in_words(item)}" for key, item in given)
    if isinstance(value, list | tuple):
        return " + ".join(map(str, value))
    if isinstance(value, float):
        return f"{value:.4g}"
    return "-" if value is None else str(value)


def _expected(found: Expected | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return asdict(found) | {name: when(getattr(found, name)) for name in ("at", "earliest", "latest")}


def _until(batch: Batch, now: Instant) -> Instant:
    return now if batch.ended_at is None else batch.ended_at


def _stay(stay: Occupancy) -> dict[str, Any]:
    return {
        "vessels": stay.vessels,
        "chamber": stay.chamber,
        "placed": when(stay.placed),
        "taken": when(stay.taken),
    }


def _action(action: Action) -> dict[str, Any]:
    return asdict(action) | {name: when(getattr(action, name)) for name in ("planned_at", "due_at", "checked_at")}


def _handling(handling: Handling) -> dict[str, Any]:
    return asdict(handling) | {"at": when(handling.at), "lost_cells": handling.lost_cells}


def show_history(data_dir: Path, batch_id: str, *, as_json: bool) -> None:
    """Print every event of a batch in words, corrections and refusals included."""
    rows = asyncio.run(_history(data_dir, batch_id))
    if as_json:
        print_json([asdict(row) | {"at": when(row.at), "recorded_at": when(row.recorded_at)} for row in rows])
        return
    zone = zone_of(data_dir)
    print_grid(
        ("at", "who", "what"),
        [
            (
                local_text(row.at, zone),
                f"{row.actor_id} ({row.role})",
                " / ".join(filter(None, (row.text, *row.warnings, row.correction))),
            )
            for row in rows
        ],
        "no event",
    )


async def _history(data_dir: Path, batch_id: str) -> tuple[TimelineRow, ...]:
    async with ledger_of(data_dir, SystemClock()) as ledger:
        events = ledger.read(stream_named(BATCHES, batch_id))
    if not events:
        raise _unknown(batch_id)
    return history_rows(events)


def list_due(data_dir: Path, role: str | None, *, as_json: bool) -> None:
    """Print what is due over all batches, soonest first."""
    records = asyncio.run(open_records(data_dir))
    every = sorted(
        (DueRow(batch.id, item) for batch in records.batches.batches() for item in due_by(records.recipes, batch)),
        key=lambda row: (row.due.at, row.batch_id, row.due.text),
    )
    rows = [row for row in every if role is None or row.due.role == role]
    if as_json:
        print_json([{"batch_id": row.batch_id} | _due(row.due) for row in rows])
        return
    zone = zone_of(data_dir)
    print_grid(
        ("due", "batch", "what", "who", "latest"),
        [
            (
                *(local_text(row.due.at, zone), row.batch_id, row.due.text, row.due.role),
                "-" if row.due.latest is None else local_text(row.due.latest, zone),
            )
            for row in rows
        ],
        "nothing is due",
    )


def show_exposure(data_dir: Path, batch_id: str, site: Path | None, *, as_json: bool) -> None:
    """Print what every chamber did while the batch stood in it; the site file says which channels look into which."""
    if is_pack(data_dir):
        place = place_from(site_text(data_dir))
    else:
        place = place_of(read_site(data_dir / SITE_FILE if site is None else site))
    shown = asyncio.run(_exposure(data_dir, batch_id, place))
    if as_json:
        print_json(shown)
        return
    print_grid(
        ("chamber", "channel", "mean", "min", "max", "out of range", "degree-minutes", "unknown"),
        [
            (
                *(row["chamber"], channel["channel"]),
                *(_number(channel[name]) for name in ("mean", "min", "max")),
                f"{channel['out_of_range_s']:.0f} s",
                f"{channel['degree_minutes_above'] + channel['degree_minutes_below']:.1f}",
                f"{channel['unknown_s']:.0f} s",
            )
            for row in shown["stays"]
            for channel in row["channels"]
        ],
        "the batch stood nowhere yet",
    )


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


async def _exposure(data_dir: Path, batch_id: str, place: Place) -> dict[str, Any]:
    records, now = await open_records(data_dir), SystemClock().now()
    batch = records.batch(batch_id)
    recipe = records.recipes.of(batch)
    now = _until(batch, now)

    def watched(stay: Occupancy) -> Sequence[Watch]:
        chamber = place.chambers.get(stay.chamber)
        wanted = conditions(recipe, stay, "" if chamber is None else chamber.chamber_class)
        return [
            Watch(row.id, wanted[row.channel.name].low, wanted[row.channel.name].high, silence_ms(row.period_ms))
            for row in place.channels
            if row.chamber == stay.chamber and row.channel.name in wanted
        ]

    async with reading_folder(data_dir / TELEMETRY_FOLDER) as store:
        stays = await environment_of(store, batch.occupancies, watched, now)
        frozen = [stay for stay in batch.occupancies if stay.vessels.endswith(VIALS)]
        warm = None
        if recipe.freezing is not None and frozen:
            handlings = [each for each in out_of_storage(frozen) if each.end is not None]
            limit = recipe.freezing.storage_max.value
            warm = asdict(await time_above(store, frozen, watched, limit, handlings, now))
    return {
        "batch_id": batch.id,
        "stays": [_stay_row(one) for one in stays],
        "in_all": [
            {"chamber": chamber} | _channel_row(channel, found) for (chamber, channel), found in in_all(stays).items()
        ],
        "above_storage_limit": warm,
        "minutes_out_of_storage": round(minutes_out_of_storage(batch, recipe, now), 1),
    }


def _stay_row(one: StayEnvironment) -> dict[str, Any]:
    return _stay(one.stay) | {"channels": [_channel_row(channel, found) for channel, found in one.channels.items()]}


def _channel_row(channel: str, found: ChannelExposure) -> dict[str, Any]:
    return {
        "channel": channel,
        "mean": found.mean,
        "min": found.minimum,
        "max": found.maximum,
        "covered_s": found.covered_s,
        "unknown_s": found.unknown_s,
        "uncertain_s": found.uncertain_s,
        "out_of_range_s": found.out_of_range_s,
        "degree_minutes_above": found.degree_minutes_above,
        "degree_minutes_below": found.degree_minutes_below,
        "gaps": [{"from": when(start), "to": when(end)} for start, end in found.unknown],
    }
