"""``just bench load_generator``: does ``zypher load`` send what it is asked for, and measure what there is to measure?

The server is as simple as it can be, in a process of its own: it answers each request after 20 ms, and in the last run
it stands still for one second in the middle. So what is measured is known: rates, times, and that those who had to
wait for that second are all in the percentiles. Exit code 1 when a bar is missed.
"""

import asyncio
import sys
import tempfile
import time
from pathlib import Path

from bench.servers import process
from zypher_jobs.testing import free_port
from zypher_tui.load.generator import Generator
from zypher_tui.load.meter import Outcome
from zypher_tui.load.plan import Plan
from zypher_tui.load.report import Report
from zypher_tui.load.shapes import Shape
from zypher_tui.load.target import ApiTarget

RUNS_FOR_S = 4.0
TAKES_S = 0.02
STALL_S = 1.0
OFF_BAR = 0.05
"""Of the rate."""
ADDED_BAR_MS = 10.0
"""Of p50 over what the server takes."""
_HEAD = f"{'asked':>16} {'sent/s':>8} {'off':>7} {'p50 ms':>8} {'p95 ms':>8} {'p99 ms':>8} {'late p95':>9} {'core':>6}"
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"


def serve(port: int, *, stalls: bool) -> None:
    """Answer on that port until somebody ends it; ``stalls``: stand still once, after half of a run."""

    async def run() -> None:
        first = asyncio.Event()

        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while True:
                try:
                    head = (await reader.readuntil(b"\r\n\r\n")).lower()
                    await reader.readexactly(int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0]))
                except asyncio.IncompleteReadError:
                    return
                first.set()
                await asyncio.sleep(TAKES_S)
                writer.write(ANSWER)

        server = await asyncio.start_server(talk, "127.0.0.1", port, backlog=1_000)
        await first.wait()
        await asyncio.sleep(RUNS_FOR_S / 2)
        if stalls:
            time.sleep(STALL_S)  # noqa: ASYNC251  # all of it stands still
        await server.serve_forever()

    asyncio.run(run())


async def measure(plan: Plan, *, stalls: bool = False) -> tuple[Report, float]:
    """Its outcome, and the share of a core that the generator took."""
    port = free_port()
    command = [sys.executable, "-m", "bench.load_generator", str(port), "stalls" if stalls else ""]
    with tempfile.TemporaryDirectory() as directory, process(command, {}, Path(directory) / "log"):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                break
        target = ApiTarget(f"http://127.0.0.1:{port}")
        load = Generator(plan, [b'{"input": "hello"}'], target)
        began_s = time.process_time()
        await load.run()
        took_s = time.process_time() - began_s
        await target.aclose()
    report = load.report()
    return report, took_s / report.elapsed_s


def main() -> int:
    """Run each, and print a line for it."""
    print(_HEAD)
    holds = True
    for rate in (50, 200, 500, 1_000):
        plan = Plan(model="x", rate_per_s=float(rate), limit_per_s=2_000.0, duration_s=RUNS_FOR_S)
        report, share = asyncio.run(measure(plan))
        off = abs(report.sent / (rate * RUNS_FOR_S) - 1)
        holds &= off < OFF_BAR and (report.times.p50_ms or 0) < TAKES_S * 1000 + ADDED_BAR_MS
        holds &= report.outcomes[Outcome.OK] == report.sent
        print(_row(f"{rate}/s", report, off, share))
    plan = Plan(model="x", shape=Shape.CALLERS, callers=50, limit_per_s=400.0, duration_s=RUNS_FOR_S)
    report, share = asyncio.run(measure(plan))
    off = abs(report.sent / (400 * RUNS_FOR_S) - 1)
    holds &= off < OFF_BAR
    print(_row("50 callers, 400", report, off, share))
    plan = Plan(model="x", rate_per_s=200.0, duration_s=RUNS_FOR_S)
    report, share = asyncio.run(measure(plan, stalls=True))
    print(_row("200/s, a stall", report, abs(report.sent / (200 * RUNS_FOR_S) - 1), share))
    # a fifth and more of the requests were due while the server stood still, evenly over that second
    seen = report.times.p95_ms or 0.0
    due_s = STALL_S * (1 - 0.05 * RUNS_FOR_S / STALL_S)
    holds &= abs(seen / 1000 - due_s) < 0.15
    print(f"{'':>16} p95 of those due while it stood still: {due_s * 1000:.0f} ms in theory, {seen:.0f} ms measured")
    print("ok" if holds else "MISSED")
    return 0 if holds else 1


def _row(name: str, report: Report, off: float, share: float) -> str:
    times = [report.times.p50_ms, report.times.p95_ms, report.times.p99_ms]
    p50, p95, p99 = (f"{ms or 0:8.1f}" for ms in times)
    late = report.late_p95_ms or 0.0
    return f"{name:>16} {report.sent_per_s:8.1f} {off:7.2%} {p50} {p95} {p99} {late:9.1f} {share:6.0%}"


if __name__ == "__main__":
    if len(sys.argv) > 2:
        serve(int(sys.argv[1]), stalls=sys.argv[2] == "stalls")
    else:
        sys.exit(main())
