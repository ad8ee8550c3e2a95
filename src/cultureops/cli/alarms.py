"""Commands on alarms; what each does stands in a module of its own."""

from __future__ import annotations

from cultureops.cli.alarm_challenge import challenge
from cultureops.cli.alarm_desk import (
    acknowledge,
    alarm_history,
    alarms_list,
    in_service,
    out_of_service,
    reset,
    shelve,
    unshelve,
)
from cultureops.cli.alarm_kpi import kpi
from cultureops.cli.alarm_replay import replay
from cultureops.cli.shell import command_group

__all__ = ["group"]

group = command_group("Alarms: what stands, what people do about it, how they perform, how rules are tried.")
group.command("list")(alarms_list)
group.command("history")(alarm_history)
for command in (acknowledge, reset, shelve, unshelve, out_of_service, in_service, replay, challenge, kpi):
    group.command()(command)
