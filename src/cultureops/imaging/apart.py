"""Reading one image in a process of its own: a hostile file can exhaust that, never the process that watches chambers.

Called as ``python -m cultureops.imaging.apart FILE NAME FOLDER``: says the reading as JSON on standard output and
writes ``picture.jpg`` and ``mask.png`` into the folder.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from pathlib import Path
from typing import Final

from cultureops.errors import CultureOpsError

__all__ = ["MAX_PIXELS", "MOST_BYTES", "main", "read_apart"]

MAX_PIXELS: Final = 24_000_000
"""What a microscope's camera gives; the command line takes twice as many."""
MOST_BYTES: Final = 32 * 2**20
MOST_MEMORY_BYTES: Final = 3 * 2**30
MOST_CPU_S: Final = 60
NICENESS: Final = 10


def read_apart(file: Path, name: str, folder: Path) -> dict[str, object]:
    """Return the reading of an image file, and draw its two pictures; raises CultureOpsError in one line."""
    from cultureops.analysis.confluence import confluence, observation
    from cultureops.imaging.overlay import mask_picture, plain_picture
    from cultureops.imaging.reading import decode_image

    pixels = decode_image(name, file.read_bytes(), MAX_PIXELS)
    found = confluence(pixels)
    plain_picture(pixels).save(folder / "picture.jpg", quality=88)
    mask_picture(found).save(folder / "mask.png")
    return {"width": pixels.shape[1], "height": pixels.shape[0], **observation(found, "")}


def main() -> None:
    """Do what the arguments say, within bounds of memory and of processor time."""
    file, name, folder = sys.argv[1:]
    os.nice(NICENESS)
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY_BYTES, MOST_MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (MOST_CPU_S, MOST_CPU_S + 5))
    try:
        said = read_apart(Path(file), name, Path(folder))
    except (CultureOpsError, ValueError) as error:
        said = {"error": str(error)}
    except MemoryError:
        said = {"error": f"{name}: takes more memory to read than there is; export it smaller"}
    print(json.dumps(said, allow_nan=False))


if __name__ == "__main__":
    main()
