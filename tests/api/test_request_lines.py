"""Each request has one line, whatever became of it, under the id that its answer names; errors tell nothing of here."""

import asyncio
import re
from typing import Any

import httpx
import msgspec
import pytest

from tests.api.log_lines import log_lines
from tests.api.models import Gate
from tests.api.running import RunningApi, running_api
from zypher_jobs.settings import Settings

LATER = {"Async-Mode": "true"}
REFUSED: list[tuple[int, str, str, dict[str, Any], str]] = [
    (400, "POST", "/predict", {"content": b"{"}, "/predict"),
    (401, "POST", "/predict", {"json": {"input": "a"}, "headers": {"Authorization": "Bearer nonsense"}}, "/predict"),
    (404, "GET", "/nothing/here", {}, "(none)"),
    (404, "POST", "/models/nobody/predict", {"json": {}}, "/models/{name}/predict"),
    (405, "PUT", "/predict", {}, "/predict"),
    (413, "POST", "/predict", {"content": b" " * 2_000_000}, "/predict"),
    (415, "POST", "/predict", {"content": b"a", "headers": {"Content-Type": "text/plain"}}, "/predict"),
    (422, "POST", "/predict", {"json": {"input": 7}}, "/predict"),
    (500, "POST", "/models/raises/predict", {"json": {"text": "broken"}}, "/models/raises/predict"),
    (503, "POST", "/models/not-loaded/predict", {"json": {"text": "a"}}, "/models/not-loaded/predict"),
]
OF_HERE = re.compile(
    r"Traceback|File \"|line \d+, in |zypher_\w+|site-packages|0x[0-9a-f]{6,}|127\.0\.0\.1|/(root|home|work|tmp)/"
)


def ids(case: object) -> str | None:
    """By status and path."""
    return str(case) if isinstance(case, int | str) else None


async def check_line(api: RunningApi, answer: httpx.Response, route: str) -> None:
    """One sample of the metrics counts it, and its problem names the id of its log line."""
    problem = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["request_id"] == answer.headers["request-id"]
    assert not OF_HERE.search(answer.text), answer.text
    method = answer.request.method
    labels = f'method="{method}",route="{route}",status="{answer.status_code}"'
    assert await api.metric(f"zypher_http_requests_total{{{labels}}}") == 1


@pytest.mark.parametrize(("status", "method", "path", "request_", "route"), REFUSED, ids=ids)
async def test_every_error_has_a_line_and_is_counted(
    api: RunningApi, status: int, method: str, path: str, request_: dict[str, Any], route: str
) -> None:
    """Under the request id of its problem document, which holds no traceback, no path and no address."""
    with log_lines() as lines:
        answer = await api.request(method, path, **request_)
        line = await lines.line(request_id=answer.headers["request-id"])
    assert answer.status_code == status
    assert (line["status"], line["method"], line["route"]) == (status, method, route)
    assert line["level"] == ("warning" if status >= 500 else "info")
    await check_line(api, answer, route)


async def test_a_full_queue_has_a_line_and_is_counted(api_settings: Settings) -> None:
    """429, as all others."""
    async with running_api(msgspec.structs.replace(api_settings, queue_limit=1)) as api:
        await api.post("/predict", json={"input": "a"}, headers=LATER)
        with log_lines() as lines:
            answer = await api.post("/predict", json={"input": "b"}, headers=LATER | {"Request-Id": "mine"})
            line = await lines.line(request_id="mine")
        assert (answer.status_code, line["status"]) == (429, 429)
        await check_line(api, answer, "/predict")


async def test_a_caller_who_goes_away_has_a_line(api: RunningApi) -> None:
    """499: there was no answer."""
    Gate.opened, Gate.entered = asyncio.Event(), asyncio.Event()
    body = b'{"text": "a"}'
    with log_lines() as lines:
        _, writer = await asyncio.open_connection("127.0.0.1", api.settings.port)
        writer.write(
            b"POST /models/gate/predict HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
            b"x-request-id: left\r\n"
            b"content-length: %d\r\n\r\n%b" % (len(body), body)
        )
        await asyncio.wait_for(Gate.entered.wait(), timeout=20)
        writer.close()
        line = await lines.line(request_id="left")
    Gate.opened.set()
    assert (line["status"], line["route"]) == (499, "/models/gate/predict")
