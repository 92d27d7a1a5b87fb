"""Health, readiness, figures, request ids and the request log."""

import asyncio
import io
import json
import logging
from typing import Any

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.api.running import RunningApi, running_api, running_worker
from zypher_jobs import __version__, metrics
from zypher_jobs.contracts.stats import Health, Overview
from zypher_jobs.logs import JsonFormatter
from zypher_jobs.metrics import Metric
from zypher_jobs.queue import keys
from zypher_jobs.queue.connection import RedisClient
from zypher_jobs.settings import Settings
from zypher_jobs.testing import wait_until
from zypher_jobs.worker import PredictionWorker
from zypher_jobs.worker.batch_reporter import BatchReporter


async def test_health_shows_each_part(api: RunningApi, worker: PredictionWorker, api_settings: Settings) -> None:
    """Redis with its round trip, workers, models, version; no address, no path."""

    async def alive() -> Health | None:
        health = msgspec.json.decode((await api.get("/health")).content, type=Health)
        return health if health.workers_alive else None

    health = await wait_until(alive)

    assert health is not None
    assert health.version == __version__
    assert health.redis.ok
    assert health.redis.latency_ms is not None
    assert health.workers.ok
    assert health.models["mock"].ok
    assert not health.models["not-loaded"].ok
    assert health.status == "degraded"
    text = (await api.get("/health")).text
    assert "weights.bin" not in text
    assert (api_settings.redis_url or "") not in text
    assert worker is not None


async def test_health_without_workers_says_what_to_do(api: RunningApi) -> None:
    """Degraded: queued predictions wait."""
    health = (await api.get("/health")).json()

    assert health["status"] == "degraded"
    assert "zypher worker" in health["workers"]["detail"]


async def test_ready_once_redis_answers_and_the_default_model_is_loaded(api: RunningApi) -> None:
    """200 and a body of its own."""
    answer = await api.get("/health/ready")

    assert (answer.status_code, answer.json()) == (200, {"ready": True})


async def test_not_ready_while_the_default_model_is_not_loaded(api_settings: Settings) -> None:
    """503 with ``Retry-After``, while the process is live."""
    async with running_api(msgspec.structs.replace(api_settings, default_model="not-loaded")) as api:
        ready = await api.get("/health/ready")
        live = await api.get("/health/live")

    assert (ready.status_code, ready.json()["code"]) == (503, "model_not_ready")
    assert int(ready.headers["retry-after"]) >= 1
    assert (live.status_code, live.json()) == (200, {"live": True})


async def test_stats_are_what_the_dashboard_reads(api: RunningApi) -> None:
    """An ``Overview``, with as many of the latest as asked for."""
    for _ in range(3):
        await api.post("/predict", json={"input": "x"}, headers={"Async-Mode": "true"})

    overview = msgspec.json.decode((await api.get("/stats?latest=2")).content, type=Overview)

    assert overview.queue.depth == 3
    assert len(overview.latest) == 2


async def test_metrics_count_every_request_under_its_template(api: RunningApi) -> None:
    """404 and 405 too, and the route is the template, never what the caller wrote."""
    await api.post("/predict", json={"input": "hello"})
    await api.post("/predict", content=b"")
    await api.get("/predict/" + "0" * 32)
    await api.get("/nope")
    await api.get("/nope/either")
    await api.put("/predict/abc")
    await api.request("PROPFIND", "/predict")

    def requests(method: str, route: str, status: int) -> str:
        return f'zypher_http_requests_total{{method="{method}",route="{route}",status="{status}"}}'

    assert await api.metric(requests("POST", "/predict", 200)) == 1
    assert await api.metric(requests("POST", "/predict", 400)) == 1
    assert await api.metric(requests("GET", "/predict/{prediction_id}", 404)) == 1
    assert await api.metric(requests("GET", "(none)", 404)) == 2
    assert await api.metric(requests("PUT", "/predict/{prediction_id}", 405)) == 1
    assert await api.metric(requests("other", "/predict", 405)) == 1
    assert await api.metric('zypher_http_request_duration_seconds_count{method="POST",route="/predict"}') == 2
    assert await api.metric("zypher_http_requests_running") == 1


