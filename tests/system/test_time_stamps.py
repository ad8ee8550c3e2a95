"""Heads under time stamps of a real authority: `openssl ts` behind a small server of this test."""

from __future__ import annotations

import asyncio
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from tests.conftest import require_program
from tests.kept import rewritten

from cultureops.clock import HOUR_MS, MINUTE_MS, SeededEntropy, SteppedClock, parse_iso
from cultureops.errors import SignatureInvalid, StorageError, Unreadable
from cultureops.keeping.verifying import Verified, verify_folder
from cultureops.ledger import Actor, KeyFolder, NewEvent, Source, SqlLedger
from cultureops.ledger.anchors import Anchors
from cultureops.ledger.finding import Kind
from cultureops.ledger.settings import Authority, LedgerSettings
from cultureops.ledger.time_stamp import check_token, time_stamp

START = parse_iso("2026-01-05T08:00:00Z")
NEW = NewEvent("noted", {}, Actor("operator-1", "OP"), Source.HUMAN)
CONFIG = """
[tsa]
default_tsa = one
[one]
serial = {folder}/serial
crypto_device = builtin
signer_cert = {folder}/tsa.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
accuracy = secs:1
ess_cert_id_alg = sha256
[ext]
extendedKeyUsage = critical,timeStamping
keyUsage = critical,digitalSignature
basicConstraints = CA:FALSE
"""


@pytest.fixture(scope="session")
def authority_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    openssl, folder = require_program("openssl"), tmp_path_factory.mktemp("tsa")
    (folder / "tsa.cnf").write_text(CONFIG.format(folder=folder))
    (folder / "serial").write_text("01\n")
    new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    for command in (
        ["req", "-x509", *new, "-days", "30", "-subj", "/CN=Test root", "-keyout", "ca.key", "-out", "ca.pem"],
        ["req", *new, "-subj", "/CN=Test authority", "-keyout", "tsa.key", "-out", "tsa.csr"],
        ["x509", "-req", "-in", "tsa.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "30",
         "-extfile", "tsa.cnf", "-extensions", "ext", "-out", "tsa.pem"],
        ["req", "-x509", *new, "-days", "30", "-subj", "/CN=Another root", "-keyout", "other.key", "-out", "other.pem"],
    ):  # fmt: skip
        subprocess.run([openssl, *command], cwd=folder, check=True, capture_output=True, timeout=20)
    return folder


@contextmanager
def serving(files: Path, mode: str = "well") -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            query = self.rfile.read(int(self.headers["Content-Length"]))
            if mode == "failing":
                self.send_error(503)
                return
            answer = b"\x30" * 200_000 if mode == "flooding" else b"no time stamp"
            if mode in ("well", "replaying"):
                kept = files / "kept.tsq"
                if mode == "well" or not kept.exists():
                    kept.write_bytes(query)
                (files / "query.tsq").write_bytes(kept.read_bytes() if mode == "replaying" else query)
                options = ["-queryfile", "query.tsq", "-config", "tsa.cnf", "-section", "one"]
                done = subprocess.run(
                    ["openssl", "ts", "-reply", *options], cwd=files, check=True, capture_output=True, timeout=20
                )
                answer = done.stdout
            self.send_response(200)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join(5)


@contextmanager
def opened(data: Path, clock: SteppedClock) -> Iterator[SqlLedger]:
    data.mkdir(exist_ok=True)
    ledger = SqlLedger.open(data / "ledger.sqlite", clock, SeededEntropy(7), keys=KeyFolder(data / "keys"))
    yield ledger


def verified(data: Path, authority: Authority) -> Verified:
    site = data.parent / "site.toml"
    site.write_text(f'[[ledger.anchor]]\ntsa = "{authority.url}"\ncertificate = "{authority.certificate}"\n')
    return verify_folder(data, [], [], site)


