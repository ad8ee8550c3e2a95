"""Spans, as a collector of the test receives them over HTTP; and what tracing costs where nobody asks for it."""

import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import structlog
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from tests.ports import free_port
from tests.web.conftest import people  # noqa: F401
from tests.web.house import open_house
from tests.web.people import PASSWORD

from cultureops.errors import ConfigError, GateFailed
from cultureops.logs import log_to_stderr
from cultureops.site import read_site
from cultureops.tracing import TracingSettings, is_traced, span, trace_ids, traced, tracing

TOKEN = "0123456789abcdef" * 4


@dataclass
class Collector:
    """What arrived, and with which headers."""

    port: int = 0
    status: int = 200
    spans: list[Span] = field(default_factory=list)
    tokens: set[str | None] = field(default_factory=set)
    resources: set[str] = field(default_factory=set)

    @property
    def settings(self) -> TracingSettings:
        return TracingSettings(f"http://127.0.0.1:{self.port}/v1/traces", timeout_s=2.0)

    def named(self, name: str) -> list[Span]:
        return [one for one in self.spans if one.name == name]


def attributes(one: Span) -> dict[str, object]:
    return {
        row.key: row.value.string_value if row.value.HasField("string_value") else row.value.int_value
        for row in one.attributes
    }


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as found:
        yield found


@contextmanager
def collecting() -> Iterator[Collector]:
    found = Collector()

    class Takes(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            request = ExportTraceServiceRequest.FromString(body)
            found.tokens.add(self.headers["authorization"])
            for group in request.resource_spans:
                found.resources |= {row.value.string_value for row in group.resource.attributes}
                found.spans += [one for scope in group.scope_spans for one in scope.spans]
            self.send_response(found.status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Takes)
    found.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@traced("deed")
async def deed(fails: Exception | None = None) -> str:
    if fails is not None:
        raise fails
    return trace_ids().get("span_id", "")


async def test_a_deed_its_part_and_its_failure_arrive(collector: Collector, capsys: pytest.CaptureFixture[str]) -> None:
    log_to_stderr()
    try:
        async with tracing(replace(collector.settings, token=TOKEN, service_name="lab-1")):
            assert is_traced()
            with span("whole", kind="test"):
                inner = await deed()
                structlog.get_logger().warning("inside")
            with pytest.raises(GateFailed):
                await deed(GateFailed("patient COI-7F3K2 is not who stands on the vial"))
    finally:
        structlog.reset_defaults()
    assert not is_traced() and trace_ids() == {}
    (whole,), (part, failed) = collector.named("whole"), collector.named("deed")
    assert part.trace_id == whole.trace_id and part.parent_span_id == whole.span_id and part.span_id.hex() == inner
    assert failed.status.code == Status.STATUS_CODE_ERROR and attributes(failed) == {"error.type": "GateFailed"}
    assert not failed.events and not failed.status.message and "COI-7F3K2" not in str(collector.spans)
    assert collector.tokens == {f"Bearer {TOKEN}"} and "lab-1" in collector.resources
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "inside" in line]
    assert whole.trace_id.hex() in line and whole.span_id.hex() in re.sub(r"\x1b\[\d+m", "", line)


async def test_a_request_and_the_command_in_it_are_one_trace_without_names(
    people: Path,  # noqa: F811
    tmp_path: Path,
    collector: Collector,
) -> None:
    async with tracing(collector.settings), open_house(people, tmp_path) as house:
        operator = await house.of("operator-1")
        assert (await operator.get("/batches/B-1?secret=x")).status_code == 200
        await operator.post("/batches/B-1/do/ReceiveMaterial", data={"patient": "COI-7F3K2"})
        assert (await operator.get("/healthz")).status_code == 200
        assert (await operator.get("/nothing")).status_code == 404
    requests = [attributes(one) for one in collector.named("request")]
    routes = [(one["http.request.method"], one["http.route"]) for one in requests]
    assert ("GET", "/batches/{batch_id}") in routes and ("POST", "/log-in") in routes
    assert "/healthz" not in str(routes) and ("GET", "none") in routes
    assert {one["http.response.status_code"] for one in requests} >= {200, 303, 404}
    (made,) = collector.named("command")
    assert attributes(made) == {"cultureops.command": "CreateBatch"}
    assert [one for one in collector.named("ledger append") if one.parent_span_id == made.span_id]
    said = str(collector.spans)
    for secret in ("B-1", "COI-7F3K2", "operator", PASSWORD, "secret"):
        assert secret not in said, secret


@pytest.mark.parametrize("status", [None, 500])
async def test_a_collector_that_is_away_or_fails_holds_nothing_up(collector: Collector, status: int | None) -> None:
    settings = replace(collector.settings, timeout_s=0.3)
    if status is None:
        settings = replace(settings, endpoint=f"http://127.0.0.1:{free_port()}/v1/traces")
    else:
        collector.status = status
    began = time.monotonic()
    async with tracing(settings):
        for _ in range(3_000):  # more than wait
            await deed()
        assert time.monotonic() - began < 2.0
        ended = time.monotonic()
    assert time.monotonic() - ended < 3.0


async def test_where_nobody_asks_it_costs_next_to_nothing() -> None:
    async def plain() -> None:
        return None

    marked = traced("plain")(plain)

    async def each_us(call: Callable[[], object]) -> float:
        best = float("inf")
        for _ in range(5):
            began = time.perf_counter()
            for _ in range(2_000):
                await call()  # type: ignore[misc]
            best = min(best, (time.perf_counter() - began) / 2_000 * 1e6)
        return best

    async with tracing(None):
        assert not is_traced()
        more_us = await each_us(marked) - await each_us(plain)
    print(f"a traced call that nobody traces: {more_us:.3f} us more")
    assert more_us < 2.0


def test_what_is_not_traced_loads_nothing_of_it() -> None:
    modules = "cultureops.tracing, cultureops.logs, cultureops.web.door.traced"
    code = f"import sys, {modules}; print([name for name in sys.modules if name.startswith('opentelemetry')])"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert ran.stdout.strip() == "[]", ran.stderr


async def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(ConfigError, match=r"pip install 'cultureops\[opentelemetry\]'"):
        async with tracing(TracingSettings("http://127.0.0.1:4318/v1/traces")):
            pass


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ('endpoint = "collector"', "no address of a collector"),
        ('endpoint = "http://a:b@collector/v1"', "no address of a collector"),
        ('endpoint = "http://collector/v1/traces"\nratio = 2', "ratio"),
        ('endpoint = "http://collector/v1/traces"\ntoken_file = "nowhere"', "no such file"),
        ('endpoint = "http://collector/v1/traces"\nx = 1', "x"),
    ],
)
def test_a_section_with_a_mistake(tmp_path: Path, lines: str, says: str) -> None:
    site = tmp_path / "site.toml"
    site.write_text(f'[site]\nname = "x"\n[opentelemetry]\n{lines}\n')
    with pytest.raises(ConfigError, match=says) as raised:
        read_site(site)
    assert "site.toml:" in str(raised.value)


def test_a_section_that_is_whole(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN + "\n")
    (tmp_path / "site.toml").write_text(
        '[site]\nname = "x"\n[opentelemetry]\nendpoint = "https://collector.example/v1/traces"\nratio = 0.1\n'
        'token_file = "token"\n'
    )
    found = read_site(tmp_path / "site.toml").tracing
    assert found is not None and (found.ratio, found.token) == (0.1, TOKEN) and TOKEN not in repr(found)
