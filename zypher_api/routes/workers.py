"""``/workers``: who is alive, and what each runs."""

from datetime import UTC, datetime

import msgspec
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from litestar.types import ASGIApp

from zypher_api.openapi import EXAMPLE_ID, Answer, Content, Operation, Parameter
from zypher_api.operator_answers import WorkerDetail, WorkerList
from zypher_api.responses import RawResponse
from zypher_api.routes.reading import read
from zypher_api.services import Services
from zypher_jobs.contracts.access import Scope
from zypher_jobs.contracts.operation import Selection
from zypher_jobs.contracts.prediction import Mode, PredictionSummary, Status
from zypher_jobs.contracts.stats import WorkerStats
from zypher_jobs.errors import UnknownWorker
from zypher_jobs.queue.selecting import select

SEARCHED = 2_000
"""Running predictions that are looked at for those of one worker."""

_encode = msgspec.json.Encoder().encode
_NO_STORE = [(b"cache-control", b"no-store")]

_WORKER = WorkerStats(
    worker_id="worker-1",
    host="gpu-3",
    pid=4711,
    version="0.1.0",
    models=["mock@1"],
    slots=100,
    running=1,
    succeeded=5120,
    failed=3,
    rss_bytes=104_857_600,
    started_at=datetime(2026, 11, 23, 11, tzinfo=UTC),
    seen_at=datetime(2026, 11, 23, 12, tzinfo=UTC),
)
_RUNS = PredictionSummary(
    prediction_id=EXAMPLE_ID,
    status=Status.RUNNING,
    model="mock",
    mode=Mode.ASYNC,
    attempts=1,
    created_at=datetime(2026, 11, 23, 12, tzinfo=UTC),
    worker="worker-1",
)
_LIST = Operation(
    method="get",
    path="/workers",
    operation_id="list_workers",
    scopes=(Scope.READ, Scope.OPERATE),
    tag="operators",
    summary="Which workers are alive",
    description="The last heartbeat of each; one that was not heard of for 5 s is not there.",
    answers={
        200: Answer(description="All of them.", content=Content(type=WorkerList, example=WorkerList(workers=[_WORKER])))
    },
    problems=("redis_unavailable",),
)
_READ = Operation(
    method="get",
    path="/workers/{worker_id}",
    operation_id="read_worker",
    scopes=(Scope.READ, Scope.OPERATE),
    tag="operators",
    summary="What a worker runs",
    parameters=(
        Parameter(
            name="worker_id",
            place="path",
            description="As in the list, and in `worker` of a prediction.",
            schema={"type": "string"},
            example="worker-1",
        ),
    ),
    answers={
        200: Answer(
            description="Its last heartbeat, and the predictions that it runs now.",
            content=Content(
                type=WorkerDetail,
                example=WorkerDetail(**msgspec.structs.asdict(_WORKER), predictions=[_RUNS], searched=1),
            ),
        )
    },
    problems=("unknown_worker", "redis_unavailable"),
)


def handlers(services: Services) -> list[HTTPRouteHandler]:
    """The handlers of this file."""
    inspect = services.queue.inspect

    @read("/workers", _LIST)
    async def list_workers() -> ASGIApp:
        return RawResponse(_encode(WorkerList(workers=await inspect.workers())), headers=_NO_STORE)

    @read("/workers/{worker_id:str}", _READ)
    async def read_worker(worker_id: FromPath[str]) -> ASGIApp:
        found = [worker for worker in await inspect.workers() if worker.worker_id == worker_id]
        if not found:
            raise UnknownWorker(worker_id)
        running = await select(inspect, Selection(), (Status.RUNNING,), limit=SEARCHED, most=SEARCHED)
        detail = WorkerDetail(
            **msgspec.structs.asdict(found[0]),
            predictions=[one for one in running.found if one.worker == worker_id],
            searched=running.searched,
        )
        return RawResponse(_encode(detail), headers=_NO_STORE)

    return [list_workers, read_worker]
