"""Whatever goes wrong before a handler is reached is a problem document too, with the id of its request."""

from typing import Any

import pytest

from tests.api.running import RunningApi

JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("method", "path", "sent", "status", "code"),
    [
        ("GET", "/nope", {}, 404, "not_found"),
        ("GET", "/models/mock/nope", {}, 404, "not_found"),
        ("GET", "/docs/nope.js", {}, 404, "not_found"),
        ("PATCH", "/keys", {}, 405, "method_not_allowed"),
        ("GET", "/predict", {}, 405, "method_not_allowed"),
        ("POST", "/predict", {"content": b"{", "headers": JSON}, 400, "malformed_input"),
        ("POST", "/predict", {"content": b"", "headers": JSON}, 400, "malformed_input"),
        ("POST", "/keys", {"content": b"\xff", "headers": JSON}, 400, "malformed_input"),
        ("POST", "/predict", {"json": {"input": 1}}, 422, "invalid_input"),
        ("POST", "/predict", {"content": b"x", "headers": {"Content-Type": "text/csv"}}, 415, "unsupported_media_type"),
        ("POST", "/predict", {"json": {"input": "a" * 1_100_000}}, 413, "body_too_large"),
        ("POST", "/keys", {"json": {"name": "a" * 1_100_000}}, 413, "body_too_large"),
        ("POST", "/models/raises/predict", {"json": {"text": "x"}}, 500, "model_error"),
    ],
)
async def test_it_is_a_problem_with_a_request_id(
    api: RunningApi, method: str, path: str, sent: dict[str, Any], status: int, code: str
) -> None:
    """The caller's own id where it sent one; the type, the status and both sentences are there."""
    headers = sent.get("headers", {}) | {"Request-Id": "mine-1", "Accept": "text/plain"}
    answer = await api.request(method, path, **(sent | {"headers": headers}))
    problem = answer.json()
    assert (answer.status_code, problem["status"], problem["code"]) == (status, status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["request-id"] == problem["request_id"] == "mine-1"
    assert problem["type"] == f"urn:zypher:problem:{code}"
    assert problem["detail"] == problem["error"] != ""
    assert problem["instance"] == path
    assert ("allow" in answer.headers) == (status == 405)


async def test_what_nobody_foresaw_is_a_problem_that_tells_nothing(
    api: RunningApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its traceback is in the log, under the same id."""

    def broken() -> Any:
        raise RuntimeError("a secret address")

    monkeypatch.setattr(api.services.registry, "infos", broken)
    answer = await api.get("/models")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert answer.headers["request-id"] == answer.json()["request_id"]
    assert "secret" not in answer.text
