"""Health, readiness and figures: for people, dashboards, load balancers and Prometheus."""

from datetime import UTC, datetime
from typing import Any

import msgspec
from litestar import Request
from litestar.handlers import HTTPRouteHandler
from litestar.types import ASGIApp

from zypher_api.answers import Live, Ready
from zypher_api.openapi import Answer, Content, Operation, Parameter
from zypher_api.problems import MalformedRequest, NotReady
from zypher_api.responses import RawResponse
from zypher_api.routes.reading import read
from zypher_api.services import Services
from zypher_jobs import __version__
from zypher_jobs.contracts.access import Scope
from zypher_jobs.contracts.stats import Health, Overview, PartHealth, QueueStats, Tallies
from zypher_jobs.errors import ModelNotReady, RedisUnavailable
from zypher_jobs.queue.tallies import read_tallies

MAX_LATEST = 200
WRONG_LATEST = f"latest must be a number from 0 to {MAX_LATEST}."

_encode = msgspec.json.Encoder().encode
_NO_STORE = [(b"cache-control", b"no-store")]

_HEALTH = Content(
    type=Health,
    example=Health(
        status="ok",
        version=__version__,
        uptime_s=12.5,
        redis=PartHealth(ok=True, latency_ms=0.4),
        workers=PartHealth(ok=True),
        workers_alive=2,
        models={"mock": PartHealth(ok=True)},
    ),
)
_HEALTH_OPERATION = Operation(
    method="get",
    path="/health",
    operation_id="health",
    scopes=(Scope.READ, Scope.OPERATE),
    tag="system",
    summary="How each part is",
    answers={
        200: Answer(description="`ok`, or `degraded`: it answers, but a part is away.", content=_HEALTH),
        503: Answer(
            description="`unavailable`: no model can answer.",
            content=Content(
                type=Health,
                example=msgspec.structs.replace(
                    _HEALTH.example,
                    status="unavailable",
                    models={"mock": PartHealth(ok=False, detail="Not loaded; GET /models/mock says why.")},
                ),
            ),
        ),
    },
)
_LIVE_OPERATION = Operation(
    method="get",
    path="/health/live",
    operation_id="live",
    scopes=(),
    tag="system",
    summary="Whether the process answers at all",
    answers={200: Answer(description="It does.", content=Content(type=Live, example=Live()))},
)
_READY_OPERATION = Operation(
    method="get",
    path="/health/ready",
    operation_id="ready",
    scopes=(),
    tag="system",
    summary="Whether it can serve: Redis answers and the default model is loaded",
    answers={200: Answer(description="It can.", content=Content(type=Ready, example=Ready()))},
    problems=("redis_unavailable", "model_not_ready", "not_ready"),
)
_METRICS_OPERATION = Operation(
    method="get",
    path="/metrics",
    operation_id="metrics",
    scopes=(Scope.READ, Scope.OPERATE),
    tag="system",
    summary="Figures for Prometheus",
    answers={
        200: Answer(
            description="Text in Prometheus' format, or OpenMetrics if asked for.",
            content=Content(type=str, example="zypher_redis_up 1.0\n", media_type="text/plain"),
        )
    },
)
_STATS_OPERATION = Operation(
    method="get",
    path="/stats",
    operation_id="stats",
    scopes=(Scope.READ, Scope.OPERATE),
    tag="system",
    summary="The whole system at one instant: what the dashboard shows",
    parameters=(
        Parameter(
            name="latest",
            place="query",
            description="How many of the newest predictions.",
            schema={"type": "integer", "minimum": 0, "maximum": MAX_LATEST, "default": 50},
            example=50,
        ),
    ),
    answers={
        200: Answer(
            description="The figures.",
            content=Content(
                type=Overview,
                example=Overview(
                    taken_at=datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC),
                    redis_ms=0.4,
                    queue=QueueStats(name="all", depth=3, running=2, oldest_age_ms=120.0),
                    queues=[
                        QueueStats(name="high", depth=0, running=0, ended_per_s=0.5),
                        QueueStats(name="normal", depth=3, running=2, oldest_age_ms=120.0, ended_per_s=12.0),
                        QueueStats(name="low", depth=0, running=0, paused=True, ended_per_s=0.0),
                    ],
                    ended_per_s=12.5,
                    counts=[],
                    latencies=[],
                    workers=[],
                    latest=[],
                ),
            ),
        )
    },
    problems=("malformed_request", "redis_unavailable"),
    problem_examples={"malformed_request": (WRONG_LATEST, "latest")},
)


def handlers(services: Services) -> list[HTTPRouteHandler]:
    """The handlers of this file."""

    @read("/health", _HEALTH_OPERATION)
    async def health() -> ASGIApp:
        report = services.health(await _overview(services))
        return RawResponse(_encode(report), status=503 if report.status == "unavailable" else 200, headers=_NO_STORE)

    @read("/health/live", _LIVE_OPERATION)
    async def live() -> ASGIApp:
        return RawResponse(_encode(Live()), headers=_NO_STORE)

    @read("/health/ready", _READY_OPERATION)
    async def ready() -> ASGIApp:
        await check_ready(services)
        return RawResponse(_encode(Ready()), headers=_NO_STORE)

    @read("/metrics", _METRICS_OPERATION)
    async def metrics(request: Request[Any, Any, Any]) -> ASGIApp:
        from zypher_api.exposition import Snapshot, write  # noqa: PLC0415  # a tenth of the start

        overview, tallies = await _shared(services)
        services.figures.publish()
        snapshot = Snapshot(services.board.read(), overview=overview, tallies=tallies, version=__version__)
        text, content_type = write(snapshot, accept=request.headers.get("accept", ""))
        return RawResponse(text, media_type=content_type.encode(), headers=_NO_STORE)

    @read("/stats", _STATS_OPERATION)
    async def stats(request: Request[Any, Any, Any]) -> ASGIApp:
        latest = request.query_params.get("latest", "50")
        if not (latest.isascii() and latest.isdigit() and len(latest) <= 3 and int(latest) <= MAX_LATEST):
            raise MalformedRequest(WRONG_LATEST, field="latest")
        overview = await services.queue.inspect.overview(latest=int(latest))
        return RawResponse(_encode(overview), headers=_NO_STORE)

    return [health, live, ready, metrics, stats]


async def check_ready(services: Services) -> None:
    """Raises ``NotReady``, ``ModelNotReady`` or ``RedisUnavailable`` when it cannot serve."""
    if services.draining or services.board.is_stopping:
        raise NotReady("This process is shutting down.")
    default = services.default_model
    if default.error is not None:
        raise ModelNotReady(f"Model {default.name!r} is not ready: {default.error.rstrip('.')}.")
    await services.queue.inspect.ping()


async def _shared(services: Services) -> tuple[Overview | None, Tallies | None]:
    try:
        return await services.queue.inspect.overview(latest=0), await read_tallies(services.queue)
    except RedisUnavailable:
        return None, None


async def _overview(services: Services) -> Overview | None:
    try:
        return await services.queue.inspect.overview(latest=0)
    except RedisUnavailable:
        return None
