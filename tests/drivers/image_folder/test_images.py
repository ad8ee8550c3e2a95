"""Images: whole ones, their hash, and what their names say."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from cultureops.device.driver import ImageResult, RejectedFile
from cultureops.errors import ProtocolError
from cultureops_drivers.image_folder import create
from cultureops_drivers.image_folder.protocol import parse_image

TIFF = b"II*\x00\x08\x00\x00\x00"


@pytest.mark.parametrize(
    ("name", "well", "field", "at", "elapsed_h", "flags"),
    [
        ("well_B1_2_2022y05m08d_08h46m.tif", "B1", 2, "2022-05-08T08:46:00", None, ()),
        ("A172_Phase_C7_1_00d20h00m_4.tif", "C7", 1, "", 20.0, ()),
        ("Huh7_Phase_A12_1_02d12h30m_3.tif", "A12", 1, "", 60.5, ()),
        ("P24_9_2022y12m31d_23h59m.tiff", "P24", 9, "2022-12-31T23:59:00", None, ()),
        ("A1-1-Ph.tif", "A1", 1, "", None, ("time_missing",)),
        ("Q1_1_00d20h00m.tif", "", None, "", None, ("name_not_understood",)),
        ("A25_1_00d20h00m.tif", "", None, "", None, ("name_not_understood",)),
        ("flask.tif", "", None, "", None, ("name_not_understood",)),
    ],
)
def test_names(
    name: str, well: str, field: int | None, at: str, elapsed_h: float | None, flags: tuple[str, ...]
) -> None:
    (image,) = parse_image(TIFF, name)
    assert (image.well, image.field, image.taken_at_local) == (well, field, at)
    assert (image.elapsed_h, image.flags) == (elapsed_h, flags)
    assert image.source_sha256 == hashlib.sha256(TIFF).hexdigest()


@pytest.mark.parametrize(
    "name", ["well_B1_2_2022y02m30d_08h46m.tif", "well_B1_2_2022y05m08d_24h00m.tif", "x_B1_2_00d25h00m.tif"]
)
def test_impossible_times_are_refused(name: str) -> None:
    with pytest.raises(ProtocolError, match="is no"):
        parse_image(TIFF, name)


@pytest.mark.parametrize("contents", [b"", b"II", b"text", b"%PDF-1.7"])
def test_what_is_no_image_is_refused(contents: bytes) -> None:
    with pytest.raises(ProtocolError, match="expected a TIFF, PNG or JPEG file"):
        parse_image(contents, "well_B1_2_2022y05m08d_08h46m.tif")


async def test_an_image_that_still_grows_is_left_alone(tmp_path: Path) -> None:
    source = create("imager_1", tmp_path, {})
    path = tmp_path / "well_B1_2_2022y05m08d_08h46m.tif"
    path.write_bytes(TIFF)
    assert await source.collect() == ()
    path.write_bytes(TIFF * 2)
    assert await source.collect() == ()
    (tmp_path / "notes.txt").write_text("x")
    (image,) = await source.collect()
    assert isinstance(image, ImageResult) and image.source_sha256 == hashlib.sha256(TIFF * 2).hexdigest()
    (rejected,) = await source.collect()
    assert isinstance(rejected, RejectedFile) and rejected.source_file == "notes.txt"
    source.release(image)
    await source.collect()
    assert (tmp_path / "done" / path.name).read_bytes() == TIFF * 2


def test_real_names_and_files(acceptance_data: Path) -> None:
    files = sorted((acceptance_data / "images").glob("*.tif"))
    assert files
    for path in files:
        (image,) = parse_image(path.read_bytes(), path.name)
        assert image.well and image.field and image.elapsed_h is not None and not image.flags
