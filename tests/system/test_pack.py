"""Audit packs by the command line: written, verified by a stranger, opened on a clean host, refused when forged."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.hired import hire
from tests.packing import BATCH_ID, RAW, data_folder, run_verifier

from cultureops.audit import Chosen
from cultureops.cli import app
from cultureops.keeping.audit import list_audit
from cultureops.keeping.batches import show_batch, show_exposure, show_history

WHO = ("--actor", "operator-1", "--role", "OP")


def said(capsys: pytest.CaptureFixture[str], show: Callable[..., None], *arguments: Any, **more: Any) -> Any:
    capsys.readouterr()
    show(*arguments, **more, as_json=True)
    return json.loads(capsys.readouterr().out)


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Run a command in this process; return its exit code and what it printed."""
    capsys.readouterr()
    try:
        app(arguments)
    except SystemExit as end:
        return int(end.code or 0), *capsys.readouterr()
    raise AssertionError("a command ends with an exit code")


def answer(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> Any:
    found, out, err = run(capsys, *arguments, "--json")
    assert found == code, err
    return json.loads(out)


@pytest.mark.requirement("R3", "R15", "R16")
def test_r16_an_archive_is_read_after_thirty_years_by_its_own_verifier_and_read_in_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """JSON lines with a schema, the record as PDF/A, and nothing but one documented file to prove them."""
    data, out, new = str(data_folder()), tmp_path / "b.zip", tmp_path / "new"
    written = answer(capsys, "pack", "write", BATCH_ID, "--data-dir", data, "--out", str(out))
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
    opened = answer(capsys, "pack", "open", str(out), "--data-dir", str(new), "--head", noted)
    assert opened["root"] == head["root"] and opened["compared_readings"] == opened["readings"] > 0
    for show in (show_batch, show_history):
        assert said(capsys, show, new, BATCH_ID) == said(capsys, show, data_folder(), BATCH_ID)
    lived = said(capsys, show_exposure, new, BATCH_ID, None)
    assert lived["stays"] == said(capsys, show_exposure, data_folder(), BATCH_ID, None)["stays"]
    assert said(capsys, list_audit, new, Chosen(), 50, None, oldest_first=False)["rows"]

    events = new / "events.jsonl"
    events.chmod(0o644)
    events.write_bytes(events.read_bytes().replace(b"consent v3", b"consent v4"))
    code, _, err = run(capsys, "batch", "show", BATCH_ID, "--data-dir", str(new))
    assert code == 1 and "edited" in err and len(err.splitlines()) == 1
    told = answer(capsys, "pack", "verify", str(new), code=1)
    assert told["findings"][0]["kind"] == "edited"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("pack", "write", "../../etc", "--out", "{tmp}/x.zip"), 1, "no batch id"),
        (("pack", "write", "B-1", "--out", "{tmp}/x.pdf"), 2, ".zip"),
        (("pack", "write", "B-1", "--out", "{tmp}/x.zip", "--data-dir", "{tmp}/none"), 2, "no such file"),
        (("pack", "verify", "{tmp}/none.zip"), 2, "no such file"),
        (("verify", "--data-dir", "{tmp}/none"), 2, "no such folder"),
        (("pack", "open", "{tmp}/none.zip", "--data-dir", "{tmp}/new"), 2, "no such file"),
        (("attachments", "keep", "{tmp}/none.csv", *WHO), 2, "name a file"),
    ],
)
def test_wrong_use_is_told_in_one_line(
    arguments: tuple[str, ...], code: int, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [word.replace("{tmp}", str(tmp_path)) for word in arguments]
    if words[:2] != ["pack", "verify"] and "--data-dir" not in words:
        words += ["--data-dir", str(data_folder())]
    found, _, err = run(capsys, *words)
    assert (found, said in err) == (code, True), err
    assert len(err.strip().splitlines()) == 1 and list(tmp_path.iterdir()) == []


def test_a_raw_file_is_kept_by_hand_and_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "ledger.sqlite").write_bytes((data_folder() / "ledger.sqlite").read_bytes())
    (tmp_path / "image.png").write_bytes(b"\x89PNG")
    asked = ("attachments", "keep", str(tmp_path / "image.png"), "--data-dir", str(tmp_path), *WHO)
    assert run(capsys, *asked)[0] == 1, "nobody of this name has an account there"
    hire(tmp_path, asked)
    (row,) = answer(capsys, *asked)
    assert (tmp_path / "attachments" / row["sha256"][:2] / row["sha256"]).read_bytes() == b"\x89PNG"
    rows = answer(capsys, "attachments", "list", "--data-dir", str(tmp_path))
    assert [(one["source_file"], one["is_there"]) for one in rows][-1] == ("image.png", True)
    assert rows[0]["size_bytes"] == len(RAW) and not rows[0]["is_there"], "that one is in the other folder"
