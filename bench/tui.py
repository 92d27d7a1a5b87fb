"""``just bench tui``: what the dashboard costs, as people run it: ``zypher tui`` on a terminal of 120 by 36.

One API, two workers and a Valkey of their own; 100,000 predictions, then 300 events a second (100 predictions are
asked for, begin and end). Measured are the first frame, processor and memory while nothing happens and while much does,
the time from a key to the screen that answers it, ``zypher top --once``, and whether a simulated day leaves anything
behind. Exit code 1 when a bar is missed.
"""

import argparse
import gc
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import msgspec

from bench.servers import COMMAND, outside, own_api, process, resident_mb
from tests.terminals.terminal import Terminal
from zypher_jobs.contracts.event import Event
from zypher_tui.core.readings import SourceName
from zypher_tui.core.store import Store
from zypher_tui.frames import FRAME_S
from zypher_tui.sources.demo import DemoSource, DemoSystem

BULK = 1_000
SETTLED_S = 10
"""After its start."""
TICKS = os.sysconf("SC_CLK_TCK")


class Row(msgspec.Struct, frozen=True):
    """A figure, and the bar under which it must stay."""

    name: str
    value: float
    bar: float
    unit: str

    @property
    def holds(self) -> bool:
        """Whether it does."""
        return self.value < self.bar

    def __str__(self) -> str:
        return (
            f"{self.name:<58} {self.value:>8.3g} {self.unit:<10} bar {self.bar:g}  {'ok' if self.holds else 'MISSED'}"
        )


class Stack(msgspec.Struct, frozen=True):
    """What runs meanwhile."""

    url: str
    redis_url: str

    def dashboard(self, directory: Path) -> Terminal:
        """A new one."""
        command = [*COMMAND, "tui", "--api-url", self.url, "--redis", self.redis_url]
        terminal = Terminal(command, environment=outside() | {"ZYPHER_DATA_DIR": str(directory)})
        terminal.keep = False
        return terminal


def main() -> int:
    """Measure, print, and judge."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--predictions", type=int, default=100_000)
    arguments.add_argument("--seconds", type=float, default=20.0, help="of each measurement of processor time")
    arguments.add_argument("--rounds", type=int, default=7, help="of the first frame and of top")
    options = arguments.parse_args()
    rows: list[Row] = []
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        running = stack.enter_context(_stack(directory))
        rows += _told([_top(running, options.rounds), _first_frame(running, directory, options.rounds)])
        rows += _told([_idle(running, directory, options.seconds)])
        _ask(running.url, options.predictions)
        rows += _told(_busy(running, directory, options.predictions, options.seconds))
    rows += _told([_day()])
    return 0 if all(row.holds for row in rows) else 1


def _told(rows: Sequence[Row]) -> Sequence[Row]:
    for row in rows:
        sys.stdout.write(f"{row}\n")
        sys.stdout.flush()
    return rows


@contextmanager
def _stack(directory: Path) -> Generator[Stack]:
    with (
        own_api(directory, mock_latency_ms="0") as api,
        process([*COMMAND, "worker"], api.environment, directory / "worker-1.log"),
        process([*COMMAND, "worker"], api.environment, directory / "worker-2.log"),
    ):
        yield Stack(f"http://127.0.0.1:{api.port}", api.redis_url)


def _ask(url: str, predictions: int) -> None:
    """Have so many predictions, all ended."""
    with httpx.Client(base_url=url, timeout=60) as client:
        for first in range(0, predictions, BULK):
            numbers = range(first, min(first + BULK, predictions))
            items = [{"input": {"input": f"a text of the usual length, number {number}"}} for number in numbers]
            client.post("/predictions", json=items).raise_for_status()
        while client.get("/stats", params={"latest": 0}).json()["queue"]["depth"]:
            time.sleep(0.2)


def _top(running: Stack, rounds: int) -> Row:
    """With the interpreter's start; Textual must not be loaded."""
    command = [*COMMAND, "top", "--once", "--api-url", running.url, "--redis", running.redis_url]
    took: list[float] = []
    for _ in range(rounds):
        began_s = time.perf_counter()
        subprocess.run(command, env=outside(), check=True, capture_output=True)
        took.append(time.perf_counter() - began_s)
    asked = subprocess.run(
        [sys.executable, "-X", "importtime", *command[1:]], env=outside(), check=True, capture_output=True, text=True
    )
    if "textual" in asked.stderr:
        raise SystemExit("zypher top --once loads Textual")
    return Row("zypher top --once, median", statistics.median(took), 0.35, "s")


def _first_frame(running: Stack, directory: Path, rounds: int) -> Row:
    """From the command to the frame with header, tabs and keys."""
    took: list[float] = []
    for _ in range(rounds):
        terminal = running.dashboard(directory)
        seen_s = terminal.wait(lambda text: "1 Overview" in text and "q quit" in text)
        took.append(seen_s - terminal.started_s)
        terminal.close()
    return Row("first frame, median", statistics.median(took), 0.6, "s")


def _idle(running: Stack, directory: Path, seconds: float) -> Row:
    """While nothing happens, figures are read and drawn all the same."""
    terminal = running.dashboard(directory)
    try:
        terminal.wait(lambda text: "API ● up" in text)
        _watch(terminal, SETTLED_S)
        return Row("processor, idle", 100 * _share(terminal, seconds), 1, "% of one")
    finally:
        terminal.close()


