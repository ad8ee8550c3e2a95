"""A hub and its gateways as labs: readings, links and logs go up, whoever was out of reach meanwhile."""

import asyncio
import sqlite3
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import pytest
from tests.nodes import START, co2, open_nodes

from cultureops.backup.restoring import restore_backup
from cultureops.backup.taking import Wanted, take_backup
from cultureops.clock import HOUR_MS, SECOND_MS, SteppedClock
from cultureops.device.reading import Reason
from cultureops.gateway import approved_at_hub
from cultureops.keeping.verifying import verify_folder
from cultureops.ledger.event import Event
from cultureops.ledger.verify import verify
from cultureops.recording import open_ledger_beside
from cultureops.site_approval import adopt_site
from cultureops.sync import Standing
from cultureops.sync.events import CLOCK_COMPARED, HEAD_RECORDED, stream_of


def types(events: tuple[Event, ...]) -> list[str]:
    return [event.type for event in events]


async def test_readings_and_links_of_gateways_are_the_hubs_as_well(tmp_path: Path) -> None:
    async with open_nodes(tmp_path) as nodes:
        hub, gateway = nodes.hub, nodes.gateways["room_1"]
        link = hub.links.by_device["inc_room_1"]
        assert (link.answers, link.misses) == (False, None) and "has not told" in link.detail
        for _ in range(4):
            readings = await gateway.lab.acquisition.poll_once(nodes.clock.now())
            await nodes.step(*readings)
        assert not link.answers and link.reason is Reason.NOT_CONNECTED and link.detail == "says gateway room_1"
        await nodes.step(co2("inc_room_1", 5.1, nodes.clock.now()), co2("inc_room_2", 4.9, nodes.clock.now()))
        latest = hub.lab.store.latest()
        assert (latest["inc_room_1/co2"].value, latest["inc_room_2/co2"].value) == (5.1, 4.9)
        assert hub.lab.recent.last_hours("inc_room_1/co2", nodes.clock.now()).stamp[1] == 1
        assert hub.lab.store.count() == sum(one.lab.store.count() for one in nodes.gateways.values())
        assert [one.is_away for one in hub.gateways()] == [False, False]
        stream = hub.lab.ledger.read(stream_of("room_1"))
        assert {HEAD_RECORDED, CLOCK_COMPARED} == set(types(stream))
        held = hub.receiving.log("room_1")
        assert list(held.read_all()) == list(gateway.lab.ledger.read_all())
        path = held.path
    assert verify(path).position == verify(tmp_path / "room_1/data/ledger.sqlite").position


async def test_what_a_gateway_says_of_others_is_not_kept(tmp_path: Path) -> None:
    async with open_nodes(tmp_path) as nodes:
        hub, now = nodes.hub, nodes.clock.now()
        await nodes.step(co2("inc_room_2", 5.0, now))
        infos = nodes.gateways["room_1"].lab.store.channels()
        own = co2("inc_room_1", 4.5, now)
        foreign = [co2("inc_room_2", 1.0, now + 1), own._replace(channel="batch:B-1/viability")]
        strange = [own._replace(channel="cultureops/disk"), own._replace(channel="nobody/co2")]
        await hub._keep("room_1", [own, *foreign, *strange, own._replace(channel="inc_room_1/new")], {
            **infos, "inc_room_1/new": infos["inc_room_1/co2"],
        })  # fmt: skip
        await hub.lab.store.flush()
        latest = hub.lab.store.latest()
        assert latest["inc_room_2/co2"].value == 5.0 and latest["inc_room_1/new"].value == 4.5
        assert not {"batch:B-1/viability", "cultureops/disk", "nobody/co2"} & latest.keys()
        (problem,) = hub.gateways()[0].problems
        assert "nobody" in problem and "they stay there" in problem


async def test_a_gateway_that_was_cut_off_hands_everything_over(tmp_path: Path) -> None:
    async with open_nodes(tmp_path) as nodes:
        hub, clock = nodes.hub, nodes.clock
        await nodes.step(co2("inc_room_1", 5.0, clock.now()))
        for _ in range(65):
            await nodes.step(co2("inc_room_1", 3.0, clock.now()), without=["room_1"])
        one, other = hub.gateways()
        assert one.is_away and one.away_since == START + SECOND_MS and not other.is_away
        assert hub.links.by_device["inc_room_1"].detail == "gateway room_1 is out of reach"
        assert "cultureops/gateway_room_1_silent_s/high" in {view.rule.id for view in hub.lab.alarms.active()}
        assert [view.rule.id for view in nodes.gateways["room_1"].lab.alarms.active()] == ["inc_room_1/co2/low"]
        await nodes.step(co2("inc_room_1", 3.0, clock.now()))
        assert not any(view.is_away for view in hub.gateways())
        assert "inc_room_1/co2/low" in {view.rule.id for view in hub.lab.alarms.active()}
        series = await hub.lab.store.series("inc_room_1/co2", START, clock.now() + 1)
        assert len(series.value) == 67


