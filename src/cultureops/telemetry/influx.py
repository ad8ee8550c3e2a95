"""One call to an InfluxDB write endpoint, and what its answer means for the points.

The synchronous client, one thread per call: measured as fast as the asynchronous one with less processor time a line,
and it asks for no second HTTP library.
"""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Callable
from contextlib import suppress
from email.utils import parsedate_to_datetime
from time import time
from typing import Any, Final

from cultureops.errors import StorageError
from cultureops.telemetry.mirror_settings import MirrorSettings
from cultureops.tracing import traced

__all__ = ["InfluxWriter", "Refused", "Unavailable"]

_REFUSALS: Final = frozenset({400, 413, 422})
_GONE: Final = frozenset({502, 503, 504})
_NAMES_POINTS: Final = ("partial write", "unable to parse", "field type conflict")
_OUTLIVED: Final = "beyond retention policy"
_DROPPED: Final = re.compile(r"dropped=(\d+)")
LONGEST_WORDS: Final = 500
GRACE_S: Final = 1.0


class Refused(StorageError):
    """The server won't take some of these points, however often they are sent.

    ``names_points`` when its words leave no doubt that the points are meant, not the request; ``dropped`` is how many
    it says it left out, None when it does not; ``outlived`` when they are older than the bucket keeps them.
    """

    def __init__(self, status: int, words: str) -> None:
        super().__init__(f"{status} {words}")
        self.names_points = any(phrase in words for phrase in _NAMES_POINTS)
        self.outlived = _OUTLIVED in words
        found = _DROPPED.search(words)
        self.dropped = None if found is None else int(found[1])


class Unavailable(StorageError):
    """The points could not be handed over now: no connection, no answer, or an answer that is not about them.

    ``retry_after_s`` is what the server asked for; ``interrupted`` when it may have been restarted.
    """

    def __init__(self, words: str, *, retry_after_s: float | None = None, interrupted: bool = False) -> None:
        super().__init__(words)
        self.retry_after_s = retry_after_s
        self.interrupted = interrupted


class InfluxWriter:
    """The write endpoint of one bucket."""

    def __init__(self, settings: MirrorSettings) -> None:
        self._settings = settings
        self._client: Any = None  # the library says of few things what they are
        self._api: Any = None
        self.breaks = 0
        """How often a connection had to be made that the server had not said it would close."""

    @traced("mirror write")
    async def write(self, body: bytes) -> None:
        """Hand lines over and return when the server has confirmed all; raises Refused or Unavailable."""
        timeout_s = self._settings.timeout_s
        try:
            async with asyncio.timeout(timeout_s + GRACE_S):
                await _in_thread(lambda: self._post(body))
        except TimeoutError:
            self.close()
            words = f"{self._settings.url} gave no whole answer within {timeout_s:g} s"
            raise Unavailable(words, interrupted=True) from None

    def close(self) -> None:
        """Let go of the connection; the next call makes a new one."""
        client, self._client, self._api = self._client, None, None
        if client is not None:
            client.close()

    def _post(self, body: bytes) -> None:
        from influxdb_client.client.exceptions import InfluxDBError
        from urllib3.exceptions import HTTPError

        settings = self._settings
        try:
            self._opened().write(settings.bucket, settings.org, body, write_precision="ms")
        except InfluxDBError as error:
            raise self._meant(error) from None
        except (HTTPError, OSError) as error:
            words = f"{settings.url} can't be reached: {_one_line(str(error))}"
            raise Unavailable(words, interrupted=True) from None

    def _opened(self) -> Any:
        if self._api is None:
            from influxdb_client.client.influxdb_client import InfluxDBClient
            from influxdb_client.client.write_api import SYNCHRONOUS

            settings = self._settings
            self._client = InfluxDBClient(
                settings.url,
                settings.token or "",
                org=settings.org,
                timeout=round(settings.timeout_s * 1000),
                ssl_ca_cert=settings.ca_file,
                connection_pool_maxsize=1,
            )
            pools: Any = self._client.api_client.rest_client.pool_manager
            pool = pools.connection_from_url(settings.url)
            pool.ConnectionCls = _watched(pool.ConnectionCls, self._on_break)
            self._api = self._client.write_api(write_options=SYNCHRONOUS)
        return self._api

    def _on_break(self) -> None:
        self.breaks += 1

    def _meant(self, error: Any) -> StorageError:
        """Tell points that are refused from a server that can't take any."""
        status = getattr(error, "status", None) or 0
        words = _one_line(str(getattr(error, "body", None) or getattr(error, "reason", None) or error))
        if status in _REFUSALS:
            return Refused(status, words)
        asked = (getattr(error, "headers", None) or {}).get("Retry-After")
        said = f"{self._settings.url} answered {status or 'nothing'}: {words}"
        return Unavailable(said, retry_after_s=_seconds(asked), interrupted=status == 0 or status in _GONE)


async def _in_thread(call: Callable[[], None]) -> None:
    """Run a call in a thread of its own, which nobody waits for when the deadline is over or the program ends."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def tell(error: BaseException | None) -> None:
        if done.done():
            return
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)

    def run() -> None:
        failure: BaseException | None = None
        try:
            call()
        except BaseException as error:
            failure = error
        with suppress(RuntimeError):  # the loop has ended meanwhile, and with it whoever waited
            loop.call_soon_threadsafe(tell, failure)

    threading.Thread(target=run, name="mirror", daemon=True).start()
    await done


def _watched(kind: Any, on_break: Callable[[], None]) -> Any:
    """Return a connection class of urllib3 that tells when it connects, unless the last answer announced the close.

    urllib3 takes up a dropped connection again without a word; a server may have been restarted in between.
    """

    class Watched(kind):  # type: ignore[misc]
        is_announced = False

        def connect(self) -> None:
            if not self.is_announced:
                on_break()
            self.is_announced = False
            super().connect()

        def getresponse(self) -> Any:
            response = super().getresponse()
            self.is_announced = response.version < 11 or response.headers.get("Connection", "").lower() == "close"
            return response

    Watched.__name__ = kind.__name__  # urllib3 shows it in its errors
    return Watched


def _one_line(text: str) -> str:
    return " ".join(text.split())[:LONGEST_WORDS]


def _seconds(asked: str | None) -> float | None:
    """Read a Retry-After header: seconds, or a date."""
    if asked is None:
        return None
    try:
        return max(0.0, float(asked))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(asked).timestamp() - time())
    except ValueError:
        return None
