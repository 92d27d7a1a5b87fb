"""Error → RFC 9457 problem document; the only place with status codes of errors.

Every answer that is an error comes from here, the framework's own (404, 405, …) included. ``error`` repeats ``detail``:
today's callers and the Open Inference Protocol both read it.
"""

import logging
import math
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException
from litestar.types import ASGIApp, Scope

from zypher_api.responses import Header, RawResponse, no_answer
from zypher_jobs.errors import (
    AnswerNotKept,
    CapacityError,
    InvalidInput,
    KeyReused,
    PredictionFailed,
    Unavailable,
    ZypherError,
)

log = logging.getLogger("zypher.api")

MEDIA_TYPE = b"application/problem+json"
INTERNAL = "The server failed on this request; its log says why, under the same request_id."


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What went wrong, for people (``detail``) and for programs (``code``)."""

    type: str
    """``urn:zypher:problem:`` and the code."""
    title: str
    """The same for every problem of this code."""
    status: int
    detail: str
    """One sentence: what is wrong and the way out."""
    instance: str
    """Path of the request."""
    error: str
    """The same as ``detail``."""
    code: str
    request_id: str
    """As in the header ``Request-Id`` and the log line of the request."""
    field: str | None = None
    """What is wrong: a JSON path into the body (``$`` is all of it), or the name of a header or parameter."""


class Kind(msgspec.Struct, frozen=True):
    """What all problems of one code share, and an example for the documentation."""

    status: int
    title: str
    example: str
    example_field: str | None = None


KINDS: dict[str, Kind] = {
    "malformed_input": Kind(
        400, "The body is not JSON", 'The body is empty; send JSON such as {"input":"hello"}.', "$"
    ),
    "malformed_request": Kind(
        400,
        "The request cannot be understood",
        "The header Async-Mode must be true (the answer later) or false (the answer now), once.",
        "Async-Mode",
    ),
    "not_found": Kind(404, "Nothing is here", "Nothing is here; /docs lists every route."),
    "unauthorized": Kind(401, "A key is wanted", "This server wants a key: send it as Authorization: Bearer zk_…."),
    "forbidden": Kind(
        403,
        "The key is not for this",
        "The key 'shop' may not do this: it takes a key with the scope operate or read.",
    ),
    "protected": Kind(
        403,
        "Only this machine may call",
        "This server has no API keys yet, so it serves callers on its own machine only, by address and not through a "
        "proxy. Make a key there with `zypher keys create NAME`, and send it as Authorization: Bearer; or set "
        "ZYPHER_AUTH=off where the network keeps strangers out.",
    ),
    "deploy_off": Kind(
        403,
        "Models are not deployed here",
        "Models are deployed over HTTP only while the API listens on loopback; ZYPHER_DEPLOY=on allows it everywhere.",
    ),
    "unknown_model": Kind(404, "No such model", "No model is called 'mick'. Known models: digits, mock."),
    "unknown_version": Kind(404, "No such version", "Model 'mock' has no version '9' here. Known versions: 1."),
    "unknown_prediction": Kind(
        404, "No such prediction", "No prediction has the id 'abc', or its retention has ended."
    ),
    "unknown_webhook": Kind(
        404, "No such webhook", "No webhook 'wh_5f0c2a7be1d94a3c8b6e0f12' is registered, or it is disabled."
    ),
    "unknown_key": Kind(404, "No such key", "No key is called 'shop'; `zypher keys list` shows them all."),
    "unknown_queue": Kind(404, "No such queue", "No queue is called 'hgh'. Did you mean 'high'?"),
    "unknown_worker": Kind(404, "No such worker", "No worker 'worker-3' is alive; GET /workers lists those that are."),
    "unknown_delivery": Kind(404, "No such delivery", "No delivery has the id 'abc', or it was too long ago."),
    "method_not_allowed": Kind(405, "The method is not allowed here", "PUT is not allowed here; allowed: POST."),
    "body_too_large": Kind(
        413, "The body is too large", "The body is larger than 1,048,576 bytes; ZYPHER_MAX_BODY_BYTES sets the limit."
    ),
    "upload_too_large": Kind(
        413,
        "The model is too large",
        "The file is larger than 1,073,741,824 bytes; ZYPHER_MODEL_MAX_BYTES sets the limit.",
    ),
    "unsupported_media_type": Kind(
        415,
        "The media type is not supported",
        "The body must be JSON, not text/plain: send the header Content-Type: application/json.",
    ),
    "invalid_input": Kind(422, "The input does not fit the model", "The input must not be blank.", "$.input"),
    "invalid_upload": Kind(
        422,
        "The model cannot be deployed",
        "The file is no ONNX model, but a pickle, which is code and never opened; export the model to ONNX.",
        "file",
    ),
    "internal_error": Kind(500, "Something went wrong in the server", INTERNAL),
    "prediction_failed": Kind(500, "The prediction failed", "The prediction failed."),
    "model_error": Kind(500, "The model failed", "ValueError: the model could not read the input"),
    "model_crashed": Kind(
        500, "The model crashed", "Model 'reader' crashed: its process was ended by SIGSEGV. Another one is started."
    ),
    "out_of_memory": Kind(
        500,
        "The model took too much memory",
        "Model 'reader' took 530 MiB of memory, more than its limit of 512 MiB, and was ended.",
    ),
    "remote_unavailable": Kind(
        503,
        "The model's server is away",
        "The server of model 'large' does not answer (All connection attempts failed); try again shortly.",
    ),
    "remote_refused": Kind(
        422,
        "The model's server refused the input",
        "The server of model 'large' refused the input: sequence length is limited to 512.",
    ),
    "remote_failed": Kind(
        502, "The model's server failed", "The server of model 'large' answered 500: CUDA out of memory."
    ),
    "attempts_exhausted": Kind(
        500, "The prediction was lost too often", "Every one of 5 attempts was lost with its worker."
    ),
    "queue_full": Kind(
        429, "The queue is full", "The queue is full: 1,000 predictions wait and 1,000 may; try again in 3 s."
    ),
    "rate_limited": Kind(
        429, "The key's limit is reached", "The key 'shop' may make 100 requests each second; try again in 1 s."
    ),
    "too_many_at_once": Kind(
        429,
        "Too many of the key's predictions are under way",
        "The key 'shop' may have 10 predictions waiting and running at once, and has them; try again in 1 s.",
    ),
    "overloaded": Kind(
        503, "More is asked than can be done", "Model 'digits' is asked for more than it can do; try again in 1 s."
    ),
    "poison": Kind(500, "The prediction kills its workers", "Its worker died under it 2 times; it is not tried again."),
    "conflict": Kind(409, "Not as things stand", "Model 'mock' is the default one: POST /predict needs it."),
    "request_outstanding": Kind(
        409,
        "The request is not answered yet",
        "A request with this Idempotency-Key is not answered yet; try again in 1 s.",
    ),
    "answer_not_kept": Kind(
        409,
        "The answer is too large to be given again",
        "This request was answered already, with 2,000,000 bytes, which is more than is kept to be sent again; "
        "GET /predict/0f8fad5bd9cb469fa16570867728950e has the output.",
    ),
    "idempotency_key_reused": Kind(422, "The Idempotency-Key is that of another request", KeyReused().message),
    "canceled": Kind(409, "The prediction was canceled", "The prediction was canceled."),
    "expired": Kind(504, "The prediction waited too long", "It waited past its deadline and was not begun."),
    "redis_unavailable": Kind(503, "Redis is away", "Redis does not answer; try again shortly."),
    "model_not_ready": Kind(503, "The model is not ready", "Model 'digits' is not ready: it is still loading."),
    "version_not_ready": Kind(
        503,
        "Some process cannot serve the version",
        "flowers@3 failed to load on worker-1: the model store does not answer. Traffic stays as it is.",
    ),
    "store_unavailable": Kind(503, "The model store is away", "The model store does not answer (GenericError)."),
    "not_ready": Kind(503, "Not ready to serve", "Redis does not answer; try again shortly."),
    "unavailable": Kind(503, "Not now", "Not now; try again shortly."),
    "timeout": Kind(504, "The prediction took too long", "Model 'mock' did not answer within 300 s."),
}
"""Problems by code."""

_FRAMEWORK_CODES = {404: "not_found", 405: "method_not_allowed", 413: "body_too_large", 415: "unsupported_media_type"}
_encode = msgspec.json.Encoder().encode


class MalformedRequest(ZypherError):
    """A header or parameter cannot be understood; ``field`` is its name."""

    code = "malformed_request"

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class UnsupportedMediaType(ZypherError):
    """The body's Content-Type is not JSON."""

    code = "unsupported_media_type"


