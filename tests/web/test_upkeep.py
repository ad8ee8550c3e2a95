"""Equipment, lots, recipes and the site file through their pages: who may, what is signed, what a batch is told."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.stock import put_on_shelf
from tests.web.house import House, open_house
from tests.web.people import PASSWORD, Browser

from cultureops.batch import commands as do
from cultureops.batch.commands import Command
from cultureops.batch.events import EVENT_TYPES
from cultureops.clock import DAY_MS
from cultureops.ledger import Actor

LOT = "/lots/MEDIUM%20%2F%207"
RECEIPT = {
    **{"material": "MEM-alpha", "supplier": "the maker", "quantity": "500", "unit": "mL"},
    **{"expires_at": "2026-03-01T00:00", "certificate": "COA-7"},
}
SCRIPT = '<script>alert("x")</script>'


@pytest.fixture
async def house(people: Path, tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(people, tmp_path) as opened:
        yield opened


async def sign(browser: Browser, address: str, **fields: str) -> str:
    """Fill in a step, look at what is signed, and sign it; returns the page on which it was shown."""
    await browser.look(address)
    shown = await browser.post(address, data=fields)
    assert shown.status_code == 200 and "You sign" in shown.text, shown.text
    offer = shown.text.split('name="offer" value="')[1].split('"')[0]
    signed = await browser.post("/upkeep/sign", data={"offer": offer, "password": PASSWORD})
    assert signed.status_code == 303, signed.text
    return shown.text


async def test_a_lot_from_its_receipt_to_its_recall(house: House) -> None:
    stores, quality = await house.of("storage-1"), await house.of("quality-1")
    await stores.look("/lots")
    led = await stores.post("/lots/new", data={"lot_id": " MEDIUM / 7 "})
    assert led.headers["location"] == f"{LOT}/do/LotReceived"
    wrong = await stores.post(f"{LOT}/do/LotReceived", data=RECEIPT | {"quantity": "many", "supplier": SCRIPT})
    assert wrong.status_code == 400 and "expected a number" in wrong.text
    assert "&lt;script&gt;" in wrong.text and SCRIPT not in wrong.text, "what was typed survives, and harms nobody"
    received = await stores.post(f"{LOT}/do/LotReceived", data=RECEIPT)
    assert (received.status_code, received.headers["location"]) == (303, LOT)
    assert "quarantined" in (await stores.get(LOT)).text and "Lot released" not in (await stores.get(LOT)).text
    assert (await stores.get(f"{LOT}/do/LotReleased")).status_code == 403
    shown = await sign(quality, f"{LOT}/do/LotReleased")
    assert "Lot released: MEDIUM / 7" in shown and "approved" in shown
    (signature,) = house.events("lot:MEDIUM / 7")[-1].data["signatures"]
    assert signature["username"] == "quality-1"
    await put_on_shelf(house.lab.ledger, house.clock.now(), "L1")
    noted = do.Isolate(method="x", reagent_lots=("MEDIUM / 7",), mnc_count=1, viability_pct=90.0)
    await seeded_with(house, noted)
    warned = (await quality.get(f"{LOT}/do/LotRecalled")).text
    assert "Used by B-1" in warned
    assert (await quality.post(f"{LOT}/do/LotRecalled", data={"reason": " "})).status_code == 400
    await sign(quality, f"{LOT}/do/LotRecalled", reason="the maker called it back")
    assert "deviation_opened" in [event.type for event in house.events("batch:B-1")]
    page = (await stores.get(LOT)).text
    assert "recalled" in page and "/batches/B-1" in page and "the maker called it back" in page
    assert (await stores.get("/lots?text=MEDIUM%20/%207")).headers["location"] == LOT
    assert "No lot on record fits" in (await stores.get("/lots?text=nothing")).text


async def seeded_with(house: House, details: do.Isolate) -> None:
    """Bring the batch to where it has used a lot."""
    operator, second = Actor("operator-1", "OP"), Actor("operator-2", "OP")
    now = house.clock.now()
    marrow = do.ReceiveMarrow(
        marrow_ml=12.0, collected_at=now, anticoagulant="heparin", receipt_temperature_c=20.0,
        donor_markers="negative", scans=("COI-7F3K2", "COI-7F3K2"),
    )  # fmt: skip
    await house.lab.execute(Command("B-1", do.RecordConsent(form="v3", eligible=True)), operator)
    await house.lab.execute(Command("B-1", marrow), operator, second)
    await house.lab.execute(Command("B-1", details), operator)
    assert EVENT_TYPES


async def test_what_is_signed_is_what_was_shown(house: House) -> None:
    quality = await house.of("quality-1")
    await put_on_shelf(house.lab.ledger, house.clock.now(), "L1")
    address = "/lots/L1/do/LotRecalled"
    await quality.look(address)
    shown = await quality.post(address, data={"reason": "called back"})
    offer = shown.text.split('name="offer" value="')[1].split('"')[0]
    stopper = await house.of("operator-1")
    await stopper.look("/lots/L1/do/LotQuarantined")
    assert (await stopper.post("/lots/L1/do/LotQuarantined", data={"reason": "cloudy"})).status_code == 303
    changed = await quality.post("/upkeep/sign", data={"offer": offer, "password": PASSWORD})
    assert changed.status_code == 409 and "You sign" in changed.text, "shown anew, as it stands now"
    wrong = await quality.post("/upkeep/sign", data={"offer": "nothing", "password": PASSWORD})
    assert wrong.status_code == 409 and "open the step again" in wrong.text
    other = await house.of("qualified-1")
    stolen = changed.text.split('name="offer" value="')[1].split('"')[0]
    assert (await other.post("/upkeep/sign", data={"offer": stolen, "password": PASSWORD})).status_code == 403
    assert house.lab.lots.fact("L1", house.clock.now()).status.value == "quarantined"


async def test_equipment_out_of_service_and_back(house: House) -> None:
    keeper, operator = await house.of("equipment-1"), await house.of("operator-1")
    centrifuge = "/equipment/centrifuge_1"
    missing = await keeper.get(centrifuge)
    assert missing.status_code == 404
    await sign(keeper, f"{centrifuge}/do/Commissioned", document="QR-1", title="Centrifuge")
    calibrated = {"certificate": "CAL-1", "calibrated_at": "2026-01-01T00:00", "due": "2026-01-20T00:00"}
    await sign(keeper, f"{centrifuge}/do/Calibrated", **calibrated)
    assert "calibration due in 15 d" in (await operator.get("/equipment")).text
    await operator.look(f"{centrifuge}/do/TakenOutOfService")
    out = await operator.post(f"{centrifuge}/do/TakenOutOfService", data={"reason": "it rattles"})
    assert out.status_code == 303
    page = (await operator.get(centrifuge)).text
    assert "Out of service: steps that use it are refused" in page and "it rattles" in page
    assert "Returned to service" not in page, "to stop is for everybody, to go on is not"
    await sign(keeper, f"{centrifuge}/do/ReturnedToService", reason="new rotor")
    house.clock.advance(30 * DAY_MS)
    assert "calibration over" in (await operator.get("/equipment")).text


@pytest.mark.requirement("R22")
async def test_a_recipe_is_approved_on_its_page(house: House) -> None:
    quality, operator = await house.of("quality-1"), await house.of("operator-1")
    page = (await operator.get("/recipes/karussis_2010")).text
    assert "nothing yet" in page and "Show what I sign" not in page and "proposed default" in page
    await quality.look("/recipes/karussis_2010")
    recipe = house.lab.recipes.candidate("karussis_2010")
    stale = await quality.post("/recipes/karussis_2010/approve", data={"sha256": "0" * 64, "reason": "x"})
    assert stale.status_code == 409
    asked = {"sha256": recipe.sha256, "reason": "first use here"}
    shown = await quality.post("/recipes/karussis_2010/approve", data=asked)
    offer = shown.text.split('name="offer" value="')[1].split('"')[0]
    assert recipe.sha256 in shown.text
    assert (await quality.post("/upkeep/sign", data={"offer": offer, "password": PASSWORD})).status_code == 303
    assert house.lab.recipes.approval("karussis_2010").signature.username == "quality-1"
    assert "Show what I sign" not in (await quality.get("/recipes/karussis_2010")).text
    assert (await operator.post("/recipes/karussis_2010/approve", data=asked)).status_code == 403


async def test_lists_that_only_show(house: House) -> None:
    admin, operator = await house.of("admin-1"), await house.of("operator-1")
    assert "No device in the site file" in (await operator.get("/devices")).text
    assert "Nobody is told" in (await admin.get("/roster")).text
    assert "keeps no site file" in (await admin.get("/site")).text
    assert "tavakol_afshari_2021" in (await operator.get("/recipes")).text
    for address in ("/lots", "/equipment", "/recipes"):
        assert (await admin.get(address)).status_code == 403, address
    for address in ("/lots/x/do/Nothing", "/equipment/%00/do/Retired", "/recipes/..%2Fetc", "/lots/" + "x" * 300):
        assert (await operator.get(address)).status_code in (400, 403, 404), address
