"""The JSON Schemas (2020-12) of the topics: data files that every message is held to by tests."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from cultureops.errors import ConfigError

__all__ = ["TopicSchema", "schemas", "write_schemas"]

_SUFFIX = ".schema.json"


@dataclass(frozen=True, slots=True)
class TopicSchema:
    """One kind of message; ``topics`` are the patterns it is published under, ``text`` is the file itself."""

    name: str
    topics: tuple[str, ...]
    text: str

    @property
    def body(self) -> Mapping[str, Any]:
        """The schema as plain values."""
        found: dict[str, Any] = json.loads(self.text)
        return found


def schemas() -> tuple[TopicSchema, ...]:
    """Return every schema by name."""
    folder = resources.files("cultureops.mqtt") / "schemas"
    texts = {file.name.removesuffix(_SUFFIX): file.read_text(encoding="utf-8") for file in folder.iterdir()}
    return tuple(TopicSchema(name, tuple(json.loads(text)["x-topics"]), text) for name, text in sorted(texts.items()))


def write_schemas(folder: Path) -> tuple[Path, ...]:
    """Write one file per kind of message and return them; raises ConfigError where that can't be done."""
    written = []
    for schema in schemas():
        path = folder / f"{schema.name}{_SUFFIX}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            path.write_text(schema.text, encoding="utf-8")
        except OSError as error:
            raise ConfigError(f"{path}: can't be written: {error.strerror}; name another folder with --out") from None
        written.append(path)
    return tuple(written)
