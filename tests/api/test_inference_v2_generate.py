"""``generate`` and ``generate_stream`` of the Open Inference Protocol, and its repository."""

import asyncio
import json
from typing import Any

import msgspec
import pytest

from tests.api.inference_models import Endless
from tests.api.models import Gate
from tests.api.running import RunningApi
from zypher_jobs.settings import Settings
from zypher_jobs.testing import wait_until


@pytest.fixture
def api_settings(settings: Settings) -> Settings:
    """Models of texts."""
    names = ("Story", "Shout", "Endless")
    models = (*(f"tests.api.inference_models:{name}" for name in names), "tests.api.models:Gate")
    return msgspec.structs.replace(settings, models=models)


async def events(api: RunningApi, model: str, request: dict[str, Any]) -> list[dict[str, Any]]:
    """The data of each event."""
    async with api.stream("POST", f"/v2/models/{model}/generate_stream", json=request) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/event-stream"
        lines = [line async for line in answer.aiter_lines() if line]
    assert all(line.startswith("data: ") for line in lines)
    return [json.loads(line.removeprefix("data: ")) for line in lines]


async def test_a_text_is_generated_whole(api: RunningApi) -> None:
    """A streaming model's pieces are joined; parameters are other fields of its input."""
    answer = await api.post(
        "/v2/models/story/generate", json={"id": "a", "text_input": "once upon", "parameters": {"words": 5}}
    )

    assert answer.json() == {
        "model_name": "story",
        "model_version": "1",
        "id": "a",
        "text_output": "once upon once upon once ",
    }
    assert answer.headers["model-version"] == "story@1"
    prediction_id = answer.headers["prediction-id"]

    async def recorded() -> bool:
        return (await api.get(f"/predict/{prediction_id}")).status_code == 200

    assert await wait_until(recorded)


async def test_a_text_is_streamed_piece_by_piece(api: RunningApi) -> None:
    """Each piece as its own event, without a name, as Triton sends it."""
    said = await events(api, "story", {"text_input": "once upon", "parameters": {"stream": True}})

    assert [each["text_output"] for each in said] == ["once ", "upon ", "once "]
    assert all(each["model_name"] == "story" for each in said)


async def test_a_model_that_does_not_stream_gives_one_event(api: RunningApi) -> None:
    """Its whole text."""
    said = await events(api, "shout", {"text_input": "once"})

    assert [each["text_output"] for each in said] == ["ONCE"]


async def test_a_failure_before_the_first_piece_is_a_problem(api: RunningApi) -> None:
    """With its status."""
    answer = await api.post("/v2/models/story/generate_stream", json={"text_input": "boom"})

    assert (answer.status_code, answer.json()["error"]) == (500, "ValueError: boom")


async def test_a_failure_after_the_first_piece_is_an_event(api: RunningApi) -> None:
    """The status has been sent by then."""
    said = await events(api, "story", {"text_input": "once boom"})

    assert [each.get("text_output") or each["error"] for each in said] == ["once ", "ValueError: boom"]


async def test_a_caller_who_goes_away_cancels_the_prediction(api: RunningApi) -> None:
    """Before or after the first piece."""
    Endless.ended = asyncio.Event()
    request = asyncio.create_task(api.post("/v2/models/endless/generate_stream", json={"text_input": "once"}))
    await wait_until(lambda: api.services.registry.get("endless").running)

    request.cancel()

    await asyncio.wait_for(Endless.ended.wait(), 10)


async def test_the_repository_lists_every_version(api: RunningApi) -> None:
    """With its state; ``ready`` leaves out what cannot predict. The body may be left out."""
    every = (await api.post("/v2/repository/index")).json()
    await api.post("/v2/repository/models/shout/unload")
    ready = (await api.post("/v2/repository/index", json={"ready": True})).json()

    assert {"name": "shout", "version": "1", "state": "READY", "reason": ""} in every
    assert {each["name"] for each in every} - {each["name"] for each in ready} == {"shout"}


async def test_an_unloaded_model_answers_503_until_it_is_loaded(api: RunningApi) -> None:
    """In every route."""
    unloaded = await api.post("/v2/repository/models/shout/unload", json={"parameters": {"unload_dependents": True}})
    refused = await api.post("/models/shout/predict", json={"prompt": "a"})
    loaded = await api.post("/v2/repository/models/shout/load")
    answered = await api.post("/models/shout/predict", json={"prompt": "a"})

    assert unloaded.json() == [{"name": "shout", "version": "1", "state": "UNAVAILABLE", "reason": "it is not loaded"}]
    assert (refused.status_code, refused.json()["code"]) == (503, "model_not_ready")
    assert loaded.json()[0]["state"] == "READY"
    assert answered.json() == "A"


async def test_what_runs_ends_before_a_model_leaves(api: RunningApi) -> None:
    """Unloading waits for it, and takes no more meanwhile."""
    Gate.opened, Gate.entered = asyncio.Event(), asyncio.Event()
    running = asyncio.create_task(api.post("/models/gate/predict", json={"text": "a"}))
    await Gate.entered.wait()
    unloading = asyncio.create_task(api.post("/v2/repository/models/gate/unload"))
    await wait_until(lambda: not api.services.registry.get("gate").ready)
    refused = await api.post("/models/gate/predict", json={})
    assert not unloading.done()

    Gate.opened.set()

    assert ((await running).json(), refused.status_code) == ({"text": "a"}, 503)
    assert (await unloading).json()[0]["state"] == "UNAVAILABLE"


async def test_the_default_model_stays(api: RunningApi) -> None:
    """409: ``POST /predict`` and readiness need it."""
    answer = await api.post("/v2/repository/models/mock/unload")

    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    assert "ZYPHER_DEFAULT_MODEL" in answer.json()["error"]


async def test_files_are_not_taken_by_load(api: RunningApi) -> None:
    """Triton's way of sending a model; here it is a clear 422."""
    answer = await api.post("/v2/repository/models/shout/load", json={"parameters": {"config": "{}"}})

    assert (answer.status_code, answer.json()["field"]) == (422, "$.parameters.config")
    assert (await api.post("/v2/repository/models/mick/load")).status_code == 404
