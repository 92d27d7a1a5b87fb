"""``GET /predict/{id}``: one prediction as it stands, or as soon as it has ended."""

import re
from datetime import UTC, datetime
from typing import Any

import msgspec
from litestar import Request
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from litestar.types import ASGIApp

from zypher_api.negotiation import MAX_WAIT_S
from zypher_api.openapi import EXAMPLE_ID, Answer, Content, Operation, Parameter
from zypher_api.problems import MalformedRequest
from zypher_api.responses import RawResponse
from zypher_api.routes.reading import read
from zypher_api.services import Services
from zypher_jobs.contracts.prediction import Mode, Prediction, Status
from zypher_jobs.errors import UnknownPrediction
from zypher_jobs.queue.ids import is_prediction_id

RETRY_AFTER_S = 1
"""What callers that poll are told to wait; those that want it sooner use ``?wait=``."""

WRONG_WAIT = f"wait must be a number of seconds from 0 to {MAX_WAIT_S}, such as ?wait=30."

_encode = msgspec.json.Encoder().encode

_EXAMPLE = Prediction(
    prediction_id=EXAMPLE_ID,
    status=Status.SUCCEEDED,
    model="mock",
    mode=Mode.ASYNC,
    output={"input": "hello", "result": "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"},
    attempts=1,
    progress=1.0,
    created_at=datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC),
    started_at=datetime(2026, 11, 23, 12, 0, 0, 2000, tzinfo=UTC),
    finished_at=datetime(2026, 11, 23, 12, 0, 0, 98000, tzinfo=UTC),
    wait_ms=2.0,
    run_ms=96.0,
    worker="worker-1",
)

PREDICTION_ID = Parameter(
    name="prediction_id",
    place="path",
    description="From the 202, or from the header Prediction-Id.",
    schema={"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"},
    example=EXAMPLE_ID,
)

_READ = Operation(
    method="get",
    path="/predict/{prediction_id}",
    operation_id="read_prediction",
    tag="predictions",
    summary="Read a prediction, or wait for it",
    description="Synchronous predictions are recorded a moment after their answer.",
    parameters=(
        PREDICTION_ID,
        Parameter(
            name="wait",
            place="query",
            description="Hold the request until the prediction has ended, for at most this many seconds.",
            schema={"type": "number", "minimum": 0, "maximum": MAX_WAIT_S, "default": 0},
            example=30,
        ),
    ),
    answers={
        200: Answer(
            description="The prediction as it stands.",
            content=Content(type=Prediction, example=_EXAMPLE),
            headers={"Retry-After": "Seconds until it is worth asking again; absent once it has ended."},
        )
    },
    problems=("malformed_request", "unknown_prediction", "redis_unavailable"),
    problem_examples={
        "malformed_request": (WRONG_WAIT, "wait"),
        "unknown_prediction": (UnknownPrediction(EXAMPLE_ID).message, None),
    },
)


def handlers(services: Services) -> list[HTTPRouteHandler]:
    """The handlers of this file."""

    @read("/predict/{prediction_id:str}", _READ)
    async def read_prediction(prediction_id: FromPath[str], request: Request[Any, Any, Any]) -> ASGIApp:
        require_prediction_id(prediction_id)
        request.scope["state"]["prediction_id"] = prediction_id
        wait_s = _wait_s(request)
        prediction = None
        if wait_s:
            prediction = await services.hold(services.queue.wait_for(prediction_id, wait_s), request.receive)
        if prediction is None:
            prediction = await services.queue.prediction(prediction_id)
        headers = [(b"cache-control", b"no-store")]
        if not prediction.status.is_terminal:
            headers.append((b"retry-after", b"%d" % RETRY_AFTER_S))
        return RawResponse(_encode(prediction), headers=headers)

    return [read_prediction]


def require_prediction_id(text: str) -> None:
    """Raises ``MalformedRequest`` for what cannot be one."""
    if not is_prediction_id(text):
        raise MalformedRequest(
            "A prediction's id has 1 to 64 letters, digits, '-' and '_'; use the prediction_id of the 202 answer.",
            field="prediction_id",
        )


def _wait_s(request: Request[Any, Any, Any]) -> float:
    values = request.query_params.getall("wait", [])
    if not values:
        return 0
    if len(values) > 1 or not re.fullmatch(r"[0-9]{1,4}(\.[0-9]{1,9})?", values[0]) or float(values[0]) > MAX_WAIT_S:
        raise MalformedRequest(WRONG_WAIT, field="wait")
    return float(values[0])
