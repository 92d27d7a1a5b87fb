"""The Open Inference Protocol v2: health, metadata, tensors of any model, and the headers of Zypher."""

import asyncio
import gzip
import json
import struct
from typing import Any

import msgspec
import pytest

from tests.api.inference_models import Repeats
from tests.api.running import RunningApi, running_worker
from zypher_jobs.settings import Settings
from zypher_jobs.testing import wait_until

ROW = {
    "text": "hé",
    "count": 7,
    "weight": 0.5,
    "flag": True,
    "raw": b"\0\xff",
    "row": [1.0, 2.0],
    "grid": [[1, 2], [3, 4], [5, 6]],
}


@pytest.fixture
def api_settings(settings: Settings) -> Settings:
    """The models of ``tests.api.inference_models``."""
    names = ("Repeats", "Doubles", "Grows", "Sums")
    models = (*(f"tests.api.inference_models:{name}" for name in names), "tests.api.models:NotLoaded")
    return msgspec.structs.replace(settings, models=models)


def tensor(name: str, datatype: str, shape: list[int], data: Any) -> dict[str, Any]:
    """One of a request."""
    return {"name": name, "datatype": datatype, "shape": shape, "data": data}


def kinds(count: int, *, texts: list[str] | None = None) -> list[dict[str, Any]]:
    """The inputs of as many predictions of ``Repeats``, in JSON."""
    return [
        tensor("text", "BYTES", [count], texts or ["hé"] * count),
        tensor("count", "INT64", [count], list(range(count))),
        tensor("weight", "FP64", [count], [0.5] * count),
        tensor("flag", "BOOL", [count], [True] * count),
        tensor("raw", "BYTES", [count], ["x"] * count),
        tensor("row", "FP64", [count, 2], [[1, 2.5]] * count),
        tensor("grid", "INT64", [count, 3, 2], [[[1, 2], [3, 4], [5, 6]]] * count),
    ]


def outputs(answer: Any) -> dict[str, Any]:
    """Name → data."""
    assert answer.status_code == 200, answer.text
    return {output["name"]: output["data"] for output in answer.json()["outputs"]}


async def test_the_server_says_what_it_is_and_that_it_lives(api: RunningApi) -> None:
    """Name, version, extensions; live and ready, as KServe and Triton say it."""
    server = (await api.get("/v2")).json()

    assert (server["name"], "binary_tensor_data" in server["extensions"]) == ("zypher", True)
    assert (await api.get("/v2/health/live")).json() == {"live": True}
    assert (await api.get("/v2/health/ready")).json() == {"ready": True}


async def test_a_model_says_which_tensors_it_takes_and_gives(api: RunningApi) -> None:
    """Each field is one; the first dimension is the batch; fixed lengths are kept."""
    model = (await api.get("/v2/models/repeats")).json()

    assert model["versions"] == ["1"]
    assert {each["name"]: (each["datatype"], each["shape"]) for each in model["inputs"]} == {
        "text": ("BYTES", [-1]),
        "count": ("INT64", [-1]),
        "weight": ("FP64", [-1]),
        "flag": ("BOOL", [-1]),
        "raw": ("BYTES", [-1]),
        "row": ("FP64", [-1, -1]),
        "grid": ("INT64", [-1, 3, 2]),
        "choice": ("BYTES", [-1]),
        "limit": ("INT64", [-1]),
    }
    assert [each["name"] for each in model["outputs"]] == ["output"], "a field that may be null is no output tensor"
    assert (await api.get("/v2/models/repeats/versions/1")).json() == model
    assert (await api.get("/v2/models/grows")).json()["inputs"] == [
        {"name": "input", "datatype": "INT64", "shape": [-1]}
    ]


