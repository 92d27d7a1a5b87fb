"""The unmodified ``tritonclient`` against a running API: with tensors in JSON and in binary."""

import asyncio
import re
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from tests.api.running import RunningApi
from zypher_jobs.models.shipped.digits import Digits
from zypher_jobs.settings import Settings

tritonclient: Any = pytest.importorskip("tritonclient.http")

PAGE = (Path(__file__).parents[2] / "docs" / "models" / "inference-v2.md").read_text(encoding="utf-8")
THREE = list(Digits.input_example.drawing)
ONE = ["   ##   "] * 8


@pytest.fixture
def api_settings(settings: Settings) -> Settings:
    """Models with tensors of many kinds."""
    names = ("Repeats", "Doubles", "Sums")
    return msgspec.structs.replace(settings, models=tuple(f"tests.api.inference_models:{name}" for name in names))


@pytest.fixture
def call(api: RunningApi) -> Callable[[Callable[[Any], Any]], Awaitable[Any]]:
    """Runs a function with the client, in a thread of its own: it blocks."""

    def with_client(use: Callable[[Any], Any]) -> Any:
        with tritonclient.InferenceServerClient(f"127.0.0.1:{api.settings.port}") as client:
            return use(client)

    return lambda use: asyncio.to_thread(with_client, use)


def tensor(name: str, datatype: str, values: Any, *, binary: bool) -> Any:
    """An ``InferInput``."""
    given = tritonclient.InferInput(name, list(values.shape), datatype)
    return given.set_data_from_numpy(values, binary_data=binary)


async def test_it_finds_the_server_and_its_models(call: Any) -> None:
    """Health, metadata, and the repository."""

    def use(client: Any) -> None:
        assert client.is_server_live()
        assert client.is_server_ready()
        assert client.get_server_metadata()["name"] == "zypher"
        assert client.is_model_ready("digits")
        assert client.is_model_ready("digits", "1")
        assert not client.is_model_ready("mick")
        assert client.get_model_metadata("digits")["inputs"] == [
            {"name": "drawing", "datatype": "BYTES", "shape": [-1, 8]}
        ]
        assert {"name": "digits", "version": "1", "state": "READY", "reason": ""} in client.get_model_repository_index()

    await call(use)


@pytest.mark.parametrize("binary", [True, False], ids=["binary", "json"])
async def test_it_reads_digits(call: Any, *, binary: bool) -> None:
    """A real ONNX network behind it: two drawings in one request, all outputs."""

    def use(client: Any) -> Any:
        drawings = np.array([THREE, ONE], dtype=np.object_)
        wanted = [tritonclient.InferRequestedOutput(name, binary_data=binary) for name in ("digit", "probabilities")]
        return client.infer("digits", [tensor("drawing", "BYTES", drawings, binary=binary)], outputs=wanted)

    result = await call(use)

    assert result.as_numpy("digit").tolist() == [3, 1]
    probabilities = result.as_numpy("probabilities")
    assert (probabilities.shape, probabilities.dtype) == ((2, 10), np.float64)
    assert probabilities.argmax(axis=1).tolist() == [3, 1]


@pytest.mark.parametrize("binary", [True, False], ids=["binary", "json"])
@pytest.mark.parametrize(
    ("datatype", "dtype"),
    [
        ("FP64", np.float64),
        ("FP32", np.float32),
        ("FP16", np.float16),
        ("INT8", np.int8),
        ("UINT8", np.uint8),
        ("INT16", np.int16),
        ("UINT16", np.uint16),
        ("INT32", np.int32),
        ("UINT32", np.uint32),
    ],
)
async def test_narrower_numbers_are_taken_as_they_are(call: Any, datatype: str, dtype: Any, *, binary: bool) -> None:
    """Every datatype whose values the model's own holds exactly; by default all outputs come back in binary."""
    values = np.array([[1, 2.5, 3], [4, 5, 100]], dtype=dtype)

    def use(client: Any) -> Any:
        return client.infer("doubles", [tensor("values", datatype, values, binary=binary)])

    result = await call(use)

    assert np.array_equal(result.as_numpy("values"), 2 * values.astype(np.float64))