async def test_a_hub_that_starts_anew_knows_what_it_knew(tmp_path: Path) -> None:
    async with open_nodes(tmp_path, ["room_1"]) as nodes:
        for _ in range(4):
            readings = await nodes.gateways["room_1"].lab.acquisition.poll_once(nodes.clock.now())
            await nodes.step(*readings)
        before = nodes.hub.gateways()[0].log_size
        compared = types(nodes.hub.lab.ledger.read(stream_of("room_1"))).count(CLOCK_COMPARED)
    async with open_nodes(tmp_path, ["room_1"]) as nodes:
        hub = nodes.hub
        assert hub.gateways()[0].log_size == before and hub.gateways()[0].heard_at is None
        assert hub.links.by_device["inc_room_1"].detail == "says gateway room_1"
        assert types(hub.lab.ledger.read(stream_of("room_1"))).count(CLOCK_COMPARED) == compared == 1


async def test_a_clock_that_is_off_is_on_record_and_told(tmp_path: Path) -> None:
    async with open_nodes(tmp_path, ["room_1"]) as nodes:
        gateway, hub = nodes.gateways["room_1"], nodes.hub
        await nodes.step()
        await nodes.step()
        ahead = nodes.clock.now() + HOUR_MS
        gateway.forwarding._clock = type("Ahead", (), {"now": lambda _: ahead})()
        for _ in range(3):
            await gateway.forwarding.step()
        await hub.settle()
        offsets = [event.data["offset_ms"] for event in hub.lab.ledger.read(stream_of("room_1"))
                   if event.type == CLOCK_COMPARED]  # fmt: skip
        assert len(offsets) == 2 and abs(int(str(offsets[1])) - HOUR_MS) < 5 * SECOND_MS
        assert any("its clock is off by at least 1 h" in problem for problem in hub.gateways()[0].problems)


async def test_a_gateway_that_runs_on_another_file_is_told_of(tmp_path: Path) -> None:
    async with open_nodes(tmp_path, ["room_1"]) as nodes:
        await nodes.step()
        assert nodes.hub.runs_other_site("room_1") is False
    changed = tmp_path / "room_1" / "site.toml"
    changed.write_text(changed.read_text().replace("limit = 4.0", "limit = 1.0"))
    async with open_nodes(tmp_path, ["room_1"]) as nodes:
        await nodes.step()
        assert nodes.hub.gateways()[0].problems == ("runs on a site file other than the copy here",)
        nodes.clock.advance(120 * SECOND_MS)
        nodes.hub.lab.tick(nodes.clock.now())
        assert "cultureops/gateway_room_1_site_differs/high" in {v.rule.id for v in nodes.hub.lab.alarms.active()}


async def test_a_changed_file_of_a_gateway_comes_into_force_once_its_hub_has_approved_it(tmp_path: Path) -> None:
    async with open_nodes(tmp_path, ["room_1"]) as nodes:
        await nodes.step()
        assert approved_at_hub(tmp_path / "room_1/data") is None, "this hub's own file is not under change control"
        nodes.gateways["room_1"]._on_standing(Standing(0, {}, "ab" * 32))
    there, clock = tmp_path / "room_1", SteppedClock(START)
    file, data_dir = there / "site.toml", there / "other"
    data_dir.mkdir()
    assert approved_at_hub(there / "data") == "ab" * 32
    first = await adopt_site(data_dir, file, clock)
    assert not first.differs and first.sha256 == sha256(file.read_bytes()).hexdigest()
    file.write_text(file.read_text().replace("limit = 4.0", "limit = 1.0"))
    for elsewhere in (None, first.sha256):
        kept = await adopt_site(data_dir, file, clock, elsewhere)
        assert kept.differs and kept.sha256 == first.sha256 and kept.site.alarm_rows[0].number("limit") == 4.0
    approved = sha256(file.read_bytes()).hexdigest()
    for elsewhere in (approved, approved, None):
        changed = await adopt_site(data_dir, file, clock, elsewhere)
        assert not changed.differs and changed.sha256 == approved and changed.site.alarm_rows[0].number("limit") == 1.0
        assert changed.text.reason == "approved at the hub"
    async with open_ledger_beside(data_dir) as ledger:
        assert types(ledger.read("site")) == ["site_adopted", "site_adopted"] and ledger.origin == "room_1"


async def test_a_hub_under_change_control_hands_down_what_is_approved(tmp_path: Path) -> None:
    async with open_nodes(tmp_path, ["room_1"], is_controlled=True) as nodes:
        await nodes.step()
        approved = approved_at_hub(tmp_path / "room_1/data")
        assert approved == sha256((tmp_path / "gateways/room_1.toml").read_bytes()).hexdigest()
        assert nodes.hub.lab.site_watch is not None
        (tmp_path / "gateways/room_1.toml").write_text("changed")
        await nodes.hub.lab.site_watch.settle(nodes.clock.now())
        assert nodes.hub._standing("room_1").approved_site is None


