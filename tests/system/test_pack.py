"""Audit packs by the command line: written, verified by a stranger, opened on a clean host, refused when forged."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.command_line import cultureops
from tests.packing import BATCH_ID, RAW, data_folder, run_verifier

from cultureops.audit import Chosen
from cultureops.keeping.audit import list_audit
from cultureops.keeping.batches import show_batch, show_exposure, show_history


def said(capsys: pytest.CaptureFixture[str], show: Callable[..., None], *arguments: Any, **more: Any) -> Any:
    capsys.readouterr()
    show(*arguments, **more, as_json=True)
    return json.loads(capsys.readouterr().out)


def answer(*arguments: str, code: int = 0) -> Any:
    done = cultureops(*arguments, "--json")
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


@pytest.mark.requirement("R3", "R15", "R16")
def test_r16_an_archive_is_read_after_thirty_years_by_its_own_verifier_and_read_in_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """JSON lines with a schema, the record as PDF/A, and nothing but one documented file to prove them."""
    data, out, new = str(data_folder()), tmp_path / "b.zip", tmp_path / "new"
    written = answer("pack", "write", BATCH_ID, "--data-dir", data, "--out", str(out))
    assert written["missing_files"] == [] and written["unsealed_readings"] == 0
    with zipfile.ZipFile(out) as file:
        file.extract("verify_pack.py", tmp_path)
        pdf, record = file.read("record.pdf"), json.loads(file.read("record.json"))
        assert {"events.jsonl", "schema.json", "README.txt", "labels/vessels.html"} >= {"events.jsonl"}
    assert pdf.startswith(b"%PDF") and b"pdfaid:part" in pdf and record
    head = written["head"]
    noted = f"{head['size']}:{head['chain_hash']}"
    (told,) = run_verifier(
        [out, "--head", noted, "--key", head["key_id"]], script=tmp_path / "verify_pack.py"
    )  # fmt: skip
    assert told["code"] == 0 and told["head"]["root"] == head["root"] and told["signatures"] == 3
    opened = answer("pack", "open", str(out), "--data-dir", str(new), "--head", noted)
    assert opened["root"] == head["root"] and opened["compared_readings"] == opened["readings"] > 0
    for show in (show_batch, show_history):
        assert said(capsys, show, new, BATCH_ID) == said(capsys, show, data_folder(), BATCH_ID)
    lived = said(capsys, show_exposure, new, BATCH_ID, None)
    assert lived["stays"] == said(capsys, show_exposure, data_folder(), BATCH_ID, None)["stays"]
    assert said(capsys, list_audit, new, Chosen(), 50, None, oldest_first=False)["rows"]

    events = new / "events.jsonl"
    events.chmod(0o644)
    events.write_bytes(events.read_bytes().replace(b"consent v3", b"consent v4"))
    refused = cultureops("batch", "show", BATCH_ID, "--data-dir", str(new))
    assert refused.returncode == 1 and "edited" in refused.stderr and len(refused.stderr.splitlines()) == 1
    told = answer("pack", "verify", str(new), code=1)
    assert told["findings"][0]["kind"] == "edited"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("pack", "write", "../../etc", "--out", "{tmp}/x.zip"), 1, "no batch id"),
        (("pack", "write", "B-1", "--out", "{tmp}/x.pdf"), 2, ".zip"),
        (("pack", "write", "B-1", "--out", "{tmp}/x.zip", "--data-dir", "{tmp}/none"), 2, "no such file"),
        (("pack", "open", "{tmp}/none.zip", "--data-dir", "{tmp}/new"), 2, "no such file"),
        (("attachments", "keep", "{tmp}/none.csv"), 2, "name a file"),
    ],
)
def test_wrong_use_is_told_in_one_line(arguments: tuple[str, ...], code: int, said: str, tmp_path: Path) -> None:
    words = [word.replace("{tmp}", str(tmp_path)) for word in arguments]
    if "--data-dir" not in words:
        words += ["--data-dir", str(data_folder())]
    done = cultureops(*words)
    assert (done.returncode, said in done.stderr) == (code, True), done.stderr
    assert len(done.stderr.strip().splitlines()) == 1 and list(tmp_path.iterdir()) == []


def test_a_raw_file_is_kept_by_hand_and_listed(tmp_path: Path) -> None:
    (tmp_path / "ledger.sqlite").write_bytes((data_folder() / "ledger.sqlite").read_bytes())
    (tmp_path / "image.png").write_bytes(b"\x89PNG")
    (row,) = answer("attachments", "keep", str(tmp_path / "image.png"), "--data-dir", str(tmp_path))
    assert (tmp_path / "attachments" / row["sha256"][:2] / row["sha256"]).read_bytes() == b"\x89PNG"
    rows = answer("attachments", "list", "--data-dir", str(tmp_path))
    assert [(one["source_file"], one["is_there"]) for one in rows][-1] == ("image.png", True)
    assert rows[0]["size_bytes"] == len(RAW) and not rows[0]["is_there"], "that one is in the other folder"
