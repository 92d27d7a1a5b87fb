"""``GET /predictions/{id}/input``: what a prediction was asked with."""

from typing import Any

import msgspec
from litestar import Request
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from litestar.types import ASGIApp

from zypher_api.auth import require_own
from zypher_api.openapi import ANY_SCOPE, EXAMPLE_ID, Answer, Content, Operation
from zypher_api.operator_answers import KeptInput
from zypher_api.responses import RawResponse
from zypher_api.routes.predictions import PREDICTION_ID, require_prediction_id
from zypher_api.routes.reading import read
from zypher_api.services import Services
from zypher_jobs.errors import UnknownPrediction

_encode = msgspec.json.Encoder().encode

_READ = Operation(
    method="get",
    path="/predictions/{prediction_id}/input",
    operation_id="read_input",
    scopes=ANY_SCOPE,
    tag="predictions",
    summary="What a prediction was asked with",
    description="All of it, until the record is forgotten; of a synchronous prediction it is not kept.",
    parameters=(PREDICTION_ID,),
    answers={
        200: Answer(
            description="The input.",
            content=Content(type=KeptInput, example=KeptInput(prediction_id=EXAMPLE_ID, input={"input": "hello"})),
        )
    },
    problems=("malformed_request", "unknown_prediction", "conflict", "redis_unavailable"),
    problem_examples={"unknown_prediction": (UnknownPrediction(EXAMPLE_ID).message, None)},
)


def handlers(services: Services) -> list[HTTPRouteHandler]:
    """The handlers of this file."""

    @read("/predictions/{prediction_id:str}/input", _READ)
    async def read_input(prediction_id: FromPath[str], request: Request[Any, Any, Any]) -> ASGIApp:
        require_prediction_id(prediction_id)
        request.scope["state"]["prediction_id"] = prediction_id
        await require_own(request.scope, services.queue, prediction_id)
        value = await services.queue.inspect.input_of(prediction_id)
        return RawResponse(
            _encode(KeptInput(prediction_id=prediction_id, input=value)), headers=[(b"cache-control", b"no-store")]
        )

    return [read_input]