async def test_a_model_says_whether_it_can_predict(api: RunningApi) -> None:
    """200 or 503; 404 where there is none."""
    ready = await api.get("/v2/models/mock/ready")
    broken = await api.get("/v2/models/not-loaded/ready")

    assert (ready.status_code, ready.json()) == (200, {"name": "mock", "ready": True})
    assert (broken.status_code, broken.json()["error"]) == (
        503,
        "Model 'not-loaded' is not ready: OSError: no such file: weights.bin.",
    )
    assert (await api.get("/v2/models/mock/versions/1/ready")).status_code == 200
    assert (await api.get("/v2/models/mock/versions/9/ready")).status_code == 404
    assert (await api.get("/v2/models/mick")).json()["code"] == "unknown_model"


async def test_each_row_is_a_prediction_and_they_run_as_one_batch(api: RunningApi) -> None:
    """Three rows meet in the batcher; each is recorded by an id that follows from the first."""
    Repeats.batches.clear()

    answer = await api.post("/v2/models/repeats/infer", json={"id": "mine", "inputs": kinds(3)})

    assert [json.loads(each)["count"] for each in outputs(answer)["output"]] == [0, 1, 2]
    assert answer.json()["id"] == "mine"
    assert answer.headers["model-version"] == "repeats@1"
    assert Repeats.batches == [3]
    first = answer.headers["prediction-id"]
    for prediction_id, count in ((first, 0), (f"{first}-1", 1), (f"{first}-2", 2)):

        async def recorded(prediction_id: str = prediction_id) -> Any:
            found = await api.get(f"/predict/{prediction_id}")
            return found.json() if found.status_code == 200 else None

        record = await wait_until(recorded)
        assert (record["status"], record["output"]["count"]) == ("succeeded", count)


async def test_optional_fields_are_optional_tensors(api: RunningApi) -> None:
    """With a default they may be left out, and be given."""
    given = [*kinds(1), tensor("choice", "BYTES", [1], ["b"]), tensor("limit", "INT64", [1], [5])]

    answer = await api.post("/v2/models/repeats/infer", json={"inputs": given})

    (output,) = (json.loads(each) for each in outputs(answer)["output"])
    assert (output["choice"], output["limit"], output["text"], output["grid"]) == (
        "b",
        5,
        "hé",
        [[1, 2], [3, 4], [5, 6]],
    )


async def test_outputs_are_stacked_and_chosen_by_name(api: RunningApi) -> None:
    """In row-major order, flat, with the shape of the whole."""
    answer = await api.post(
        "/v2/models/doubles/infer",
        json={"inputs": [tensor("values", "FP32", [2, 3], [1, 2, 3, 4, 5, 6])], "outputs": [{"name": "values"}]},
    )

    assert answer.json()["outputs"] == [
        {"name": "values", "datatype": "FP64", "shape": [2, 3], "data": [2.0, 4.0, 6.0, 8.0, 10.0, 12.0]}
    ]


async def test_what_is_no_tensor_travels_as_json(api: RunningApi) -> None:
    """Objects within objects: one tensor ``input`` of texts, each the JSON of one input."""
    given = tensor("input", "BYTES", [2], ['{"parts": [{"size": 1}, {"size": 2}]}', '{"parts": [{"size": 5}]}'])

    answer = await api.post("/v2/models/sums/infer", json={"inputs": [given]})

    assert [json.loads(each)["parts"] for each in outputs(answer)["output"]] == [[{"size": 3}], [{"size": 5}]]


async def test_binary_tensors_come_and_go_behind_the_json(api: RunningApi) -> None:
    """As bytes without numpy: split at the header's length, little-endian; the output only where it is wanted."""
    head = json.dumps(
        {
            "inputs": [
                {"name": "values", "shape": [1, 2], "datatype": "FP16", "parameters": {"binary_data_size": 4}},
            ],
            "parameters": {"binary_data_output": True},
        }
    ).encode()
    headers = {"Inference-Header-Content-Length": str(len(head)), "Content-Type": "application/octet-stream"}

    answer = await api.post("/v2/models/doubles/infer", content=head + struct.pack("<2e", 1.5, -2), headers=headers)

    length = int(answer.headers["inference-header-content-length"])
    (output,) = json.loads(answer.content[:length])["outputs"]
    assert output == {"name": "values", "datatype": "FP64", "shape": [1, 2], "parameters": {"binary_data_size": 16}}
    assert struct.unpack("<2d", answer.content[length:]) == (3.0, -4.0)


