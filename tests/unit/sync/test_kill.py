"""Gateway and hub may be killed at any instant: what was recorded and measured arrives whole, in order and once."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from tests.ports import free_port
from tests.sync_nodes import Node, compare, gateway, hub, start


def killed(root: Path, certificates: Path, kills: int, seed: int, *, through_cuts: bool) -> tuple[int, int]:
    """Kill both sides in turns while they work, then let them finish; return how much arrived."""
    dice, port = random.Random(seed), free_port()
    at_gateway, at_hub = root / "room_1", root / "hub"

    def started(who: str, number: int) -> Node:
        if who == "hub":
            return start(partial(hub, at_hub, certificates, port), root / "hub.log")
        seed = number if through_cuts else None
        return start(partial(gateway, at_gateway, certificates, port, seed=seed), root / "room_1.log")

    nodes = {who: started(who, 0) for who in ("hub", "gateway")}
    try:
        for number in range(1, kills + 1):
            time.sleep(dice.uniform(0.15, 0.5))
            who = dice.choice(["hub", "gateway"]) if kills > 2 else ["hub", "gateway"][number % 2]
            nodes.pop(who).kill()
            nodes[who] = started(who, number)
        time.sleep(0.2)
        nodes.pop("gateway").kill()
        asyncio.run(asyncio.wait_for(gateway(at_gateway, certificates, port, writes=False), 120))
    finally:
        for node in nodes.values():
            node.kill()
    for log in ("hub.log", "room_1.log"):
        said = (root / log).read_text()
        assert "Traceback" not in said and "not made for" not in said, said[-2000:]
    return asyncio.run(compare(at_gateway, at_hub))


def test_nothing_is_lost_or_doubled_by_a_kill_of_each_side(tmp_path: Path, certificates: Path) -> None:
    events, readings = killed(tmp_path, certificates, 2, 20261122, through_cuts=False)
    assert events > 20 and readings > 20


@pytest.mark.soak
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("seed", [1, 2])
def test_nothing_is_lost_or_doubled_by_150_kills_of_both_sides(
    tmp_path: Path, certificates: Path, seed: int, record_property: Callable[[str, object], None]
) -> None:
    events, readings = killed(tmp_path, certificates, 150, seed, through_cuts=True)
    cuts = sum(int(file.read_text() or 0) for file in (tmp_path / "room_1").glob("cuts-*"))
    record_property("kills", 150)
    record_property("cuts", cuts)
    record_property("events", events)
    record_property("readings", readings)
    print(f"{cuts} cuts and 150 kills: {events} events and {readings} readings are what was recorded")
    assert cuts and events > 300 and readings > 1000