async def count_total(api: RunningApi) -> None:
    """Three predictions of another model, from their creation to their finish, as the scripts count them."""
    redis: RedisClient = api.services.queue
    fields = {"digits|async|at|0.2.2": 2, "digits|async|at|3.3.4": 1}
    fields |= {"digits|async|wait|sum": 10_000, "digits|async|run|sum": 14_500}
    await redis.hset(keys.LATENCY, mapping=fields)


async def test_latencies_are_shown_from_the_creation_to_the_finish_too(api: RunningApi) -> None:
    """In ``/stats``, and in ``/metrics`` with the buckets in seconds."""
    await count_total(api)

    overview = msgspec.json.decode((await api.get("/stats")).content, type=Overview)

    (total,) = [each for each in overview.latencies if each.kind == "total"]
    assert (total.model, total.mode, total.kind, total.sum_ms) == ("digits", "async", "total", 24.5)
    counts = {bound: count for bound, count in zip(total.bounds_ms, total.counts, strict=False) if count}
    assert counts == {5: 2, 25: 1}
    name = "zypher_prediction_total_seconds"
    assert await api.metric(name + '_bucket{le="0.005",mode="async",model="digits"}') == 2
    assert await api.metric(name + '_bucket{le="0.025",mode="async",model="digits"}') == 3
    assert await api.metric(name + '_count{mode="async",model="digits"}') == 3
    assert await api.metric(name + '_sum{mode="async",model="digits"}') == 0.0245


@pytest.mark.parametrize("policy", ["all", "errors", "none"])
async def test_metrics_count_every_prediction_whether_recorded_or_not(api_settings: Settings, policy: Any) -> None:
    """By model, mode and status, of all processes."""
    async with running_api(msgspec.structs.replace(api_settings, record_sync=policy)) as api, running_worker(api):
        now = await api.post("/predict", json={"input": "hello"})
        failed = await api.post("/models/raises/predict", json={"text": "boom"})
        await api.post("/predict", json={"input": "x"}, headers={"Prefer": "respond-async, wait=10"})

        async def counted() -> bool:
            text = (await api.get("/metrics")).text
            wanted = [
                'zypher_predictions_total{mode="sync",model="mock",status="succeeded"} 1.0',
                'zypher_predictions_total{mode="sync",model="raises",status="failed"} 1.0',
                'zypher_predictions_total{mode="async",model="mock",status="succeeded"} 1.0',
            ]
            return all(line in text for line in wanted)

        await wait_until(counted)
        kept = [(await api.get(f"/predict/{a.headers['prediction-id']}")).status_code for a in (now, failed)]
        assert await api.metric('zypher_prediction_run_seconds_count{mode="sync",model="mock"}') == 1
        assert await api.metric('zypher_prediction_wait_seconds_count{mode="async",model="mock"}') == 1

    assert kept == {"all": [200, 200], "errors": [404, 200], "none": [404, 404]}[policy]


async def test_every_metric_of_the_list_is_shown_with_its_labels(api: RunningApi, worker: PredictionWorker) -> None:
    """Names, kinds, help and labels are those of ``zypher_jobs.metrics``, and none is missing."""
    await count_total(api)
    await api.post("/predict", json={"input": "hello"}, headers={"Prefer": "respond-async, wait=10"})
    await api.post("/models/keeps/predict", json={"text": "a"})
    await BatchReporter(api.services.queue, api.services.registry).report()  # a worker's would be of its own process

    families = {family.name: family for family in text_string_to_metric_families((await api.get("/metrics")).text)}

    for metric in [value for value in vars(metrics).values() if isinstance(value, Metric)]:
        family = families[metric.name.removesuffix("_total") if metric.kind == "counter" else metric.name]
        assert (family.type, family.documentation) == (metric.kind, metric.help)
        assert {tuple(sorted(set(sample.labels) - {"le"})) for sample in family.samples} <= {
            tuple(sorted(metric.labels))
        }
        assert family.samples
    assert worker is not None


