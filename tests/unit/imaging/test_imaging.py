"""Images in files: what is read, what is refused and how, and the overlay."""

import hashlib
import json
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.unit.analysis.culture_scenes import camera, spindles

from cultureops.analysis.confluence import confluence
from cultureops.errors import CultureOpsError
from cultureops.imaging import as_json, judge_file, overlay, read_image

SHAPE = (128, 160)


@pytest.fixture(scope="module")
def grey() -> np.ndarray:
    return camera(spindles(40, shape=SHAPE))


@pytest.mark.parametrize("name", ["image.tif", "image.png", "image.bmp"])
def test_lossless_files_are_read_as_they_are(tmp_path: Path, grey: np.ndarray, name: str) -> None:
    Image.fromarray(grey).save(tmp_path / name)
    assert np.array_equal(read_image(tmp_path / name), grey)


@pytest.mark.parametrize("name", ["image.tif", "image.png"])
def test_sixteen_bit_stays_sixteen_bit(tmp_path: Path, grey: np.ndarray, name: str) -> None:
    deep = grey.astype(np.uint16) * 200 + 7
    Image.fromarray(deep).save(tmp_path / name)
    assert np.array_equal(read_image(tmp_path / name), deep)


@pytest.mark.parametrize(("mode", "shape"), [("RGB", (128, 160, 3)), ("RGBA", (128, 160, 4)), ("LA", (128, 160, 2))])
def test_colour_and_alpha(tmp_path: Path, grey: np.ndarray, mode: str, shape: tuple[int, ...]) -> None:
    Image.fromarray(grey).convert(mode).save(tmp_path / "image.png")
    pixels = read_image(tmp_path / "image.png")
    assert pixels.shape == shape
    assert confluence(pixels).confluence_pct == pytest.approx(confluence(grey).confluence_pct)


@pytest.mark.parametrize("mode", ["P", "1"])
def test_palettes_are_resolved(tmp_path: Path, grey: np.ndarray, mode: str) -> None:
    Image.fromarray(grey).convert(mode).save(tmp_path / "image.png")
    assert read_image(tmp_path / "image.png").shape == (128, 160, 3)


def test_a_jpeg_is_read(tmp_path: Path, grey: np.ndarray) -> None:
    Image.fromarray(grey).save(tmp_path / "image.jpg", quality=90)
    assert read_image(tmp_path / "image.jpg").shape == SHAPE


def bomb() -> bytes:
    """A PNG of a few bytes that says it has ten thousand million pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 99)) + chunk(b"IEND", b"")
    )


def test_what_is_no_image_is_refused_in_one_line(tmp_path: Path, grey: np.ndarray) -> None:
    Image.fromarray(grey).save(tmp_path / "whole.png")
    whole = (tmp_path / "whole.png").read_bytes()
    Image.fromarray(grey).save(tmp_path / "whole.tif", compression="tiff_lzw")
    tif = (tmp_path / "whole.tif").read_bytes()
    contents = {
        "empty.tif": (b"", "empty"),
        "noise.png": (np.random.default_rng(1).bytes(5000), "no readable"),
        "text.jpg": (b"confluence,80\n" * 50, "no readable"),
        "cut.png": (whole[: len(whole) // 2], "no readable"),
        "cut.tif": (tif[:200], "no readable"),
        "bomb.png": (bomb(), "pixels"),
    }
    for name, (content, said) in contents.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(CultureOpsError, match=said) as caught:
            read_image(tmp_path / name)
        assert name in str(caught.value)
        assert "\n" not in str(caught.value)


def test_any_spoiled_byte_is_read_or_refused(tmp_path: Path, grey: np.ndarray) -> None:
    Image.fromarray(grey).save(tmp_path / "whole.tif")
    whole = (tmp_path / "whole.tif").read_bytes()
    rng = np.random.default_rng(3)
    for _ in range(60):
        spoiled = bytearray(whole)
        for at in rng.integers(0, 400, 8):
            spoiled[at if at < 200 else len(whole) - int(at) + 199] = rng.integers(256)
        (tmp_path / "spoiled.tif").write_bytes(bytes(spoiled))
        try:
            read_image(tmp_path / "spoiled.tif")
        except CultureOpsError as error:
            assert "spoiled.tif" in str(error)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.png", tmp_path):
        with pytest.raises(CultureOpsError, match=str(path)):
            read_image(path)


def test_small_and_several_pictures_are_refused(tmp_path: Path, grey: np.ndarray) -> None:
    Image.fromarray(grey[:63]).save(tmp_path / "small.png")
    with pytest.raises(CultureOpsError, match="160 x 63 pixels; at least 64"):
        read_image(tmp_path / "small.png")
    Image.fromarray(grey).save(tmp_path / "stack.tif", save_all=True, append_images=[Image.fromarray(grey)])
    with pytest.raises(CultureOpsError, match="holds several pictures"):
        read_image(tmp_path / "stack.tif")


def test_the_overlay_outlines_cells_and_hatches_what_is_left_out(grey: np.ndarray) -> None:
    framed = np.pad(grey, 40, constant_values=4)
    found = confluence(framed)
    drawn = np.array(overlay(framed, found, "flask"))
    assert drawn.shape[1] == framed.shape[1]
    assert drawn.shape[0] > framed.shape[0]
    picture = drawn[: framed.shape[0]]
    yellow = (picture == (255, 220, 0)).all(axis=2)
    red = (picture == (230, 60, 60)).all(axis=2)
    assert found.excluded is not None
    assert yellow.any() and not (yellow & ~found.mask).any()
    assert red.any() and not (red & ~found.excluded).any()
    assert drawn[framed.shape[0] :].max() == 255  # the figures


def test_a_file_is_judged_with_the_hash_of_its_bytes(tmp_path: Path, grey: np.ndarray) -> None:
    Image.fromarray(grey).save(tmp_path / "a.png")
    sha256 = hashlib.sha256((tmp_path / "a.png").read_bytes()).hexdigest()
    judged = judge_file(tmp_path / "a.png", tmp_path / "new" / "folder")
    kept = as_json(judged)
    assert kept["image_sha256"] == sha256
    assert json.loads(json.dumps(kept, allow_nan=False)) == kept
    assert judged.overlay == tmp_path / "new" / "folder" / f"a-{sha256[:8]}.png"
    with Image.open(judged.overlay) as drawn:
        assert drawn.mode == "RGB"


def test_an_overlay_that_cannot_be_written_loses_no_figure(tmp_path: Path, grey: np.ndarray) -> None:
    Image.fromarray(grey).save(tmp_path / "a.png")
    (tmp_path / "taken").write_text("a file, no folder")
    judged = judge_file(tmp_path / "a.png", tmp_path / "taken")
    assert not judged.done
    assert "overlay was not written" in judged.refusal
    assert as_json(judged)["confluence_pct"] is not None
