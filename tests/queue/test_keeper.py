"""A worker's lease keeper at its start."""

import asyncio
import sys
from pathlib import Path

import pytest

from zypher_jobs.queue import PredictionQueue
from zypher_jobs.testing import wait_until
from zypher_jobs.worker.lease import LeaseKeeper

DEATHS = 2


async def test_a_keeper_that_dies_before_it_has_read_what_it_shall_do_is_started_again(
    queue: PredictionQueue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the worker's start, and again where a dead one is replaced: a broken pipe ends neither."""
    starts = tmp_path / "starts"
    starts.touch()
    python = tmp_path / "python"
    python.write_text(
        f'#!/bin/sh\necho >> {starts}\n[ $(wc -l < {starts}) -le {DEATHS} ] && exit 1\nexec {sys.executable} "$@"\n'
    )
    python.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(python))
    keeper = LeaseKeeper(
        queue,
        worker_id="w1",
        lease_ms=5000,
        slots=1,
        spare=0,
        models=["m" * 100] * 1000,  # more than a pipe holds: it is still being written when its reader dies
        abort=lambda _: None,
    )
    await asyncio.to_thread(keeper.start)
    try:
        seen = await wait_until(queue.inspect.workers)
        assert [worker.worker_id for worker in seen] == ["w1"]
        assert len(starts.read_text()) == DEATHS + 1
    finally:
        await asyncio.to_thread(keeper.stop)
    assert await queue.inspect.workers() == []