class BodyTooLarge(ZypherError):
    """The body is longer than ``ZYPHER_MAX_BODY_BYTES``."""

    code = "body_too_large"


class NoSuchKey(ZypherError):
    """A key is wanted, and none was sent that is one."""

    code = "unauthorized"


class Forbidden(ZypherError):
    """The key is good, but not for this; ``wanted`` are scopes of which one would be enough."""

    code = "forbidden"

    def __init__(self, name: str, *, wanted: Sequence[str]) -> None:
        super().__init__(f"The key {name!r} may not do this: it takes a key with the scope {' or '.join(wanted)}.")
        self.wanted = wanted


class Protected(ZypherError):
    """There are no keys, and the caller is not on this machine."""

    code = "protected"

    def __init__(self) -> None:
        super().__init__(KINDS["protected"].example)


class DeployOff(ZypherError):
    """``ZYPHER_DEPLOY`` does not let models be deployed over HTTP."""

    code = "deploy_off"


SHUTTING_DOWN = "This process is shutting down; send the request again."


class NotReady(Unavailable):
    """This process is up but cannot serve yet."""

    code = "not_ready"


class CallerGone(Exception):
    """The caller closed its connection while it was held: nobody is left to answer."""


def problem_type(code: str) -> str:
    """The ``type`` of problems of one code."""
    return f"urn:zypher:problem:{code}"


