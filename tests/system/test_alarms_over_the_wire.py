"""An alarm of a gateway and what people at the hub do about it, over the real connection."""

from pathlib import Path

from tests.nodes import co2, open_nodes

from cultureops.alarms import Act, State
from cultureops.alarms.command import AlarmCommand, Order

LOW = "inc_room_1/co2/low"


async def test_an_acknowledgement_at_the_hub_is_carried_out_at_the_gateway(tmp_path: Path) -> None:
    async with open_nodes(tmp_path) as nodes:
        hub, gateway, clock = nodes.hub.lab, nodes.gateways["room_1"].lab, nodes.clock
        for _ in range(4):
            await nodes.step(co2("inc_room_1", 3.0, clock.now()), co2("inc_room_2", 3.0, clock.now()))
        views = {view.rule.id: view for view in hub.alarms.active()}
        assert views.keys() == {LOW, "inc_room_2/co2/low"}, "two gateways with the same rule are two alarms"
        seen = Act("operator-1", "on my way", role="OP")
        command = AlarmCommand(Order.ACKNOWLEDGE, LOW, seen, clock.now(), raised_at=views[LOW].raised_at)
        waiting = await hub.alarming.desk.carry_out(command)
        assert waiting is not None and waiting.waits == "acknowledge by operator-1 waits for gateway room_1"
        await nodes.step(co2("inc_room_1", 3.0, clock.now()), without=["room_1"])
        for _ in range(2):
            await nodes.step(co2("inc_room_1", 3.0, clock.now()))
        assert gateway.engine.view(LOW).state is State.ACK  # type: ignore[union-attr]
        view = hub.alarms.view(LOW)
        assert view is not None and (view.state, view.acknowledged_by, view.waits) == (State.ACK, "operator-1", "")
        assert hub.alarms.view("inc_room_2/co2/low").state is State.UNACK  # type: ignore[union-attr]
        theirs = [(event.type, event.position) for event in gateway.ledger.read(f"alarm:{LOW}")]
        ours = [event for event in hub.ledger.read(f"alarm:{LOW}") if "origin" in event.data]
        told = [(event.type, event.data["origin_position"]) for event in ours]
        assert told == [one for one in theirs if one[0] != "alarm_command"]
        assert ours[-1].data["command_id"] == hub.ledger.read(f"alarm:{LOW}")[1].event_id
