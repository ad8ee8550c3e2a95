"""What the page of a batch draws and counts: lineage, boxes of vials, running clocks, the story, the forecast's fan."""

from dataclasses import replace

import pytest
from tests.unit.batch.bench import before, course
from tests.unit.batch.conftest import BATCH_ID

from cultureops.batch.batch import Batch
from cultureops.batch.clocks import clocks
from cultureops.batch.commands.cryo import Place
from cultureops.batch.gauge import ProcessLimits
from cultureops.batch.lineage import lineage
from cultureops.batch.looks import looks, owners_of_image
from cultureops.batch.parts import VialRecord
from cultureops.batch.signed import signatures_of
from cultureops.batch.views import fan, timeline
from cultureops.clock import DAY_MS, MINUTE_MS, SECOND_MS
from cultureops.web.batch.box_map import Stands, boxes_of
from cultureops.web.batch.clock import running_clocks, spoken
from cultureops.web.batch.lineage_picture import branches, lineage_picture
from cultureops.web.batch.timeline import KINDS, Entry, entries, filters, shown


def end(kind: str) -> Batch:
    return before("end", kind).known


def story_of(batch: Batch) -> tuple[Entry, ...]:
    return entries(batch, timeline(batch), signatures_of(batch))


def test_the_lineage_leads_from_marrow_to_doses() -> None:
    batch = end("frozen")
    picture = lineage_picture(lineage(batch.history), {dose.container: dose.viable_cells for dose in batch.doses})
    titles = [node.title for node in picture.nodes]
    assert titles[0] == "marrow" and f"{len(batch.vials)} vials" in titles
    assert {dose.container for dose in batch.doses} < set(titles) and "retained" in titles
    vials = next(node for node in picture.nodes if node.title.endswith(" vials"))
    assert vials.names == tuple(vial.id for vial in batch.vials)
    dose = next(node for node in picture.nodes if node.title == batch.doses[0].container)
    assert dose.cells == batch.doses[0].viable_cells
    assert len(picture.edges) == len(picture.nodes) - 1, "one box came out of nothing: the marrow"
    boxes = [(node.x, node.y) for node in picture.nodes]
    assert len(set(boxes)) == len(boxes) and all(0 <= x < picture.width and 0 <= y < picture.height for x, y in boxes)
    (root,) = branches(lineage(batch.history))
    depth, twig = 1, root
    while twig.children:
        depth, twig = depth + 1, twig.children[0]
    assert root.node.title == "marrow" and depth == 1 + max(node.rank for node in picture.nodes)
    assert lineage_picture(()).nodes == ()


def at(store: str, position: str) -> Place:
    return Place(store=store, rack="r", box="b", position=position)


def test_a_box_shows_own_vials_and_others_only_as_taken() -> None:
    batch = before("thaw", "frozen").known
    (box,) = boxes_of(batch, [])
    stored = [vial for vial in batch.vials if vial.place is not None]
    assert box.here == len(stored) < len(batch.vials)
    was = [cell for cell in box.cells if cell.stands is Stands.WAS_HERE]
    assert len(was) == len(batch.vials) - len(stored), "vials that were taken out leave their mark"
    own = [VialRecord(f"V{n}", 1, 1.0, at("s", place)) for n, place in enumerate(("A1", "A2"))]
    others = (VialRecord("SECRET", 1, 1.0, at("s", "B2")), VialRecord("ELSEWHERE", 1, 1.0, at("other", "A3")))
    batch, other = batch.changed(vials=tuple(own)), batch.changed(id="B-OTHER", vials=others)
    seen = next(box for box in boxes_of(batch, [other, batch]) if box.store == "s")
    taken = [cell for cell in seen.cells if cell.stands is Stands.TAKEN]
    assert [(cell.position, cell.vial) for cell in taken] == [("B2", "")] and (seen.here, seen.taken) == (2, 1)
    rows = {cell.position: (cell.x, cell.y) for cell in seen.cells}
    assert set(rows) == {"A1", "A2", "B1", "B2"}
    assert rows["A1"][0] == rows["B1"][0] and rows["A1"][1] == rows["A2"][1] < rows["B1"][1]


@pytest.mark.parametrize("names", [("2", "10", "1"), ("top", "A1", "7-b"), ("A1", "a1"), ("A99", "A1")])
def test_places_of_any_name_are_shown_each_once(names: tuple[str, ...]) -> None:
    batch = before("thaw", "frozen").known
    vials = tuple(VialRecord(f"V{n}", 1, 1.0, at("s", name)) for n, name in enumerate(names))
    box = next(box for box in boxes_of(batch.changed(vials=vials), []) if box.store == "s")
    assert sorted(cell.position for cell in box.cells if cell.vial) == sorted(names)
    assert len({(cell.x, cell.y) for cell in box.cells}) == len(box.cells)
    if names[0] == "2":
        assert [cell.position for cell in box.cells] == ["1", "2", "10"]


