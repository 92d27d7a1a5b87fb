"""What callers of the Open Inference Protocol get wrong: each a clear 4xx, and nothing that grows by it."""

import asyncio
import gzip
import json
import mmap
import struct
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from tests.api.running import RunningApi, running_api
from tests.api.test_bad_input import check_problem
from tests.conftest import make_settings
from zypher_jobs.queue.embedded import EmbeddedServer

pytestmark = pytest.mark.asyncio(loop_scope="module")

URL = "/v2/models/doubles/infer"
GIGABYTE = 1_073_741_824
STATM = Path("/proc/self/statm")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(shared_server: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[RunningApi]:
    """One API for all of these: none of them may leave anything behind."""
    settings = msgspec.structs.replace(
        make_settings(shared_server.url, tmp_path_factory.mktemp("api")),
        models=tuple(f"tests.api.inference_models:{name}" for name in ("Repeats", "Doubles", "Grows", "Sums", "Story")),
    )
    async with running_api(settings) as running:
        yield running


def request(**changes: Any) -> dict[str, Any]:
    """A good one, but for the changes to its tensor."""
    return {"inputs": [{"name": "values", "datatype": "FP64", "shape": [1, 2], "data": [1, 2], **changes}]}


def binary(size: Any, *, shape: Any = (1, 2), datatype: str = "FP64") -> dict[str, Any]:
    """The JSON of a tensor that stands behind it."""
    described = {"name": "values", "datatype": datatype, "shape": list(shape)}
    return {"inputs": [{**described, "parameters": {"binary_data_size": size}}]}


@pytest.mark.parametrize(
    ("body", "status", "code", "field", "said"),
    [
        pytest.param(request(shape=[1, 3]), 422, "invalid_input", "$.inputs[0].data", "3 elements", id="too few"),
        pytest.param(request(shape=[1, 1]), 422, "invalid_input", "$.inputs[0].data", "1 elements", id="too many"),
        pytest.param(request(shape=[2]), 422, "invalid_input", "$.inputs[0].shape", "[-1, -1]", id="wrong rank"),
        pytest.param(request(shape=[]), 422, "invalid_input", "$.inputs[0].data", "elements", id="no shape"),
        pytest.param(request(shape=[-1, 2]), 422, "invalid_input", "$.inputs[0].shape[0]", "0", id="negative size"),
        pytest.param(request(shape=[0, 2], data=[]), 422, "invalid_input", "$.inputs[0].shape", "1 to", id="no rows"),
        pytest.param(
            request(shape=[5000, 0], data=[]), 422, "invalid_input", "$.inputs[0].shape", "4,096", id="rows of nothing"
        ),
        pytest.param(
            request(shape=[10**15, 0], data=[]), 422, "invalid_input", "$.inputs[0].shape", "4,096", id="huge rows"
        ),
        pytest.param(
            request(shape=[10**9, 10**9]), 422, "invalid_input", "$.inputs[0].data", "elements", id="huge shape"
        ),
        pytest.param(request(shape=[1] * 40), 422, "invalid_input", "$.inputs[0].shape", "dimensions", id="deep shape"),
        pytest.param(
            request(data=[[1, 2, 3]]), 422, "invalid_input", "$.inputs[0].data", "not of its shape", id="row too long"
        ),
        pytest.param(
            request(shape=[2, 2], data=[[1, 2], [3]]), 422, "invalid_input", "$.inputs[0].data", "ragged", id="ragged"
        ),
        pytest.param(
            request(data=[1, [2]]), 422, "invalid_input", "$.inputs[0].data[1]", "number", id="nested in part"
        ),
        pytest.param(request(data=["1", "2"]), 422, "invalid_input", "$.inputs[0].data[0]", "number", id="texts"),
        pytest.param(request(data=[None, 2]), 422, "invalid_input", "$.inputs[0].data[0]", "null", id="null element"),
        pytest.param(request(data=None), 422, "invalid_input", "$.inputs[0].data", "list", id="null data"),
        pytest.param(
            request(datatype="INT8", data=[1, 300]), 422, "invalid_input", "$.inputs[0].data", "127", id="out of range"
        ),
        pytest.param(
            request(datatype="INT64"), 422, "invalid_input", "$.inputs[0].datatype", "FP64", id="another datatype"
        ),
        pytest.param(
            request(datatype="FP128"), 422, "invalid_input", "$.inputs[0].datatype", "BYTES", id="unknown datatype"
        ),
        pytest.param(request(name="value"), 422, "invalid_input", "$.inputs[0].name", "values", id="unknown tensor"),
        pytest.param({"inputs": []}, 422, "invalid_input", "$.inputs", "'values' is missing", id="no tensor"),
        pytest.param({"input": []}, 422, "invalid_input", "$.inputs", "missing", id="no inputs"),
        pytest.param(
            {"inputs": request()["inputs"] * 2}, 422, "invalid_input", "$.inputs[1].name", "twice", id="twice"
        ),
        pytest.param(
            {**request(), "outputs": [{"name": "sum"}]},
            *(422, "invalid_input", "$.outputs[0].name", "values"),
            id="unknown output",
        ),
        pytest.param(
            {**request(), "outputs": [{"name": "values", "parameters": {"classification": 3}}]},
            *(422, "invalid_input", "$.outputs[0].parameters.classification", "not served"),
            id="classification",
        ),
        pytest.param(
            request(parameters={"shared_memory_region": "x"}),
            *(422, "invalid_input", "$.inputs[0].parameters.shared_memory_region", "send it in the body"),
            id="shared memory",
        ),
        pytest.param(
            {**request(), "parameters": {"sequence_id": 4}},
            *(422, "invalid_input", "$.parameters.sequence_id", "not served"),
            id="sequence",
        ),
        pytest.param(
            {**request(), "parameters": {"timeout": "soon"}},
            *(422, "invalid_input", "$.parameters.timeout", "microseconds"),
            id="timeout",
        ),
        pytest.param([], 422, "invalid_input", "$", "object", id="no object"),
        pytest.param(b"", 400, "malformed_input", "$", "empty", id="empty body"),
        pytest.param(b'{"inputs": [', 400, "malformed_input", "$", "JSON", id="half a body"),
        pytest.param(
            b'{"inputs": [{"name": "values", "datatype": "FP64", "shape": [1, 2], "data": [NaN, 1]}]}',
            *(400, "malformed_input", "$", "JSON"),
            id="NaN in JSON",
        ),
        pytest.param(b"[" * 100_000, 400, "malformed_input", "$", "nested", id="nested too deeply"),
        pytest.param(
            b'{"inputs": [{"name": "values", "datatype": "FP64", "shape": [1], "data": ' + b"[" * 90_000,
            *(400, "malformed_input", "$", "nested"),
            id="data nested too deeply",
        ),
    ],
)
async def test_json_that_does_not_fit_is_refused(
    api: RunningApi, body: Any, status: int, code: str, field: str, said: str
) -> None:
    """With the place, and what would fit."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()

    answer = await api.post(URL, content=content, headers={"Content-Type": "application/json"})

    assert said in check_problem(answer, status=status, code=code, field=field)


@pytest.mark.parametrize(
    ("head", "tail", "status", "field", "said"),
    [
        pytest.param(binary(16), b"\0" * 12, 400, "$.inputs[0].parameters.binary_data_size", "12 are", id="truncated"),
        pytest.param(binary(GIGABYTE), b"\0" * 16, 400, "$.inputs[0].parameters.binary_data_size", "16 are", id="1 GB"),
        pytest.param(
            binary(GIGABYTE, shape=(1, GIGABYTE // 8)),
            *(b"\0" * 16, 400, "$.inputs[0].parameters.binary_data_size", "1,073,741,824"),
            id="1 GB and a shape to fit",
        ),
        pytest.param(binary(8), b"\0" * 8, 400, "$", "16 bytes", id="less than its shape"),
        pytest.param(binary(16), b"\0" * 20, 400, "$", "4 bytes behind the JSON", id="too much"),
        pytest.param(binary(-1), b"", 422, "$.inputs[0].parameters.binary_data_size", "number", id="negative"),
        pytest.param(binary("16"), b"", 422, "$.inputs[0].parameters.binary_data_size", "number", id="size as text"),
        pytest.param(binary(2, datatype="BOOL"), b"\1\2", 400, "$", "0 and 1", id="BOOL that is neither"),
        pytest.param(binary(16), struct.pack("<2d", 1, float("nan")), 422, "$.inputs[0].data[1]", "nan", id="NaN"),
        pytest.param(
            binary(4, datatype="FP16"), struct.pack("<2e", float("inf"), 0), 422, "$.inputs[0].data[0]", "inf", id="inf"
        ),
        pytest.param(
            {"inputs": [{**request()["inputs"][0], "parameters": {"binary_data_size": 16}}]},
            *(b"\0" * 16, 422, "$.inputs[0].parameters.binary_data_size", "`data`"),
            id="both",
        ),
    ],
)
async def test_binary_tensors_that_do_not_fit_are_refused(
    api: RunningApi, head: dict[str, Any], tail: bytes, status: int, field: str, said: str
) -> None:
    """By what is there, before anything is made of what is declared."""
    body = json.dumps(head).encode()

    answer = await api.post(URL, content=body + tail, headers={"Inference-Header-Content-Length": str(len(body))})

    code = "malformed_input" if status == 400 else "invalid_input"
    assert said in check_problem(answer, status=status, code=code, field=field)


@pytest.mark.parametrize(
    ("elements", "shape", "said"),
    [
        pytest.param(
            struct.pack("<I", GIGABYTE) + b"abc", [1], "1,073,741,824 bytes, and 3 are left", id="1 GB element"
        ),
        pytest.param(b"\1\0", [1], "ends within the length", id="half a length"),
        pytest.param(struct.pack("<I", 1) + b"a", [2], "has 1", id="an element too few"),
        pytest.param((struct.pack("<I", 1) + b"a") * 2, [1], "5 bytes too many", id="an element too many"),
    ],
)
async def test_binary_texts_that_do_not_fit_are_refused(
    api: RunningApi, elements: bytes, shape: list[int], said: str
) -> None:
    """Their lengths are checked one by one."""
    described = {"name": "input", "datatype": "BYTES", "shape": shape}
    head = json.dumps({"inputs": [{**described, "parameters": {"binary_data_size": len(elements)}}]}).encode()

    answer = await api.post(
        "/v2/models/sums/infer",
        content=head + elements,
        headers={"Inference-Header-Content-Length": str(len(head))},
    )

    assert said in check_problem(answer, status=400, code="malformed_input", field="$")


@pytest.mark.parametrize(
    ("headers", "content", "status", "code", "said"),
    [
        pytest.param(
            {"Inference-Header-Content-Length": "99999999"},
            b"{}",
            400,
            "malformed_input",
            "only 2",
            id="beyond the body",
        ),
        pytest.param(
            {"Inference-Header-Content-Length": "2"},
            b"{}\0\0",
            422,
            "invalid_input",
            "'inputs' is missing",
            id="short JSON",
        ),
        pytest.param(
            {"Inference-Header-Content-Length": "-1"}, b"{}", 400, "malformed_request", "number of bytes", id="negative"
        ),
        pytest.param(
            {"Inference-Header-Content-Length": "1" * 300}, b"{}", 400, "malformed_request", "number", id="huge"
        ),
        pytest.param({"Content-Type": "text/plain"}, b"{}", 415, "unsupported_media_type", "JSON", id="another type"),
        pytest.param({"Content-Encoding": "br"}, b"{}", 415, "unsupported_media_type", "gzip", id="another encoding"),
        pytest.param({"Content-Encoding": "gzip"}, b"{}", 400, "malformed_request", "Encoding", id="no gzip"),
        pytest.param(
            {"Content-Encoding": "gzip"},
            gzip.compress(b"{}" * 99)[:-9],
            400,
            "malformed_request",
            "complete",
            id="half",
        ),
        pytest.param(
            {"Content-Encoding": "gzip"}, gzip.compress(b" " * 50_000_000), 413, "body_too_large", "larger", id="bomb"
        ),
    ],
)
async def test_framing_that_cannot_be_right_is_refused(
    api: RunningApi, headers: dict[str, str], content: bytes, status: int, code: str, said: str
) -> None:
    """The header that splits the body, the media type, the encoding, the length."""
    answer = await api.post(URL, content=content, headers=headers)

    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (status, code)
    assert said in problem["error"]


async def test_a_body_of_a_gigabyte_is_refused_when_it_is_announced(api: RunningApi) -> None:
    """Before any of it has come."""
    reader, writer = await asyncio.open_connection("127.0.0.1", api.settings.port)
    writer.write(f"POST {URL} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {GIGABYTE}\r\n\r\n".encode())

    assert (await reader.readline()).startswith(b"HTTP/1.1 413 ")
    writer.close()


async def test_a_value_that_its_model_does_not_take_says_which_prediction_it_is_in(api: RunningApi) -> None:
    """What the model's own type refuses."""
    fields: dict[str, Any] = {
        "text": ("BYTES", [2], ["a", "b"]),
        "count": ("INT64", [2], [1, 2]),
        "weight": ("FP64", [2], [1, -1]),
        "flag": ("BOOL", [2], [True, False]),
        "raw": ("BYTES", [2], ["", ""]),
        "row": ("FP64", [2, 0], []),
        "grid": ("INT64", [2, 3, 2], [0] * 12),
    }
    inputs = [
        {"name": name, "datatype": datatype, "shape": shape, "data": data}
        for name, (datatype, shape, data) in fields.items()
    ]

    answer = await api.post("/v2/models/repeats/infer", json={"inputs": inputs})

    said = check_problem(answer, status=422, code="invalid_input", field="$.weight")
    assert said == "Prediction 1 of 2: Field 'weight' must be at least 0.0."


async def test_outputs_of_different_sizes_cannot_be_stacked(api: RunningApi) -> None:
    """And the answer says what can be done."""
    given = {"name": "input", "datatype": "INT64", "shape": [2], "data": [2, 3]}

    answer = await api.post("/v2/models/grows/infer", json={"inputs": [given]})

    assert "one by one" in check_problem(answer, status=422, code="invalid_input", field="$.outputs")


async def test_an_unknown_version_is_refused(api: RunningApi) -> None:
    """404, with those that there are."""
    answer = await api.post("/v2/models/doubles/versions/9/infer", json=request())

    assert "Known versions: 1" in check_problem(answer, status=404, code="unknown_version")


async def test_rows_must_be_as_many_in_each_tensor(api: RunningApi) -> None:
    """The first dimension is that of the batch in all of them."""
    inputs = [
        {"name": "text", "datatype": "BYTES", "shape": [2], "data": ["a", "b"]},
        {"name": "count", "datatype": "INT64", "shape": [3], "data": [1, 2, 3]},
    ]

    answer = await api.post("/v2/models/repeats/infer", json={"inputs": inputs})

    assert "3 predictions" in check_problem(answer, status=422, code="invalid_input", field="$.inputs[1].shape")


@pytest.mark.parametrize(
    ("url", "body", "field", "said"),
    [
        pytest.param("/v2/models/doubles/generate", {"text_input": "a"}, "$", "/infer", id="no text model"),
        pytest.param("/v2/models/story/generate", {}, "$.text_input", "missing", id="no text"),
        pytest.param("/v2/models/story/generate", {"text_input": 5}, "$.text_input", "string", id="no string"),
        pytest.param("/v2/models/story/generate", {"prompt": "a"}, "$.prompt", "text_input", id="unknown member"),
        pytest.param(
            "/v2/models/story/generate",
            *({"text_input": "a", "parameters": {"heat": 1}}, "$.parameters.heat", "words"),
            id="unknown parameter",
        ),
        pytest.param(
            "/v2/models/story/generate",
            *({"text_input": "a", "parameters": {"words": "many"}}, "$.words", "integer"),
            id="wrong parameter",
        ),
    ],
)
async def test_bad_texts_are_refused(api: RunningApi, url: str, body: Any, field: str, said: str) -> None:
    """``generate`` and ``generate_stream`` alike, before a stream begins."""
    for route in (url, f"{url}_stream"):
        answer = await api.post(route, json=body)
        assert said in check_problem(answer, status=422, code="invalid_input", field=field)


@pytest.mark.skipif(not STATM.exists(), reason="only Linux tells a process's size so")
async def test_hostile_requests_leave_memory_as_it_was(api: RunningApi) -> None:
    """500 of each kind that declares far more than it sends: the process grows by less than 8 MB."""
    bomb = gzip.compress(b" " * 50_000_000)
    head = json.dumps(binary(GIGABYTE, shape=(1, GIGABYTE // 8))).encode()
    rows = json.dumps(request(shape=[10**15, 0], data=[])).encode()

    async def attack(times: int) -> None:
        for _ in range(times):
            await api.post(URL, content=bomb, headers={"Content-Encoding": "gzip"})
            await api.post(URL, content=head, headers={"Inference-Header-Content-Length": str(len(head))})
            await api.post(URL, content=rows, headers={"Content-Type": "application/json"})

    await attack(50)
    before = resident_bytes()
    await attack(500)

    assert resident_bytes() - before < 8_000_000


def resident_bytes() -> int:
    """Of this process, in which the API runs."""
    return int(STATM.read_text().split()[1]) * mmap.PAGESIZE
