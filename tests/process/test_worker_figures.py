"""What ``/metrics`` says of the workers' batches, with several workers that come and go."""

import os
import signal
from pathlib import Path

import httpx

from tests.process.stack import Up
from zypher_jobs.testing import wait_until

SIZES = 'zypher_worker_batch_size_sum{model="digits",version="1"}'
WAITS = 'zypher_worker_batch_wait_seconds_count{model="digits",version="1"}'


async def test_batches_of_all_workers_are_counted_once(tmp_path: Path) -> None:
    """The same in every API process; a worker that is killed, and one that drains, take no count with them."""
    up = Up(tmp_path, workers=2, api_processes=2)
    try:
        await up.start_and_wait()
        async with httpx.AsyncClient(base_url=up.url, timeout=20) as api:
            example = (await api.get("/models/digits")).json()["input_example"]

            async def has_counted(sample: str, count: float) -> bool:
                lines = (await api.get("/metrics", headers={"Connection": "close"})).text.splitlines()
                return f"{sample} {count}" in lines

            async def submit(count: int, sum_then: float) -> None:
                items = [{"model": "digits", "input": example}] * count
                assert (await api.post("/predictions", json=items)).json()["accepted"] == count
                for _ in range(4):  # whichever process answers
                    await wait_until(lambda: has_counted(SIZES, sum_then), timeout_s=30)

            await submit(40, 42.0)  # each worker warms up with one
            os.kill(up.facts.pids["worker 1 of 2"], signal.SIGKILL)
            await submit(40, 83.0)
            text = (await api.get("/metrics")).text
        waits = next(line for line in text.splitlines() if line.startswith(WAITS))
        sizes = next(line for line in text.splitlines() if line.startswith(SIZES.replace("_sum", "_count")))
        assert waits.split()[1] == sizes.split()[1]
    finally:
        up.kill_everything()
