"""Spans of what the program does, by OpenTelemetry, where a site asks for them; nothing at all where it does not.

A span says what was done, how long it took and whether it failed, and of an error its kind alone: messages, batches and
patients stand in the record, not in somebody's collector.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, ParamSpec, Protocol, TypeVar

from cultureops.errors import ConfigError

__all__ = ["Note", "TracingSettings", "begin_tracing", "is_traced", "span", "trace_ids", "traced", "tracing"]

P = ParamSpec("P")
R = TypeVar("R")
Value = str | int | float | bool

MOST_WAITING: Final = 2_048
"""Spans that wait for the collector; one that is away costs no more memory, and those beyond are dropped."""


@dataclass(frozen=True, slots=True)
class TracingSettings:
    """Which collector is told; ``timeout_s`` [s] is for one call, ``ratio`` (0 to 1) is how many traces are kept.

    ``endpoint`` takes OTLP over HTTP, such as ``http://127.0.0.1:4318/v1/traces``.
    """

    endpoint: str
    service_name: str = "cultureops"
    ratio: float = 1.0
    timeout_s: float = 5.0
    ca_file: Path | None = None
    token: str | None = field(default=None, repr=False)


class Note(Protocol):
    """A span that is open: what is learnt on the way is added to it."""

    def set_attribute(self, key: str, value: Value) -> None:
        """Add one attribute."""
        ...


class _Unseen:
    def set_attribute(self, key: str, value: Value) -> None:
        """Forget it."""


_UNSEEN: Final = nullcontext(_Unseen())
_tracer: Any = None  # OpenTelemetry's, once somebody began; a program has one


@asynccontextmanager
async def tracing(settings: TracingSettings | None) -> AsyncIterator[None]:
    """Trace what is done within the block, if anybody asks for it; what waits at its end is handed over then.

    Raises ConfigError where the optional libraries are not installed.
    """
    if settings is None:
        yield
        return
    end = begin_tracing(settings)
    try:
        yield
    finally:
        with suppress(TimeoutError):
            async with asyncio.timeout(2 * settings.timeout_s):
                await asyncio.to_thread(end)


def begin_tracing(settings: TracingSettings) -> Callable[[], None]:
    """Trace from now on, until what is returned is called: that hands over what waits, and blocks meanwhile.

    Raises ConfigError where the optional libraries are not installed.
    """
    global _tracer
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
    except ImportError as error:
        raise ConfigError(f"[opentelemetry] wants more: pip install 'cultureops[opentelemetry]' ({error})") from None
    exporter = OTLPSpanExporter(
        endpoint=settings.endpoint,
        certificate_file=None if settings.ca_file is None else str(settings.ca_file),
        headers={} if settings.token is None else {"authorization": f"Bearer {settings.token}"},
        timeout=settings.timeout_s,
    )
    provider = TracerProvider(
        sampler=ParentBased(TraceIdRatioBased(settings.ratio)),
        resource=Resource({"service.name": settings.service_name}),
        shutdown_on_exit=False,
    )
    waiting = BatchSpanProcessor(
        exporter, max_queue_size=MOST_WAITING, export_timeout_millis=1_000 * settings.timeout_s
    )
    provider.add_span_processor(waiting)
    _tracer = provider.get_tracer("cultureops")

    def end() -> None:
        global _tracer
        _tracer = None
        provider.shutdown()

    return end


def is_traced() -> bool:
    """Whether anybody asked for spans."""
    return _tracer is not None


def span(name: str, **attributes: Value) -> AbstractContextManager[Note]:
    """Open a span around a block; attributes name kinds of things, never a batch, a patient or a person."""
    return _UNSEEN if _tracer is None else _opened(name, attributes)


@contextmanager
def _opened(name: str, attributes: Mapping[str, Value]) -> Iterator[Note]:
    from opentelemetry.trace import Status, StatusCode

    opened = _tracer.start_as_current_span(
        name, attributes=attributes, record_exception=False, set_status_on_exception=False
    )
    with opened as found:
        try:
            yield found
        except BaseException as error:
            found.set_attribute("error.type", type(error).__name__)
            found.set_status(Status(StatusCode.ERROR))
            raise


def traced(
    name: str,
) -> Callable[[Callable[P, Coroutine[Any, Any, R]]], Callable[P, Coroutine[Any, Any, R]]]:
    """Make each call of a coroutine function a span of this name."""

    def decorate(function: Callable[P, Coroutine[Any, Any, R]]) -> Callable[P, Coroutine[Any, Any, R]]:
        async def in_span(*args: P.args, **kwargs: P.kwargs) -> R:
            with span(name):
                return await function(*args, **kwargs)

        @functools.wraps(function)
        def called(*args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, R]:
            return function(*args, **kwargs) if _tracer is None else in_span(*args, **kwargs)

        return called

    return decorate


def trace_ids() -> dict[str, str]:
    """Return the ids of the present trace and span for a line of the log, nothing where there are none."""
    if _tracer is None:
        return {}
    from opentelemetry.trace import get_current_span

    context = get_current_span().get_span_context()
    if not context.is_valid:
        return {}
    return {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}