def _busy(running: Stack, directory: Path, predictions: int, seconds: float) -> list[Row]:
    """100,000 predictions in the book, 300 events a second."""
    terminal = running.dashboard(directory)
    over = threading.Event()
    caller = threading.Thread(target=_call, args=(running.url, over))
    try:
        read_began_s = time.perf_counter()
        terminal.wait(lambda text: f"Predictions {predictions:,}" in text or "Predictions 100k" in text, timeout_s=600)
        sys.stdout.write(f"(read back {predictions:,} predictions in {time.perf_counter() - read_began_s:.0f} s)\n")
        caller.start()
        _watch(terminal, 3)
        rows: list[Row] = []
        for key, name in enumerate(("Overview", "Predictions", "Workers", "Models", "Dead letters", "Load"), 1):
            terminal.type(str(key))
            _watch(terminal, 1)
            received = terminal.received_bytes
            share = _share(terminal, seconds)
            rows.append(Row(f"processor, 300 events/s, {name}", 100 * share, 8, "% of one"))
            bytes_of_frame = (terminal.received_bytes - received) / seconds * FRAME_S
            rows.append(Row(f"a frame on the wire, {name}", bytes_of_frame / 1024, 6, "KiB"))
            if name == "Predictions":  # a hundred more come every second
                held_mb = resident_mb(terminal.process.pid) * 2**20 / 1e6
                rows.append(Row("memory, 100,000 predictions", held_mb, 120, "MB"))
        rows += _keys(terminal)
        return rows
    finally:
        over.set()
        if caller.ident:
            caller.join()
        terminal.close()


def _keys(terminal: Terminal) -> list[Row]:
    """From a key to the screen that answers it: the cursor's moves, and letters of a filter over all rows."""
    moves: list[float] = []
    terminal.type("2")
    _watch(terminal, 1)
    terminal.type(b"\x1b[6~")  # to the last row that is shown: from there on, each page is another one
    _watch(terminal, 1)
    for _ in range(60):
        before = terminal.lines[5:15]
        began_s = time.perf_counter()
        terminal.type(b"\x1b[6~")
        moves.append(terminal.wait(lambda _, before=before: terminal.lines[5:15] != before) - began_s)
        _watch(terminal, 0.05)
    typed: list[float] = []
    for text in ("number 77", "-status:queued", "status:failed", "run>1s mock"):
        terminal.type("/")
        terminal.wait(lambda text: "escape takes it away" in text)
        for end in range(1, len(text) + 1):
            began_s = time.perf_counter()
            terminal.type(text[end - 1])
            said = f" {text[:end].rstrip()}"
            seen = terminal.wait(lambda shown, said=said: said in shown)
            if text[end - 1] != " ":
                typed.append(seen - began_s)
            _watch(terminal, 0.05)
        terminal.type("\x1b")
        terminal.wait(lambda text: "escape takes it away" not in text)
    return [
        Row("a page of 100,000 rows, p95", 1000 * _p95(moves), 50, "ms"),
        Row("a letter of a filter over 100,000 rows, p95", 1000 * _p95(typed), 50, "ms"),
    ]


def _p95(values: Sequence[float]) -> float:
    return statistics.quantiles(values, n=20)[-1]


def _call(url: str, over: threading.Event) -> None:
    """A hundred predictions a second, in tens."""
    with httpx.Client(base_url=url, timeout=30) as client:
        due_s = time.monotonic()
        while not over.is_set():
            items = [{"input": {"input": f"text number {number}"}} for number in range(10)]
            client.post("/predictions", json=items).raise_for_status()
            due_s += 0.1
            over.wait(max(due_s - time.monotonic(), 0))


def _watch(terminal: Terminal, seconds: float) -> None:
    """Read what it writes for so long."""
    until_s = time.perf_counter() + seconds
    while (left_s := until_s - time.perf_counter()) > 0:
        terminal.read(left_s)


def _share(terminal: Terminal, seconds: float) -> float:
    """Of one processor, over so long."""
    pid = terminal.process.pid
    before_s, began_s = _cpu_s(pid), time.perf_counter()
    _watch(terminal, seconds)
    return (_cpu_s(pid) - before_s) / (time.perf_counter() - began_s)


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def _day() -> Row:
    """Two simulated days of readings and events: the second takes no more memory than the first."""
    system = DemoSystem()
    store = Store()
    sources = [DemoSource(name, system, lambda: 0.0) for name in SourceName]
    sizes: list[float] = []
    for day in range(2):
        for second in range(86_400):
            now_s = float(day * 86_400 + second)
            _second(store, sources, now_s)
        gc.collect()
        sizes.append(resident_mb(os.getpid()))
    return Row("memory that a second simulated day adds", sizes[1] - sizes[0], 2, "MiB")


def _second(store: Store, sources: Sequence[DemoSource], now_s: float) -> None:
    """What sources say in it, and ten events."""
    if now_s % 10 == 0:
        for source in sources:
            if store.links.wants(source.name, now_s):
                store.fold(source.read_at(now_s, overview=True))
    at = datetime(2026, 11, 3, 9, tzinfo=UTC) + timedelta(seconds=now_s)
    events = [
        Event(
            event_id=f"{now_s}-{number}", at=at, prediction_id=f"{now_s:.0f}-{number // 3}", status=status, model="mock"
        )
        for number, status in enumerate(("queued", "running", "succeeded") * 3)
    ]
    store.hear(events)
    store.view(now_s)


if __name__ == "__main__":
    raise SystemExit(main())
