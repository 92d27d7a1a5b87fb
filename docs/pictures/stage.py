"""The pictures of the README: a whole Zypher of its own, kept busy, and the dashboard that watches it for a while.

python docs/pictures/stage.py [120x36 …]

Needs Chromium and the font Fira Code. ``make.py`` makes pictures of every state, of a simulated system.
"""

import asyncio
import json
import math
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import httpx
from make import png_of, svg_of

from zypher_jobs.testing import free_port
from zypher_tui.app import Dashboard
from zypher_tui.opening import openers_of

SIZES = ("120x36", "80x24")
WATCHED_S = 104
"""As long as the charts are wide, at 120 columns."""
CROWD, EVERY_S = 160, 45
PHRASES = ["Where is my order?", "refund please", "hello", "Grüße aus Köln", "is this the real life?", "42"]
DIGITS = [
    ["..@@@@..", ".@....@.", "......@.", ".....@..", "....@...", "...@....", "..@.....", ".@@@@@@."],
    ["...@@...", "..@@@...", "...@@...", "...@@...", "...@@...", "...@@...", "...@@...", "..@@@@.."],
]


def keep_busy(url: str, until: threading.Event, seed: int) -> None:
    """A caller of every kind: now, later, both models; the first one sometimes comes with a crowd."""
    dice = random.Random(seed)
    next_crowd = time.monotonic() + 20 if seed == 0 else math.inf
    with httpx.Client(base_url=url, timeout=30) as client:
        while not until.wait(dice.expovariate(4)):
            crowd = time.monotonic() > next_crowd
            next_crowd += EVERY_S if crowd else 0
            for _ in range(CROWD if crowd else 1):
                later = {"Async-Mode": "true"} if crowd or dice.random() < 0.8 else {}
                if dice.random() < 0.25:
                    client.post("/models/digits/predict", json={"drawing": dice.choice(DIGITS)}, headers=later)
                else:
                    client.post("/predict", json={"input": dice.choice(PHRASES)}, headers=later)


def main(sizes: list[str]) -> int:
    """Start, keep busy, watch, stop."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    settings = {"port": port, "concurrency": 4, "mock_latency_ms": "150-900", "mock_failure_rate": 0.02}
    with tempfile.TemporaryDirectory(prefix="zypher-") as data:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ZYPHER_")}
        environment |= {f"ZYPHER_{name.upper()}": str(value) for name, value in (settings | {"data_dir": data}).items()}
        with subprocess.Popen(
            [sys.executable, "-m", "zypher_jobs.cli", "up"],
            env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        ) as up:  # fmt: skip
            enough = threading.Event()
            callers = [threading.Thread(target=keep_busy, args=(url, enough, seed)) for seed in range(3)]
            try:
                wait_ready(url)
                redis_url = json.loads((Path(data) / "run.json").read_text())["redis_url"]
                for caller in callers:
                    caller.start()
                for size in sizes or SIZES:
                    columns, rows = (int(number) for number in size.split("x"))
                    dashboard = Dashboard(openers_of(url, redis_url), api_url=url)
                    svg = asyncio.run(svg_of(dashboard, (columns, rows), watch_s=WATCHED_S))
                    path = Path(__file__).parent / f"dashboard-{size}.png"
                    png_of(svg, path)
                    sys.stdout.write(f"{path}\n")
            finally:
                enough.set()
                for caller in callers:
                    if caller.ident:
                        caller.join()
                up.send_signal(signal.SIGTERM)
    return 0


def wait_ready(url: str) -> None:
    """Until it can serve; raises ``httpx.HTTPError`` after half a minute."""
    deadline = time.monotonic() + 30
    while True:
        try:
            httpx.get(f"{url}/health/ready").raise_for_status()
        except httpx.HTTPError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
        else:
            return


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
