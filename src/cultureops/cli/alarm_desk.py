"""Commands on single alarms: what stands, what was, and what a person does about it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cultureops.cli.shell import Actor, AsJson, DataDir, PasswordFile, Role, WitnessPasswordFile, finish

__all__ = [
    "acknowledge",
    "alarm_history",
    "alarms_list",
    "in_service",
    "out_of_service",
    "reset",
    "shelve",
    "unshelve",
]

Alarm = Annotated[str, typer.Argument(metavar="ALARM", help="The alarm's id, as `alarms list` shows it.")]
Why = Annotated[str, typer.Option("--reason", help="Why.")]
Witness = Annotated[str, typer.Option(metavar="ID", help="Second person, for an alarm that endangers cells.")]
Wait = Annotated[float, typer.Option("--wait", min=0.0, max=60.0, help="Seconds to wait for the lab's answer.")]


def alarms_list(data_dir: DataDir = Path("data"), as_json: AsJson = False) -> None:
    """Name every alarm that is not back to normal, shelved ones included."""
    from cultureops.keeping.alarms import list_alarms

    finish(lambda: list_alarms(data_dir, as_json=as_json))


def alarm_history(
    alarm: Annotated[str | None, typer.Argument(metavar="ALARM", help="Only this one.")] = None,
    newest: Annotated[int, typer.Option(min=1, help="How many events at most.")] = 50,
    data_dir: DataDir = Path("data"),
    as_json: AsJson = False,
) -> None:
    """Show what became of one alarm, or of all, the newest last."""
    from cultureops.keeping.alarms import show_history

    finish(lambda: show_history(data_dir, alarm, newest, as_json=as_json))


def acknowledge(
    alarm: Alarm,
    actor: Actor,
    role: Role,
    reason: Why,
    password_file: PasswordFile = None,
    data_dir: DataDir = Path("data"),
    wait: Wait = 5.0,
    as_json: AsJson = False,
) -> None:
    """Say that somebody has seen an alarm and looks after it."""
    _order("acknowledge", alarm, actor, role, reason, data_dir, wait, password_file=password_file, as_json=as_json)


def reset(
    alarm: Alarm,
    actor: Actor,
    role: Role,
    reason: Why,
    password_file: PasswordFile = None,
    data_dir: DataDir = Path("data"),
    wait: Wait = 5.0,
    as_json: AsJson = False,
) -> None:
    """Let go of a latched alarm whose condition is gone."""
    _order("reset", alarm, actor, role, reason, data_dir, wait, password_file=password_file, as_json=as_json)


def shelve(
    alarm: Alarm,
    minutes: Annotated[float, typer.Option(help="For how long; at most 60, 15 where cells are endangered.")],
    actor: Actor,
    role: Role,
    reason: Why,
    witness: Witness = "",
    one_shot: Annotated[bool, typer.Option(help="End with the condition, if that is sooner.")] = False,
    password_file: PasswordFile = None,
    witness_password_file: WitnessPasswordFile = None,
    data_dir: DataDir = Path("data"),
    wait: Wait = 5.0,
    as_json: AsJson = False,
) -> None:
    """Keep an alarm quiet for a time; it goes on being evaluated and recorded."""
    _order(
        "shelve", alarm, actor, role, reason, data_dir, wait,
        witness=witness, minutes=minutes, one_shot=one_shot,
        password_file=password_file, witness_password_file=witness_password_file, as_json=as_json,
    )  # fmt: skip


def unshelve(
    alarm: Alarm,
    actor: Actor,
    role: Role,
    reason: Why,
    password_file: PasswordFile = None,
    data_dir: DataDir = Path("data"),
    wait: Wait = 5.0,
    as_json: AsJson = False,
) -> None:
    """End the shelving of an alarm."""
    _order("release", alarm, actor, role, reason, data_dir, wait, password_file=password_file, as_json=as_json)


def out_of_service(
    alarm: Alarm,
    actor: Actor,
    role: Role,
    reason: Why,
    witness: Witness = "",
    password_file: PasswordFile = None,
    witness_password_file: WitnessPasswordFile = None,
    data_dir: DataDir = Path("data"),
    wait: Wait = 5.0,
    as_json: AsJson = False,
) -> None:
    """Take an alarm out of service, e.g. while its chamber is decontaminated."""
    _order(
        "take_out",
        alarm,
        actor,
        role,
        reason,
        data_dir,
        wait,
        witness=witness,
        password_file=password_file,
        witness_password_file=witness_password_file,
        as_json=as_json,
    )


def in_service(
    alarm: Alarm,
    actor: Actor,
    role: Role,
    reason: Why,
    password_file: PasswordFile = None,
    data_dir: DataDir = Path("data"),
    wait: Wait = 5.0,
    as_json: AsJson = False,
) -> None:
    """Put an alarm back into service."""
    _order("release", alarm, actor, role, reason, data_dir, wait, password_file=password_file, as_json=as_json)


def _order(
    order: str,
    alarm: str,
    actor: str,
    role: str,
    reason: str,
    data_dir: Path,
    wait_s: float,
    *,
    witness: str = "",
    minutes: float = 0.0,
    one_shot: bool = False,
    password_file: Path | None = None,
    witness_password_file: Path | None = None,
    as_json: bool,
) -> None:
    from cultureops.alarms.command import Order
    from cultureops.keeping.alarms import Asked, command_alarm
    from cultureops.keeping.entry import Entry

    asked = Asked(witness, minutes, one_shot, wait_s, witness_password_file)
    entry = Entry(actor, role, reason, password_file=password_file)
    finish(lambda: command_alarm(data_dir, Order(order), alarm, entry, asked, as_json=as_json))
