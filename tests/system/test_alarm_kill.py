"""A running lab is killed while people act on alarms: whatever the page confirmed holds after the restart."""

import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.at_the_pages import lay_out_people
from tests.ports import free_port
from tests.system.test_run import at, incubator_port, start, until  # noqa: F401 - a fixture

from cultureops.ledger.verify import verify

SITE = """
[site]
name = "kill"
[web]
port = {web_port}
[[chamber]]
id = "incubator_1"
class = "incubator"
[[device]]
id = "incubator_1"
chamber = "incubator_1"
driver = "modbus"
link = "modbus+tcp://127.0.0.1:{device_port}"
period_s = 0.1
simulated = true
options = {{ profile = "cultureops_virtual_incubator" }}
"""
RULE = """
[[alarm]]
chamber = "incubator_1"
channel = "{channel}"
kind = "high"
limit = {limit}
priority = "low"
consequence = "none: it lies where the value always is beyond it"
response = "none"
"""
NAMES = ("temperature", "co2", "humidity")
LIMITS = (20.0, 1.0, 10.0)


def rule_id(name: str) -> str:
    return f"incubator_1/{name}/high"


def states(port: int) -> dict[str, str] | None:
    rows = at(port).read("/api/alarms")
    return None if rows is None else {row["rule_id"]: row["state"] for row in rows if row["device"] == "incubator_1"}


def order(port: int, name: str, what: str, **more: str) -> bool:
    """Give an order on the page; return whether it was confirmed."""
    return at(port).send(f"/alarms/{rule_id(name)}/{what}", reason="kill test", **more)


def kills(rounds: int, folder: Path, device_port: int) -> int:
    port, dice = free_port(), random.Random(20261121)
    text = SITE.format(web_port=port, device_port=device_port)
    text += "".join(RULE.format(channel=name, limit=limit) for name, limit in zip(NAMES, LIMITS, strict=True))
    site = folder / "site.toml"
    site.write_text(text)
    lay_out_people(folder / "data")
    confirmed: dict[str, str] = {}
    shelved_until: dict[str, float] = {}
    orders = 0
    for _ in range(rounds):
        lab = start(site, folder / "data")
        try:
            until(lambda: len(states(port) or {}) == len(NAMES), "every alarm stands")
            now, seen = time.time(), states(port) or {}
            for name, state in confirmed.items():
                if state == "SHELVED":
                    is_over = now >= shelved_until[name] + 2
                    if is_over or now < shelved_until[name] - 1:
                        assert seen[rule_id(name)] == ("UNACK" if is_over else "SHELVED"), name
                else:
                    assert seen[rule_id(name)] == state, name
            for name in dice.sample(NAMES, 2):
                seen = states(port) or {}
                match seen[rule_id(name)]:
                    case "SHELVED" | "OUT_OF_SERVICE":
                        told = order(port, name, "release"), "UNACK"
                    case "UNACK" if dice.random() < 0.4:
                        told = order(port, name, "acknowledge"), "ACK"
                    case _ if dice.random() < 0.5:
                        minutes = dice.choice((0.02, 0.5, 5.0))
                        shelved_until[name] = time.time() + 60 * minutes
                        told = order(port, name, "shelve", minutes=str(minutes)), "SHELVED"
                    case _:
                        told = order(port, name, "take_out"), "OUT_OF_SERVICE"
                if told[0]:
                    confirmed[name] = told[1]
                    orders += 1
                else:
                    confirmed.pop(name, None)
            lab.send_signal(signal.SIGKILL)
        finally:
            lab.kill()
            lab.wait(10)
        verify(folder / "data" / "ledger.sqlite")
    return orders


@pytest.mark.timeout(180)
def test_three_kills_forget_nothing_that_was_confirmed(tmp_path: Path, incubator_port: int) -> None:  # noqa: F811
    assert kills(3, tmp_path, incubator_port) >= 5


@pytest.mark.soak
@pytest.mark.timeout(1200)
def test_forty_kills_forget_nothing_that_was_confirmed(
    tmp_path: Path,
    incubator_port: int,  # noqa: F811
    record_property: Callable[[str, object], None],
) -> None:
    record_property("kills", 40)
    record_property("orders", kills(40, tmp_path, incubator_port))