async def test_a_head_is_stamped_once_an_hour_kept_beside_it_and_checked(authority_files: Path, tmp_path: Path) -> None:
    clock, data = SteppedClock(START), tmp_path / "data"
    with serving(authority_files) as url, opened(data, clock) as ledger:
        authority = Authority(url, authority_files / "ca.pem")
        anchors = Anchors(ledger, LedgerSettings(authorities=(authority,)))
        await ledger.introduce_key()
        for _ in range(3):
            await ledger.append("batch:A", [NEW], None)
            clock.advance(MINUTE_MS)
            await anchors.settle(clock.now())
        (stamp,) = ledger.stamps()
        clock.advance(HOUR_MS)
        await anchors.settle(clock.now())
        assert len(ledger.stamps()) == 2 and anchors.status().problem is None
        heads = {head.size: head for head in ledger.signed_heads()}
        assert check_token(stamp.token, heads[stamp.size], authority).year >= 2026
        with pytest.raises(SignatureInvalid):
            check_token(stamp.token, heads[max(heads)], authority)
        with pytest.raises(SignatureInvalid):
            check_token(stamp.token, heads[stamp.size], Authority(url, authority_files / "other.pem"))
        with pytest.raises(Unreadable):
            check_token(stamp.token[:40], heads[stamp.size], authority)
        await ledger.close()
    found = verified(data, authority)
    assert found.findings == [] and found.stamps == 2
    rewritten(data / "ledger.sqlite", "UPDATE stamps SET token = zeroblob(900) WHERE number = 1")
    assert [finding.kind for finding in verified(data, authority).findings] == [Kind.UNREADABLE]
    rewritten(data / "ledger.sqlite", "UPDATE stamps SET token = (SELECT token FROM stamps WHERE number = 2)")
    assert [finding.kind for finding in verified(data, authority).findings] == [Kind.EDITED]


@pytest.mark.parametrize(
    ("mode", "complaint"),
    [("failing", "HTTP status 503"), ("flooding", "more than 65536 bytes"), ("prose", "no time stamp on this head")],
)
async def test_an_authority_that_fails_is_told_tried_again_and_stops_nothing(
    authority_files: Path, tmp_path: Path, mode: str, complaint: str
) -> None:
    clock = SteppedClock(START)
    with serving(authority_files, mode) as url, opened(tmp_path / "data", clock) as ledger:
        files = LedgerSettings(
            files=(tmp_path / "no" / "folder",), authorities=(Authority(url, authority_files / "ca.pem", 5),)
        )
        anchors = Anchors(ledger, files)
        await ledger.introduce_key()
        await anchors.settle(clock.now())
        await ledger.append("batch:A", [NEW], None)
        status = anchors.status()
        assert complaint in (status.anchors[1].problem or "") and "can't be written" in (status.problem or "")
        assert status.failing_s(clock.now() + 5000) == 5.0
        (tmp_path / "no").mkdir()
        clock.advance(MINUTE_MS)
        await anchors.settle(clock.now())
        assert anchors.status().anchors[0].problem is None and anchors.status().anchors[1].problem is not None
        await ledger.close()


async def test_an_answer_to_another_request_and_none_at_all_are_refused(authority_files: Path, tmp_path: Path) -> None:
    clock = SteppedClock(START)
    with opened(tmp_path / "data", clock) as ledger:
        await ledger.introduce_key()
        head = ledger.signed_heads()[0]
        (authority_files / "kept.tsq").unlink(missing_ok=True)
        with serving(authority_files, "replaying") as url:
            await asyncio.to_thread(time_stamp, head, Authority(url, authority_files / "ca.pem"))
            with pytest.raises(StorageError, match="another request"):
                await asyncio.to_thread(time_stamp, head, Authority(url, authority_files / "ca.pem"))
        with pytest.raises(StorageError, match="can't be reached"):
            await asyncio.to_thread(time_stamp, head, Authority("http://127.0.0.1:9/", authority_files / "ca.pem", 1))
        await ledger.close()
