"""Every metric: its name, its kind, what it means, its labels and its buckets. ``GET /metrics`` shows them.

What the API processes of a machine know (requests) stands in memory that they share; what all machines share
(predictions, queue, workers) is read from Redis when asked for. So it is the same whichever API process answers. While
Redis is away the latter are absent, and ``zypher_redis_up`` is 0.
"""

from typing import Literal

import msgspec


class Metric(msgspec.Struct, frozen=True, kw_only=True):
    """One metric family."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()
    buckets_s: tuple[float, ...] = ()
    """Upper bounds of a histogram of times that is counted here; others bring their own."""


HTTP_REQUESTS = Metric(
    name="zypher_http_requests_total",
    kind="counter",
    help="Requests answered. route is the template, (none) where nothing is.",
    labels=("method", "route", "status"),
)
HTTP_DURATION = Metric(
    name="zypher_http_request_duration_seconds",
    kind="histogram",
    help="From a request's head to the end of its answer.",
    labels=("method", "route"),
    buckets_s=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0),
)
HTTP_RUNNING = Metric(name="zypher_http_requests_running", kind="gauge", help="Requests that are being answered now.")
UNRECORDED = Metric(
    name="zypher_unrecorded_predictions_total",
    kind="counter",
    help="Synchronous predictions answered but neither recorded nor counted: Redis was away for too long.",
)
SHED = Metric(
    name="zypher_shed_total",
    kind="counter",
    help="Requests that the API refused with 503. reason: overload (more came than can be done) or wait (longer "
    "than ZYPHER_SHED_WAIT_S). model is empty where the process itself had too much to do.",
    labels=("model", "version", "reason"),
)
MODEL_READY = Metric(
    name="zypher_model_ready",
    kind="gauge",
    help="1 if this version of the model is loaded in every API process that has it, else 0.",
    labels=("model", "version"),
)
BATCH_SIZE = Metric(
    name="zypher_batch_size",
    kind="histogram",
    help="Predictions in one call of the model, in the API. Halves of a batch that failed count again.",
    labels=("model", "version"),
)
BATCH_WAIT = Metric(
    name="zypher_batch_wait_seconds",
    kind="histogram",
    help="How long the first prediction of a batch had waited when it began, in the API.",
    labels=("model", "version"),
)
BATCH_LIMIT = Metric(
    name="zypher_batch_limit",
    kind="gauge",
    help="The largest batch at present, in the API: as set, or as found.",
    labels=("model", "version"),
)
BATCHER_WAITING = Metric(
    name="zypher_batcher_waiting",
    kind="gauge",
    help="Predictions that wait for the model in the API.",
    labels=("model", "version"),
)
CACHE_USES = Metric(
    name="zypher_model_cache_uses_total",
    kind="counter",
    help="Predictions of models with a result cache, in the API: hit, shared (somebody else's run), or miss.",
    labels=("model", "version", "use"),
)
CACHE_BYTES = Metric(
    name="zypher_model_cache_bytes",
    kind="gauge",
    help="Memory of the outputs that are kept by the API, about.",
    labels=("model", "version"),
)
BUILD = Metric(name="zypher_build_info", kind="gauge", help="Always 1; the label says which.", labels=("version",))
REDIS_UP = Metric(name="zypher_redis_up", kind="gauge", help="1 if Redis answered just now, else 0.")
REDIS_ROUND_TRIP = Metric(name="zypher_redis_round_trip_seconds", kind="gauge", help="One PING.")
PREDICTIONS = Metric(
    name="zypher_predictions_total",
    kind="counter",
    help="Predictions that ended, of all processes.",
    labels=("model", "mode", "status"),
)
QUEUE_DEPTH = Metric(name="zypher_queue_depth", kind="gauge", help="Predictions that wait.", labels=("queue",))
QUEUE_OLDEST_AGE = Metric(
    name="zypher_queue_oldest_age_seconds",
    kind="gauge",
    help="How long the oldest waiting prediction has waited; 0 when none waits.",
    labels=("queue",),
)
RUNNING = Metric(
    name="zypher_predictions_running", kind="gauge", help="Predictions that workers run now.", labels=("queue",)
)
WORKERS_ALIVE = Metric(name="zypher_workers_alive", kind="gauge", help="Workers with a fresh heartbeat.")
REFUSED = Metric(
    name="zypher_refused_finishes",
    kind="counter",
    help="Ends that came too late: the lease was somebody else's by then.",
)
WORKER_BATCH_SIZE = Metric(
    name="zypher_worker_batch_size",
    kind="histogram",
    help="Predictions in one call of the model, in all workers. Halves of a batch that failed count again.",
    labels=("model", "version"),
)
WORKER_BATCH_WAIT = Metric(
    name="zypher_worker_batch_wait_seconds",
    kind="histogram",
    help="How long the first prediction of a batch had waited in the worker when it began, in all workers.",
    labels=("model", "version"),
)
DELIVERIES = Metric(
    name="zypher_webhook_deliveries_total",
    kind="counter",
    help="Deliveries of webhooks that ended. outcome: delivered, failed (every attempt did, or it was given up) or "
    "refused (not tried: too many were pending, or its webhook is suspended).",
    labels=("outcome",),
)
DELIVERIES_PENDING = Metric(
    name="zypher_webhook_deliveries_pending",
    kind="gauge",
    help="Deliveries of webhooks that wait for an attempt, the first or another one, or are under way.",
)
WEBHOOKS_SUSPENDED = Metric(
    name="zypher_webhooks_suspended",
    kind="gauge",
    help="Registered webhooks whose deliveries fail at once: their receivers have failed for ZYPHER_WEBHOOK_SUSPEND_S.",
)
DELIVERY_ATTEMPT = Metric(
    name="zypher_webhook_attempt_duration_seconds",
    kind="histogram",
    help="One POST to a webhook's receiver, its name's look-up and the connection included. outcome: succeeded or "
    "failed.",
    labels=("outcome",),
)
WAIT = Metric(
    name="zypher_prediction_wait_seconds",
    kind="histogram",
    help="From created to the start of the last attempt.",
    labels=("model", "mode"),
)
RUN = Metric(
    name="zypher_prediction_run_seconds",
    kind="histogram",
    help="From the start of the last attempt to its finish.",
    labels=("model", "mode"),
)
TOTAL = Metric(
    name="zypher_prediction_total_seconds",
    kind="histogram",
    help="From created to the finish.",
    labels=("model", "mode"),
)