def test_a_clock_is_the_gauge_of_its_alarm() -> None:
    bench = before("wash 1", "frozen")
    batch, limits = bench.known, ProcessLimits(warning_pct=50)
    assert batch.thaw is not None
    stage = next(one for one in clocks(batch, bench.recipe) if one.stage == "thaw to first wash")
    assert stage.limit_min is not None
    ends_at = batch.thaw.ended_at + round(stage.limit_min * MINUTE_MS)
    levels = []
    for minutes in (0.4 * stage.limit_min, 0.6 * stage.limit_min, stage.limit_min + 1):
        now = batch.thaw.ended_at + round(minutes * MINUTE_MS)
        running, problem = running_clocks(batch, bench.recipe, limits, now)
        clock = next(one for one in running if one.name == "thaw to first wash")
        assert problem == "" and clock.ends_at == ends_at and clock.used == pytest.approx(minutes)
        assert clock.rule_id == f"batch:{BATCH_ID}/clock/thaw_to_first_wash" and "DMSO" in clock.consequence
        assert [one.ends_at for one in running] == sorted(one.ends_at for one in running)
        levels.append(clock.level)
    assert levels == ["ok", "warning", "over"]
    broken = batch.changed(frozen_at=batch.passages[-1].detached_at - DAY_MS)
    assert running_clocks(broken, bench.recipe, limits, now + 1)[1].startswith("The clocks can't be told")
    assert running_clocks(end("frozen"), bench.recipe, limits, now) == ((), "")


@pytest.mark.parametrize(
    ("length_ms", "said"),
    [(0, "0 s"), (59_999, "59 s"), (60_000, "1 min 00 s"), (3_905 * SECOND_MS, "1 h 05 min"), (2 * DAY_MS, "2 d 00 h")],
)
def test_lengths_of_time_as_people_say_them(length_ms: float, said: str) -> None:
    assert spoken(length_ms) == said


def test_the_story_can_be_asked_by_kind() -> None:
    batch = end("fresh")
    story = story_of(batch)
    assert len(story) == len(batch.history) and story[0].row.at >= story[-1].row.at
    assert shown(story, ()) == shown(story, ("no such kind",)) == story
    found = {kind.name: kind for kind in filters(story, ("results",))}
    assert found["results"].is_chosen and not found["steps"].is_chosen
    for name, kind in found.items():
        assert len(shown(story, (name,))) == kind.count > 0
    kinds = {entry.row.kind for name in KINDS for entry in shown(story, (name,)) if name in found}
    assert kinds == {event.type for event in batch.history}, "every event is of some kind"
    signed = shown(story, ("signatures",))
    assert {"reviewed", "released"} <= {entry.row.kind for entry in signed}
    assert not any(entry.is_correctable for entry in story), "a closed record is corrected no more"
    young = story_of(before("passage 1").known)
    assert any(entry.is_correctable for entry in young if entry.row.kind == "confluence_observed")
    assert {entry.row.position for entry in story} == {event.position for event in batch.history}


def test_the_fan_widens_from_the_last_look_to_the_target() -> None:
    bench = before("P0 read endotoxin")
    seen = bench.known.confluences[-1]
    early = tuple(
        replace(seen, at=seen.at - n * DAY_MS, pct=pct) for n, pct in ((4, 8.0), (3, 15.0), (2, 26.0), (1, 41.0))
    )
    batch = bench.known.changed(confluences=(*early, replace(seen, pct=55.0)))
    found = fan(batch, bench.recipe)
    target = bench.recipe.passage.confluence.value
    assert found[0].target_pct == 55.0 and found[-1].target_pct == target
    assert [one.at for one in found] == sorted(one.at or 0 for one in found)
    widths = [(one.latest or 0) - (one.earliest or 0) for one in found]
    assert widths[-1] > widths[0] > 0
    assert fan(batch.changed(confluences=early[:2]), bench.recipe) == (), "two looks are no forecast"
    assert fan(end("fresh"), course("fresh")[0]) == ()


def test_looks_name_their_images_and_whose_they_are() -> None:
    batch = end("fresh")
    assert len(looks(batch)) == len(batch.confluences) and [one.at for one in looks(batch)] == sorted(
        one.at for one in looks(batch)
    )
    assert owners_of_image([batch], "0" * 64) == ()
