"""While the telemetry disk refuses every write alarms are raised and recorded all the same."""

import json
import sys
from pathlib import Path
from typing import Any

from proof.run import finished, start

SITE = """
[site]
name = "lab"
[[chamber]]
id = "incubator_1"
class = "incubator"
[[device]]
id = "incubator_1"
chamber = "incubator_1"
driver = "modbus"
link = "modbus+tcp://127.0.0.1:1"
options = { profile = "cultureops_virtual_incubator" }
[[alarm]]
chamber = "incubator_1"
channel = "co2"
kind = "low"
limit = 4.0
on_delay_s = 600
priority = "high"
gmp_critical = true
consequence = "The medium turns alkaline."
response = "Check the gas."
"""
AN_HOUR_AND_MORE = 75


async def lab(root: Path, *prefix: str, first: int, minutes: int, value: float) -> dict[str, Any]:
    options = [str(word) for word in (root / "site.toml", root / "data", first, minutes, value)]
    said, errors = await finished(await start([*prefix, sys.executable, "-m", "proof.lab", *options]))
    assert b"{" in said, errors
    found: dict[str, Any] = json.loads(next(line for line in said.splitlines() if line.startswith(b"{")))
    return found


async def test_alarms_go_on_while_no_reading_can_be_kept(strace: str, tmp_path: Path) -> None:
    (tmp_path / "site.toml").write_text(SITE)
    (tmp_path / "data").mkdir()
    before = await lab(tmp_path, first=0, minutes=3, value=5.0)
    assert (before["durable"], before["store_failure"], before["active"]) == (3, None, [])

    files = [path for path in (tmp_path / "data" / "telemetry").iterdir() if path.suffix == ".sqlite"]
    refused = [option for path in files for name in (path, f"{path}-wal") for option in ("-P", str(name))]
    prefix = [
        strace, "-f", "--seccomp-bpf", "-e", "trace=pwrite64", "-e", "inject=pwrite64:error=ENOSPC:when=1+",
        "-o", str(tmp_path / "trace"), *refused,
    ]  # fmt: skip
    during = await lab(tmp_path, *prefix, first=3, minutes=AN_HOUR_AND_MORE, value=3.0)
    assert "(INJECTED)" in (tmp_path / "trace").read_text()
    assert during["durable"] == 0 and "can't be kept" in during["store_failure"]
    assert during["active"] == ["incubator_1/co2/low"] and during["recorded"] == ["alarm_raised"]
    assert during["latest"] == 3.0

    after = await lab(tmp_path, first=3 + AN_HOUR_AND_MORE, minutes=2, value=5.0)
    assert (after["durable"], after["store_failure"]) == (2, None)
    assert after["recorded"][:2] == ["alarm_raised", "alarm_returned"]
