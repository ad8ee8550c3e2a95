"""Somebody in front of the pages of a lab that runs as a process of its own."""

import asyncio
import re
from pathlib import Path
from typing import Any

import httpx
from tests.web.people import PASSWORD, people_in

from cultureops.clock import SystemClock

__all__ = ["AtThePages", "lay_out_people"]


def lay_out_people(data_dir: Path) -> None:
    """Make the people of tests/web accounts in a data folder, before the lab runs on it."""
    data_dir.mkdir(parents=True, exist_ok=True)
    asyncio.run(people_in(data_dir, SystemClock()))


NO_KEEPING = httpx.Limits(max_keepalive_connections=0)
"""A line that is kept open would end with the lab that is killed."""


class AtThePages:
    """operator-1, who logs in again whenever the lab was started anew."""

    def __init__(self, port: int) -> None:
        self._client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=5, limits=NO_KEEPING)

    def read(self, path: str) -> Any:
        """Return the JSON of an address; None while nobody answers."""
        try:
            answer = self._client.get(path)
            if answer.status_code == 401:
                self._log_in()
                answer = self._client.get(path)
            return answer.json() if answer.status_code == 200 else None
        except (httpx.TransportError, ValueError):
            return None

    def send(self, path: str, **fields: str) -> bool:
        """Send a form; return whether it was confirmed by leading to the next page."""
        try:
            token = self._token("/account") or self._log_in()
            return self._client.post(path, data={"csrf": token, **fields}).status_code == 303
        except httpx.TransportError:
            return False

    def _log_in(self) -> str:
        token = self._token("/log-in")
        fields = {"csrf": token, "username": "operator-1", "password": PASSWORD}
        self._client.post("/log-in", data=fields)
        return self._token("/account")

    def _token(self, path: str) -> str:
        found = re.search(r'name="csrf" value="([0-9a-f]{64})"', self._client.get(path).text)
        return "" if found is None else found[1]