async def test_batches_are_shown_by_size(api: RunningApi) -> None:
    """In ``/metrics``, and in short by the model itself; not for one that runs each prediction at once."""
    for _ in range(2):
        await api.post("/models/raises/predict", json={"text": "boom"})

    shown = (await api.get("/models/raises")).json()["batching"]

    assert shown == {"max_batch_size": 1, "batches": 2, "mean_batch_size": 1.0, "waiting": 0, "running": 0}
    assert (await api.get("/models/mock")).json()["batching"] is None
    assert await api.metric('zypher_batch_size_count{model="raises",version="1"}') == 2
    assert await api.metric('zypher_batch_size_bucket{le="1.0",model="raises",version="1"}') == 2
    assert await api.metric('zypher_batch_limit{model="raises",version="1"}') == 1
    assert await api.metric('zypher_batcher_waiting{model="raises",version="1"}') == 0


async def test_each_version_of_a_model_is_ready_or_not_by_itself(api_settings: Settings) -> None:
    """Two samples without a label between them would make a page that no Prometheus takes."""
    settings = msgspec.structs.replace(api_settings, models=(*api_settings.models, "tests.api.models:Next"))
    async with running_api(settings) as api:

        async def loaded() -> bool:
            return await api.metric('zypher_model_ready{model="keeps",version="1"}') == 1

        await wait_until(loaded)
        text = (await api.get("/metrics")).text
        while_it_is_live = (await api.get("/health")).json()["models"]["keeps"]["ok"]
        api.services.registry.versions("keeps").route({"1": 1})
        once_it_is_not = (await api.get("/health")).json()["models"]["keeps"]["ok"]
    assert 'zypher_model_ready{model="keeps",version="next"} 0' in text
    # the last one added is live; one without traffic does no harm
    assert (while_it_is_live, once_it_is_not) == (False, True)


@pytest.mark.parametrize(
    "path",
    [
        *("/", "/docs", "/docs/openapi.json", "/docs/page.css", "/docs/nope.css", "/nope"),
        *("/health", "/health/live", "/health/ready", "/metrics", "/stats?latest=1", "/stats?latest=x"),
        *("/models", "/models/mock", "/models/nope", "/predict/{id}", "/predict/{id}?wait=0.05", "/predict/nope"),
    ],
)
async def test_head_answers_with_the_headers_of_get_and_no_body(api: RunningApi, path: str) -> None:
    """RFC 9110 §9.3.2, errors too; only the length may differ, where figures have changed."""
    queued = await api.post("/predict", json={"input": "x"}, headers={"Async-Mode": "true"})
    path = path.replace("{id}", queued.json()["prediction_id"])

    got, head = await api.get(path), await api.head(path)

    assert (head.status_code, head.content) == (got.status_code, b"")
    own = {"content-length", "date", "request-id"}
    assert {n: v for n, v in head.headers.items() if n not in own} == {
        n: v for n, v in got.headers.items() if n not in own
    }
    assert int(head.headers["content-length"]) > 0


async def test_head_is_refused_where_there_is_nothing_to_get(api: RunningApi) -> None:
    """405; what is allowed is named, HEAD among it where GET is."""
    assert (await api.head("/predict")).status_code == 405
    assert set((await api.put("/models")).headers["allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}


async def test_options_names_every_method_of_a_path(api: RunningApi) -> None:
    """As a 405 does, where several handlers share the path."""
    for path, methods in (
        ("/keys", "GET, HEAD, OPTIONS, POST"),
        ("/predict/0f8fad5b", "DELETE, GET, HEAD, OPTIONS"),
        ("/predict", "OPTIONS, POST"),
    ):
        answer = await api.options(path)
        assert (answer.status_code, answer.headers["allow"]) == (204, methods)
        assert set((await api.patch(path)).headers["allow"].split(", ")) == set(methods.split(", "))


async def test_metrics_in_openmetrics_for_those_who_ask(api: RunningApi) -> None:
    """The scraper's ``Accept`` decides."""
    plain = await api.get("/metrics")
    openmetrics = await api.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})

    assert plain.headers["content-type"].startswith("text/plain")
    assert openmetrics.headers["content-type"].startswith("application/openmetrics-text")
    assert openmetrics.text.endswith("# EOF\n")


