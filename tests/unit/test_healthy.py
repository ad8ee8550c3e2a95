"""The health check of a container, asked of real servers."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from tests.ports import free_port

from cultureops.healthy import main, problem


@contextmanager
def answering(status: int, body: bytes) -> Iterator[int]:
    class Pages(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            is_asked = self.path == "/healthz" and self.headers["host"].startswith("127.0.0.1:")
            self.send_response(status if is_asked else 404)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def site(folder: Path, port: int, more: str = "") -> Path:
    file = folder / "site.toml"
    file.write_text(f'[site]\nname = "x"\n[web]\nhost = "0.0.0.0"\nport = {port}\n{more}')
    return file


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [(200, b"ok", None), (503, b"failing", "says 503: failing"), (200, b"no", "says 200: no")],
)
def test_what_the_pages_answer_decides(tmp_path: Path, status: int, body: bytes, says: str | None) -> None:
    with answering(status, body) as port:
        said = problem(site(tmp_path, port))
        assert said is None if says is None else said is not None and said.endswith(says)
        assert main([str(site(tmp_path, port))]) == (0 if says is None else 1)


def test_what_does_not_answer_or_can_t_be_read_is_not_well(tmp_path: Path) -> None:
    assert "does not answer" in str(problem(site(tmp_path, free_port())))
    with answering(200, b"ok") as port:
        said = problem(site(tmp_path, port, 'tls_certificate = "a"\n'))  # no TLS is spoken there
        assert "does not answer" in str(said)
    assert "can't be read" in str(problem(tmp_path / "nowhere.toml"))
    (tmp_path / "bad.toml").write_text("[web]\nport = 'many'\n")
    assert "can't be read" in str(problem(tmp_path / "bad.toml"))
    assert main([]) == 2


def test_it_imports_nothing_of_a_lab() -> None:
    code = "import sys, cultureops.healthy; print(len([name for name in sys.modules if name.startswith('cultureops')]))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
    assert ran.stdout.strip() == "2", "itself and its package"
