"""``/queues``: what waits where, how fast it goes, and pausing it."""

from typing import Any

import msgspec
from litestar import Request
from litestar.handlers import HTTPRouteHandler, post
from litestar.params import FromPath
from litestar.types import ASGIApp

from zypher_api.openapi import OPT, Answer, Content, Operation, Parameter
from zypher_api.operator_answers import QueueList
from zypher_api.queries import hint
from zypher_api.responses import RawResponse
from zypher_api.routes.reading import read
from zypher_api.services import Services
from zypher_jobs.contracts.access import Scope
from zypher_jobs.contracts.operation import Action
from zypher_jobs.contracts.prediction import Priority
from zypher_jobs.contracts.stats import ModelLine, QueueState
from zypher_jobs.errors import UnknownQueue

_NAMES = [str(priority) for priority in Priority]
_encode = msgspec.json.Encoder().encode
_NO_STORE = [(b"cache-control", b"no-store")]

_STATE = QueueState(
    queue=Priority.HIGH,
    depth=120,
    running=8,
    oldest_age_ms=900.0,
    paused=False,
    ended_per_s=40.0,
    drain_s=3.0,
    models=[ModelLine(model="mock", waiting=120, oldest_age_ms=900.0)],
    sampled=120,
)
_PAUSED = msgspec.structs.replace(_STATE, paused=True, drain_s=None)
_QUEUE = Parameter(
    name="queue",
    place="path",
    description="One for each priority.",
    schema={"type": "string", "enum": _NAMES},
    example="high",
)


def _one(method: Any, path: str, operation_id: str, summary: str, description: str, example: QueueState) -> Operation:
    return Operation(
        method=method,
        path=path,
        operation_id=operation_id,
        scopes=(Scope.READ, Scope.OPERATE) if method == "get" else (Scope.OPERATE,),
        tag="operators",
        summary=summary,
        description=description,
        parameters=(_QUEUE,),
        answers={200: Answer(description="As it stands now.", content=Content(type=QueueState, example=example))},
        problems=("unknown_queue", "redis_unavailable"),
    )


_LIST = Operation(
    method="get",
    path="/queues",
    operation_id="list_queues",
    scopes=(Scope.READ, Scope.OPERATE),
    tag="operators",
    summary="What waits, how long, how fast it goes",
    description="Each queue, and what waits in it by model, of the first 500 in line.",
    answers={
        200: Answer(description="All of them.", content=Content(type=QueueList, example=QueueList(queues=[_STATE])))
    },
    problems=("redis_unavailable",),
)
_READ = _one("get", "/queues/{queue}", "read_queue", "One queue", "", _STATE)
_PAUSE = _one(
    "post",
    "/queues/{queue}/pause",
    "pause_queue",
    "Have workers leave a queue alone",
    "What runs ends, what is submitted waits. Pausing a paused queue changes nothing.",
    _PAUSED,
)
_RESUME = _one(
    "post",
    "/queues/{queue}/resume",
    "resume_queue",
    "Have workers take from a queue again",
    "`drain_s` says how long what waits will take, once something has ended again.",
    _STATE,
)


def handlers(services: Services) -> list[HTTPRouteHandler]:
    """The handlers of this file."""
    predictions = services.queue

    async def answer(priority: Priority) -> RawResponse:
        (state,) = [each for each in await predictions.inspect.queues() if each.queue is priority]
        return RawResponse(_encode(state), headers=_NO_STORE)

    @read("/queues", _LIST)
    async def list_queues() -> ASGIApp:
        return RawResponse(_encode(QueueList(queues=await predictions.inspect.queues())), headers=_NO_STORE)

    @read("/queues/{queue:str}", _READ)
    async def read_queue(queue: FromPath[str]) -> ASGIApp:
        return await answer(_known(queue))

    @post("/queues/{queue:str}/pause", status_code=200, opt={OPT: [_PAUSE]})
    async def pause_queue(queue: FromPath[str], request: Request[Any, Any, Any]) -> ASGIApp:
        priority = _known(queue)
        await predictions.pause(priority)
        await services.audit.note(request.scope, Action.PAUSE, priority)
        return await answer(priority)

    @post("/queues/{queue:str}/resume", status_code=200, opt={OPT: [_RESUME]})
    async def resume_queue(queue: FromPath[str], request: Request[Any, Any, Any]) -> ASGIApp:
        priority = _known(queue)
        await predictions.resume(priority)
        await services.audit.note(request.scope, Action.RESUME, priority)
        return await answer(priority)

    return [list_queues, read_queue, pause_queue, resume_queue]


def _known(name: str) -> Priority:
    if name not in _NAMES:
        raise UnknownQueue(name, hint=hint(name, _NAMES))
    return Priority(name)