async def test_every_answer_has_a_request_id(api: RunningApi) -> None:
    """A new one each time; problems and unknown paths too."""
    answers = [await api.get("/health/live"), await api.get("/nope"), await api.post("/predict", content=b"")]

    assert len({answer.headers["request-id"] for answer in answers}) == 3


@pytest.mark.parametrize("header", ["Request-Id", "X-Request-Id"])
async def test_a_sane_request_id_of_the_caller_is_kept(api: RunningApi, header: str) -> None:
    """Under the name it came by."""
    answer = await api.get("/health/live", headers={header: "trace-7:a/b=="})

    assert answer.headers[header] == "trace-7:a/b=="
    assert answer.headers["request-id"] == "trace-7:a/b=="


@pytest.mark.parametrize("value", ["", "a b", "x" * 129, "a\tb", '"<script>"'])
async def test_a_request_id_that_is_not_sane_is_replaced(api: RunningApi, value: str) -> None:
    """What cannot stand in a log line or a header is not repeated."""
    answer = await api.get("/health/live", headers={"Request-Id": value})

    assert answer.headers["request-id"] != value


async def test_one_line_is_logged_for_each_request(api: RunningApi) -> None:
    """JSON with method, path, template, status, time and ids; no query, which may hold secrets, and nothing raw."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter("api"))
    logger = logging.getLogger("zypher.api.request")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        answered = await api.post("/predict?key=secret", json={"input": "hello"})
        await api.get("/predict/%1b%5b2Jabc")
        await wait_until(lambda: stream.getvalue().count("\n") >= 2)
    finally:
        logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)

    first, second = (json.loads(line) for line in stream.getvalue().splitlines())
    assert first.pop("time").endswith("Z")
    assert 0 < first.pop("duration_ms") < 10_000
    assert first == {
        "level": "info",
        "part": "api",
        "logger": "zypher.api.request",
        "message": "POST /predict 200",
        "request_id": answered.headers["request-id"],
        "method": "POST",
        "path": "/predict",
        "route": "/predict",
        "status": 200,
        "prediction_id": answered.headers["prediction-id"],
    }
    assert second["path"] == "/predict/%1b%5b2Jabc"
    assert "\x1b" not in stream.getvalue()


async def test_pipelined_requests_are_answered_in_order(api: RunningApi) -> None:
    """Several requests in one packet, on the corked connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", api.settings.port)
    writer.write(
        b"GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n" * 3
        + b"GET /nope HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
    )
    received = await asyncio.wait_for(reader.read(), timeout=5)
    writer.close()

    assert received.count(b"HTTP/1.1 200 OK") == 3
    assert received.index(b"HTTP/1.1 404") > received.rindex(b"HTTP/1.1 200")


async def test_an_idle_connection_is_closed_and_a_busy_one_is_not(api: RunningApi) -> None:
    """Counted from the end of its last answer, however many there were before."""
    api.server.config.timeout_keep_alive = 1
    reader, writer = await asyncio.open_connection("127.0.0.1", api.settings.port)
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    while loop.time() - began_s < 1.5:
        writer.write(b"GET /health/live HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 ")
        await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].split()[0]))
    last_s = loop.time()
    assert await asyncio.wait_for(reader.read(), 20) == b""
    assert loop.time() - last_s > 0.9
    writer.close()
