"""Labels: what is printed is what a scanner reads, and nothing else than token and names of containers."""

import io
import re
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from tests.unit.batch.conftest import BATCH_ID, TOKEN, Lab
from tests.unit.batch.karussis import process as karussis_process

from cultureops.batch.recipe import load_recipe
from cultureops.label import Label, Modules, data_matrix, labels_of, page, qr_code

zxingcpp = pytest.importorskip("zxingcpp", reason="the reader of codes is not installed: pip install zxing-cpp")
ZONE = ZoneInfo("Europe/Berlin")


def picture(modules: Modules, quiet: int = 4, scale: int = 6) -> np.ndarray:
    dark = np.pad(np.array(modules, bool), quiet)
    return np.kron(np.where(dark, 0, 255).astype(np.uint8), np.ones((scale, scale), np.uint8))


@pytest.mark.parametrize("text", ["B-2026-001.V07", "COI-7F3K2", "B1", "x" * 80, "B-2026-001-P0.12"])
def test_codes_read_back(text: str) -> None:
    for encode, kind in ((data_matrix, "Data Matrix"), (qr_code, "QR Code")):
        (found,) = zxingcpp.read_barcodes(picture(encode(text)))
        assert found.text == text
        assert kind.replace(" ", "") in str(found.format).replace(" ", "")


async def test_labels_name_each_vessel_vial_and_container(lab: Lab) -> None:
    batch = await lab.play("P0 look")
    assert batch is not None
    vessels = labels_of(batch, "vessels", ZONE)
    assert [label.container for label in vessels] == [f"{BATCH_ID}-P0.{number}" for number in range(1, 13)]
    assert labels_of(batch, "vials", ZONE) == () == labels_of(batch, "containers", ZONE)
    rest = list(lab.steps)
    for name in rest[rest.index("P0 look") : rest.index("ship")]:
        batch = await lab.do(name)
    containers = labels_of(batch, "containers", ZONE)
    assert [label.container for label in containers] == ["IT-1", "IV-1"]
    assert containers[0].lines[2] == "IT: 70e6 cells in 2 mL" and containers[0].lines[3].endswith("CET")
    assert all(label.patient_token == TOKEN for label in (*vessels, *containers))


async def test_vials_are_labelled_while_they_stand_in_a_store(lab: Lab) -> None:
    lab.steps, lab.recipe = karussis_process(), load_recipe("karussis_2010")
    batch = await lab.play("check storage")
    assert batch is not None
    vials = labels_of(batch, "vials", ZONE)
    assert len({label.container for label in vials}) == len(vials) == 15
    assert "10e6, 10 % DMSO" in vials[0].lines


def test_a_printed_page_holds_words_as_words() -> None:
    hostile = '<script>alert(1)</script>"&'
    made = page([Label("vials", "V1", TOKEN, ("V1", hostile))], hostile)
    assert "<script" not in made and "&lt;script&gt;" in made
    assert "http" not in re.sub(r'xmlns="[^"]+"', "", made), "nothing is loaded from elsewhere"
    assert '<svg role="img" aria-label="Label V1 for patient COI-7F3K2"' in made


@pytest.mark.parametrize("kind", ["vessels", "vials", "containers"])
def test_words_fit_between_the_codes(kind: str) -> None:
    label = Label(kind, "B-2026-001.V07", TOKEN, ("B-2026-001.V07", f"patient {TOKEN}", "10e6, 10 % DMSO", "frozen"))  # type: ignore[arg-type]
    made = page([label], "t")
    rows = [(float(y), float(size)) for y, size in re.findall(r'y="([0-9.]+)" font-size="([0-9.]+)"', made)]
    assert rows[-1][0] < label.size.height_mm and min(size for _, size in rows) > 1.0
    room_mm = label.size.width_mm - 2 * label.size.code_mm - 3
    assert max(len(line) for line in label.lines) * rows[0][1] * 0.62 <= room_mm
    assert io.StringIO(made).read()
