"""What ``just bench queue`` measures: each row is one turn of one contestant."""

import statistics
import time
from collections.abc import Callable, Sequence

import msgspec

from bench.queue_field import ALL, ARQ_10_MS, BARE, OURS, SAQ, STREAQ, Contestant, Field, cpu_us_of

Figures = dict[str, float]
"""Of one turn: ``per_second``, ``p50_ms``, ``worker_us``, …"""
IDEAL_PER_SECOND = 10_000
"""100 at once, 10 ms each."""


class Size(msgspec.Struct, frozen=True):
    """How much of everything."""

    waiting: int = 20_000
    seconds: float = 3
    submits: int = 10_000
    bulk: int = 10_000
    samples: int = 200
    idle_s: float = 10
    depths: tuple[int, ...] = (1_000, 100_000, 1_000_000)


QUICK = Size(waiting=2_000, seconds=1, submits=1_000, bulk=2_000, samples=20, idle_s=2, depths=(1_000, 5_000))


class Row(msgspec.Struct, frozen=True):
    """One figure of everybody it is compared with."""

    name: str
    title: str
    contestants: Sequence[Contestant]
    turn: Callable[[Field, Contestant, Size], Figures]
    shown: Sequence[str]
    """Figures to print; none names all."""
    rounds: int | None = None
    """In so many rounds at most: it takes long."""


def drain(at_once: int, sleep_ms: float = 0) -> Callable[[Field, Contestant, Size], Figures]:
    """20,000 wait; one worker process."""

    def turn(field: Field, contestant: Contestant, size: Size) -> Figures:
        field.load(contestant, size.waiting)
        return _figures(field.drain(contestant, size.waiting, at_once=at_once, sleep_ms=sleep_ms, seconds=size.seconds))

    return turn


def pick_up(field: Field, contestant: Contestant, size: Size) -> Figures:
    """Submit → the function starts, worker idle."""
    return _called(field, contestant, "pick-up", size)


def result(field: Field, contestant: Contestant, size: Size) -> Figures:
    """Submit → its result with the caller."""
    return _called(field, contestant, "result", size)


def submits(field: Field, contestant: Contestant, size: Size) -> Figures:
    """100 callers in one process; no worker."""
    field.clear()
    return field.call(contestant, "submit", total=size.submits, at_once=100)


def bulk(field: Field, contestant: Contestant, size: Size) -> Figures:
    """All in one call; no worker."""
    field.clear()
    return field.call(contestant, "bulk", total=size.bulk)


def processes(field: Field, contestant: Contestant, size: Size) -> Figures:
    """1, 2 and 4 worker processes, one after the other."""
    figures: Figures = {}
    for count in (1, 2, 4):
        field.load(contestant, size.waiting)
        warm = size.waiting // 5  # until all have begun
        drained = field.drain(contestant, size.waiting, processes=count, seconds=size.seconds, warm=warm)
        figures |= {f"of {count}": drained.per_second}
        figures |= {f"worker_us of {count}": drained.worker_us, f"server_us of {count}": drained.server_us}
    figures["4 over 1"] = figures["of 4"] / figures["of 1"]
    costs = [figures[f"worker_us of {count}"] + figures[f"server_us of {count}"] for count in (1, 4)]
    figures["cost, 4 over 1"] = costs[1] / costs[0]
    return figures


def idle(field: Field, contestant: Contestant, size: Size) -> Figures:
    """An idle worker's share of a core."""
    field.clear()
    with field.workers(contestant) as pids:
        field.call(contestant, "result", total=20, seconds=5)
        time.sleep(2)
        before, started = cpu_us_of(pids[0]), time.perf_counter()
        time.sleep(size.idle_s)
        return {"percent": (cpu_us_of(pids[0]) - before) / (time.perf_counter() - started) / 1e4}


def depth(field: Field, contestant: Contestant, size: Size) -> Figures:
    """The cost of the next 5,000 while so many more wait behind them, and of submits on top."""
    figures: Figures = {}
    timed, warm = 5_000, 1_000
    field.clear()
    for deep in size.depths:
        field.call(contestant, "bulk", total=deep + timed + warm - field.waiting_here())
        field.meter.clear()
        drained = field.drain(contestant, timed + warm, warm=warm, seconds=20)
        figures |= {f"per_second at {deep:,}": drained.per_second}
        figures |= {f"us at {deep:,}": drained.worker_us + drained.server_us}
        figures |= {f"server_us at {deep:,}": drained.server_us}
        # a tenth of a second each: three calls, or chance decides
        rates = [field.call(contestant, "submit", total=timed, at_once=100)["per_second"] for _ in range(3)]
        figures |= {f"submits at {deep:,}": statistics.median(rates)}
    shallow, deepest = f"{size.depths[0]:,}", f"{size.depths[-1]:,}"
    figures["growth"] = figures[f"us at {deepest}"] / figures[f"us at {shallow}"]
    figures["claim growth"] = figures[f"server_us at {deepest}"] / figures[f"server_us at {shallow}"]
    figures["submit growth"] = figures[f"submits at {shallow}"] / figures[f"submits at {deepest}"]
    return figures


_DRAINED = ("per_second", "worker_us", "server_us")
_TIMES = ("p50_ms", "p99_ms")
ROWS = (
    Row("drain", "drain, 100 at once", ALL, drain(100), _DRAINED),
    Row("drain-10", "drain, 10 at once", ALL, drain(10), _DRAINED),
    Row("io", "a model of 10 ms, 100 at once", ALL, drain(100, sleep_ms=10), _DRAINED),
    Row("pick-up", "idle pick-up", ALL, pick_up, _TIMES),
    Row("result", "submit to result", ALL, result, _TIMES),
    Row("submits", "submits, 100 at once", ALL, submits, ("per_second",)),
    Row("bulk", "bulk submit (bare: a pipelined LPUSH)", (OURS, BARE, STREAQ), bulk, ("per_second",)),
    Row("processes", "1, 2, 4 worker processes", (OURS, ARQ_10_MS, SAQ), processes, ()),
    Row("idle", "an idle worker's CPU, % of a core", ALL, idle, ("percent",), rounds=1),
    Row("depth", "growth with depth", (OURS,), depth, (), rounds=3),
)


def _figures(drained: object) -> Figures:
    return msgspec.structs.asdict(drained)  # pyright: ignore[reportArgumentType]


def _called(field: Field, contestant: Contestant, role: str, size: Size) -> Figures:
    field.clear()
    with field.workers(contestant):
        found = field.call(contestant, role, total=size.samples, seconds=2 * size.seconds)
    times_ms: list[float] = found["ms"]
    return {"p50_ms": statistics.median(times_ms), "p99_ms": percentile(times_ms, 99)}


def percentile(values: Sequence[float], percent: float) -> float:
    """The nearest rank."""
    return sorted(values)[min(len(values) - 1, int(len(values) * percent / 100))]
