"""Predictions that meet in a batch, over HTTP and through the queue."""

import asyncio
import threading
from collections.abc import AsyncIterator

import httpx
import msgspec
import pytest

from tests.api.models import Meets
from tests.api.running import RunningApi, running_api, running_worker
from zypher_jobs.settings import Settings
from zypher_jobs.testing import wait_until

NOW: dict[str, str] = {}
QUEUED = {"Prefer": "respond-async, wait=20"}


@pytest.fixture
async def api(settings: Settings) -> AsyncIterator[RunningApi]:
    """One that serves a model that takes many, and a worker."""
    Meets.batches.clear()
    Meets.may_go_on = threading.Semaphore(0)
    async with (
        running_api(msgspec.structs.replace(settings, models=("tests.api.models:Meets",))) as running,
        running_worker(running),
    ):
        yield running


async def met(api: RunningApi, *texts: str, headers: dict[str, str]) -> list[httpx.Response]:
    """Answers of those that came while the model was busy."""
    batcher = api.services.registry.get("meets").batcher
    assert batcher is not None

    async def call(text: str) -> httpx.Response:
        return await api.post("/models/meets/predict", json={"text": text}, headers=headers)

    first = asyncio.create_task(call("first"))
    await wait_until(lambda: Meets.batches == [["first"]])
    others = [asyncio.create_task(call(text)) for text in texts]
    await wait_until(lambda: batcher.waiting == len(texts))
    Meets.may_go_on.release(100)
    await first
    return await asyncio.gather(*others)


@pytest.mark.parametrize("headers", [NOW, QUEUED])
async def test_what_comes_while_the_model_runs_is_one_batch(api: RunningApi, headers: dict[str, str]) -> None:
    """Each caller gets the output of their own input."""
    answers = await met(api, *"abcde", headers=headers)
    assert [answer.json() for answer in answers] == [{"text": text} for text in "abcde"]
    assert [sorted(batch) for batch in Meets.batches] == [["first"], [*"abcde"]]


@pytest.mark.parametrize("headers", [NOW, QUEUED])
async def test_a_bad_input_fails_only_its_own_caller(api: RunningApi, headers: dict[str, str]) -> None:
    """The batch is halved until it is alone; all others are answered."""
    answers = await met(api, "a", "b", "bad", "d", headers=headers)
    assert [answer.status_code for answer in answers] == [200, 200, 500, 200]
    assert answers[2].json()["detail"] == "ValueError: a bad one"
