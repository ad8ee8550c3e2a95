"""The control port: one JSON object a line in, one reply a line out. It is a dialect like any other.

``{"cmd": "step", "dt_s": 60.0}`` -> ``{"ok": true, "t_s": 60.0}``; a refusal is ``{"ok": false, "error": "one line"}``.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Final

from cultureops_simulators.arguments import Arguments
from cultureops_simulators.fleet import Fleet
from cultureops_simulators.instrument import SimulatorError

__all__ = ["ControlDialect"]

_LONGEST_LINE: Final = 65_536
_LONGEST_STEP_S: Final = 86_400.0


class ControlDialect:
    """One connection to the control port."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._buffer = b""
        self._commands: dict[str, Callable[[Arguments], dict[str, object]]] = {
            "step": self._step,
            "fault": self._fault,
            "clear": self._clear,
            "act": self._act,
            "truth": self._truth,
        }

    def receive(self, data: bytes) -> bytes:
        """Carry out every whole line."""
        *lines, rest = (self._buffer + data).split(b"\n")
        replies = [self._answer(line) for line in lines if line.strip()]
        if len(rest) > _LONGEST_LINE:
            rest = b""
            replies.append(
                {
                    "ok": False,
                    "error": f"a line longer than {_LONGEST_LINE} bytes was thrown away",
                }
            )
        self._buffer = rest
        return b"".join(json.dumps(reply).encode("ascii") + b"\n" for reply in replies)

    def _answer(self, line: bytes) -> dict[str, object]:
        try:
            request = Arguments("request", json.loads(line))
            command = self._commands.get(request.text("cmd"))
            if command is None:
                raise SimulatorError(f"request: cmd must be one of {', '.join(self._commands)}")
            return {"ok": True, **command(request)}
        except SimulatorError as error:
            return {"ok": False, "error": str(error)}
        except (ValueError, RecursionError):
            return {"ok": False, "error": "request: expected one JSON object on a line"}

    def _step(self, request: Arguments) -> dict[str, object]:
        lab = self._fleet.lab
        lab.step(request.number("dt_s", most=_LONGEST_STEP_S))
        return {"t_s": lab.elapsed_s}

    def _fault(self, request: Arguments) -> dict[str, object]:
        request.only("cmd", "device", "fault", "args")
        name, fault = request.text("device"), request.text("fault")
        self._fleet.set_fault(
            name,
            fault,
            Arguments(f"{name}: fault {fault}", request.fields.get("args") or {}),
        )
        return {}

    def _clear(self, request: Arguments) -> dict[str, object]:
        request.only("cmd", "device")
        self._fleet.clear(request.text("device"))
        return {}

    def _act(self, request: Arguments) -> dict[str, object]:
        act = request.text("act")
        details = {key: value for key, value in request.fields.items() if key not in ("cmd", "act")}
        return self._fleet.lab.act(act, Arguments(f"act {act}", details))

    def _truth(self, request: Arguments) -> dict[str, object]:
        request.only("cmd")
        return {"t_s": self._fleet.lab.elapsed_s, **self._fleet.lab.truth()}
