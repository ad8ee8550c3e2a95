"""The page of the bench: only where there is one, for people who may act, and harmless whatever lies on it."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from tests.web.house import House, open_house

from cultureops.errors import CultureOpsError
from cultureops.web.bench import Act, ActField, Answer, BenchView, Seen, Stand
from cultureops.web.server import create_app

HOSTILE = "<script>alert(1)</script>\u202e=1+1../../"


class FakeBench:
    """A bench on which hostile things lie; it notes what hands do, and refuses to juggle."""

    def __init__(self) -> None:
        self.done: list[tuple[str, str, Mapping[str, str]]] = []
        self.passing_until: int | None = None

    async def view(self) -> BenchView:
        act = Act("detach", HOSTILE, (ActField("volume_ml", HOSTILE, HOSTILE, "mL"),), 10)
        stand = Stand("B-1", HOSTILE, HOSTILE, ((HOSTILE, HOSTILE),), (act,))
        answer = Answer("B-1", HOSTILE, HOSTILE, HOSTILE, True, ((HOSTILE, HOSTILE, "%"),))
        room = Act("door", HOSTILE, (ActField("chamber", "", HOSTILE, choices=(HOSTILE,)),))
        seen = Seen(0, HOSTILE, HOSTILE)
        return BenchView(
            (((HOSTILE, HOSTILE),),), (stand,), (answer,), (room,), (), (seen,), ((HOSTILE, "OP"),), self.passing_until
        )

    async def act(self, act: str, batch_id: str, fields: Mapping[str, str]) -> None:
        if act == "juggle":
            raise CultureOpsError(f"{HOSTILE} is nothing that hands do here")
        self.done.append((act, batch_id, dict(fields)))


def with_bench(house: House, bench: FakeBench) -> House:
    context = replace(house.app.state.context, bench=bench)
    return replace(house, app=create_app(context))


async def test_the_bench_is_for_people_of_a_demo_by_hand_and_harmless(people: Path, tmp_path: Path) -> None:
    async with open_house(people, tmp_path) as house:
        operator = await house.of("operator-1")
        assert (await operator.get("/bench")).status_code == 404
        assert (await operator.post("/bench", data={"act": "door"})).status_code == 404
        assert "/bench" not in (await operator.get("/account")).text
        bench = FakeBench()
        demo = with_bench(house, bench)
        operator = await demo.of("operator-1")
        await check_people(demo, bench)
        page = await operator.look("/bench")
        assert page.status_code == 200 and "<script>alert" not in page.text and "&lt;script&gt;" in page.text
        sent = await operator.post("/bench", data={"act": "detach", "batch_id": "B-1", "volume_ml": "60", "x": "y"})
        assert (sent.status_code, sent.headers["location"]) == (303, "/bench")
        act, batch_id, fields = bench.done.pop()
        assert (act, batch_id, fields["volume_ml"], "x" in fields) == ("detach", "B-1", "60", False)
        refused = await operator.post("/bench", data={"act": "juggle"})
        assert refused.status_code == 409 and "nothing that hands do here" in refused.text
        assert "<script>alert" not in refused.text
        bench.passing_until = house.clock.now() + 1
        assert 'http-equiv="refresh"' in (await operator.get("/bench")).text


async def check_people(demo: House, bench: FakeBench) -> None:
    """Whoever may not act on a record may not act on the bench either."""
    for name, status in (("admin-1", 403), ("clinic-1", 200)):
        assert (await (await demo.of(name)).get("/bench")).status_code == status
    stranger = await demo.browser().get("/bench")
    assert stranger.status_code in (303, 401)
    operator = await demo.of("operator-1")
    operator.csrf = "0" * 64
    assert (await operator.post("/bench", data={"act": "door"})).status_code == 403
    for garbage in ({"act": "x" * 500}, {}, {"act": "door", "batch_id": "b" * 500}):
        operator = await demo.of("operator-1")
        assert (await operator.post("/bench", data=garbage)).status_code == 400
    assert bench.done == []
