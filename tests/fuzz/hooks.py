"""What schemathesis cannot know from the document: rules between parameters, and that nothing may leave this machine.

Everything else that it does not like is a failure.
"""

import os
from typing import Any, cast
from urllib.parse import urlsplit

import httpx
import schemathesis
from hypothesis import strategies
from schemathesis.core.failures import Failure, ResponseTimeExceeded
from schemathesis.openapi.checks import JsonSchemaError, RejectedPositiveData, UseAfterFree

hook = cast("Any", schemathesis).hook
Case = Any  # schemathesis leaves them to each kind of API
Response = Any

RECEIVER = "http://127.0.0.1:9/hook"
"""Where webhooks go: nobody listens there."""

schemathesis.openapi.format("uri", strategies.just(RECEIVER))
_OF_ANY_MODEL = ("predict_with_model", "predict_with_version", "v2_infer", "v2_generate")
"""Their bodies are what the model takes, which is none of the document's business: it may refuse them."""

_OF_MANY = ("cancel_predictions", "retry_predictions", "replay_predictions", "drop_predictions")


@hook
def before_call(context: Any, case: Case, kwargs: dict[str, Any]) -> None:
    """Keep webhooks at home; and have valid data keep the rules that the document has in prose."""
    is_good = case.meta is not None and case.meta.generation.mode.is_positive
    headers, body = case.headers, case.body
    url: Any = body.get("url") if hasattr(body, "get") else None
    if isinstance(url, str) and (is_good or _leads_out(url)):
        body["url"] = RECEIVER
    if "Webhook-Url" in headers and (is_good or _leads_out(headers["Webhook-Url"])):
        headers["Webhook-Url"] = RECEIVER
    if "Webhook-Events" in headers:
        headers.setdefault("Webhook-Url", RECEIVER)  # without it, nobody looks at them
    if "Webhook-Url" in headers and headers.get("Async-Mode", "").lower() in ("", "false"):
        headers["Async-Mode"] = "true"  # a webhook is told of what is answered later
    if is_good:
        headers.pop("Inference-Header-Content-Length", None)  # it must be the length of the body


def _leads_out(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and parts.hostname is not None


@hook
def after_call(context: Any, case: Case, response: Response) -> None:
    """Load again what was unloaded: the calls that follow are to reach it."""
    if _operation_id(case) == "v2_repository_unload" and response.status_code == 200:
        url = response.request.url.replace("/unload", "/load")
        httpx.post(url, headers={"Authorization": f"Bearer {os.environ['ZYPHER_FUZZ_KEY']}"}).raise_for_status()


@hook
def filter_failure(context: Any, failure: Failure, case: Case, response: Response) -> bool:
    """Whether it is one."""
    if isinstance(failure, JsonSchemaError):
        # in OpenAPI 3.1 the schema of a stream is that of its whole text, not of an event
        return not response.headers["content-type"][0].startswith("text/event-stream")
    if isinstance(failure, RejectedPositiveData):
        return not _may_refuse(case, response.json())
    if isinstance(failure, ResponseTimeExceeded):
        return failure.elapsed > failure.deadline + _wait_s(case)
    # a prediction that was canceled is still there to be read
    return not (isinstance(failure, UseAfterFree) and case.path.startswith("/predict/"))


def _may_refuse(case: Case, problem: dict[str, Any]) -> bool:
    """Whether the document leaves it open that what it describes is refused like this."""
    if problem["code"] == "idempotency_key_reused" or _names_nothing(case, problem):
        return True
    if _operation_id(case).startswith(_OF_ANY_MODEL):
        return problem["code"] in ("invalid_input", "malformed_input")
    if _operation_id(case) == "upload_version":
        return problem["code"] == "invalid_upload"  # whatever the bytes are, they are no ONNX model
    # a model's own rule ("the drawing is blank"); and for msgspec 1.0 is no whole number
    return problem["detail"].startswith("The input cannot be used") or "got `float`" in problem["detail"]


def _names_nothing(case: Case, problem: dict[str, Any]) -> bool:
    """Of many predictions: no filter, or a status of which they cannot be."""
    return _operation_id(case) in _OF_MANY and problem.get("field") in ("$", "$.status")


def _wait_s(case: Case) -> float:
    """How long the call asked the server to wait, at most."""
    asked: dict[str, Any] = case.query or {}
    try:
        return float(asked.get("wait", 0))
    except ValueError:
        return 0  # which the server says, too


def _operation_id(case: Case) -> str:
    return case.operation.definition.raw.get("operationId", "")
