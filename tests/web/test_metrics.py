"""The measures of a lab: well formed, true, cheap, and shown to nobody who may not see them."""

import re
import shutil
import statistics
import subprocess
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.web.conftest import SITE, Served, serving, start_batch
from tests.web.house import House, open_house

from cultureops.alarms.rule import Priority
from cultureops.alarms.state import State
from cultureops.app import web_context
from cultureops.clock import MINUTE_MS, SeededEntropy, SteppedClock, parse_iso
from cultureops.device.reading import Reading, Reason, bad_reading
from cultureops.errors import ConfigError
from cultureops.lab import open_lab
from cultureops.site import read_site
from cultureops.web.gateways import GatewayView, HubView
from cultureops.web.metrics import exposition
from cultureops.web.settings import MetricsSettings, WebSettings

ROOT = Path(__file__).parents[2]
TOKEN = "0123456789abcdef" * 4
DEVICES = 100
MOST_MS = 5.0


def samples(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Every sample by name and labels; the parser refuses what is not well formed."""
    found: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {}
    for family in text_string_to_metric_families(text):
        assert family.documentation and family.type != "unknown", family.name
        for sample in family.samples:
            key = sample.name, tuple(sorted(sample.labels.items()))
            assert key not in found, key
            found[key] = sample.value
    return found


def metric(found: dict[tuple[str, tuple[tuple[str, str], ...]], float], name: str, **labels: str) -> float:
    return found[f"cultureops_{name}", tuple(sorted(labels.items()))]


@pytest.fixture
async def measured(tmp_path: Path, people: Path) -> AsyncIterator[Served]:
    site = SITE.replace("[[chamber]]", "[web]\nmetrics = true\n[[chamber]]", 1)
    async with serving(site, tmp_path, people) as opened:
        yield opened


async def test_what_they_say_is_what_happened_and_no_batch_patient_or_person_is_named(measured: Served) -> None:
    await start_batch(measured)
    async with httpx.AsyncClient(base_url=measured.url, timeout=10) as client:
        before = samples((await client.get("/metrics")).text)
        assert metric(before, "alarms", state="UNACK", priority="high") == 0
        for _ in range(3):
            await measured.read("co2", 3.0)
        answer = await client.get("/metrics")
    found = samples(answer.text)
    if (promtool := shutil.which("promtool")) is not None:
        told = subprocess.run([promtool, "check", "metrics"], input=answer.content, capture_output=True, timeout=20)
        assert told.returncode == 0, told.stderr.decode()
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert metric(found, "alarms", state="UNACK", priority="high") == 1
    accepted = measured.lab.recorder.accepted
    assert metric(found, "readings_accepted_total") == accepted > metric(before, "readings_accepted_total") > 0
    assert metric(found, "readings_durable") == measured.lab.store.count()
    assert metric(found, "ledger_events") == measured.lab.ledger.head().position
    assert metric(found, "store_up") == metric(found, "ledger_up") == 1
    assert metric(found, "device_up", device="incubator_1") == 0, "nobody was asked yet"
    pairs = {key for key in found if key[0] == "cultureops_alarms"}
    assert len(pairs) == (len(State) - 1) * len(Priority)
    assert ("process_resident_memory_bytes", ()) in found
    assert metric(found, "loop_lag_seconds_bucket", le="+Inf") == 0, "nobody measures a stepped loop"
    batch = measured.lab.batches.get("B-1")
    assert batch is not None and batch.patient_token not in answer.text
    assert "B-1" not in answer.text and "operator" not in answer.text
    labels = {label for _, pairs in found for label, _ in pairs}
    assert labels <= {"device", "state", "priority", "route", "le", "cultureops", "python", "sqlite"} | {
        "implementation", "major", "minor", "patchlevel", "version",
    }  # fmt: skip


def asking(house: House, metrics: MetricsSettings | None) -> None:
    context = house.app.state.context
    house.app.state.context = replace(context, settings=WebSettings(metrics=metrics))


async def test_who_may_read_them(people: Path, tmp_path: Path) -> None:
    near, far = "127.0.0.1", "203.0.113.9"
    right, wrong = {"authorization": f"Bearer {TOKEN}"}, {"authorization": f"Bearer {TOKEN[:-1]}0"}
    (tmp_path / "token").write_text(TOKEN + "\n")
    (tmp_path / "read.toml").write_text('[site]\nname = "x"\n[web]\nmetrics = true\nmetrics_token_file = "token"\n')
    by_token = read_site(tmp_path / "read.toml").web.metrics
    assert by_token is not None and TOKEN not in repr(by_token)
    async with open_house(people, tmp_path, has_batch=False) as house:
        for metrics, source, headers, status in (
            (None, near, {}, 403),
            (None, near, right, 403),
            (MetricsSettings(), near, {}, 200),
            (MetricsSettings(), far, {}, 403),
            (MetricsSettings(), far, right, 403),
            (by_token, far, right, 200),
            (by_token, near, right, 200),
            (by_token, near, {}, 403),
            (by_token, far, wrong, 403),
            (by_token, far, {"authorization": "Bearer"}, 403),
            (by_token, far, {"authorization": f"Basic {TOKEN}"}, 403),
            (by_token, far, {"x-forwarded-for": near}, 403),
        ):
            asking(house, metrics)
            answer = await house.browser(source).get("/metrics", headers=headers)
            assert answer.status_code == status, (metrics, source, headers)
            assert ("cultureops_build_info" in answer.text) is (status == 200)
        refused = await house.browser(far).post("/metrics", headers=right)
        assert refused.status_code in (401, 403, 405)


async def test_gateways_and_hub_are_measured_where_there_are_any(people: Path, tmp_path: Path) -> None:
    here = GatewayView(
        "room_1", "Room 1", ("incubator_1",), 1, None, "0.1.0", 3, 40, 2.5, -1500, 20, 90, 80, 1, "key", 2, 86_400_000,
        (),
    )  # fmt: skip
    away = replace(here, name="room_2", away_since=1, events_waiting=None, problems=("another site file",))
    hub = HubView("https://hub.example:8444", True, 1, 5, 6, 7.5, None)
    async with open_house(people, tmp_path, has_batch=False) as house:
        context = replace(house.app.state.context, gateways=lambda: (here, away), hub=lambda: hub)
        found = samples(exposition(context).decode())
    assert [metric(found, "gateway_up", gateway=name) for name in ("room_1", "room_2")] == [1, 0]
    assert metric(found, "gateway_events_waiting", gateway="room_1") == 3
    assert ("cultureops_gateway_events_waiting", (("gateway", "room_2"),)) not in found, "nobody knows, nobody says"
    assert metric(found, "gateway_clock_ahead_seconds", gateway="room_1") == -1.5
    assert metric(found, "gateway_certificate_ends_timestamp_seconds", gateway="room_1") == 86_400
    assert metric(found, "gateway_problems", gateway="room_2") == 1
    assert (metric(found, "hub_up"), metric(found, "hub_lag_seconds")) == (1, 7.5)


def test_the_reference_names_every_measure_and_no_other() -> None:
    source = (ROOT / "src/cultureops/web/metrics.py").read_text()
    reference = (ROOT / "docs/reference/metrics.md").read_text()
    table = reference[reference.index("| measure |") : reference.index("## Spans")]
    names = "".join(re.findall(r"^\| (.*?) \|", table, re.MULTILINE))
    told = {name.removesuffix("_total") for name in re.findall(r"`([a-z_]+)`", names)}
    made = set(re.findall(r'_(?:gauge|count)\("(\w+)"', source)) | set(re.findall(r'\{PREFIX\}(\w+)"', source))
    made |= {f"gateway_{name}" for name in re.findall(r'^        \("(\w+)", "', source, re.MULTILINE)}
    assert told == made | {"poll_lateness_seconds", "loop_lag_seconds"} and len(told) > 45


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ('metrics_token_file = "token"', "metrics = true"),
        ('metrics = true\nmetrics_token_file = "nowhere"', "can't be read"),
        ('metrics = true\nmetrics_token_file = "short"', "32 characters"),
    ],
)
def test_a_site_file_that_asks_for_what_can_t_be(tmp_path: Path, lines: str, says: str) -> None:
    (tmp_path / "token").write_text(TOKEN)
    (tmp_path / "short").write_text("geheim")
    (tmp_path / "site.toml").write_text(f'[site]\nname = "x"\n[web]\n{lines}\n')
    with pytest.raises(ConfigError, match=says) as raised:
        read_site(tmp_path / "site.toml")
    assert "site.toml:" in str(raised.value)


async def test_a_scrape_of_a_hundred_devices_costs_little(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    text = ['[site]\nname = "many"\n']
    for number in range(DEVICES):
        text.append(
            f'[[chamber]]\nid = "c{number}"\nclass = "incubator"\n[[device]]\nid = "d{number}"\nchamber = "c{number}"\n'
            f'driver = "modbus"\nlink = "modbus+tcp://127.0.0.1:{number + 1}"\n'
            'options = { profile = "cultureops_virtual_incubator" }\n'
        )
    text.append(
        '[[alarm]]\nclass = "incubator"\nkind = "communication"\nmisses = 1\npriority = "high"\n'
        'consequence = "x"\nresponse = "y"\n'
    )
    (tmp_path / "site.toml").write_text("".join(text))
    clock = SteppedClock(parse_iso("2026-01-05T08:00:00Z"))
    async with open_lab(read_site(tmp_path / "site.toml"), tmp_path, clock, SeededEntropy(1)) as lab:
        now = clock.advance(MINUTE_MS)
        silent: list[Reading] = [bad_reading(name, Reason.TIMEOUT, now, now) for name in lab.channels]
        await lab.recorder.accept(silent)
        context = web_context(lab, None)
        took_ms = []
        for _ in range(15):
            began = time.perf_counter()
            said = exposition(context)
            took_ms.append(1000 * (time.perf_counter() - began))
    assert metric(samples(said.decode()), "alarms", state="UNACK", priority="high") == DEVICES
    print(f"scrape of {DEVICES} devices: median {statistics.median(took_ms):.2f} ms, worst {max(took_ms):.2f} ms")
    record_property("scrape_ms", round(statistics.median(took_ms), 2))
    assert min(took_ms) < MOST_MS, took_ms