async def test_bfloat16_is_taken_as_it_is(call: Any) -> None:
    """The upper half of an FP32; only in binary, as the client has it."""
    ml_dtypes: Any = pytest.importorskip("ml_dtypes")
    values = np.array([[1.5, -2]], dtype=ml_dtypes.bfloat16)

    def use(client: Any) -> Any:
        return client.infer("doubles", [tensor("values", "BF16", values, binary=True)])

    result = await call(use)

    assert result.as_numpy("values").tolist() == [[3, -4]]


@pytest.mark.parametrize("binary", [True, False], ids=["binary", "json"])
async def test_a_model_with_fields_of_many_kinds(call: Any, *, binary: bool) -> None:
    """Texts, numbers, booleans, bytes, lists of lists: each a tensor."""
    given = {
        "text": ("BYTES", np.array(["hé", "wörld"], dtype=np.object_)),
        "count": ("INT64", np.array([2**62, -3])),
        "weight": ("FP64", np.array([0.25, 1e300])),
        "flag": ("BOOL", np.array([True, False])),
        "raw": ("BYTES", np.array([b"x", b"yz"], dtype=np.object_)),
        "row": ("FP64", np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])),
        "grid": ("INT64", np.arange(12).reshape(2, 3, 2)),
    }

    def use(client: Any) -> Any:
        tensors = [tensor(name, datatype, values, binary=binary) for name, (datatype, values) in given.items()]
        return client.infer("repeats", tensors, request_id="mine")

    result = await call(use)

    rows = [msgspec.json.decode(each) for each in result.as_numpy("output")]
    assert result.get_response()["id"] == "mine"
    for name in ("text", "count", "weight", "flag", "row", "grid"):
        assert [row[name] for row in rows] == given[name][1].tolist()


async def test_compression_is_understood(call: Any) -> None:
    """Both kinds that the client can send, around JSON and binary tensors."""
    values = np.array([[1.0, 2.0]])

    def use(client: Any) -> Any:
        given = [tensor("values", "FP64", values, binary=True)]
        return [client.infer("doubles", given, request_compression_algorithm=how) for how in ("gzip", "deflate")]

    for result in await call(use):
        assert result.as_numpy("values").tolist() == [[2, 4]]


async def test_errors_are_sentences(call: Any) -> None:
    """What the client raises has the status and the ``error`` of the problem."""

    def use(client: Any) -> str:
        with pytest.raises(tritonclient.InferenceServerException) as raised:
            client.infer("doubles", [tensor("values", "INT64", np.array([[1]]), binary=True)])
        return str(raised.value)

    assert await call(use) == (
        "[422] Tensor 'values' must be of datatype FP64 (or UINT8, UINT16, UINT32, INT8, INT16, INT32, FP16, BF16, "
        "FP32), not INT64."
    )


async def test_a_model_is_unloaded_and_loaded_again(call: Any) -> None:
    """By the client's own calls."""

    def use(client: Any) -> None:
        client.unload_model("doubles")
        assert not client.is_model_ready("doubles")
        client.load_model("doubles")
        assert client.is_model_ready("doubles")
        assert client.infer("doubles", [tensor("values", "FP64", np.array([[1.0]]), binary=True)]).as_numpy(
            "values"
        ) == [[2]]

    await call(use)


async def test_the_client_of_the_page_runs_as_it_stands(api: RunningApi) -> None:
    """docs/models/inference-v2.md: what it prints is what the page says."""
    (program,) = re.findall(r"^```python client.py\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", program, f"127.0.0.1:{api.settings.port}"), stdout=asyncio.subprocess.PIPE
    )

    said, _ = await process.communicate()

    assert said.decode().strip() == "[3, 3]"
    assert "It prints `[3, 3]`" in PAGE
