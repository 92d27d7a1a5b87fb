"""What callers get wrong: each has its status, its code, and a sentence that names the field and the way out."""

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Any

import pytest
import pytest_asyncio

from tests.api.running import RunningApi, running_api
from tests.conftest import make_settings
from zypher_jobs.queue.embedded import EmbeddedServer

pytestmark = pytest.mark.asyncio(loop_scope="module")

JSON = {"Content-Type": "application/json"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(shared_server: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[RunningApi]:
    """One API for all of these: none of them may leave anything behind."""
    async with running_api(make_settings(shared_server.url, tmp_path_factory.mktemp("api"))) as running:
        yield running


def check_problem(answer: Any, *, status: int, code: str, field: str | None = None) -> str:
    """Assert the members of a problem document; its sentence."""
    problem = answer.json()
    assert answer.status_code == status == problem["status"]
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["code"] == code
    assert problem["type"] == f"urn:zypher:problem:{code}"
    assert problem["title"]
    assert problem["error"] == problem["detail"]
    assert problem["detail"].endswith(".")
    assert problem["instance"] == answer.request.url.raw_path.decode().partition("?")[0]
    assert problem["request_id"] == answer.headers["request-id"]
    assert problem.get("field") == field
    return problem["detail"]


@pytest.mark.parametrize(
    ("body", "status", "code", "field", "said"),
    [
        pytest.param(b"", 400, "malformed_input", "$", "empty", id="empty body"),
        pytest.param(b" \n ", 400, "malformed_input", "$", "empty", id="blank body"),
        pytest.param(b'{"input": ', 400, "malformed_input", "$", "JSON", id="invalid JSON"),
        pytest.param(b'{"input": "\xff\xfe"}', 400, "malformed_input", "$", "UTF-8", id="not UTF-8"),
        pytest.param(b'{"input": "\\ud800"}', 400, "malformed_input", "$", "JSON", id="lone surrogate"),
        pytest.param(b'{"input": "a"} {"input": "b"}', 400, "malformed_input", "$", "JSON", id="two documents"),
        pytest.param(b"[" * 100_000, 400, "malformed_input", "$", "nested", id="nested too deeply"),
        pytest.param(b'{"input": 5}', 422, "invalid_input", "$.input", "input", id="wrong type"),
        pytest.param(b'{"input": null}', 422, "invalid_input", "$.input", "input", id="null"),
        pytest.param(b"[]", 422, "invalid_input", "$", "object", id="not an object"),
        pytest.param(b'"hello"', 422, "invalid_input", "$", "object", id="a bare string"),
        pytest.param(b"{}", 422, "invalid_input", "$.input", "input", id="missing field"),
        pytest.param(b'{"input": "a", "b": 1}', 422, "invalid_input", "$.b", "b", id="unknown field"),
        pytest.param(b'{"input": ""}', 422, "invalid_input", "$.input", "", id="empty input"),
        pytest.param(b'{"input": " \\t\\n "}', 422, "invalid_input", "$.input", "", id="blank input"),
        pytest.param(
            json.dumps({"input": "a" * 10_001}).encode(), 422, "invalid_input", "$.input", "10", id="10,001 characters"
        ),
    ],
)
@pytest.mark.parametrize("mode", ["false", "true"])
async def test_a_bad_body_is_refused(
    api: RunningApi, body: bytes, status: int, code: str, field: str, said: str, mode: str
) -> None:
    """400 for what is no JSON, 422 for JSON that does not fit; the same now and later, and nothing is queued."""
    before = (await api.get("/stats")).json()["queue"]["depth"]

    answer = await api.post("/predict", content=body, headers={**JSON, "Async-Mode": mode})

    assert said in check_problem(answer, status=status, code=code, field=field)
    assert (await api.get("/stats")).json()["queue"]["depth"] == before


async def test_10_000_characters_are_not_too_many(api: RunningApi) -> None:
    """The limit counts characters, not bytes."""
    answer = await api.post("/predict", json={"input": "é" * 10_000})

    assert answer.status_code == 200


async def test_terminal_escapes_in_the_input_come_back_as_data(api: RunningApi) -> None:
    """JSON escapes them: no control character leaves the server raw."""
    hostile = "\x1b]0;owned\x07\x1b[2J\u202e [/bold]"

    answer = await api.post("/predict", json={"input": hostile})

    assert answer.json()["input"] == hostile
    assert b"\x1b" not in answer.content


async def test_a_body_over_the_limit_is_refused(api: RunningApi) -> None:
    """2 MiB with a length: 413 that names the setting; the connection goes on."""
    answer = await api.post("/predict", json={"input": "a" * 2 * 1024 * 1024})

    assert "ZYPHER_MAX_BODY_BYTES" in check_problem(answer, status=413, code="body_too_large")
    assert (await api.post("/predict", json={"input": "a"})).status_code == 200


async def test_a_chunked_body_over_the_limit_is_refused(api: RunningApi) -> None:
    """Without a length it is counted as it comes."""

    async def chunks() -> AsyncGenerator[bytes]:
        for _ in range(40):
            yield b" " * 65_536

    answer = await api.post("/predict", content=chunks(), headers=JSON)

    check_problem(answer, status=413, code="body_too_large")


async def test_a_chunked_body_within_the_limit_is_read(api: RunningApi) -> None:
    """In however many pieces."""

    async def chunks() -> AsyncGenerator[bytes]:
        for piece in (b'{"in', b'put": "he', b'llo"}'):
            yield piece
            await asyncio.sleep(0)

    answer = await api.post("/predict", content=chunks(), headers=JSON)

    assert answer.json()["input"] == "hello"


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "application/json; charset=utf-8", "APPLICATION/JSON", "application/cloudevents+json", None],
)
async def test_json_content_types_are_taken(api: RunningApi, content_type: str | None) -> None:
    """Any parameter, any case, ``+json``, and none at all: some common clients send none."""
    headers = {} if content_type is None else {"Content-Type": content_type}

    answer = await api.post("/predict", content=b'{"input": "hello"}', headers=headers)

    assert answer.status_code == 200


