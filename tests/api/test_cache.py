"""The result cache over HTTP, and behind the queue."""

from collections.abc import AsyncIterator

import msgspec
import pytest

from tests.api.models import Keeps
from tests.api.running import RunningApi, running_api, running_worker
from zypher_jobs.settings import Settings


@pytest.fixture
async def api(settings: Settings) -> AsyncIterator[RunningApi]:
    """One that serves a model with a cache."""
    Keeps.runs.clear()
    async with running_api(msgspec.structs.replace(settings, models=("tests.api.models:Keeps",))) as running:
        yield running


async def test_an_answer_says_whether_it_was_kept(api: RunningApi) -> None:
    """A prediction of its own each time, with its own id and record; a model without a cache says nothing of it."""
    answers = [await api.post("/models/keeps/predict", json={"text": text}) for text in "aab"]
    assert [answer.headers["model-cache"] for answer in answers] == ["miss", "hit", "miss"]
    assert [answer.json()["text"] for answer in answers] == ["a", "a", "b"]
    assert len({answer.headers["prediction-id"] for answer in answers}) == 3
    assert Keeps.runs == ["a", "b"]
    assert "model-cache" not in (await api.post("/predict", json={"input": "hello"})).headers


async def test_uses_are_counted(api: RunningApi) -> None:
    """In ``/metrics``, by what the cache did."""
    for text in "aab":
        await api.post("/models/keeps/predict", json={"text": text})
    uses = 'zypher_model_cache_uses_total{model="keeps",use="%s",version="1"}'
    assert [await api.metric(uses % use) for use in ("hit", "miss")] == [1, 2]
    assert await api.metric('zypher_model_cache_bytes{model="keeps",version="1"}') > 0


async def test_a_worker_keeps_results_too(api: RunningApi) -> None:
    """Of what it ran itself."""
    async with running_worker(api):
        answers = [
            await api.post("/models/keeps/predict", json={"text": text}, headers={"Prefer": "respond-async, wait=10"})
            for text in "aab"
        ]
    assert [answer.json()["text"] for answer in answers] == ["a", "a", "b"]
    assert Keeps.runs == ["a", "b"]
