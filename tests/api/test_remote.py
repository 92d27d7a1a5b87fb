"""A Zypher before another one: its models, synchronous and queued, and what happens while that is away."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.api.inference_models import Echoes
from tests.api.running import RunningApi, running_api, running_worker
from zypher_jobs.settings import Settings
from zypher_jobs.testing import free_port, wait_until

ROW: dict[str, Any] = {
    "text": "hé",
    "count": 7,
    "weight": 0.5,
    "flag": True,
    "row": [1.0, 2.0],
    "grid": [[1, 2], [3, 4], [5, 6]],
}
Far = Callable[[], AbstractAsyncContextManager[RunningApi]]


@pytest.fixture
def far(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Far:
    """Starts the Zypher that runs the models; the one before it reads the ``zypher.toml`` of this directory."""
    port = free_port()
    names = ("Echoes", "Sums")
    theirs = msgspec.structs.replace(
        settings,
        port=port,
        models=tuple(f"tests.api.inference_models:{name}" for name in names),
        redis_url=f"{settings.redis_url}?db=1",
        data_dir=tmp_path / "theirs",
    )
    far_models = {"far": "echoes", "far-mock": "mock", "far-sums": "sums"}
    (tmp_path / "zypher.toml").write_text(
        "\n".join(
            f'[model.{here}]\nruntime = "remote"\nurl = "http://127.0.0.1:{port}"\nremote_name = "{there}"\n'
            "concurrency = 1\n"
            for here, there in far_models.items()
        )
    )
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path)

    @asynccontextmanager
    async def start() -> AsyncGenerator[RunningApi]:
        starting = running_api(theirs)
        with contextlib.chdir(tmp_path / "there"):
            api = await starting.__aenter__()
        try:
            yield api
        finally:
            await starting.__aexit__(None, None, None)

    return start


@pytest.fixture
async def api(settings: Settings, far: Far) -> AsyncIterator[RunningApi]:
    """The one before it, which comes up while the other is away."""
    async with running_api(settings) as running:
        yield running


async def is_ready(api: RunningApi) -> bool:
    """Whether its model is, as everybody is told."""
    return (await api.get("/health")).json()["models"]["far"]["ok"]


async def wait_ready(api: RunningApi) -> None:
    """All of its models."""

    async def ready() -> bool:
        return all(part["ok"] for part in (await api.get("/health")).json()["models"].values())

    await wait_until(ready)


async def test_a_remote_model_answers_now_and_later(api: RunningApi, far: Far) -> None:
    """The same output, synchronous and queued; each kind of tensor comes through."""
    async with far(), running_worker(api):
        await wait_ready(api)
        now = await api.post("/models/far/predict", json=ROW)
        assert (now.status_code, now.json()) == (200, ROW)
        later = await api.post("/models/far/predict", json=ROW, headers={"Async-Mode": "true"})
        assert later.status_code == 202
        record = (await api.get(f"/predict/{later.json()['prediction_id']}?wait=10")).json()
        assert (record["status"], record["output"]) == ("succeeded", ROW)


async def test_text_and_json_tensors(api: RunningApi, far: Far) -> None:
    """What is no tensor there is one of JSON, which is text here."""
    async with far():
        await wait_ready(api)
        hashed = (await api.post("/models/far-mock/predict", json={"input": "hello"})).json()
        assert hashed["result"].startswith("2cf24dba")
        summed = await api.post("/models/far-sums/predict", json={"input": '{"parts": [{"size": 1}, {"size": 2}]}'})
        assert summed.json() == {"output": '{"parts":[{"size":3}],"either":"sum"}'}


async def test_its_types_are_in_the_documentation_once_they_are_known(api: RunningApi, far: Far) -> None:
    """Before, any object; no restart is needed."""

    async def schema() -> Any:
        body = (await api.get("/docs/openapi.json")).json()["paths"]["/models/far/predict"]["post"]["requestBody"]
        return body["content"]["application/json"]["schema"]

    assert await schema() == {"type": "object"}
    async with far():
        await wait_ready(api)
        assert await schema() == {"$ref": "#/components/schemas/FarInput"}
        shown = (await api.get("/models/far")).json()
        assert set(shown["input_schema"]["properties"]) == set(ROW)
        refused = await api.post("/models/far/predict", json={**ROW, "row": "x"})
        assert (refused.status_code, refused.json()["field"]) == (422, "$.row")


async def test_it_is_served_over_the_inference_protocol_too(api: RunningApi, far: Far) -> None:
    """With the tensors of the server behind it; 503 while they are not known."""
    request = {"inputs": [{"name": "input", "datatype": "BYTES", "shape": [2], "data": ["a", "b"]}]}
    assert (await api.get("/v2/models/far-mock")).status_code == 503
    assert (await api.post("/v2/models/far-mock/infer", json=request)).status_code == 503
    assert (await api.post("/v2/models/far-mock/generate", json={"text_input": "a"})).status_code == 503
    async with far():
        await wait_ready(api)
        assert (await api.get("/v2/models/far-mock")).json()["inputs"] == [
            {"name": "input", "datatype": "BYTES", "shape": [-1]}
        ]
        outputs = (await api.post("/v2/models/far-mock/infer", json=request)).json()["outputs"]
        assert outputs[0] == {"name": "input", "datatype": "BYTES", "shape": [2], "data": ["a", "b"]}


async def test_ten_at_once_are_fewer_requests(api: RunningApi, far: Far) -> None:
    """They are stacked here, and run as one batch there."""
    async with far():
        await wait_ready(api)
        Echoes.batches.clear()
        rows = [{**ROW, "count": number} for number in range(10)]
        answers = await asyncio.gather(*(api.post("/models/far/predict", json=row) for row in rows))
        assert [answer.json() for answer in answers] == rows
        assert sum(Echoes.batches) == 10
        assert len(Echoes.batches) < 10


async def test_what_the_server_refuses_is_told(api: RunningApi, far: Far) -> None:
    """With its own sentence; the model stays ready."""
    async with far():
        await wait_ready(api)
        refused = await api.post("/models/far/predict", json={**ROW, "weight": -1})
        assert (refused.status_code, refused.json()["code"]) == (422, "remote_refused")
        assert refused.json()["detail"] == (
            "The server of model 'far' refused the input: it answered 422: Field 'weight' must be at least 0.0."
        )
        failed = await api.post("/models/far/predict", json={**ROW, "text": "bad"})
        assert (failed.status_code, failed.json()["code"]) == (502, "remote_failed")
        assert "answered 500: ValueError: this one is bad." in failed.json()["detail"]
        assert await is_ready(api)


async def test_while_the_server_is_away(api: RunningApi, far: Far) -> None:
    """Unready at the start and whenever it goes, with the reason in each place; ready by itself when it is back."""
    away = await api.post("/models/far/predict", json=ROW)
    assert (away.status_code, away.json()["code"]) == (503, "model_not_ready")
    async with far():
        await wait_ready(api)
        assert (await api.post("/models/far/predict", json=ROW)).status_code == 200
    lost = await api.post("/models/far/predict", json=ROW)
    assert (lost.status_code, lost.json()["code"]) == (503, "remote_unavailable")
    assert lost.headers["retry-after"] == "1"
    health = (await api.get("/health")).json()
    assert health["status"] == "degraded"
    assert health["models"]["far"]["detail"].startswith("Not ready: its server does not answer (")
    model = (await api.get("/models/far")).json()
    assert not model["ready"]
    assert model["error"].startswith("its server does not answer (")
    async with far():
        await wait_ready(api)
        assert (await api.post("/models/far/predict", json=ROW)).status_code == 200


async def test_what_is_queued_waits_for_the_server(api: RunningApi, far: Far) -> None:
    """Attempts while it is away are tried again; input that was not checked at the submit is when it runs."""
    async with running_worker(api):
        ids = list[str]()
        for row in (ROW, {"text": 5}):
            later = await api.post("/models/far/predict", json=row, headers={"Async-Mode": "true"})
            assert later.status_code == 202, later.text
            ids.append(later.json()["prediction_id"])

        async def tried() -> bool:
            return (await api.get(f"/predict/{ids[0]}")).json()["attempts"] >= 1

        await wait_until(tried)
        async with far():
            good, bad = [(await api.get(f"/predict/{each}?wait=20")).json() for each in ids]
            assert (good["status"], good["output"]) == ("succeeded", ROW)
            assert (bad["status"], bad["error"]["code"]) == ("failed", "invalid_input")