@pytest.mark.parametrize(
    "content_type", ["application/x-www-form-urlencoded", "text/plain", "application/jsonp", "application/xml", ""]
)
async def test_other_content_types_are_refused(api: RunningApi, content_type: str) -> None:
    """415, with the header to send."""
    answer = await api.post("/predict", content=b'{"input": "hello"}', headers={"Content-Type": content_type})

    detail = check_problem(answer, status=415, code="unsupported_media_type")
    assert "Content-Type: application/json" in detail


@pytest.mark.parametrize("value", ["maybe", "", "1", "true, false", "yes"])
async def test_async_mode_must_be_true_or_false(api: RunningApi, value: str) -> None:
    """400 that names the header and what it may be."""
    answer = await api.post("/predict", json={"input": "hello"}, headers={"Async-Mode": value})

    detail = check_problem(answer, status=400, code="malformed_request", field="Async-Mode")
    assert "Async-Mode must be true" in detail


async def test_an_unknown_model_is_refused_with_those_there_are(api: RunningApi) -> None:
    """404 that lists them."""
    posted = await api.post("/models/nope/predict", json={"input": "hello"})
    read = await api.get("/models/nope")

    assert "mock" in check_problem(posted, status=404, code="unknown_model")
    assert "mock" in check_problem(read, status=404, code="unknown_model")


async def test_an_unknown_prediction_is_not_found(api: RunningApi) -> None:
    """404, at once even with ``wait``."""
    check_problem(await api.get("/predict/" + "0" * 32), status=404, code="unknown_prediction")
    check_problem(await api.get("/predict/unknown?wait=30"), status=404, code="unknown_prediction")


@pytest.mark.parametrize("malformed", ["not!an!id", "a" * 65, "%00", "%1b%5b2J", "a%20b", "..;"])
async def test_a_malformed_id_is_refused(api: RunningApi, malformed: str) -> None:
    """400, before anything is looked up."""
    check_problem(await api.get(f"/predict/{malformed}"), status=400, code="malformed_request", field="prediction_id")


@pytest.mark.parametrize("wait", ["soon", "-1", "61", "1e3", "nan", "", "5&wait=6", "٣"])
async def test_a_wait_that_is_no_number_of_seconds_is_refused(api: RunningApi, wait: str) -> None:
    """400 that names the bounds."""
    answer = await api.get(f"/predict/{'0' * 32}?wait={wait}")

    assert "0 to 60" in check_problem(answer, status=400, code="malformed_request", field="wait")


@pytest.mark.parametrize("latest", ["many", "-1", "201", "", "1.5", "²"])
async def test_a_bad_latest_is_refused(api: RunningApi, latest: str) -> None:
    """400 that names the bounds."""
    answer = await api.get(f"/stats?latest={latest}")

    assert "0 to 200" in check_problem(answer, status=400, code="malformed_request", field="latest")


@pytest.mark.parametrize("path", ["/nope", "/predict/a/b", "/docs/../x", "/docs/secrets.txt", "/models/mock/x"])
async def test_a_path_with_nothing_is_a_problem_too(api: RunningApi, path: str) -> None:
    """404 as a problem, never the framework's own."""
    check_problem(await api.get(path), status=404, code="not_found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/predict", "POST"),
        ("PUT", "/predict", "POST"),
        ("GET", "/models/mock/predict", "POST"),
        ("GET", "/models/nope/predict", "POST"),
        ("POST", "/predict/" + "0" * 32, "GET"),
        ("DELETE", "/health", "GET"),
    ],
)
async def test_a_method_that_is_not_there_is_a_problem_too(
    api: RunningApi, method: str, path: str, allowed: str
) -> None:
    """405 with ``Allow``."""
    answer = await api.request(method, path)

    assert allowed in check_problem(answer, status=405, code="method_not_allowed")
    assert allowed in answer.headers["allow"]


@pytest.mark.parametrize("path", ["/predict", "/models/mock/predict", "/health"])
async def test_options_says_what_is_allowed(api: RunningApi, path: str) -> None:
    """204 and ``Allow``."""
    answer = await api.options(path)

    assert (answer.status_code, answer.content) == (204, b"")
    assert "OPTIONS" in answer.headers["allow"]


async def test_what_nobody_expected_is_told_to_the_log_and_not_to_the_caller(
    api: RunningApi, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """500 with the request's id, by which the log has the cause."""

    def broken(*_: object) -> None:
        raise RuntimeError("password=hunter2 at 10.0.0.7")

    monkeypatch.setattr(api.services.recorder, "add", broken)

    answer = await api.post("/predict", json={"input": "hello"})

    check_problem(answer, status=500, code="internal_error")
    assert "hunter2" not in answer.text
    assert "10.0.0.7" not in answer.text
    record = next(record for record in caplog.records if record.message == "request failed")
    assert vars(record)["request_id"] == answer.headers["request-id"]
    assert record.exc_info


async def test_a_caller_that_goes_away_in_the_middle_of_its_body_breaks_nothing(api: RunningApi) -> None:
    """The next caller is served."""
    _, writer = await asyncio.open_connection("127.0.0.1", api.settings.port)
    writer.write(
        b"POST /predict HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: 50\r\n\r\n{"
    )
    await writer.drain()
    writer.close()
    await writer.wait_closed()

    assert (await api.post("/predict", json={"input": "hello"})).status_code == 200
