"""Every forgery on an unpacked pack is found and called by its name, by one file that knows nothing of cultureops."""

import json
import shutil
import subprocess
import sys
import zipfile
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest
from tests.forging import FORGERIES, Forgery, whole_new_history
from tests.packing import VERIFIER, data_folder, pack_of, run_verifier, written_pack


@cache
def unpacked() -> Path:
    folder = Path(mkdtemp(prefix="cultureops-unpacked-"))
    with zipfile.ZipFile(written_pack()) as file:
        file.extractall(folder)
    return folder


def forged(forgery: Forgery) -> Path:
    target = Path(mkdtemp(prefix="cultureops-forged-")) / "pack"
    shutil.copytree(unpacked(), target)
    for path in target.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    forgery.do(target)
    return target


@cache
def found() -> dict[str, dict[str, Any]]:
    """Verify the pack as it is and every forgery of it, all in one interpreter without cultureops."""
    folders = {one.name: forged(one) for one in FORGERIES}
    answers = run_verifier(*[[path, *one.arguments] for one, path in zip(FORGERIES, folders.values(), strict=True)])
    return dict(zip(folders, answers, strict=True))


@pytest.mark.requirement("R2", "R6", "R16")
@pytest.mark.parametrize("forgery", FORGERIES, ids=lambda one: one.name)
def test_each_forgery_is_named(forgery: Forgery) -> None:
    answer = found()[forgery.name]
    assert answer["code"] == 1 and answer["findings"], answer
    first = answer["findings"][0]
    assert first["kind"] == forgery.kind, answer["findings"]
    assert first["position"] == forgery.position, answer["findings"]
    assert first["where"].startswith(forgery.where), answer["findings"]


def test_the_pack_as_it_is_verifies_as_zip_and_as_folder_and_against_what_was_noted() -> None:
    head = json.loads((unpacked() / "proof.json").read_text())["head"]
    noted = f"{head['size']}:{head['chain_hash']}"
    seal = json.loads((unpacked() / "manifest.sig.json").read_text())
    answers = run_verifier(
        [written_pack()],
        [unpacked()],
        [written_pack(), "--head", noted, "--key", seal["key_id"]],
        [written_pack(), "--head", f"{head['size']}:{head['root']}", "--key", seal["public_key"]],
    )
    assert [answer["code"] for answer in answers] == [0, 0, 0, 0], answers
    assert answers[0]["signatures"] == 3 and answers[0]["chunks"] > 0 and answers[0]["attachments"] == 1
    assert any("compare" in note for note in answers[0]["notes"])
    assert not any("compare" in note for note in answers[2]["notes"]), "the key is known from elsewhere"


@pytest.mark.requirement("R2")
def test_a_history_written_anew_with_another_key_is_told_by_what_was_noted_elsewhere(tmp_path: Path) -> None:
    shutil.copytree(unpacked(), anew := tmp_path / "anew")
    whole_new_history(anew)
    head = json.loads((unpacked() / "proof.json").read_text())["head"]
    key = json.loads((unpacked() / "manifest.sig.json").read_text())["key_id"]
    alone, by_key, by_head = run_verifier(
        [anew], [anew, "--key", key], [anew, "--head", f"{head['size']}:{head['chain_hash']}"]
    )
    # Signatures of people name the chain of what they were shown: even the whole history anew does not fit them.
    assert alone["code"] == 1 and {one["kind"] for one in alone["findings"]} == {"signature"}
    assert "key" in {one["kind"] for one in by_key["findings"]}
    assert by_head["findings"][0]["kind"] == "re-hashed" or "re-hashed" in {one["kind"] for one in by_head["findings"]}


@pytest.mark.requirement("R2")
def test_the_key_of_the_laboratory_in_a_history_that_another_key_signs_proves_nothing(tmp_path: Path) -> None:
    shutil.copytree(unpacked(), anew := tmp_path / "anew")
    whole_new_history(anew, keeps_key=True)
    seal = json.loads((unpacked() / "manifest.sig.json").read_text())
    mine = json.loads((anew / "manifest.sig.json").read_text())["key_id"]
    by_id, by_key, by_mine = run_verifier(*[[anew, "--key", key] for key in (seal["key_id"], seal["public_key"], mine)])
    for answer in (by_id, by_key):
        assert "not signed by key" in " ".join(one["detail"] for one in answer["findings"] if one["kind"] == "key")
        assert any("operator-9, the disk broke" in note for note in answer["notes"]), "and it says who did it"
    assert "key" not in {one["kind"] for one in by_mine["findings"]}


@pytest.mark.requirement("R2")
def test_a_pack_that_ends_before_a_head_noted_elsewhere_is_truncated() -> None:
    later = f"99999:{'ab' * 32}"
    (answer,) = run_verifier([written_pack(), "--head", later])
    assert answer["code"] == 1 and [one["kind"] for one in answer["findings"]] == ["truncated"]


def test_without_an_ed25519_library_everything_else_is_checked_and_said_so() -> None:
    calls = json.dumps([[str(written_pack()), "--json"]])
    from tests.packing import _ALONE

    done = subprocess.run(
        (sys.executable, "-I", "-c", _ALONE, str(VERIFIER), "cryptography", "nacl"),
        input=calls, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    ((code, text),) = json.loads(done.stdout)
    answer = json.loads(text)
    assert code == 3 and not answer["findings"] and "cryptography" in answer["unchecked"][0]
    assert answer["events"] > 60


def test_a_head_that_is_none_is_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    from cultureops.pack import verify_pack

    for head in ("12", "12:ab", "x:" + "ab" * 32, "12-ABCDE-ABCDE-ABCDE-ABCDE"):
        assert verify_pack.main([str(written_pack()), "--head", head]) == 2
        assert "--head" in capsys.readouterr().err
    assert verify_pack.main([str(written_pack()) + ".none"]) == 2
    assert "no such file" in capsys.readouterr().err


def test_the_verifier_in_the_pack_is_the_one_in_the_tree() -> None:
    assert (unpacked() / "verify_pack.py").read_bytes() == VERIFIER.read_bytes()
    text = VERIFIER.read_text()
    assert "import cultureops" not in text and "from cultureops" not in text


def test_a_pack_of_the_same_batch_made_twice_says_the_same(tmp_path: Path) -> None:
    with zipfile.ZipFile(pack_of(data_folder(), tmp_path / "again.zip")) as again:
        for name in ("events.jsonl", "telemetry/chunks.bin", "telemetry/2026-01.parquet", "schema.json"):
            assert again.read(name) == (unpacked() / name).read_bytes(), name
