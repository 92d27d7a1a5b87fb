"""The Open Inference Protocol v2 over a model that is an ONNX file: its tensors are those of its graph."""

import json
import struct
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.api.running import RunningApi, running_api
from tests.models.graphs import BATCHES, PAIRS, write_graph
from zypher_jobs.models.inference import LENGTH_HEADER
from zypher_jobs.settings import Settings

ROWS = [[1.0, 2.5], [3.0, 4.0], [-1.0, 0.25]]
SUMS = [3.5, 7.0, -0.75]


@pytest.fixture
async def api(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[RunningApi]:
    """An API whose ``zypher.toml`` names two files."""
    for name, graph in (("pairs", PAIRS), ("batches", BATCHES)):
        (tmp_path / name).mkdir()
        write_graph(tmp_path / name, graph)
    (tmp_path / "zypher.toml").write_text(
        '[model.pairs]\nfile = "pairs/model.onnx"\n[model.batches]\nfile = "batches/model.onnx"\n'
    )
    monkeypatch.chdir(tmp_path)
    async with running_api(settings) as running:
        yield running


def tensor(**more: Any) -> dict[str, Any]:
    """The input of three predictions."""
    return {"name": "x", "datatype": "FP32", "shape": [3, 2], **more}


async def test_its_metadata_is_that_of_its_graph(api: RunningApi) -> None:
    """Names, datatypes and shapes; the first dimension is the batch."""
    model = (await api.get("/v2/models/batches")).json()
    assert model["inputs"] == [{"name": "x", "datatype": "FP32", "shape": [-1, -1]}]
    assert model["outputs"] == [
        {"name": "batch", "datatype": "INT64", "shape": [-1]},
        {"name": "sum", "datatype": "FP32", "shape": [-1]},
    ]


@pytest.mark.parametrize("data", [ROWS, [each for row in ROWS for each in row]], ids=["nested", "flat"])
async def test_tensors_in_json(api: RunningApi, data: Any) -> None:
    """The rows of one request run together."""
    answer = await api.post("/v2/models/batches/infer", json={"inputs": [tensor(data=data)]})
    assert answer.status_code == 200, answer.text
    assert answer.json()["outputs"] == [
        {"name": "batch", "datatype": "INT64", "shape": [3], "data": [3, 3, 3]},
        {"name": "sum", "datatype": "FP32", "shape": [3], "data": SUMS},
    ]


async def test_tensors_as_bytes(api: RunningApi) -> None:
    """In both directions; the elements are of the graph's width."""
    raw = struct.pack("<6f", *(each for row in ROWS for each in row))
    described = {
        "inputs": [tensor(parameters={"binary_data_size": len(raw)})],
        "parameters": {"binary_data_output": True},
    }
    head = json.dumps(described).encode()
    answer = await api.post("/v2/models/pairs/infer", content=head + raw, headers={LENGTH_HEADER: str(len(head))})
    assert answer.status_code == 200, answer.text
    length = int(answer.headers[LENGTH_HEADER])
    assert json.loads(answer.content[:length])["outputs"] == [
        {"name": "sum", "datatype": "FP32", "shape": [3], "parameters": {"binary_data_size": 12}}
    ]
    assert struct.unpack("<3f", answer.content[length:]) == tuple(SUMS)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"shape": [2, 3], "data": [0] * 6}, "Tensor 'x' must have the shape [-1, 2] (-1 is any size), not [2, 3]."),
        ({"datatype": "FP64", "data": [0] * 6}, "Tensor 'x' must be of datatype FP32 (or UINT8, "),
        ({"name": "y", "data": [0] * 6}, "Model 'pairs' has no input tensor 'y'; its inputs: x."),
    ],
)
async def test_what_does_not_fit_its_graph(api: RunningApi, changes: dict[str, Any], sentence: str) -> None:
    """Refused before it runs, with what would fit."""
    refused = await api.post("/v2/models/pairs/infer", json={"inputs": [tensor() | changes]})
    assert refused.status_code == 422
    assert refused.json()["error"].startswith(sentence)
