"""The options of a device, as the site file gives them to its driver."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TypeVar

from cultureops.errors import ConfigError

__all__ = ["Options"]

T = TypeVar("T", str, int, float, bool)


class Options:
    """Typed access to a device's options; raises ConfigError for an unknown name, a wrong type or a wrong value."""

    def __init__(self, device: str, values: Mapping[str, object], known: Collection[str]) -> None:
        self._device = device
        self._values = values
        for name in values:
            if name not in known:
                raise self.error(name, f"is unknown; known options: {', '.join(known) or 'none'}")

    def has(self, name: str) -> bool:
        """Whether the option is given."""
        return name in self._values

    def error(self, name: str, message: str) -> ConfigError:
        """Build the error that names device and option."""
        return ConfigError(f"{self._device}: option {name!r} {message}")

    def get(self, name: str, kind: type[T], default: T, expected: str) -> T:
        """Return an option of the type of ``kind``, or the default where it is not given."""
        value = self._values.get(name, default)
        if kind is float and type(value) is int:
            value = float(value)
        if isinstance(value, bool) is not (kind is bool) or not isinstance(value, kind):
            raise self.error(name, f"must be {expected}, not {value!r}")
        return value