@pytest.mark.parametrize("what", ["run", "gateway", "hub"])
def test_each_command_refuses_the_site_file_of_another(
    tmp_path: Path, what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from tests.gateways import lay_out

    from cultureops import app
    from cultureops.errors import ConfigError

    hub = lay_out(tmp_path, 8443, {"room_1": ""})
    site = {"run": hub, "gateway": hub, "hub": tmp_path / "room_1" / "site.toml"}[what]
    run = {"run": app.run_site, "gateway": app.run_gateway, "hub": app.run_hub}[what]
    with pytest.raises(ConfigError, match=r"`cultureops (run|hub)`"):
        run(site, tmp_path / "d")
    assert list((tmp_path / "d").iterdir()) == [], "nothing is adopted, so the right command begins with a clean folder"


async def hub_with_a_log(tmp_path: Path) -> tuple[Path, Path]:
    async with open_nodes(tmp_path, ["room_1"]) as nodes:
        for _ in range(2):
            nodes.clock.advance(HOUR_MS)
            await nodes.step(co2("inc_room_1", 3.0, nodes.clock.now()), after_ms=5 * SECOND_MS)
    return tmp_path / "data", tmp_path / "data" / "origins" / "room_1.sqlite"


def findings(data_dir: Path) -> list[tuple[str, str]]:
    return [(str(one.kind), one.where) for one in verify_folder(data_dir, [], [], None).findings]


async def test_verify_compares_the_logs_of_gateways_with_the_heads_in_the_hubs_record(tmp_path: Path) -> None:
    data_dir, log = await hub_with_a_log(tmp_path)
    said = verify_folder(data_dir, [], [], None)
    assert said.findings == [] and said.origins["room_1"].head.position >= 3
    whole = log.read_bytes()

    def tampered(statement: str) -> list[tuple[str, str]]:
        log.write_bytes(whole)
        with closing(sqlite3.connect(log, isolation_level=None)) as db:
            db.execute("PRAGMA journal_mode = DELETE")
            for trigger in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
                db.execute(f"DROP TRIGGER {trigger[0]}")
            db.execute(statement)
        return findings(data_dir)

    edited = "UPDATE events SET canonical = replace(canonical, 'low', 'lov') WHERE position = 3"
    assert ("edited", "origins/room_1.sqlite position 3") in tampered(edited)
    assert "deleted" in {kind for kind, _ in tampered("DELETE FROM events WHERE position = 2")}
    log.write_bytes(whole[: len(whole) // 2])
    assert findings(data_dir)[0][0] == "unreadable"
    log.unlink()
    assert findings(data_dir) == [("unreadable", "origins/room_1.sqlite")]


async def test_a_log_that_was_rolled_back_with_its_heads_is_found_by_the_hubs_record(tmp_path: Path) -> None:
    data_dir, log = await hub_with_a_log(tmp_path)
    with closing(sqlite3.connect(log, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = DELETE")
        for trigger in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            db.execute(f"DROP TRIGGER {trigger[0]}")
        db.execute("DELETE FROM heads WHERE size > 1")
        db.execute("DELETE FROM events WHERE position > 1")
        assert db.execute("SELECT count(*) FROM events").fetchone() == (1,)
    (finding,) = verify_folder(data_dir, [], [], None).findings
    assert finding.kind == "rolled back" and finding.where.startswith("origins/room_1.sqlite")
    assert "the hub's record at position" in finding.detail


async def test_a_hub_put_back_from_a_backup_is_brought_up_to_date_by_its_gateways(tmp_path: Path) -> None:
    async with open_nodes(tmp_path, ["room_1"]) as nodes:
        for value in (5.0, 5.1):
            await nodes.step(co2("inc_room_1", value, nodes.clock.now()))
        (tmp_path / "shelf").mkdir()
        wanted = Wanted(tmp_path / "data", tmp_path / "shelf", tmp_path / "site.toml")
        taken = await asyncio.to_thread(take_backup, wanted, nodes.clock.now())
        held = nodes.hub.receiving.log("room_1").head().position
        for _ in range(3):  # what the hub loses, an alarm with it
            await nodes.step(co2("inc_room_1", 3.0, nodes.clock.now()), after_ms=3 * SECOND_MS)
        (alarm,) = nodes.hub.lab.alarms.active()
        lost = nodes.hub.lab.store.count()
    (tmp_path / "data").rename(tmp_path / "lost")
    restore_backup(taken.folder, tmp_path / "data", START)
    there = {path.relative_to(tmp_path / "data/site").as_posix() for path in (tmp_path / "data/site").rglob("*.*")}
    assert there == {"site.toml", "hub.pem", "gateways/room_1.toml", "gateways/room_1.pem"}, "and no key"
    async with open_nodes(tmp_path, ["room_1"]) as nodes:
        hub = nodes.hub
        assert hub.receiving.log("room_1").head().position == held and hub.lab.alarms.active() == ()
        await nodes.step()
        assert [one.rule.id for one in hub.lab.alarms.active()] == [alarm.rule.id]
        assert list(hub.receiving.log("room_1").read_all()) == list(nodes.gateways["room_1"].lab.ledger.read_all())
        assert hub.lab.store.count() == lost and hub.receiving.status()["room_1"].problem is None
    assert findings(tmp_path / "data") == []
