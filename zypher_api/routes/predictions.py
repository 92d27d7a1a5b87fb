"""``/predict/{id}``: one prediction as it stands, or as soon as it has ended; ``DELETE`` cancels it."""

import re
from datetime import UTC, datetime
from typing import Any

import msgspec
from litestar import Request
from litestar.handlers import HTTPRouteHandler, delete
from litestar.params import FromPath
from litestar.types import ASGIApp

from zypher_api.auth import require_own
from zypher_api.negotiation import MAX_WAIT_S
from zypher_api.openapi import ANY_SCOPE, EXAMPLE_ID, OPT, Answer, Content, Operation, Parameter
from zypher_api.problems import MalformedRequest
from zypher_api.responses import RawResponse
from zypher_api.routes.reading import read
from zypher_api.services import Services
from zypher_jobs.contracts.operation import Action
from zypher_jobs.contracts.prediction import Mode, Prediction, PredictionFailure, Status
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

_STOPPING: dict[str, Any] = {"status": Status.RUNNING, "output": None, "finished_at": None, "run_ms": None}
_CANCELED: dict[str, Any] = {
    "status": Status.CANCELED,
    "output": None,
    "error": PredictionFailure(code="canceled", message="The prediction was canceled."),
}

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
    scopes=ANY_SCOPE,
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

_CANCEL = Operation(
    method="delete",
    path="/predict/{prediction_id}",
    operation_id="cancel_prediction",
    scopes=ANY_SCOPE,
    tag="predictions",
    summary="Cancel a prediction",
    description=(
        "One that waits is canceled at once. One that runs is stopped by its worker, within a second; what it runs in "
        "a thread goes on until the model looks at `context.check()`. One that has ended stays as it is. "
        "A synchronous prediction is canceled by closing its connection, unless `On-Disconnect` said otherwise."
    ),
    parameters=(PREDICTION_ID,),
    answers={
        200: Answer(
            description="It has ended: canceled now, or as it had ended before.",
            content=Content(type=Prediction, example=msgspec.structs.replace(_EXAMPLE, **_CANCELED)),
        ),
        202: Answer(
            description="It still runs and is being stopped.",
            content=Content(type=Prediction, example=msgspec.structs.replace(_EXAMPLE, **_STOPPING)),
            headers={"Location": "Where to read it.", "Retry-After": "Seconds until it is worth asking."},
        ),
    },
    problems=("malformed_request", "unknown_prediction", "redis_unavailable"),
    problem_examples={"unknown_prediction": (UnknownPrediction(EXAMPLE_ID).message, None)},
)


def handlers(services: Services) -> list[HTTPRouteHandler]:
    """The handlers of this file."""

    @read("/predict/{prediction_id:str}", _READ)
    async def read_prediction(prediction_id: FromPath[str], request: Request[Any, Any, Any]) -> ASGIApp:
        require_prediction_id(prediction_id)
        request.scope["state"]["prediction_id"] = prediction_id
        await require_own(request.scope, services.queue, prediction_id)
        wait_s = _wait_s(request)
        prediction = None
        if wait_s:
            prediction = await services.hold(lambda: services.queue.wait_for(prediction_id, wait_s), request.scope)
        if prediction is None:
            prediction = await services.queue.prediction(prediction_id)
        headers = [(b"cache-control", b"no-store")]
        if not prediction.status.is_terminal:
            headers.append((b"retry-after", b"%d" % RETRY_AFTER_S))
        return RawResponse(_encode(prediction), headers=headers)

    @delete("/predict/{prediction_id:str}", status_code=200, opt={OPT: [_CANCEL]})
    async def cancel_prediction(prediction_id: FromPath[str], request: Request[Any, Any, Any]) -> ASGIApp:
        require_prediction_id(prediction_id)
        request.scope["state"]["prediction_id"] = prediction_id
        await require_own(request.scope, services.queue, prediction_id, to_act=True)
        prediction = await services.queue.cancel(prediction_id)
        if prediction.status in (Status.CANCELED, Status.RUNNING):
            await services.audit.note(request.scope, Action.CANCEL, prediction_id, detail=prediction.status)
        if prediction.status.is_terminal:
            return RawResponse(_encode(prediction))
        where = (b"location", f"/predict/{prediction_id}".encode())
        return RawResponse(_encode(prediction), status=202, headers=[where, (b"retry-after", b"%d" % RETRY_AFTER_S)])

    return [read_prediction, cancel_prediction]


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
    if (
        len(values) > 1
        or not re.fullmatch(r"[0-9]{1,4}(\.[0-9]{1,40})?([eE]-?[0-9]{1,3})?", values[0])
        or float(values[0]) > MAX_WAIT_S
    ):
        raise MalformedRequest(WRONG_WAIT, field="wait")
    return float(values[0])
