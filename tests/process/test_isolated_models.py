"""Processes of models under ``zypher up``: they end with the worker or the API that they belong to, in any case."""

import contextlib
import os
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from tests.process.stack import Up
from zypher_jobs.testing import wait_until

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "models" / "isolation.md").read_text(encoding="utf-8")
LATER = {"Async-Mode": "true"}


def with_villain(make_up: Callable[..., Up], **settings: object) -> Up:
    """A stack that serves a model in a process of its own, not started yet."""
    up = make_up(models="tests.models.villains:Villain", **settings)
    up.environ["PYTHONPATH"] = str(ROOT)
    return up


def children_of(up: Up, parent: int) -> list[int]:
    """The processes of models that belong to that one."""
    found: list[int] = []
    for pid in up.survivors():
        with contextlib.suppress(OSError):
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
            ppid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
            if b"zypher_jobs.models.runtimes.child" in command and ppid == parent:
                found.append(pid)
    return found


def write(path: Path, text: str) -> None:
    """Make a file."""
    path.write_text(text, encoding="utf-8")


async def spins(up: Up, prediction_id: str) -> bool:
    """Whether its model has begun to spin."""
    return (await up.statuses([prediction_id])) == ["running"]


async def test_a_killed_worker_leaves_no_orphan(make_up: Callable[..., Up]) -> None:
    """SIGKILL to a worker whose model holds the GIL: its child is gone at once, and the next worker has its own."""
    up = with_villain(make_up, run_timeout_s=2, concurrency=1)
    await up.start_and_wait()
    worker = up.facts.pids["worker 1 of 1"]
    (child,) = children_of(up, worker)
    async with httpx.AsyncClient(base_url=up.url) as client:
        answer = await client.post("/models/villain/predict", json={"do": "spin in C"}, headers=LATER)
        prediction_id = answer.json()["prediction_id"]
        await wait_until(lambda: spins(up, prediction_id))
        os.kill(worker, signal.SIGKILL)
        await wait_until(lambda: child not in up.survivors())
        await wait_until(lambda: len(up.ready_lines()) == 4, timeout_s=20)
        good = await client.post("/models/villain/predict", json={"text": "good"}, headers=LATER)
        await up.all_succeed([good.json()["prediction_id"]])
    assert len(children_of(up, up.facts.pids["worker 1 of 1"])) == 1


async def test_a_drain_ends_what_a_model_will_not(make_up: Callable[..., Up]) -> None:
    """SIGTERM while children spin, in the API and in a worker: all is over soon after the grace period."""
    up = with_villain(make_up, grace_s=1)
    await up.start_and_wait()
    async with httpx.AsyncClient(base_url=up.url) as client:
        answer = await client.post("/models/villain/predict", json={"do": "spin"}, headers=LATER)
        await wait_until(lambda: spins(up, answer.json()["prediction_id"]))
        started_s = time.monotonic()
        up.signal(signal.SIGTERM)
        assert await up.ended() == 0
    assert time.monotonic() - started_s < 10
    await up.nothing_is_left()


async def test_the_page_says_what_is(make_up: Callable[..., Up]) -> None:
    """docs/models/isolation.md: its model, and what it says that each call answers."""
    (code,) = re.findall(r"^```python fragile.py\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    calls = re.findall(r"^curl localhost:8080(\S+) --json '(.*)'\n((?:# .*\n)+)", PAGE, re.MULTILINE)
    assert len(calls) == 4
    up = make_up(models="fragile:Fragile", run_timeout_s=5)  # the page's 2 s are little on a busy machine
    write(up.directory / "fragile.py", code)
    await up.start_and_wait()
    async with httpx.AsyncClient(base_url=up.url, timeout=20) as client:
        for path, body, said in calls:
            answer = await client.post(path, content=body, headers={"Content-Type": "application/json"})
            for part in re.sub(r"^# ", "", said, flags=re.MULTILINE).split("…"):
                expected = re.sub(r"\d+", r"\\d+", re.escape(part.strip().rstrip(",")))
                assert re.search(expected, answer.text), answer.text