async def test_a_compressed_body_is_unpacked(api: RunningApi) -> None:
    """``Content-Encoding: gzip``, which the usual client can send."""
    body = gzip.compress(json.dumps({"inputs": [tensor("values", "FP64", [1, 1], [4])]}).encode())

    answer = await api.post(
        "/v2/models/doubles/infer",
        content=body,
        headers={"Content-Encoding": "gzip", "Content-Type": "application/json"},
    )

    assert outputs(answer) == {"values": [8.0]}


async def test_a_bad_row_fails_and_says_which_it_is(api: RunningApi) -> None:
    """The failure of one is that of the request; its neighbors succeed, and are recorded so."""
    answer = await api.post("/v2/models/repeats/infer", json={"inputs": kinds(3, texts=["a", "bad", "c"])})

    assert (answer.status_code, answer.json()["error"]) == (500, "Prediction 1 of 3: ValueError: this one is bad")
    first = answer.headers["prediction-id"]

    async def recorded() -> Any:
        found = await api.get(f"/predict/{first}")
        return found.status_code == 200 and found.json()["status"]

    assert await wait_until(recorded) == "succeeded"


async def test_one_prediction_may_be_answered_later(api: RunningApi) -> None:
    """202 with its id, as ``/predict`` answers; its output is read there."""
    request = {"inputs": [tensor("values", "FP64", [1, 2], [1, 2])]}

    answer = await api.post("/v2/models/doubles/infer", json=request, headers={"Async-Mode": "true"})

    assert answer.status_code == 202
    assert answer.headers["location"] == answer.json()["location"] == f"/predict/{answer.json()['prediction_id']}"
    async with running_worker(api):
        done = await api.get(answer.headers["location"], params={"wait": "20"})
    assert done.json()["output"] == {"values": [2.0, 4.0]}


async def test_several_predictions_may_be_answered_later_each_by_its_own_id(api: RunningApi) -> None:
    """202 with one entry for each row, in order."""
    request = {"inputs": [tensor("values", "FP64", [3, 1], [1, 2, 3])]}

    answer = await api.post("/v2/models/doubles/infer", json=request, headers={"Prefer": "respond-async"})

    assert (answer.status_code, answer.headers["preference-applied"]) == (202, "respond-async")
    locations = [each["location"] for each in answer.json()["predictions"]]
    async with running_worker(api):
        done = await asyncio.gather(*(api.get(location, params={"wait": "20"}) for location in locations))
    assert [each.json()["output"]["values"] for each in done] == [[2.0], [4.0], [6.0]]


async def test_queued_predictions_answer_as_tensors_when_they_end_in_time(api: RunningApi) -> None:
    """``Prefer: respond-async, wait=20``: 200 with the outputs stacked, through the queue."""
    async with running_worker(api):
        answer = await api.post(
            "/v2/models/doubles/infer",
            json={"inputs": [tensor("values", "FP64", [2, 1], [1, 2])]},
            headers={"Prefer": "respond-async, wait=20"},
        )

    assert outputs(answer) == {"values": [2.0, 4.0]}
    assert answer.headers["preference-applied"] == "respond-async, wait=20"


async def test_a_callers_own_timeout_is_kept(api: RunningApi) -> None:
    """The parameter ``timeout``, in microseconds, shortens that of the settings."""
    answer = await api.post(
        "/v2/models/doubles/infer",
        json={"inputs": [tensor("values", "FP64", [1, 1], [1])], "parameters": {"timeout": 1}},
    )

    assert (answer.status_code, answer.json()["code"]) == (504, "timeout")
