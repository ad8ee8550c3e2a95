"""Messages at a broker, held to the schemas that are shipped."""

from __future__ import annotations

import re
from typing import Any

from jsonschema import Draft202012Validator

from cultureops.mqtt.schema import schemas

__all__ = ["faults_of", "validator"]


def _pattern(topic: str) -> re.Pattern[str]:
    """A topic of a schema as a regular expression; the last of its names may hold levels of its own."""
    *parts, last = re.split(r"<[a-z]+>", topic.removeprefix("<prefix>/"))
    return re.compile("/".join(("(?P<prefix>.+?)", "[^/]+".join(map(re.escape, parts)))) + (".+" if parts else last))


def validator(name: str) -> Draft202012Validator:
    """The validator of one kind of message."""
    body = next(schema.body for schema in schemas() if schema.name == name)
    Draft202012Validator.check_schema(body)
    return Draft202012Validator(body)


_VALIDATORS = {schema.name: validator(schema.name) for schema in schemas()}
_KINDS = [(_pattern(topic), schema.name) for schema in schemas() for topic in schema.topics]


def faults_of(prefix: str, topic: str, message: Any) -> list[str]:
    """What is wrong with a message at its topic; a topic that no schema or more than one speaks of is a fault too."""
    kinds = [name for pattern, name in _KINDS if (found := pattern.fullmatch(topic)) and found["prefix"] == prefix]
    if len(kinds) != 1:
        return [f"{topic}: {len(kinds)} schemas speak of it"]
    return [f"{topic}: {error.message}" for error in _VALIDATORS[kinds[0]].iter_errors(message)]
