"""More synchronous predictions than a model can do."""

import asyncio

import httpx
import msgspec
import pytest

from bench.open_loop import OpenLoad
from tests.api.models import Held
from tests.api.running import RunningApi, running_api
from zypher_jobs.settings import Settings
from zypher_jobs.testing import wait_until

NEXT_TO_NOTHING_S = 1e-6


@pytest.fixture
def api_settings(settings: Settings) -> Settings:
    """Nobody may wait for a model that is busy."""
    models = ("tests.api.models:Held", "tests.api.models:HeldOnce", "tests.api.models:Slow")
    return msgspec.structs.replace(settings, models=models, shed_wait_s=NEXT_TO_NOTHING_S)


class Busy:
    """A model with one call that runs and one that waits for it."""

    def __init__(self, api: RunningApi, name: str) -> None:
        self.path = f"/models/{name}/predict"
        self._api = api
        self._served = api.services.registry.get(name)

    async def __aenter__(self) -> "Busy":
        assert (await self._api.post(self.path, json={"text": "before"})).status_code == 200
        Held.held |= {"1", "2"}
        self._calls = [asyncio.create_task(self._api.post(self.path, json={"text": text})) for text in "12"]
        batcher = self._served.batcher
        assert batcher is not None
        await wait_until(lambda: batcher.waiting == 1)
        return self

    async def __aexit__(self, *_: object) -> None:
        Held.held -= {"1", "2"}
        for answer in await asyncio.gather(*self._calls):
            assert answer.status_code == 200


def check_refusal(answer: httpx.Response) -> None:
    """A problem that says when to come again."""
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1
    problem = answer.json()
    assert problem["code"] == "overloaded"
    assert problem["error"] == problem["detail"]
    assert problem["request_id"] == answer.headers["request-id"]
    assert "prediction-id" not in answer.headers


async def test_who_would_wait_for_too_long_is_refused_at_once(api: RunningApi) -> None:
    """By every route that predicts now; counted, and served again as soon as there is room."""
    async with Busy(api, "held") as busy:
        check_refusal(await api.post(busy.path, json={"text": "3"}))
        check_refusal(await api.post(busy.path, content=b"not even JSON"))
        check_refusal(await api.post(busy.path, json={"text": "3"}, headers={"Accept": "text/event-stream"}))
        tensor = {"name": "text", "shape": [1], "datatype": "BYTES", "data": ["3"]}
        check_refusal(await api.post("/v2/models/held/infer", json={"inputs": [tensor]}))
        check_refusal(await api.post("/v2/models/held/generate", json={"text_input": "3"}))
    assert (await api.post(busy.path, json={"text": "3"})).status_code == 200
    assert await api.metric('zypher_shed_total{model="held",reason="wait",version="1"}') == 5


async def test_what_does_not_wait_for_the_model_is_never_refused(api: RunningApi) -> None:
    """Another model, a prediction that is answered later, the health and the metrics."""
    async with Busy(api, "held") as busy:
        check_refusal(await api.post(busy.path, json={"text": "3"}))
        assert (await api.post("/predict", json={"input": "a"})).status_code == 200
        assert (await api.post(busy.path, json={"text": "3"}, headers={"Async-Mode": "true"})).status_code == 202
        assert (await api.get("/health")).status_code == 200
        assert (await api.get("/metrics")).status_code == 200


async def test_an_output_that_is_in_the_cache_is_given_while_others_are_refused(api: RunningApi) -> None:
    """It waits for nothing."""
    async with Busy(api, "held-once") as busy:
        check_refusal(await api.post(busy.path, json={"text": "3"}))
        hit = await api.post(busy.path, json={"text": "before"})
        assert (hit.status_code, hit.headers["model-cache"]) == (200, "hit")


async def test_nobody_is_refused_where_the_setting_is_0(settings: Settings) -> None:
    """However long it takes."""
    settings = msgspec.structs.replace(settings, models=("tests.api.models:Held",), shed_wait_s=0)
    async with running_api(settings) as api, Busy(api, "held") as busy:
        third = asyncio.create_task(api.post(busy.path, json={"text": "3"}))
        batcher = api.services.registry.get("held").batcher
        assert batcher is not None
        await wait_until(lambda: batcher.waiting == 2)
        Held.held.clear()
        assert (await third).status_code == 200


async def test_three_times_what_a_model_can_do_is_answered_in_time_or_refused(settings: Settings) -> None:
    """From callers who do not wait for each other; without refusals the last would wait for 6 s."""
    settings = msgspec.structs.replace(settings, models=("tests.api.models:Slow",))
    async with running_api(settings) as api:
        load = OpenLoad(settings.port, "/models/slow/predict", b'{"text": "a"}', connections=100)
        await load.open()
        answers = await load.run(300, 3)
        load.close()
        accepted = [each.latency_s for each in answers if each.status == 200]
        refused = [each for each in answers if each.status == 503]
        assert len(accepted) + len(refused) == len(answers)
        assert len(accepted) > 50
        assert refused
        assert all(each.says_when for each in refused)
        assert max(accepted) < 3
        assert await api.metric('zypher_shed_total{model="slow",reason="overload",version="1"}') == len(refused)
        for _ in range(10):
            assert (await api.post("/models/slow/predict", json={"text": "a"})).status_code == 200
