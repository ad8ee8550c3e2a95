"""All contestants holding one workload: filled once, then served as often as a claim needs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Final

from benchmarks import line_protocol
from benchmarks.contestants import influx, victoria
from benchmarks.process import BenchError, Worker, disk_bytes
from benchmarks.workload import Workload

__all__ = ["CONTESTANTS", "disk", "fill", "fill_with_late", "journal_bytes", "serving"]

CONTESTANTS: Final = ("cultureops", "victoriametrics", "influxdb", "duckdb")
FILL_DEADLINE_S: Final = 1800.0
MONTHS: Final = "[0-9][0-9][0-9][0-9]-[0-9][0-9].sqlite"
_SERVERS: Final = {"victoriametrics": victoria, "influxdb": influx}


@contextmanager
def serving(name: str, folder: Path) -> Iterator[Worker]:
    """Have one contestant open what it holds in a folder, and yield the worker that asks it."""
    at = folder / name
    at.mkdir(exist_ok=True)
    with ExitStack() as stack:
        if name in _SERVERS:
            where = str(stack.enter_context(_SERVERS[name].serve(at)).port)
        else:
            where = str(at / ("duck.db" if name == "duckdb" else "telemetry"))
        yield stack.enter_context(Worker(name, where, at / "worker.log"))


def fill(folder: Path, work: Workload) -> None:
    """Have each contestant take the workload that lies in ``folder / "work"``, in the order it likes best.

    Afterwards all is sorted, sealed, merged or compacted as far as each one does. Raises BenchError when one of them
    does not hold exactly that many points.
    """
    _fill(folder, work, "load", lambda: line_protocol.blocks(work))


def fill_with_late(folder: Path, work: Workload) -> None:
    """Do the same in the order in which polls arrive when 1 % of them are late."""
    _fill(folder, work, "load_arrivals", lambda: (line_protocol.arrival(work, some) for some in work.arrivals()))


def disk(folder: Path, work: Workload) -> dict[str, float]:
    """Return what the points take on the disk once everyone has closed its files [bytes/point]."""
    taken = {
        "cultureops": disk_bytes(*(folder / "cultureops" / "telemetry").glob(MONTHS)),
        "victoriametrics": disk_bytes(*(folder / "victoriametrics" / "data" / part for part in ("data", "indexdb"))),
        "influxdb": disk_bytes(folder / "influxdb" / "data" / "bench"),
        "duckdb": disk_bytes(folder / "duckdb" / "duck.db"),
    }
    return {name: size / work.points for name, size in taken.items()}


def journal_bytes(folder: Path) -> int:
    """Return what our store takes beside its sealed months [bytes]."""
    at = folder / "cultureops" / "telemetry"
    return disk_bytes(at) - disk_bytes(*at.glob(MONTHS))


def _fill(folder: Path, work: Workload, load: str, bodies: Callable[[], Iterable[bytes]]) -> None:
    embedded = [name for name in CONTESTANTS if name not in _SERVERS]
    with ThreadPoolExecutor() as pool:
        under_way = [pool.submit(_fill_embedded, name, folder, work, load) for name in embedded]
        under_way.append(pool.submit(_fill_servers, folder, work, bodies))
    for done in under_way:
        done.result()


def _fill_embedded(name: str, folder: Path, work: Workload, load: str) -> None:
    with serving(name, folder) as worker:
        _expect(name, worker.call(load, FILL_DEADLINE_S, work=str(folder / "work"))["points"], work.points)


def _fill_servers(folder: Path, work: Workload, bodies: Callable[[], Iterable[bytes]]) -> None:
    """Format each body once and send it to both servers at the same time."""
    at = {name: folder / name for name in _SERVERS}
    with ExitStack() as stack:
        ports = {name: stack.enter_context(module.serve(at[name])).port for name, module in _SERVERS.items()}
        https = {name: stack.enter_context(closing(line_protocol.Http(port))) for name, port in ports.items()}
        pool = stack.enter_context(ThreadPoolExecutor(len(https)))
        for body in bodies():
            list(pool.map(lambda name, body=body: https[name].ask("POST", _SERVERS[name].WRITE, body), https))
        settling = pool.submit(victoria.settle, ports["victoriametrics"])
        influx.settle(at["influxdb"])
        settling.result()
        _expect("VictoriaMetrics", victoria.count(ports["victoriametrics"], work.seconds), work.points)
        _expect("InfluxDB", influx.count(ports["influxdb"]), work.points)


def _expect(who: str, points: int, wanted: int) -> None:
    if points != wanted:
        raise BenchError(f"{who} holds {points} of {wanted} points; nothing can be compared")