def respond(scope: Scope, error: Exception) -> RawResponse:
    """The answer to a request that ended in ``error``. Only what we raise on purpose is told to the caller."""
    if isinstance(error, ZypherError):
        code, detail = error.code, error.message
    elif isinstance(error, HTTPException) and error.status_code < HTTPStatus.INTERNAL_SERVER_ERROR:
        code, detail = _FRAMEWORK_CODES.get(error.status_code, "malformed_request"), _framework_detail(scope, error)
    else:
        code, detail = "internal_error", INTERNAL
        log.error("request failed", exc_info=error, extra={"request_id": request_id(scope)})
    kind = KINDS.get(code) or KINDS["prediction_failed" if isinstance(error, PredictionFailed) else "internal_error"]
    problem = Problem(
        type=problem_type(code),
        title=kind.title,
        status=kind.status,
        detail=detail,
        instance=scope["raw_path"].decode("latin-1"),
        error=detail,
        code=code,
        request_id=request_id(scope),
        field=error.field if isinstance(error, InvalidInput | MalformedRequest) else None,
    )
    headers = _headers(scope, error, kind)
    return RawResponse(_encode(problem), status=kind.status, headers=headers, media_type=MEDIA_TYPE)


def request_id(scope: Scope) -> str:
    """The id that ``zypher_api.middleware`` gave the request."""
    return scope["state"].get("request_id", "")


def _headers(scope: Scope, error: Exception, kind: Kind) -> list[Header]:
    headers: list[Header] = []
    if isinstance(error, Unavailable | CapacityError):
        headers.append((b"retry-after", str(math.ceil(error.retry_after_s)).encode()))
    elif kind.status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers.append((b"retry-after", b"1"))
    if isinstance(error, NoSuchKey):
        headers.append((b"www-authenticate", b'Bearer realm="zypher"'))
    if isinstance(error, Forbidden):
        scope_wanted = " ".join(error.wanted).encode()
        headers.append((b"www-authenticate", b'Bearer error="insufficient_scope", scope="%b"' % scope_wanted))
    if isinstance(error, HTTPException) and error.headers and (allow := error.headers.get("allow")):
        headers.append((b"allow", allow.encode()))
    if isinstance(error, PredictionFailed | AnswerNotKept) and (prediction_id := scope["state"].get("prediction_id")):
        headers.append((b"prediction-id", prediction_id.encode()))
    return headers


def _framework_detail(scope: Scope, error: HTTPException) -> str:
    match error.status_code:
        case HTTPStatus.NOT_FOUND:
            return "Nothing is here; /docs lists every route."
        case HTTPStatus.METHOD_NOT_ALLOWED:
            allowed = (error.headers or {}).get("allow", "")
            method = scope["method"] if scope["type"] == "http" else "That"
            return f"{method} is not allowed here; allowed: {allowed}."
        case _:
            return error.detail if error.detail.endswith(".") else f"{error.detail}."


class _Ready(Response[None]):
    """Hands a ready answer to Litestar, whose exception handlers must return a ``Response``."""

    def __init__(self, answer: ASGIApp) -> None:
        super().__init__(None)
        self._answer = answer

    def to_asgi_response(self, *_: object, **__: object) -> ASGIApp:  # pyright: ignore[reportIncompatibleMethodOverride]
        """What Litestar sends."""
        return self._answer


def _handle(request: Request[Any, Any, Any], error: Exception) -> Response[None]:
    return _Ready(respond(request.scope, error))


def _leave(_: Request[Any, Any, Any], __: Exception) -> Response[None]:
    return _Ready(no_answer)


EXCEPTION_HANDLERS: dict[int | type[Exception], Callable[[Request[Any, Any, Any], Exception], Response[None]]] = {
    Exception: _handle,
    HTTPException: _handle,
    CallerGone: _leave,
}
"""For Litestar: whatever is raised becomes a problem, while somebody is there to read it."""
